import { listAt, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { graph, step, taskListOf } from './graph.ts';

const MINUTE_MS = 60_000;
/** Longest lives (dossier, Webhooks: Maximum life), less what clocks may differ. */
const WEEK = 10_080 - 10;
const TODO = 4_230 - 10;

interface Wanted {
  resource: string;
  changeType: string;
  minutes: number;
}

/** What is subscribed to, by the features that are on. */
function wantedBy(ctx: VendorContext): Wanted[] {
  const has = (feature: string): boolean => ctx.features.includes(feature);
  const all = 'created,updated,deleted';
  return [
    ...(has('read') ? [{ resource: 'me/contacts', changeType: all, minutes: WEEK }] : []),
    ...(has('calendar') ? [{ resource: 'me/events', changeType: all, minutes: WEEK }] : []),
    ...(has('replies') ? [{ resource: "me/mailFolders('inbox')/messages", changeType: 'created', minutes: WEEK }] : []),
    ...(has('tasks') ? [{ resource: `me/todo/lists/${taskListOf(ctx)}/tasks`, changeType: all, minutes: TODO }] : []),
  ];
}

/** Our subscriptions of this connection: those that post to its address. */
async function ours(ctx: VendorContext): Promise<unknown[]> {
  const { body } = await ctx.call(graph({ method: 'GET', path: '/subscriptions' }));
  return listAt(body, 'value').filter((one) => textAt(one, 'notificationUrl') === ctx.webhookUrl);
}

const drop = async (ctx: VendorContext, id: string): Promise<void> => {
  try {
    await ctx.call(graph({ method: 'DELETE', path: `/subscriptions/${step(id)}`, expect: 'none' }));
  } catch (error) {
    if (!(error instanceof VendorError) || error.kind !== 'not_found') throw error;
  }
};

/** Prolongs a subscription. @returns false when it is gone */
async function prolong(ctx: VendorContext, id: string, until: string): Promise<boolean> {
  try {
    const json = { expirationDateTime: until };
    await ctx.call(graph({ method: 'PATCH', path: `/subscriptions/${step(id)}`, json, safe: true }));
    return true;
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'not_found') return false;
    throw error;
  }
}

/**
 * Subscribes to what changes, or prolongs what is subscribed to already; prolonging also answers a request to
 * reauthorise. @returns when it has to be done again: half of the shortest life
 */
export async function subscribe(ctx: VendorContext): Promise<{ again: Date } | undefined> {
  if (!ctx.webhookUrl) return undefined;
  const wanted = wantedBy(ctx);
  if (wanted.length === 0) return undefined;
  const known = await ours(ctx);
  const clientState = await ctx.webhookSecret();
  const kept = new Set<string>();
  for (const { resource, changeType, minutes } of wanted) {
    const until = new Date(ctx.now.getTime() + minutes * MINUTE_MS).toISOString();
    const found = known.find((one) => textAt(one, 'resource')?.toLowerCase() === resource.toLowerCase());
    const id = textAt(found, 'id');
    if (id && (await prolong(ctx, id, until))) {
      kept.add(id);
      continue;
    }
    const json = {
      ...{ changeType, resource, clientState },
      ...{ notificationUrl: ctx.webhookUrl, lifecycleNotificationUrl: ctx.webhookUrl },
      ...{ expirationDateTime: until, latestSupportedTlsVersion: 'v1_2' },
    };
    await ctx.call(graph({ method: 'POST', path: '/subscriptions', json }));
  }
  // Twins, and those of a feature that was switched off.
  for (const one of known) {
    const id = textAt(one, 'id') ?? '';
    if (id && !kept.has(id)) await drop(ctx, id);
  }
  return { again: new Date(ctx.now.getTime() + (Math.min(...wanted.map(({ minutes }) => minutes)) / 2) * MINUTE_MS) };
}

/** Takes our subscriptions back. */
export async function release(ctx: VendorContext): Promise<void> {
  for (const one of await ours(ctx)) await drop(ctx, textAt(one, 'id') ?? '');
}
