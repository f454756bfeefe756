import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';

export interface SegmentRow {
  id: string;
  name: string;
  condition: unknown;
  settle_minutes: number;
  trigger_id: string | null;
  timed: boolean;
  size: number | null;
  evaluated_at: Date | null;
  swept_at: Date | null;
  problem: string | null;
  created_at: Date;
  created_by: string;
  updated_at: Date;
  version: number;
}

const ALL =
  'id, name, condition, settle_minutes, trigger_id, timed, size, evaluated_at, swept_at, problem, created_at, created_by, updated_at, version';

/** Every segment, those that belong to a trigger included; oldest first. */
export async function allSegments(tx: Tx): Promise<SegmentRow[]> {
  const { rows } = await tx.query<SegmentRow>(`select ${ALL} from segment where tenant_id = $1 order by id`, [
    tx.tenantId,
  ]);
  return rows;
}

/** Names of the segments people made, by id: what conditions may ask for. */
export async function segmentNames(tx: Tx): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ id: string; name: string }>(
    'select id, name from segment where tenant_id = $1 and trigger_id is null order by id',
    [tx.tenantId],
  );
  return new Map(rows.map(({ id, name }) => [id, name]));
}

export async function findSegment(tx: Tx, id: string): Promise<SegmentRow | undefined> {
  return one(
    await tx.query<SegmentRow>(`select ${ALL} from segment where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

/** The segment that belongs to a trigger of its own condition. */
export async function segmentOfTrigger(tx: Tx, triggerId: string): Promise<SegmentRow | undefined> {
  return one(
    await tx.query<SegmentRow>(`select ${ALL} from segment where tenant_id = $1 and trigger_id = $2`, [
      tx.tenantId,
      triggerId,
    ]),
  );
}

export interface SegmentDraft {
  name: string;
  condition: unknown;
  settleMinutes: number;
  timed: boolean;
}

/** @returns the id, or undefined when another segment has the name */
export async function insertSegment(
  tx: Tx,
  draft: SegmentDraft & { triggerId?: string },
  by: string,
  now: Date,
): Promise<string | undefined> {
  const id = newId();
  const { rowCount } = await tx.query(
    `insert into segment (tenant_id, id, name, condition, settle_minutes, timed, trigger_id, created_at, created_by, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8) on conflict do nothing`,
    [
      tx.tenantId,
      id,
      draft.name,
      JSON.stringify(draft.condition),
      draft.settleMinutes,
      draft.timed,
      draft.triggerId ?? null,
      now,
      by,
    ],
  );
  return rowCount === 1 ? id : undefined;
}

/**
 * Changes a segment when its version is the expected one. With another condition everybody is looked at anew.
 * @returns whether it was changed
 */
export async function updateSegment(
  tx: Tx,
  id: string,
  change: SegmentDraft & { anew: boolean; expected: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update segment set name = $3, condition = $4, settle_minutes = $5, timed = $6, updated_at = $7, version = version + 1,
       evaluated_at = case when $8 then null else evaluated_at end, problem = case when $8 then null else problem end
     where tenant_id = $1 and id = $2 and version = $9`,
    [
      tx.tenantId,
      id,
      change.name,
      JSON.stringify(change.condition),
      change.settleMinutes,
      change.timed,
      change.now,
      change.anew,
      change.expected,
    ],
  );
  return rowCount === 1;
}

/** Removes a segment and everything that was known of who was in it. */
export async function deleteSegment(tx: Tx, id: string): Promise<boolean> {
  await tx.query('delete from segment_pending where tenant_id = $1 and segment_id = $2', [tx.tenantId, id]);
  await tx.query('delete from segment_member where tenant_id = $1 and segment_id = $2', [tx.tenantId, id]);
  return (await tx.query('delete from segment where tenant_id = $1 and id = $2', [tx.tenantId, id])).rowCount === 1;
}

/** That a name is taken by another segment. */
export async function nameTaken(tx: Tx, name: string, except: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    'select 1 from segment where tenant_id = $1 and trigger_id is null and lower(name) = lower($2) and id <> $3',
    [tx.tenantId, name, except],
  );
  return rowCount > 0;
}

/** Notes what came of an evaluation. */
export async function noteEvaluated(
  tx: Tx,
  id: string,
  outcome: { problem: string | null; whole: boolean; grown: number; now: Date },
): Promise<void> {
  await tx.query(
    `update segment set problem = $3, evaluated_at = case when $4 then $5 else evaluated_at end, swept_at = case when $4 then $5 else swept_at end,
       size = case when $4 then (select count(*)::int from segment_member m where m.tenant_id = $1 and m.segment_id = $2 and m.left_at is null) else size + $6 end
     where tenant_id = $1 and id = $2`,
    [tx.tenantId, id, outcome.problem, outcome.whole, outcome.now, outcome.grown],
  );
}

export async function noteSwept(tx: Tx, id: string, now: Date): Promise<void> {
  await tx.query('update segment set swept_at = $3 where tenant_id = $1 and id = $2', [tx.tenantId, id, now]);
}

export interface MemberRow {
  customer_id: string;
  name: string | null;
  email: string | null;
  entered_at: Date;
  left_at: Date | null;
}

/**
 * Who is in a segment at present, or was at a moment, in the order of ids.
 * @param page `after` is the last customer of the page before
 */
export async function membersOf(
  tx: Tx,
  segmentId: string,
  page: { after?: string; limit: number; at?: Date },
): Promise<MemberRow[]> {
  const { rows } = await tx.query<MemberRow>(
    `select m.customer_id, c.name, c.email, m.entered_at, m.left_at from segment_member m
     left join customer c on c.tenant_id = $1 and c.id = m.customer_id
     where m.tenant_id = $1 and m.segment_id = $2 and ($3::uuid is null or m.customer_id > $3)
       and case when $5::timestamptz is null then m.left_at is null else m.entered_at <= $5 and (m.left_at is null or m.left_at > $5) end
     order by m.customer_id limit $4`,
    [tx.tenantId, segmentId, page.after ?? null, page.limit, page.at ?? null],
  );
  return rows;
}

export interface MembershipRow {
  segment_id: string;
  name: string;
  entered_at: Date;
  left_at: Date | null;
}

/** The segments a customer is or was in, newest first. */
export async function membershipsOf(tx: Tx, customerId: string): Promise<MembershipRow[]> {
  const { rows } = await tx.query<MembershipRow>(
    `select m.segment_id, s.name, m.entered_at, m.left_at from segment_member m
     join segment s on s.tenant_id = $1 and s.id = m.segment_id and s.trigger_id is null
     where m.tenant_id = $1 and m.customer_id = $2 order by m.entered_at desc limit 500`,
    [tx.tenantId, customerId],
  );
  return rows;
}
