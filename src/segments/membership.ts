import { type Tx, VARIES } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { compileCondition } from '../conditions/compile.ts';
import type { Condition } from '../conditions/types.ts';
import { appendChanges } from '../model/changes.ts';
import type { Change } from '../model/types.ts';
import type { SegmentRow } from './store.ts';

/** Who is looked at. */
export type Scope =
  | { kind: 'customers'; depths: ReadonlyMap<string, number> }
  /** Customers whose calendar turned: those of the zones, and those without a zone of their own. */
  | { kind: 'zones'; zones: readonly string[]; without: boolean }
  | { kind: 'all' };

export interface Evaluation {
  now: Date;
  zone: string;
  currency: string;
  /** Zones customers live in. */
  zones: readonly string[];
  /** Told to nobody: everybody is looked at because the condition is new or a load came in. */
  silent: boolean;
}

/** What came of looking at a segment. */
export interface Outcome {
  entered: number;
  left: number;
  /** Customers whose membership changed: segments that ask for this one look at them too. */
  moved: string[];
  /** Changes that others are told of. */
  told: number;
}

interface Difference {
  customer_id: string;
  inside: boolean;
  gone: boolean;
}

const MINUTE = 60_000;

/** The customers of the scope whose membership is not what the condition says. */
async function differences(tx: Tx, segment: SegmentRow, scope: Scope, how: Evaluation): Promise<Difference[]> {
  const { customers, members, values } = scoped(scope);
  const compiled = compileCondition(segment.condition as Condition, {
    now: how.now,
    zone: how.zone,
    currency: how.currency,
    zones: how.zones,
    firstParameter: 3 + values.length,
  });
  const { rows } = await tx.query<Difference>(
    `${VARIES}with matched as (
       select c.id from customer c where c.tenant_id = $1 and c.deleted_at is null and ${customers} and ${compiled.sql}),
     member as (
       select m.customer_id, c.deleted_at is not null or c.id is null as gone
       from segment_member m left join customer c on c.tenant_id = $1 and c.id = m.customer_id
       where m.tenant_id = $1 and m.segment_id = $2 and m.left_at is null and ${members})
     select coalesce(x.id, m.customer_id) as customer_id, x.id is not null as inside, coalesce(m.gone, false) as gone
     from matched x full join member m on m.customer_id = x.id where x.id is null or m.customer_id is null order by 1`,
    [tx.tenantId, segment.id, ...values, ...compiled.values],
  );
  return rows;
}

/** The scope as predicates about customers `c` and members `m`; the parameters begin at $3. */
function scoped(scope: Scope): { customers: string; members: string; values: unknown[] } {
  if (scope.kind === 'all') return { customers: 'true', members: 'true', values: [] };
  if (scope.kind === 'customers')
    return {
      customers: 'c.id = any($3::uuid[])',
      members: 'm.customer_id = any($3::uuid[])',
      values: [[...scope.depths.keys()]],
    };
  const there = '(c.local_zone = any($3::text[]) or ($4::boolean and c.local_zone is null))';
  return { customers: there, members: there, values: [scope.zones, scope.without] };
}

/**
 * Looks who of the scope belongs into a segment and who not any more. A change that lasts shorter than the segment asks
 * for is no change: it waits in `segment_pending` until it has lasted, and is forgotten when it is taken back.
 */
export async function evaluate(tx: Tx, segment: SegmentRow, scope: Scope, how: Evaluation): Promise<Outcome> {
  const found = await differences(tx, segment, scope, how);
  // Who is gone leaves at once and silently: it is no event about a person.
  const gone = found.filter((row) => row.gone);
  const rest = found.filter((row) => !row.gone);
  const settled = how.silent || segment.settle_minutes === 0 ? rest : await lasting(tx, segment, scope, rest, how);
  if (how.silent) await forgetPending(tx, segment.id, scope);
  const left = await leave(tx, segment, [...gone, ...settled.filter((row) => !row.inside)], how.now);
  const entered = await enter(
    tx,
    segment,
    settled.filter((row) => row.inside),
    how.now,
  );
  const away = new Set(gone.map((row) => row.customer_id));
  const told = how.silent
    ? []
    : changesOf(
        segment,
        scope,
        entered,
        left.filter((id) => !away.has(id)),
        how.now,
      );
  await appendChanges(tx, told);
  return { entered: entered.length, left: left.length, moved: [...entered, ...left], told: told.length };
}

/** Differences that have lasted. New ones begin to wait, those taken back are forgotten. */
async function lasting(
  tx: Tx,
  segment: SegmentRow,
  scope: Scope,
  found: readonly Difference[],
  how: Evaluation,
): Promise<Difference[]> {
  const ids = found.map((row) => row.customer_id);
  await forgetPending(tx, segment.id, scope, ids);
  if (found.length === 0) return [];
  await tx.query(
    `insert into segment_pending as p (tenant_id, segment_id, customer_id, inside, depth, due_at)
     select $1, $2, id, inside, depth, $6 from unnest($3::uuid[], $4::boolean[], $5::smallint[]) as i(id, inside, depth) order by id
     on conflict (tenant_id, segment_id, customer_id) do update set inside = excluded.inside, depth = excluded.depth, due_at = excluded.due_at
     where p.inside <> excluded.inside`,
    [
      tx.tenantId,
      segment.id,
      ids,
      found.map((row) => row.inside),
      found.map((row) => depthOf(scope, row.customer_id)),
      new Date(how.now.getTime() + segment.settle_minutes * MINUTE),
    ],
  );
  const { rows } = await tx.query<{ customer_id: string }>(
    `delete from segment_pending where tenant_id = $1 and segment_id = $2 and customer_id = any($3) and due_at <= $4 returning customer_id`,
    [tx.tenantId, segment.id, ids, how.now],
  );
  const due = new Set(rows.map((row) => row.customer_id));
  return found.filter((row) => due.has(row.customer_id));
}

