import { one, type Tx } from '../base/database.ts';
import { ALL, type RequestRow } from './store.ts';
import type { StoredField } from './writes.ts';

/** A request whose time has come, with what is locked before it is decided about. */
export type Candidate = Pick<RequestRow, 'id' | 'run_id' | 'class' | 'channel' | 'recipient' | 'customer_id'>;

/**
 * Requests whose time has come, without locks: what they need is locked in a fixed order afterwards.
 * @param besides requests that are left out
 */
export async function dueRequests(
  tx: Tx,
  now: Date,
  limit: number,
  besides: readonly string[] = [],
): Promise<Candidate[]> {
  const { rows } = await tx.query<Candidate>(
    `select id, run_id, class, channel, recipient, customer_id from action_request where tenant_id = $1 and state in ('planned', 'committed') and not_before <= $2 and id <> all($4) order by priority desc, not_before, id limit $3`,
    [tx.tenantId, now, limit, besides],
  );
  return rows;
}

/**
 * A state in a form that no partial index answers: rows named by their ids are found by their key, not by walking all
 * of the business that wait, which is what the planner takes for shorter while its statistics are young.
 */
export const stateOf = (alias: string): string => `(${alias}.state || '')`;

/** Locks those that are still due and that nobody else works on. */
export async function lockRequests(tx: Tx, ids: readonly string[], now: Date): Promise<RequestRow[]> {
  const { rows } = await tx.query<RequestRow>(
    `select ${ALL} from action_request r where tenant_id = $1 and id = any($2) and ${stateOf('r')} in ('planned', 'committed') and not_before <= $3
     order by priority desc, not_before, id for update skip locked`,
    [tx.tenantId, ids, now],
  );
  return rows;
}

/** When the next request is due: the earliest of each priority, because they stand in that order. */
export async function nextRequestDue(tx: Tx): Promise<Date | undefined> {
  const first = `select priority, not_before from action_request where tenant_id = $1 and state in ('planned', 'committed')`;
  return (
    one(
      await tx.query<{ at: Date | null }>(
        `with recursive firsts as (
           (${first} order by priority desc, not_before limit 1)
           union all
           select n.priority, n.not_before from firsts f cross join lateral (${first} and priority < f.priority order by priority desc, not_before limit 1) n)
         select min(not_before) as at from firsts`,
        [tx.tenantId],
      ),
    )?.at ?? undefined
  );
}

/** The gate said yes: content is frozen, and from now on this is what goes out or nothing. */
export async function commitRequests(
  tx: Tx,
  rows: readonly { id: string; connectionId: string; content: Record<string, unknown> }[],
  now: Date,
): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `update action_request r set state = 'committed', content = i.content::jsonb, connection_id = i.connection_id, reason = null, reason_detail = null, held = false,
       committed_at = coalesce(r.committed_at, $5), updated_at = $5, version = r.version + 1
     from unnest($2::uuid[], $3::uuid[], $4::text[]) as i(id, connection_id, content) where r.tenant_id = $1 and r.id = any($2) and r.id = i.id`,
    [
      tx.tenantId,
      rows.map((row) => row.id),
      rows.map((row) => row.connectionId),
      rows.map((row) => JSON.stringify(row.content)),
      now,
    ],
  );
}

/**
 * The gate said not now, or not without something that is missing. Content is frozen anew when it says yes. What a
 * promise or a dispute pauses does not grow stale by it. (Moments are moved in UTC: how a session's zone would move
 * them is nothing a distributed table can be updated with.)
 */
export async function postponeRequests(
  tx: Tx,
  rows: readonly { id: string; reason: string; detail: string; until: Date; held: boolean }[],
  now: Date,
): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `update action_request r set state = 'planned', content = null, reason = i.reason, reason_detail = i.detail, not_before = i.until, held = i.held, updated_at = $7, version = r.version + 1,
       stale_after = case when i.reason in ('promise', 'dispute') then (r.stale_after at time zone 'UTC' + (i.until - r.not_before)) at time zone 'UTC' else r.stale_after end
     from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[]) as i(id, reason, detail, until, held) where r.tenant_id = $1 and r.id = any($2) and r.id = i.id`,
    [
      tx.tenantId,
      rows.map((row) => row.id),
      rows.map((row) => row.reason),
      rows.map((row) => row.detail),
      rows.map((row) => row.until),
      rows.map((row) => row.held),
      now,
    ],
  );
}

