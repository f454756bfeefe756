import { insertRows, one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';

/** Whose account a reading was of, and with which permissions and settings: readings are comparable only when it is the same. */
export interface Scope {
  account: string;
  scopes: string[];
  features: string[];
  /** Stands for the connection's settings and the address that is asked. */
  request: string;
}

/** What a pass found, in figures. */
export interface PassResult {
  /** How many there are at the vendor and here, as far as both could be counted. */
  vendor?: number | null;
  here?: number;
  /** Spans of time compared, those that differed, and those made equal. */
  buckets?: number;
  drifted?: number;
  repaired?: number;
  /** Records that were missing here, differed in content, or are here and not at the vendor. */
  lost?: number;
  differing?: number;
  missing?: number;
  /** What became of the missing: back again, and gone (or held). */
  found?: number;
  gone?: number;
  held?: number;
}

export interface PassRow {
  id: string;
  stream_id: string;
  kind: 'load' | 'sweep' | 'verify';
  method: 'list' | 'counts' | 'none';
  state: 'reading' | 'asking' | 'proven' | 'unproven' | 'failed';
  started_at: Date;
  last_at: Date;
  ended_at: Date | null;
  position: Record<string, unknown> | null;
  scope: Scope;
  counted: number | null;
  pages: number;
  marked: number;
  reasons: string[];
  result: PassResult;
  error: string | null;
  failures: number;
  lease_owner: string | null;
}

const PASS =
  'id, stream_id, kind, method, state, started_at, last_at, ended_at, position, scope, counted, pages, marked, reasons, result, error, failures, lease_owner';

type Begun = Pick<PassRow, 'stream_id' | 'kind' | 'method' | 'scope' | 'counted'>;

/** Begins a pass, unless one of the stream is under way. @returns whether it did */
export async function beginPass(tx: Tx, pass: Begun, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into stream_pass (tenant_id, id, stream_id, kind, method, state, started_at, last_at, scope, counted)
     values ($1, $2, $3, $4, $5, 'reading', $6, $6, $7, $8) on conflict (tenant_id, stream_id) where ended_at is null do nothing`,
    [tx.tenantId, newId(), pass.stream_id, pass.kind, pass.method, now, pass.scope, pass.counted],
  );
  return rowCount === 1;
}

/** Notes a reading that is over already: the first load, or a stream that cannot be compared. */
export async function notePass(tx: Tx, pass: Begun & Pick<PassRow, 'state' | 'reasons'>, now: Date): Promise<void> {
  await tx.query(
    `insert into stream_pass (tenant_id, id, stream_id, kind, method, state, started_at, last_at, ended_at, scope, counted, reasons)
     values ($1, $2, $3, $4, $5, $6, $7, $7, $7, $8, $9, $10)`,
    [
      tx.tenantId,
      newId(),
      pass.stream_id,
      pass.kind,
      pass.method,
      pass.state,
      now,
      pass.scope,
      pass.counted,
      JSON.stringify(pass.reasons),
    ],
  );
}

/** Takes the lease of the pass under way; one reader at a time. */
export async function leasePass(
  tx: Tx,
  streamId: string,
  lease: { owner: string; until: Date; now: Date },
): Promise<PassRow | undefined> {
  return one(
    await tx.query<PassRow>(
      `update stream_pass set lease_owner = $3, lease_until = $4 where tenant_id = $1 and stream_id = $2 and ended_at is null
         and (lease_until is null or lease_until <= $5) returning ${PASS}`,
      [tx.tenantId, streamId, lease.owner, lease.until, lease.now],
    ),
  );
}

export async function runningPass(tx: Tx, streamId: string): Promise<PassRow | undefined> {
  return one(
    await tx.query<PassRow>(
      `select ${PASS} from stream_pass where tenant_id = $1 and stream_id = $2 and ended_at is null`,
      [tx.tenantId, streamId],
    ),
  );
}

/** A pass of the kind that ended since it was due: somebody else was faster. A comparison that read everything is a sweep, too. */
export async function endedSince(
  tx: Tx,
  streamId: string,
  kind: 'sweep' | 'verify',
  due: Date,
): Promise<PassRow | undefined> {
  return one(
    await tx.query<PassRow>(
      `select ${PASS} from stream_pass where tenant_id = $1 and stream_id = $2 and ended_at >= $4
         and (kind = $3 or ($3 = 'sweep' and kind = 'verify' and method = 'list')) order by ended_at desc limit 1`,
      [tx.tenantId, streamId, kind, due],
    ),
  );
}

/** The reading that later ones are measured by: the last first load or proven pass. */
export async function lastProven(tx: Tx, streamId: string): Promise<PassRow | undefined> {
  return one(
    await tx.query<PassRow>(
      `select ${PASS} from stream_pass where tenant_id = $1 and stream_id = $2 and state = 'proven' order by started_at desc, id desc limit 1`,
      [tx.tenantId, streamId],
    ),
  );
}

/** The pass of the same kind over the same stream that ended before this one. */
export async function passBefore(
  tx: Tx,
  pass: Pick<PassRow, 'id' | 'stream_id' | 'kind'>,
): Promise<PassRow | undefined> {
  return one(
    await tx.query<PassRow>(
      `select ${PASS} from stream_pass where tenant_id = $1 and stream_id = $2 and kind = $3 and id < $4 and ended_at is not null
       order by id desc limit 1`,
      [tx.tenantId, pass.stream_id, pass.kind, pass.id],
    ),
  );
}

/** The last comparison of each stream, and the one under way. */
export async function lastVerified(tx: Tx): Promise<Map<string, PassRow>> {
  const { rows } = await tx.query<PassRow>(
    `select distinct on (stream_id) ${PASS} from stream_pass where tenant_id = $1 and kind = 'verify' order by stream_id, started_at desc, id desc`,
    [tx.tenantId],
  );
  return new Map(rows.map((row) => [row.stream_id, row]));
}

/** Where a pass stands after a step, in the transaction of the step. False: the lease was lost, and the step must not commit. */
export async function savePass(
  tx: Tx,
  id: string,
  owner: string,
  step: Partial<Pick<PassRow, 'position' | 'state'>> & {
    until: Date;
    now: Date;
    pages?: number;
    marked?: number;
    reasons?: readonly string[];
    result?: PassResult;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update stream_pass set position = $4, lease_until = $5, last_at = greatest(last_at, $6), pages = pages + $7, marked = marked + $8,
       reasons = reasons || $9::jsonb, result = result || $10::jsonb, state = coalesce($11, state), error = null, failures = 0
     where tenant_id = $1 and id = $2 and lease_owner = $3`,
    [
      tx.tenantId,
      id,
      owner,
      step.position ?? null,
      step.until,
      step.now,
      step.pages ?? 0,
      step.marked ?? 0,
      JSON.stringify(step.reasons ?? []),
      step.result ?? {},
      step.state ?? null,
    ],
  );
  return rowCount === 1;
}

