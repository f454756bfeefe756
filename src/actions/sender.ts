import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { newId } from '../base/ids.ts';
import { openSession, type Session } from '../connections/session.ts';
import { suppress } from '../consent/store.ts';
import { parkOrResolve } from './again.ts';
import type { ActionDeps } from './deps.ts';
import { afterEnds } from './ending.ts';
import { perform } from './send.ts';
import { beginSending, handBack, settleSendings } from './sendings.ts';
import type { RequestRow } from './store.ts';
import type { Settlement } from './transitions.ts';
import { announceWrites, forgetAnnounced, settleWrites } from './writes.ts';

const LEASE_MS = 120_000;

/** Calls under way at the same time in one lane. */
const AT_ONCE = 16;

/**
 * Requests taken into sending together, and left open together when the process dies meanwhile: as many as can begin at
 * once, and from platforms that answer fast as many as they took in `TAKEN_MS`.
 */
const MOST = 64;
const TAKEN_MS = 100;

/** Lanes of one sender. */
const LANES = 2;

/**
 * What was taken and could not begin in this time goes back and through the gate again: an opt-out or an off switch of
 * the meantime must still reach it.
 */
const BEGIN_WITHIN_MS = 250;

/** Sends committed requests of one tenant; its sessions stay open until it is closed. */
export interface Sender {
  /**
   * Takes them into sending, calls the platforms, settles what came back.
   * @returns how many were sent, and how many were left for the gate to decide about again
   */
  send(ids: readonly string[]): Promise<Pick<Totals, 'sent' | 'left'>>;
  close(): Promise<void>;
}

/** @param tenantId whose requests are sent */
export function openSender(deps: ActionDeps, tenantId: string): Sender {
  const owner = `${deps.processId}:${newId()}`;
  const sessions = new Map<string, Promise<Session>>();
  const sessionOf = (connectionId: string): Promise<Session> => {
    if (!sessions.has(connectionId)) sessions.set(connectionId, openSession(deps, tenantId, connectionId, 'action'));
    return sessions.get(connectionId)!;
  };
  let size = AT_ONCE;
  let fast = false;

  /** Begins in the order they were taken, `AT_ONCE` at a time. What could not begin soon is not begun. */
  async function performAll(taken: readonly RequestRow[]): Promise<Outcome> {
    if (taken.length === 0) return { settlements: [], left: [] };
    const started = performance.now();
    const lastBegin = deps.clock.now().getTime() + BEGIN_WITHIN_MS;
    const { results, left } = await inTurn(
      taken,
      AT_ONCE,
      () => deps.clock.now().getTime() <= lastBegin,
      (request) => perform(deps, request, sessionOf),
    );
    const took = performance.now() - started;
    size = Math.min(MOST, Math.max(AT_ONCE, Math.round((results.length / took) * TAKEN_MS)));
    fast = took <= TAKEN_MS;
    return { settlements: results, left };
  }

  /** Chunk after chunk, until nothing waits any more. One transaction settles a chunk and takes the next. */
  async function lane(waiting: string[], totals: Totals, onFast: () => void): Promise<void> {
    let came: Outcome = { settlements: [], left: [] };
    do {
      const chunk = waiting.splice(0, size);
      const taken = await deps.db.tenant(tenantId, async (tx) => {
        await settle(deps, tx, came, owner);
        return chunk.length > 0 ? take(deps, tx, chunk, owner) : [];
      });
      if (fast && waiting.length > 0) onFast();
      came = await performAll(taken);
      totals.left += came.left.length;
      for (const { state } of came.settlements) if (state === 'sent' || state === 'unknown') totals[state] += 1;
    } while (waiting.length > 0 || came.settlements.length > 0 || came.left.length > 0);
  }

  return {
    async send(ids) {
      const waiting = [...ids];
      const totals: Totals = { sent: 0, unknown: 0, left: 0 };
      if (ids.length === 0) return totals;
      const lanes: Promise<void>[] = [];
      // Where calls are short, the calls of one lane are under way while the other settles.
      const open = (): void => {
        if (lanes.length < LANES) lanes.push(lane(waiting, totals, open));
      };
      open();
      const ended = await allEnded(lanes);
      if (totals.unknown > 0) await bumpDue({ query: deps.db.statement }, tenantId, 'reconcile', deps.clock.now());
      for (const end of ended) if (end.status === 'rejected') throw end.reason;
      return totals;
    },
    async close() {
      for (const session of sessions.values()) await session.then((open) => open.close()).catch(() => {});
    },
  };
}

interface Totals {
  sent: number;
  unknown: number;
  left: number;
}

/**
 * Works on items in order, `atOnce` at a time; the first of them always, the others as long as they may begin.
 * @returns what came of those that began, in order, and those that did not begin
 */
export async function inTurn<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  mayBegin: () => boolean,
  work: (item: Item) => Promise<Result>,
): Promise<{ results: Result[]; left: Item[] }> {
  const results: Result[] = [];
  let next = 0;
  const turn = async (): Promise<void> => {
    while (next < items.length && (next < atOnce || mayBegin())) {
      const at = next++;
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, turn));
  return { results, left: items.slice(next) };
}

/** Waits for all, also those that were added meanwhile. */
async function allEnded(lanes: readonly Promise<void>[]): Promise<PromiseSettledResult<void>[]> {
  const ended = await Promise.allSettled(lanes);
  return ended.length === lanes.length ? ended : allEnded(lanes);
}

/** What became of a chunk: settled by the platform's answers, or not begun. */
interface Outcome {
  settlements: readonly Settlement[];
  left: readonly RequestRow[];
}

async function take(deps: ActionDeps, tx: Tx, ids: readonly string[], owner: string): Promise<RequestRow[]> {
  const now = deps.clock.now();
  const rows = await beginSending(tx, ids, { owner, until: new Date(now.getTime() + LEASE_MS) }, now);
  await announceWrites(deps, tx, rows, now);
  return rows;
}

async function settle(deps: ActionDeps, tx: Tx, { settlements, left }: Outcome, owner: string): Promise<void> {
  const now = deps.clock.now();
  if (left.length > 0) {
    await handBack(
      tx,
      left.map(({ id }) => id),
      owner,
      now,
    );
    await forgetAnnounced(deps, tx, left);
  }
  if (settlements.length === 0) return;
  const rows = await settleSendings(tx, settlements, owner, now);
  for (const row of rows) await follow(deps, tx, row, now);
  await settleWrites(deps, tx, rows, new Map(settlements.map(({ id, stored }) => [id, stored ?? []])), now);
  await afterEnds(deps, tx, rows, now);
}

/** What the platform's word means beyond this request. */
async function follow(deps: ActionDeps, tx: Tx, request: RequestRow, now: Date): Promise<void> {
  const { reason } = request;
  await parkOrResolve(deps, tx, request, now);
  if ((reason === 'recipient_opted_out' || reason === 'recipient_invalid') && request.class !== 'internal') {
    // The platform knows something we did not: nothing goes there any more.
    await suppress(tx, {
      channel: request.channel,
      addressHash: deps.hash(tx.tenantId, request.channel, request.recipient),
      scope: 'all',
      reason,
      source: 'platform',
      evidence: { request: request.id, detail: request.reason_detail },
      at: now,
    });
  }
}