/** The platform is asked about an unknown not before this: what was just done may not show yet, and what fails needs rest. */
export const FIRST_LOOK_MS = 60_000;

export interface Settlement {
  id: string;
  state: 'sent' | 'failed' | 'skipped' | 'unknown' | 'planned';
  reason: string | null;
  detail: string | null;
  nativeId?: string | null;
  nativeUrl?: string | null;
  nativeState?: string | null;
  notBefore?: Date;
  /** Of the attempt. */
  status?: number | null;
  errorKind?: string | null;
  /** What the fields it wrote hold now, as far as the answer told. */
  stored?: readonly StoredField[];
}

/** When something settled comes up again: as it says, and an unknown after its first rest. */
export const notBeforeOf = ({ notBefore, state }: Pick<Settlement, 'notBefore' | 'state'>, now: Date): Date | null =>
  notBefore ?? (state === 'unknown' ? new Date(now.getTime() + FIRST_LOOK_MS) : null);

/** What came of sending. Only the holder of the lease settles. */
export async function settleRequest(
  tx: Tx,
  settlement: Settlement,
  owner: string | undefined,
  now: Date,
): Promise<RequestRow | undefined> {
  const row = one(
    await tx.query<RequestRow>(
      `update action_request set state = $3, reason = $4, reason_detail = $5, native_id = coalesce($6, native_id), native_url = coalesce($7, native_url),
         native_state = coalesce(native_state, $8), native_state_at = coalesce(native_state_at, case when $8::text is null then null else $9::timestamptz end),
         ended_at = case when $3 in ('sent', 'failed', 'skipped') then $9::timestamptz end, not_before = coalesce($10, not_before), lease_owner = null, lease_until = null,
         held = false, updated_at = $9, version = version + 1
       where tenant_id = $1 and id = $2 and ($11::text is null and state in ('planned', 'committed', 'unknown') or state = 'sending' and lease_owner = $11) returning ${ALL}`,
      [
        tx.tenantId,
        settlement.id,
        settlement.state,
        settlement.reason,
        settlement.detail,
        settlement.nativeId ?? null,
        settlement.nativeUrl ?? null,
        settlement.nativeState ?? null,
        now,
        notBeforeOf(settlement, now),
        owner ?? null,
      ],
    ),
  );
  if (row && row.attempts > 0) {
    await tx.query(
      'update action_attempt set ended_at = $4, outcome = $5, status = $6, error_kind = $7, message = $8 where tenant_id = $1 and request_id = $2 and number = $3 and ended_at is null',
      [
        tx.tenantId,
        row.id,
        row.attempts,
        now,
        settlement.state,
        settlement.status ?? null,
        settlement.errorKind ?? null,
        settlement.detail,
      ],
    );
  }
  return row;
}

/** Sendings whose lease ran out: the process died with bytes possibly on their way. */
export async function expireSending(tx: Tx, now: Date): Promise<RequestRow[]> {
  const { rows } = await tx.query<RequestRow>(
    `update action_request set state = 'unknown', reason = 'lost', reason_detail = 'The process stopped while it was sending; it is not known whether the platform acted.',
       lease_owner = null, lease_until = null, updated_at = $2, version = version + 1
     where tenant_id = $1 and state = 'sending' and lease_until <= $2 returning ${ALL}`,
    [tx.tenantId, now],
  );
  return rows;
}

/** Requests with an unknown outcome of which the platform is to be asked now, those that waited longest first. */
export async function unknownRequests(tx: Tx, now: Date, limit: number): Promise<RequestRow[]> {
  const { rows } = await tx.query<RequestRow>(
    `select ${ALL} from action_request where tenant_id = $1 and state = 'unknown' and not_before <= $2 order by not_before, id limit $3`,
    [tx.tenantId, now, limit],
  );
  return rows;
}