/** Notes ids a pass met. @returns how many it had not met before */
export async function markSeen(tx: Tx, passId: string, ids: readonly string[]): Promise<number> {
  const columns = [
    { name: 'pass_id', type: 'uuid' },
    { name: 'remote_id', type: 'text' },
  ];
  const rows = [...new Set(ids)].map((remote_id) => ({ pass_id: passId, remote_id }));
  const conflict = 'on conflict (tenant_id, pass_id, remote_id) do nothing returning remote_id';
  return (await insertRows(tx, 'pass_seen', columns, rows, conflict)).length;
}

export async function countSeen(tx: Tx, passId: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    'select count(*)::int as n from pass_seen where tenant_id = $1 and pass_id = $2',
    [tx.tenantId, passId],
  );
  return rows[0]!.n;
}

/** A pass is over; what it noted on the way is not needed any more. */
export async function endPass(
  tx: Tx,
  id: string,
  owner: string,
  end: { state: 'proven' | 'unproven' | 'failed'; error?: string; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update stream_pass set state = $4, error = $5, ended_at = $6, last_at = greatest(last_at, $6), position = null, lease_owner = null, lease_until = null
     where tenant_id = $1 and id = $2 and lease_owner = $3`,
    [tx.tenantId, id, owner, end.state, end.error ?? null, end.now],
  );
  if (rowCount === 1) await tx.query('delete from pass_seen where tenant_id = $1 and pass_id = $2', [tx.tenantId, id]);
  return rowCount === 1;
}

/** A pass was interrupted: it goes on from the same page. */
export async function interruptPass(tx: Tx, id: string, owner: string, stop: { error: string | null }): Promise<void> {
  await tx.query(
    `update stream_pass set lease_owner = null, lease_until = null, error = $4, failures = case when $4::text is null then failures else failures + 1 end
     where tenant_id = $1 and id = $2 and lease_owner = $3`,
    [tx.tenantId, id, owner, stop.error],
  );
}

/** Forgets passes that are over for long, except the one later ones are measured by. */
export async function purgePasses(tx: Tx, before: Date): Promise<void> {
  await tx.query(
    `delete from stream_pass p where tenant_id = $1 and ended_at < $2
       and exists (select from stream_pass n where n.tenant_id = $1 and n.stream_id = p.stream_id and n.state = 'proven' and n.started_at > p.started_at)`,
    [tx.tenantId, before],
  );
}
