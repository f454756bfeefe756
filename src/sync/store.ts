import { insertRows, one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { ListPosition } from '../kit/index.ts';

/** Where a run stands between two pages. */
export interface RunPosition extends Partial<ListPosition> {
  /** Ids of the page before, to notice a vendor that repeats itself. */
  lastIds?: string;
  /** Ids of an earlier page, to notice one that sends several pages in turn. */
  markIds?: string;
  pages: number;
  /** Records listed since this query began, where the vendor shows no more than so many of one. */
  listed?: number;
  /** The last page is stored; what is left is to end the run. */
  done?: true;
  /** The token the last page handed out (`Stream.delta`). */
  ended?: string;
}

export interface StreamCursor {
  /** Read what changed at or after this moment (ISO 8601). */
  since?: string;
  /** The vendor's token for all it told so far, and when the reading that began with none was done. */
  delta?: string;
  deltaSince?: string;
}

export interface StreamRow {
  id: string;
  connection_id: string;
  name: string;
  phase: 'initial' | 'incremental';
  state: 'waiting' | 'running' | 'stopped' | 'off';
  cursor: StreamCursor;
  position: RunPosition | null;
  run_started_at: Date | null;
  run_seen: number;
  run_changed: number;
  total: number | null;
  error: string | null;
  failures: number;
  last_complete_at: Date | null;
  last_deletes_at: Date | null;
  next_due_at: Date | null;
  lease_owner: string | null;
  lease_until: Date | null;
}

const STREAM =
  'id, connection_id, name, phase, state, cursor, position, run_started_at, run_seen, run_changed, total, error, failures, last_complete_at, last_deletes_at, next_due_at, lease_owner, lease_until';

/** Makes the rows of a connection's streams; those that exist stay as they are. */
export async function createStreams(tx: Tx, connectionId: string, names: readonly string[], now: Date): Promise<void> {
  const columns = [
    { name: 'id', type: 'uuid' },
    { name: 'connection_id', type: 'uuid' },
    { name: 'name', type: 'text' },
    { name: 'next_due_at', type: 'timestamptz' },
  ];
  await insertRows(
    tx,
    'stream',
    columns,
    names.map((name) => ({ id: newId(), connection_id: connectionId, name, next_due_at: now })),
    'on conflict (tenant_id, connection_id, name) do nothing',
  );
}

export async function listStreams(tx: Tx, connectionId?: string): Promise<StreamRow[]> {
  const { rows } = await tx.query<StreamRow>(
    `select ${STREAM} from stream where tenant_id = $1 and ($2::uuid is null or connection_id = $2) order by id`,
    [tx.tenantId, connectionId ?? null],
  );
  return rows;
}

/** Connector of every stream of the tenant. */
export async function streamConnectors(
  tx: Tx,
): Promise<{ id: string; name: string; connection_id: string; connector: string; mapping_seq: number }[]> {
  const { rows } = await tx.query<{
    id: string;
    name: string;
    connection_id: string;
    connector: string;
    mapping_seq: number;
  }>(
    'select s.id, s.name, s.connection_id, c.connector, s.mapping_seq from stream s join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id where s.tenant_id = $1',
    [tx.tenantId],
  );
  return rows;
}

/** Processes whose clocks differ by less than this do not take each other's work for the future's. */
const CLOCKS_DIFFER_MS = 60_000;

const later = (now: Date): Date => new Date(now.getTime() + CLOCKS_DIFFER_MS);

/** Whether it is time to read a stream, as `dueStreams` finds them. */
export const isDue = ({ next_due_at, last_complete_at }: StreamRow, now: Date): boolean =>
  (next_due_at !== null && next_due_at <= now) || (last_complete_at !== null && last_complete_at > later(now));

/**
 * Streams that are due and that nobody reads at the moment. One that was read in the future is due, too: the clock was
 * set back, and by what it said before nothing would be read until then.
 */
export async function dueStreams(tx: Tx, now: Date): Promise<StreamRow[]> {
  const { rows } = await tx.query<StreamRow>(
    `select ${STREAM.split(', ')
      .map((name) => `s.${name}`)
      .join(', ')} from stream s
     join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id and c.state = 'active'
     where s.tenant_id = $1 and s.state <> 'off' and (s.next_due_at <= $2 or s.last_complete_at > $3) and (s.lease_until is null or s.lease_until <= $2) order by s.next_due_at`,
    [tx.tenantId, now, later(now)],
  );
  return rows;
}

export async function nextStreamDue(tx: Tx): Promise<Date | undefined> {
  const row = one(
    await tx.query<{ at: Date | null }>(
      `select min(greatest(s.next_due_at, coalesce(s.lease_until, s.next_due_at))) as at from stream s
       join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id and c.state = 'active'
       where s.tenant_id = $1 and s.state <> 'off'`,
      [tx.tenantId],
    ),
  );
  return row?.at ?? undefined;
}

/** Takes the reading lease of a stream; one reader at a time. */
export async function leaseStream(
  tx: Tx,
  id: string,
  owner: string,
  until: Date,
  now: Date,
): Promise<StreamRow | undefined> {
  return one(
    await tx.query<StreamRow>(
      `update stream set lease_owner = $3, lease_until = $4, state = 'running' where tenant_id = $1 and id = $2 and state <> 'off'
         and (lease_until is null or lease_until <= $5 or lease_owner = $3) returning ${STREAM}`,
      [tx.tenantId, id, owner, until, now],
    ),
  );
}

/** Where a run stands after a page, in the transaction of the page. False: the lease was lost, and the page must not commit. */
export async function savePage(
  tx: Tx,
  id: string,
  page: {
    owner: string;
    position: RunPosition;
    leaseUntil: Date;
    startedAt: Date;
    seen: number;
    changed: number;
    total: number | null;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update stream set position = $4, lease_until = $5, run_started_at = $6, run_seen = run_seen + $7, run_changed = run_changed + $8,
       total = coalesce($9, total), error = null where tenant_id = $1 and id = $2 and lease_owner = $3`,
    [tx.tenantId, id, page.owner, page.position, page.leaseUntil, page.startedAt, page.seen, page.changed, page.total],
  );
  return rowCount === 1;
}

/** A run began: its counters start at zero. */
export async function beginRun(
  tx: Tx,
  id: string,
  owner: string,
  startedAt: Date,
  total: number | null,
): Promise<void> {
  await tx.query(
    'update stream set run_started_at = $4, run_seen = 0, run_changed = 0, position = null, total = $5 where tenant_id = $1 and id = $2 and lease_owner = $3',
    [tx.tenantId, id, owner, startedAt, total],
  );
}

/**
 * A run reached the last page: only now, and only here, the cursor moves. Whoever asked for a run after this one began
 * gets another one.
 */
export async function finishRun(
  tx: Tx,
  id: string,
  done: { owner: string; cursor: StreamCursor; nextDueAt: Date; leasedAt: Date; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update stream set phase = 'incremental', state = 'waiting', cursor = $4, position = null, error = null, failures = 0,
       last_complete_at = $6, next_due_at = case when next_due_at > $7 and next_due_at <= $6 then next_due_at else $5 end, lease_owner = null, lease_until = null where tenant_id = $1 and id = $2 and lease_owner = $3`,
    [tx.tenantId, id, done.owner, done.cursor, done.nextDueAt, done.now, done.leasedAt],
  );
  return rowCount === 1;
}

/** A run was interrupted: position and cursor stay, so it goes on from the same page, unless it is to begin anew. */
export async function interruptRun(
  tx: Tx,
  id: string,
  stop: {
    owner: string;
    state: 'waiting' | 'stopped';
    error: string | null;
    nextDueAt: Date;
    failed: boolean;
    anew?: boolean;
    /** The cursor is worth nothing any more: the next run reads everything. */
    forget?: boolean;
  },
): Promise<void> {
  await tx.query(
    `update stream set state = $4, error = $5, next_due_at = $6, failures = case when $7 then failures + 1 else 0 end,
       position = case when $8 then null else position end, cursor = case when $9 then '{}'::jsonb else cursor end, lease_owner = null, lease_until = null
     where tenant_id = $1 and id = $2 and lease_owner = $3`,
    [
      tx.tenantId,
      id,
      stop.owner,
      stop.state,
      stop.error,
      stop.nextDueAt,
      stop.failed,
      stop.anew ?? false,
      stop.forget ?? false,
    ],
  );
}

export async function noteDeletesRead(tx: Tx, id: string, now: Date): Promise<void> {
  await tx.query('update stream set last_deletes_at = $3 where tenant_id = $1 and id = $2', [tx.tenantId, id, now]);
}

/** Asks for a run now; `full` starts again from the beginning (an explicit, audited verb: nothing else resets a cursor). */
export async function requestRun(tx: Tx, ids: readonly string[], now: Date, full: boolean): Promise<void> {
  await tx.query(
    `update stream set next_due_at = $3, state = 'waiting', failures = 0,
       phase = case when $4 then 'initial' else phase end, cursor = case when $4 then '{}'::jsonb else cursor end,
       position = case when $4 then null else position end
     where tenant_id = $1 and id = any($2)`,
    [tx.tenantId, ids, now, full],
  );
}

/** Streams that nobody asks for: their records come by webhook or file. */
export async function switchOff(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length > 0)
    await tx.query("update stream set state = 'off', phase = 'incremental' where tenant_id = $1 and id = any($2)", [
      tx.tenantId,
      ids,
    ]);
}

/** Usable connections that were told of changes nobody fetched yet. */
export async function connectionsWithHints(tx: Tx): Promise<string[]> {
  const { rows } = await tx.query<{ connection_id: string }>(
    `select distinct h.connection_id from hint h join connection c on c.tenant_id = h.tenant_id and c.id = h.connection_id and c.state = 'active'
     where h.tenant_id = $1 and h.done_at is null`,
    [tx.tenantId],
  );
  return rows.map((row) => row.connection_id);
}
