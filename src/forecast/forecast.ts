import type { ActionDeps } from '../actions/deps.ts';
import type { Tx } from '../base/database.ts';
import { tenantZone } from '../settings/store.ts';
import { arrivalsOf, type Outlook, outlook } from './arrivals.ts';
import { Days } from './deciding.ts';
import { type Draft, expect, loadWorld } from './load.ts';
import { membersWaiting, turnsAhead } from './waiting.ts';
import { dayAfter, walk } from './walk.ts';
import type { Coming, World } from './world.ts';

/** What a look ahead is asked. */
export interface Asked {
  /** 1 to 630. */
  days: number;
  draft?: Draft | undefined;
  customerId?: string | undefined;
}

/** What it found. */
export interface Found {
  from: Date;
  until: Date;
  coming: Coming[];
  internal: Coming[];
  held: World['held'];
  unforeseen: Outlook['unforeseen'];
  people: World['people'];
}

/**
 * Every message that will go out in the days to come, when nobody answers and facts stay as they are: what enrolments have
 * before them, and enrolments whose date is known already. Played in memory by the engine's own steps and the gate's own
 * decisions; nothing is kept.
 */
export async function lookAhead(deps: ActionDeps, tenantId: string, asked: Asked): Promise<Found> {
  const now = deps.clock.now();
  const { draft, customerId, days: count } = asked;
  const until = await deps.db.tenant(tenantId, (tx) => lastMoment(tx, now, count));
  // Derived dates are brought up to date in a rehearsal of its own, so that nobody waits for the long one.
  const { foreseen, unforeseen } = await deps.db.rehearse(tenantId, (tx) => outlook(tx, now, until, draft, customerId));
  return deps.db.rehearse(tenantId, async (tx) => {
    const customers = customerId ? [customerId] : undefined;
    const world = await loadWorld(deps, tx, { now, customers, draft });
    const own = foreseen.filter(({ candidate }) => !customerId || candidate.customerId === customerId);
    const members = turnsAhead(world, await membersWaiting(tx, until, customerId), now);
    await expect(world, [...(await arrivalsOf(world, own, now)), ...members]);
    const days = new Days(world);
    await walk(world, days, until);
    const { coming, internal, held, people } = world;
    return { from: now, until, coming, internal, held, unforeseen, people };
  });
}

/** The end of the last day, as the business counts days. */
async function lastMoment(tx: Tx, now: Date, days: number): Promise<Date> {
  return new Date(dayAfter(now, await tenantZone(tx), days + 1).getTime() - 1);
}