/** Looked at again, still unknown. @param again when it is looked at the next time */
export async function noteStillUnknown(tx: Tx, id: string, detail: string, again: Date, now: Date): Promise<void> {
  await tx.query(
    "update action_request set reason_detail = $3, not_before = $5, updated_at = $4 where tenant_id = $1 and id = $2 and state = 'unknown'",
    [tx.tenantId, id, detail, now, again],
  );
}

/** When the next sending runs out or the next unknown is to be looked at; undefined when there is neither. */
export async function nextLook(tx: Tx): Promise<Date | undefined> {
  return (
    one(
      await tx.query<{ at: Date | null }>(
        `select least((select min(not_before) from action_request where tenant_id = $1 and state = 'unknown'),
           (select min(lease_until) from action_request where tenant_id = $1 and state = 'sending')) as at`,
        [tx.tenantId],
      ),
    )?.at ?? undefined
  );
}

/** Which messages to customers are meant; at least one of runs, customer and address is given. */
interface Facing {
  runIds?: readonly string[];
  /** Those of the customer, and those to the address whosever they are. */
  customerId?: string;
  address?: string;
  channel?: string | undefined;
  topic?: string | undefined;
  /** Absent: marketing and transactional. */
  class?: 'marketing' | 'transactional' | undefined;
}

// The answer to a STOP is not taken back by reading the same STOP a second time.
const FACING = `class <> 'internal' and ($2::uuid[] is null or run_id = any($2))
       and ($3::uuid is null and $4::text is null or customer_id = $3 or lower(recipient) = lower($4)) and ($5::text is null or channel = $5)
       and ($6::text is null or topic = $6) and ($7::text is null or class = $7)
       and plan ->> 'type' <> 'answer'`;

const facing = (tx: Tx, where: Facing): unknown[] => [
  tx.tenantId,
  where.runIds ?? null,
  where.customerId ?? null,
  where.address ?? null,
  where.channel ?? null,
  where.topic ?? null,
  where.class ?? null,
];

/** How many messages a platform has in hand just now. */
export async function countSending(tx: Tx, where: Facing): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    `select count(*)::int as n from action_request where tenant_id = $1 and state = 'sending' and ${FACING}`,
    facing(tx, where),
  );
  return rows[0]!.n;
}

/** Cancels what was not handed to a platform yet. @returns the cancelled requests */
export async function cancelRequests(
  tx: Tx,
  where: Facing & { reason: string; detail: string },
  now: Date,
): Promise<RequestRow[]> {
  const { rows } = await tx.query<RequestRow>(
    `update action_request set state = 'skipped', reason = $8, reason_detail = $9, ended_at = $10, updated_at = $10, version = version + 1
     where tenant_id = $1 and state in ('planned', 'committed') and ${FACING} returning ${ALL}`,
    [...facing(tx, where), where.reason, where.detail, now],
  );
  if (rows.length > 0)
    await tx.query('delete from touch where tenant_id = $1 and (request_id = any($2) or copy_of = any($2))', [
      tx.tenantId,
      rows.map((row) => row.id),
    ]);
  return rows;
}

/** Committed messages of these customers are looked at again: what they say is no longer true. */
export async function unfreeze(tx: Tx, customerIds: readonly string[], now: Date): Promise<number> {
  const { rowCount } = await tx.query(
    `update action_request set state = 'planned', content = null, updated_at = $3, version = version + 1
     where tenant_id = $1 and customer_id = any($2) and state = 'committed' and class <> 'internal' and run_id is not null`,
    [tx.tenantId, customerIds, now],
  );
  return rowCount;
}

/** Marketing to a customer that was let through and not handed over yet goes through the gate again. */
export async function recommit(tx: Tx, customerId: string, now: Date): Promise<void> {
  await tx.query(
    `update action_request set state = 'planned', content = null, updated_at = $3, version = version + 1
     where tenant_id = $1 and customer_id = $2 and state = 'committed' and class = 'marketing'`,
    [tx.tenantId, customerId, now],
  );
}
