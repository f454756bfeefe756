import { type Account, listAt, type Secrets, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { DATA_CENTRE, ofAudience } from './api.ts';

/**
 * Tells who is connected: one audience of one account, because consent, fields and webhooks belong to the audience.
 * The data centre comes first, from the one host that is the same for all (dossier, Auth: instance discovery).
 * @throws VendorError `invalid` when there is no such audience
 */
export async function whoAmI(ctx: VendorContext): Promise<Account> {
  const metadata = (await ctx.call({ method: 'GET', host: 'login', path: '/oauth2/metadata' })).body;
  const dc = textAt(metadata, 'dc') ?? '';
  if (!DATA_CENTRE.test(dc))
    throw new VendorError('malformed', 'Mailchimp did not tell in which data centre the account lives.');
  const call = async (path: string, query: Record<string, string | number>): Promise<unknown> =>
    (await ctx.call({ method: 'GET', host: dc, path: `/3.0${path}`, query })).body;
  const account = await call('/', { fields: 'account_id,account_name,account_timezone,role' });
  const audience = await audienceFor(ctx, call);
  const timeZone = zoneOf(textAt(account, 'account_timezone'));
  const name = textAt(account, 'account_name') ?? textAt(metadata, 'accountname') ?? 'Mailchimp';
  return {
    id: `${textAt(account, 'account_id') ?? ''}-${audience.id}`,
    name: `${name}: ${audience.name}`,
    url: `https://${dc}.admin.mailchimp.com/`,
    ...(timeZone ? { timeZone } : {}),
    extra: { dc, audience: audience.id },
  };
}

/** The audience the connection has, the one somebody named, or the oldest. */
async function audienceFor(
  ctx: VendorContext,
  call: (path: string, query: Record<string, string | number>) => Promise<unknown>,
): Promise<{ id: string; name: string }> {
  const known = textAt(ctx.account.extra, 'audience');
  const lists = await call('/lists', {
    fields: 'lists.id,lists.name',
    count: 1000,
    sort_field: 'date_created',
    sort_dir: 'ASC',
  });
  const all = listAt(lists, 'lists').map((list) => ({
    id: textAt(list, 'id') ?? '',
    name: textAt(list, 'name') ?? 'Audience',
  }));
  const wanted = known ?? textAt(ctx.settings, 'audience');
  // People know its name, programs its id.
  const same = (text: string): boolean => text.toLowerCase() === wanted?.toLowerCase();
  const found = wanted === undefined ? all[0] : all.find(({ id, name }) => same(id) || same(name));
  if (found) return found;
  throw new VendorError(
    'invalid',
    all.length === 0
      ? 'This Mailchimp account has no audience yet. Make one there, then connect.'
      : `This Mailchimp account has no audience "${wanted}". It has ${all.map(({ name }) => name).join(', ')}.`,
  );
}

/** A zone that computers know; the vendor writes names of its own too. */
function zoneOf(name: string | undefined): string | undefined {
  try {
    return name ? new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone : undefined;
  } catch {
    return undefined;
  }
}

/** Everything a webhook of an audience tells; our own writes would only come back. */
const EVENTS = { subscribe: true, unsubscribe: true, profile: true, cleaned: true, upemail: true, campaign: false };
const SOURCES = { user: true, admin: true, api: false };

/**
 * Has the audience post to us, with a secret in the address: posts are not always signed (dossier, Webhooks). What was
 * entered before is replaced, because what it signs with is told once, when it is made.
 * @returns what posts are signed with, where the vendor says so
 */
export async function listen(ctx: VendorContext): Promise<Secrets> {
  const secret = await ctx.webhookSecret();
  if (!ctx.webhookUrl || !secret || ctx.settings.webhooks === 'by_hand') return {};
  const present = (await ctx.call(ofAudience(ctx, 'GET', '/webhooks'))).body;
  for (const webhook of listAt(present, 'webhooks')) {
    const [address] = (textAt(webhook, 'url') ?? '').split('?');
    if (address !== ctx.webhookUrl) continue;
    const path = `/webhooks/${encodeURIComponent(textAt(webhook, 'id') ?? '')}`;
    await ctx.call(ofAudience(ctx, 'DELETE', path, { expect: 'none' }));
  }
  const json = { url: `${ctx.webhookUrl}?secret=${secret}`, events: EVENTS, sources: SOURCES };
  const made = (await ctx.call(ofAudience(ctx, 'POST', '/webhooks', { json }))).body;
  const signingSecret = textAt(made, 'signing_secret');
  return signingSecret ? { signingSecret } : {};
}
