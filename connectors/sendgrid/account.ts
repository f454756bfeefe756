import { type Account, listAt, type Secrets, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

export const setting = (ctx: Pick<VendorContext, 'settings'>, name: string): string | undefined => {
  const value = ctx.settings[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/**
 * Tells whose key it is, and that it may send.
 * @throws VendorError `forbidden` naming the permission a restricted key lacks
 */
export async function whoAmI(ctx: VendorContext): Promise<Account> {
  const { body: rights } = await ctx.call({ method: 'GET', path: '/v3/scopes' });
  const scopes = listAt<string>(rights, 'scopes');
  if (!scopes.includes('mail.send'))
    throw new VendorError('forbidden', 'This API key may not send mail: give it the permission mail.send.');
  const { body } = await ctx.call({ method: 'GET', path: '/v3/user/username' });
  const name = textAt(body, 'username') ?? 'SendGrid';
  const subuser = setting(ctx, 'onBehalfOf');
  const id = textAt(body, 'user_id') ?? '';
  return { id: subuser ? `${id}/${subuser}` : id, name: subuser ?? name, extra: { scopes } };
}

const EVENTS = [
  ...['delivered', 'bounce', 'dropped', 'deferred', 'processed', 'open', 'click', 'spam_report'],
  ...['unsubscribe', 'group_unsubscribe', 'group_resubscribe'],
];

/**
 * Adds our address to those SendGrid posts events to, and has them signed. Others' addresses are left alone: an account
 * has few of them, and other tools share them (dossier, Webhooks).
 * @returns the public key, with which posts are checked
 * @throws VendorError `conflict` when there is no room for one more
 */
export async function listenForEvents(ctx: VendorContext): Promise<Secrets> {
  if (!ctx.webhookUrl) return {};
  const { body } = await ctx.call({ method: 'GET', path: '/v3/user/webhooks/event/settings/all' });
  const there = listAt(body, 'webhooks');
  const ours = there.find((one) => textAt(one, 'url') === ctx.webhookUrl);
  const most = Number(textAt(body, 'max_allowed') ?? there.length + 1);
  if (!ours && there.length >= most)
    throw new VendorError(
      'conflict',
      `SendGrid posts events to ${there.length} addresses already, which is all your plan allows. Take one away there, then prepare this connection again; until then nothing tells whether mails arrived.`,
    );
  const id = textAt(ours, 'id') ?? (await enter(ctx));
  const signed = await ctx.call({
    method: 'PATCH',
    path: `/v3/user/webhooks/event/settings/signed/${encodeURIComponent(id)}`,
    json: { enabled: true },
  });
  const key = textAt(signed.body, 'public_key');
  if (!key) throw new VendorError('malformed', 'SendGrid did not tell the key its events are signed with.');
  return { eventKey: key };
}

async function enter(ctx: VendorContext): Promise<string> {
  const { body } = await ctx.call({
    method: 'POST',
    path: '/v3/user/webhooks/event/settings',
    json: {
      ...{ enabled: true, url: ctx.webhookUrl, friendly_name: 'Rapport' },
      ...Object.fromEntries(EVENTS.map((event) => [event, true])),
    },
  });
  const id = textAt(body, 'id');
  if (!id) throw new VendorError('malformed', 'SendGrid entered our address without an id.', { mayHaveActed: true });
  return id;
}