const depthOf = (scope: Scope, customerId: string): number =>
  scope.kind === 'customers' ? (scope.depths.get(customerId) ?? 0) : 0;

/** Nothing waits any more for customers of the scope, those named excepted. Where it names no customers: for nobody. */
async function forgetPending(tx: Tx, segmentId: string, scope: Scope, except: readonly string[] = []): Promise<void> {
  const among = scope.kind === 'customers' ? [...scope.depths.keys()] : null;
  // A turn of the calendar looked at some zones only: what waits elsewhere goes on waiting.
  if (scope.kind === 'zones') return;
  await tx.query(
    `delete from segment_pending where tenant_id = $1 and segment_id = $2 and ($3::uuid[] is null or customer_id = any($3)) and not customer_id = any($4)`,
    [tx.tenantId, segmentId, among, except],
  );
}

async function enter(tx: Tx, segment: SegmentRow, found: readonly Difference[], now: Date): Promise<string[]> {
  if (found.length === 0) return [];
  // Left and back in the same moment is never having left.
  const { rows } = await tx.query<{ customer_id: string }>(
    `insert into segment_member as m (tenant_id, segment_id, customer_id, entered_at) select $1, $2, id, $4 from unnest($3::uuid[]) as i(id)
     where not exists (select 1 from segment_member x where x.tenant_id = $1 and x.segment_id = $2 and x.customer_id = i.id and x.left_at is null)
     order by id on conflict (tenant_id, segment_id, customer_id, entered_at) do update set left_at = null returning m.customer_id`,
    [tx.tenantId, segment.id, found.map((row) => row.customer_id), now],
  );
  return rows.map((row) => row.customer_id);
}

async function leave(tx: Tx, segment: SegmentRow, found: readonly Difference[], now: Date): Promise<string[]> {
  if (found.length === 0) return [];
  const { rows } = await tx.query<{ customer_id: string }>(
    `update segment_member set left_at = $4 where tenant_id = $1 and segment_id = $2 and customer_id = any($3) and left_at is null returning customer_id`,
    [tx.tenantId, segment.id, found.map((row) => row.customer_id), now],
  );
  return rows.map((row) => row.customer_id);
}

/** Who entered and who left are changes like any other: triggers read them. */
function changesOf(
  segment: SegmentRow,
  scope: Scope,
  entered: readonly string[],
  left: readonly string[],
  now: Date,
): Change[] {
  const change = (customerId: string, inside: boolean): Change => ({
    id: newId(),
    kind: 'segment',
    entity_id: segment.id,
    customer_id: customerId,
    op: inside ? 'entered' : 'left',
    fields: ['member'],
    before: { member: !inside },
    after: { member: inside, name: segment.name },
    origin: 'live',
    depth: depthOf(scope, customerId),
    occurred_at: now,
    received_at: now,
  });
  return [
    ...entered.map((customerId) => change(customerId, true)),
    ...left.map((customerId) => change(customerId, false)),
  ];
}

/** Two customers became one: who was in a segment as either is in it as the one. */
export async function mergeMembers(tx: Tx, survivor: string, absorbed: string): Promise<void> {
  await tx.query('delete from segment_pending where tenant_id = $1 and customer_id = $2', [tx.tenantId, absorbed]);
  // Of two that are both in it the longer membership stays.
  await tx.query(
    `update segment_member m set left_at = m.entered_at from segment_member o
     where m.tenant_id = $1 and o.tenant_id = $1 and o.segment_id = m.segment_id and m.left_at is null and o.left_at is null
       and m.customer_id = any($2) and o.customer_id = any($2) and m.customer_id <> o.customer_id
       and (m.entered_at, m.customer_id) > (o.entered_at, o.customer_id)`,
    [tx.tenantId, [survivor, absorbed]],
  );
  await tx.query(
    `delete from segment_member m where m.tenant_id = $1 and m.customer_id = $3 and exists (
       select 1 from segment_member o where o.tenant_id = $1 and o.segment_id = m.segment_id and o.customer_id = $2 and o.entered_at = m.entered_at and o.left_at is null)`,
    [tx.tenantId, survivor, absorbed],
  );
  await tx.query(
    `update segment_member m set customer_id = $2 where m.tenant_id = $1 and m.customer_id = $3 and not exists (
       select 1 from segment_member o where o.tenant_id = $1 and o.segment_id = m.segment_id and o.customer_id = $2 and o.entered_at = m.entered_at)`,
    [tx.tenantId, survivor, absorbed],
  );
}

/** One customer became two again: both were in what the one was in; what no longer fits is found at the next look. */
export async function partMembers(tx: Tx, from: string, revived: string, now: Date): Promise<void> {
  await tx.query(
    `insert into segment_member (tenant_id, segment_id, customer_id, entered_at)
     select tenant_id, segment_id, $3, $4 from segment_member where tenant_id = $1 and customer_id = $2 and left_at is null
     on conflict do nothing`,
    [tx.tenantId, from, revived, now],
  );
}
