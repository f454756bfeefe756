import { textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { allOf, pathOf, whose } from './api.ts';

/** What we want to be told of (dossier, Webhooks: Events). */
const EVENTS = ['invitee.created', 'invitee.canceled', 'invitee_no_show.created', 'invitee_no_show.deleted'];

/** A webhook that failed for a day is switched off and says nothing: it is looked at this often. */
const LOOK_MS = 24 * 3_600_000;

const organizationOf = (ctx: VendorContext): string => textAt(ctx.account.extra, 'organization') ?? '';

/** Our webhooks of this connection: those that lead to its address. */
async function ours(ctx: VendorContext): Promise<unknown[]> {
  const { scope, query } = whose(ctx);
  const all = await allOf(ctx, {
    path: '/webhook_subscriptions',
    query: { organization: organizationOf(ctx), scope, ...(query.user ? { user: query.user } : {}) },
  });
  return all.filter((one) => textAt(one, 'callback_url') === ctx.webhookUrl);
}

async function drop(ctx: VendorContext, uri: string | undefined): Promise<void> {
  try {
    await ctx.call({ method: 'DELETE', path: pathOf(uri), expect: 'none' });
  } catch (error) {
    if (!(error instanceof VendorError) || error.kind !== 'not_found') throw error;
  }
}

/** Enters our address, unless it stands there and works. @returns when to look again */
export async function subscribe(ctx: VendorContext): Promise<{ again: Date } | undefined> {
  if (!ctx.webhookUrl) return undefined;
  const again = new Date(ctx.now.getTime() + LOOK_MS);
  const known = await ours(ctx);
  const works = known.find((one) => textAt(one, 'state') === 'active');
  for (const one of known) if (one !== works) await drop(ctx, textAt(one, 'uri'));
  if (works) return { again };
  const { scope, query } = whose(ctx);
  const user = query.user ? { user: query.user } : {};
  const json = { url: ctx.webhookUrl, events: EVENTS, organization: organizationOf(ctx), scope, ...user };
  try {
    await ctx.call({ method: 'POST', path: '/webhook_subscriptions', json });
  } catch (error) {
    // Somebody was faster, or our own lost try: it is there.
    if (!(error instanceof VendorError) || error.kind !== 'conflict') throw error;
  }
  return { again };
}

/** Takes our address out again. */
export async function release(ctx: VendorContext): Promise<void> {
  for (const one of await ours(ctx)) await drop(ctx, textAt(one, 'uri'));
}
