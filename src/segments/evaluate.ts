import { attempt } from '../base/attempt.ts';
import { one, type Tx } from '../base/database.ts';
import { addDays, instantOf, localDate } from '../base/time.ts';
import { datesOnEarth } from '../conditions/calendar.ts';
import { zonesInUse } from '../conditions/store.ts';
import { takeEverybody, takeScored, takeStale } from '../model/stale.ts';
import { setting } from '../settings/store.ts';
import { planAnew } from '../sync/ingest.ts';
import { type Evaluation, evaluate, type Outcome, type Scope } from './membership.ts';
import { askedFor, inOrder, readsScores } from './order.ts';
import { allSegments, noteEvaluated, noteSwept, type SegmentRow } from './store.ts';

const HOUR = 3_600_000;

/** Customers looked at in one transaction. */
const BATCH = 1000;

const NOTHING: Outcome = { entered: 0, left: 0, moved: [], told: 0 };

/** Looks at one segment; one that cannot be evaluated says why and holds nobody else up. */
async function look(tx: Tx, segment: SegmentRow, scope: Scope, how: Evaluation): Promise<Outcome> {
  let outcome = NOTHING;
  const failure = await attempt(tx, async () => {
    outcome = await evaluate(tx, segment, scope, how);
  });
  const problem = failure === undefined ? null : `It could not be evaluated: ${failure}`;
  if (failure !== undefined) outcome = NOTHING;
  if (outcome.moved.length > 0 || segment.problem !== problem || scope.kind === 'all')
    await noteEvaluated(tx, segment.id, { problem, ...counted(scope, outcome), now: how.now });
  return outcome;
}

const counted = (scope: Scope, outcome: Outcome): { whole: boolean; grown: number } => ({
  whole: scope.kind === 'all',
  grown: outcome.entered - outcome.left,
});

/** For a transaction that looks at many: its statements are planned for the tables as they are. */
async function how(tx: Tx, now: Date, silent: boolean): Promise<Evaluation> {
  await planAnew(tx);
  const { zone, currency } = await setting(tx, 'business');
  return { now, zone, currency, zones: await zonesInUse(tx), silent };
}

/** Everybody is looked at for segments that are new or changed, or for all when a load came in. @returns how many were */
export async function evaluateWhole(tx: Tx, now: Date): Promise<number> {
  const everything = await takeEverybody(tx, 'segments');
  const segments = inOrder(await allSegments(tx));
  const anew = new Set(segments.filter((one) => everything || one.evaluated_at === null).map(({ id }) => id));
  // Who asks for one that is looked at anew may get other members by it.
  for (const segment of segments) if (askedFor(segment.condition).some((id) => anew.has(id))) anew.add(segment.id);
  if (anew.size === 0) return 0;
  const evaluation = await how(tx, now, true);
  for (const segment of segments) if (anew.has(segment.id)) await look(tx, segment, { kind: 'all' }, evaluation);
  return anew.size;
}

/**
 * Looks at customers of whom something changed, and at those whose change of membership has lasted long enough.
 * @returns how many customers were looked at (0 when there are none left), and of how many changes others are told
 */
export async function evaluateChanged(tx: Tx, now: Date): Promise<{ looked: number; told: number }> {
  const segments = inOrder(await allSegments(tx));
  const depths = new Map((await takeStale(tx, 'segments', BATCH)).map((stale) => [stale.customerId, stale.depth]));
  for (const { customer_id, depth } of await lasted(tx, now, BATCH))
    depths.set(customer_id, Math.max(depths.get(customer_id) ?? 0, depth));
  if (depths.size === 0) return { looked: 0, told: 0 };
  const evaluation = await how(tx, now, false);
  let told = 0;
  for (const segment of segments) told += (await look(tx, segment, { kind: 'customers', depths }, evaluation)).told;
  return { looked: depths.size, told };
}

async function lasted(tx: Tx, now: Date, limit: number): Promise<{ customer_id: string; depth: number }[]> {
  const { rows } = await tx.query<{ customer_id: string; depth: number }>(
    'select customer_id, max(depth) as depth from segment_pending where tenant_id = $1 and due_at <= $2 group by customer_id order by customer_id limit $3',
    [tx.tenantId, now, limit],
  );
  return rows;
}

/**
 * Looks at everybody for the segments that ask for scores, where everybody's were computed anew.
 * @returns of how many changes others are told
 */
export async function evaluateScored(tx: Tx, now: Date): Promise<number> {
  if (!(await takeScored(tx))) return 0;
  const segments = inOrder(await allSegments(tx));
  const evaluation = await how(tx, now, false);
  let told = 0;
  for (const segment of segments)
    if (readsScores(segment.condition))
      told += await lookWithThoseWhoAsk(tx, segment, segments, evaluation, { kind: 'all' });
  return told;
}

/** Looks at a segment, and, for whoever moved by that, at those that ask for it. @returns how many changes are told */
async function lookWithThoseWhoAsk(
  tx: Tx,
  segment: SegmentRow,
  segments: readonly SegmentRow[],
  evaluation: Evaluation,
  scope: Scope,
): Promise<number> {
  const { moved, told } = await look(tx, segment, scope, evaluation);
  if (moved.length === 0) return told;
  const depths = new Map(moved.map((id) => [id, 0]));
  let all = told;
  for (const other of segments)
    if (askedFor(other.condition).includes(segment.id))
      all += (await look(tx, other, { kind: 'customers', depths }, evaluation)).told;
  return all;
}

/**
 * Where a day began since the last look, the conditions that hang on the day are looked at for the people there.
 * @returns of how many changes others are told
 */
export async function evaluateTurned(tx: Tx, now: Date): Promise<number> {
  const segments = inOrder(await allSegments(tx));
  const evaluation = await how(tx, now, false);
  let told = 0;
  for (const segment of segments) {
    if (!segment.timed || segment.evaluated_at === null) continue;
    const since = segment.swept_at ?? segment.evaluated_at;
    const zones = turnedBetween(since, now);
    const without = localDate(since, evaluation.zone) !== localDate(now, evaluation.zone);
    if (zones.length === 0 && !without) continue;
    told += await lookWithThoseWhoAsk(tx, segment, segments, evaluation, { kind: 'zones', zones, without });
    await noteSwept(tx, segment.id, now);
  }
  return told;
}

/** Zones in which another date has come. */
function turnedBetween(since: Date, now: Date): string[] {
  const before = new Map([...datesOnEarth(since)].flatMap(([date, zones]) => zones.map((zone) => [zone, date])));
  return [...datesOnEarth(now)].flatMap(([date, zones]) => zones.filter((zone) => before.get(zone) !== date));
}

/** When segments have to be looked at next without any change: a wait is over, or somewhere a day begins. */
export async function nextLook(tx: Tx, now: Date): Promise<Date | undefined> {
  const { zone } = await setting(tx, 'business');
  const row = one(
    await tx.query<{ due: Date | null; timed: boolean }>(
      `select (select min(due_at) from segment_pending where tenant_id = $1) as due,
         exists (select 1 from segment where tenant_id = $1 and timed) as timed`,
      [tx.tenantId],
    ),
  )!;
  const midnight = instantOf(addDays(localDate(now, zone), 1), '00:00', zone);
  // Most days begin on the hour; those of a few zones are seen up to three quarters late.
  const hour = new Date(now.getTime() - (now.getTime() % HOUR) + HOUR);
  const times = [...(row.due ? [row.due] : []), ...(row.timed ? [hour < midnight ? hour : midnight] : [])];
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}
