import { createHash } from 'node:crypto';
import { textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { calendarsOf, eventsPath } from './places.ts';

const DAY_MS = 86_400_000;

/** Google ends a channel after about this many days (dossier, Webhooks). */
const DAYS = 7;

/** A channel may not be in use twice: its id names the connection, the calendar and the day it was made. */
function channelId(ctx: VendorContext, calendar: string, day: number | string): string {
  return createHash('sha256').update(`${ctx.webhookUrl}|${calendar}|${day}`).digest('hex').slice(0, 48);
}

interface Channel {
  /** Undefined: there is one of this id already. */
  resourceId: string | undefined;
  endsAt: Date | undefined;
}

/** Has Google post to us when something in a calendar changes. */
async function watch(ctx: VendorContext, calendar: string, id: string): Promise<Channel> {
  try {
    const { body } = await ctx.call({
      method: 'POST',
      path: `${eventsPath(calendar)}/watch`,
      query: { eventTypes: 'default' },
      json: { id, type: 'web_hook', address: ctx.webhookUrl, token: await ctx.webhookSecret() },
    });
    const ends = Number(textAt(body, 'expiration'));
    return { resourceId: textAt(body, 'resourceId'), endsAt: ends > 0 ? new Date(ends) : undefined };
  } catch (error) {
    if (error instanceof VendorError && error.code === 'channelIdNotUnique')
      return { resourceId: undefined, endsAt: undefined };
    throw error;
  }
}

/** Ends a channel; one that is not there is ended, too. */
async function stop(ctx: VendorContext, id: string, resourceId: string): Promise<void> {
  try {
    await ctx.call({
      method: 'POST',
      path: '/calendar/v3/channels/stop',
      json: { id, resourceId },
      expect: 'none',
      safe: true,
    });
  } catch (error) {
    if (!(error instanceof VendorError) || error.kind !== 'not_found') throw error;
  }
}

/** Ends the channels of a calendar made in the days of a channel's life before `day`. */
async function stopBefore(ctx: VendorContext, calendar: string, day: number, resourceId: string): Promise<void> {
  for (let back = 1; back <= DAYS; back++) await stop(ctx, channelId(ctx, calendar, day - back), resourceId);
}

const dayOf = (now: Date): number => Math.floor(now.getTime() / DAY_MS);

/**
 * Opens a channel for each calendar that is read and ends those before: the new one first, so that nothing is missed.
 * @returns when that has to be done again: a day before the first of them ends
 */
export async function prepareChannels(ctx: VendorContext): Promise<{ again: Date }> {
  const now = ctx.now;
  const today = dayOf(now);
  const ends: Date[] = [];
  // Without an address that Google can reach, changes are found by asking.
  for (const calendar of ctx.webhookUrl ? calendarsOf(ctx) : []) {
    const { resourceId, endsAt } = await watch(ctx, calendar, channelId(ctx, calendar, today));
    if (resourceId) await stopBefore(ctx, calendar, today, resourceId);
    ends.push(endsAt ?? new Date(now.getTime() + 2 * DAY_MS));
  }
  const first = Math.min(...ends.map((end) => end.getTime()), now.getTime() + DAYS * DAY_MS);
  return { again: new Date(Math.max(first - DAY_MS, now.getTime() + DAY_MS / 24)) };
}

/** Ends all channels. What they watch is called by a name that only opening one tells. */
export async function releaseChannels(ctx: VendorContext): Promise<void> {
  const today = dayOf(ctx.now);
  for (const calendar of ctx.webhookUrl ? calendarsOf(ctx) : []) {
    const last = channelId(ctx, calendar, `end ${ctx.now.getTime()}`);
    const { resourceId } = await watch(ctx, calendar, last);
    if (!resourceId) continue;
    await stop(ctx, last, resourceId);
    await stopBefore(ctx, calendar, today + 1, resourceId);
  }
}
