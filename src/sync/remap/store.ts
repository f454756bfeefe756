import { one, type Tx } from '../../base/database.ts';
import { newId } from '../../base/ids.ts';
import type { RemapCounts } from './batch.ts';

export type RemapReason = 'apply' | 'rollback' | 'release' | 'request';

export interface RemapStream {
  id: string;
  name: string;
}

export interface RemapRow extends RemapCounts {
  id: string;
  connector: string;
  connection_id: string;
  reason: RemapReason;
  level_id: string | null;
  version: number | null;
  back_to: number | null;
  state: 'waiting' | 'running' | 'done' | 'replaced';
  /** Streams still to be mapped; `after` is the last record done of the first of them. */
  streams: RemapStream[];
  after: string | null;
  mapping_seq: number;
  total: number;
  separated: number;
  failures: number;
  error: string | null;
  created_by: string;
  created_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  lease_until: Date | null;
}

const ALL = `id, connector, connection_id, reason, level_id, version, back_to, state, streams, after, mapping_seq, total, seen,
  changed, parked, resolved, joined, separated, failures, error, created_by, created_at, started_at, ended_at, lease_until`;

export interface NewRun {
  connector: string;
  connectionId: string;
  reason: RemapReason;
  levelId?: string | undefined;
  version?: number | undefined;
  backTo?: number | undefined;
  streams: readonly RemapStream[];
  seq: number;
  by: string;
  at: Date;
}

/** Makes a run that waits to be worked on. One that is under way ends: this one does its work, too. */
export async function insertRun(tx: Tx, run: NewRun): Promise<string> {
  const before = one(
    await tx.query<Pick<RemapRow, 'streams' | 'back_to' | 'level_id' | 'version'>>(
      `update remap_run set state = 'replaced', ended_at = $3, lease_owner = null, lease_until = null
       where tenant_id = $1 and connection_id = $2 and state in ('waiting', 'running') returning streams, back_to, level_id, version`,
      [tx.tenantId, run.connectionId, run.at],
    ),
  );
  const known = new Set(run.streams.map((stream) => stream.id));
  const streams = [...run.streams, ...(before?.streams ?? []).filter((stream) => !known.has(stream.id))];
  // What a rollback that is cut short did not take apart yet, its successor does.
  const backTo = Math.min(before?.back_to ?? Number.POSITIVE_INFINITY, run.backTo ?? Number.POSITIVE_INFINITY);
  const id = newId();
  const { rows: counted } = await tx.query<{ n: number }>(
    'select count(*)::int as n from source_record where tenant_id = $1 and stream_id = any($2)',
    [tx.tenantId, streams.map((stream) => stream.id)],
  );
  await tx.query(
    `insert into remap_run (tenant_id, id, connector, connection_id, reason, level_id, version, back_to, state, streams, mapping_seq, total, created_by, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $10, $11, $12, $13)`,
    [
      tx.tenantId,
      id,
      run.connector,
      run.connectionId,
      run.reason,
      run.levelId ?? before?.level_id ?? null,
      run.version ?? before?.version ?? null,
      Number.isFinite(backTo) ? backTo : null,
      JSON.stringify(streams),
      run.seq,
      counted[0]!.n,
      run.by,
      run.at,
    ],
  );
  return id;
}

/** Takes the open run of a connection to work on; one worker at a time. */
export async function leaseRun(
  tx: Tx,
  connectionId: string,
  owner: string,
  until: Date,
  now: Date,
): Promise<RemapRow | undefined> {
  return one(
    await tx.query<RemapRow>(
      `update remap_run set state = 'running', started_at = coalesce(started_at, $5), lease_owner = $3, lease_until = $4
       where tenant_id = $1 and connection_id = $2 and state in ('waiting', 'running') and (lease_until is null or lease_until <= $5)
       returning ${ALL}`,
      [tx.tenantId, connectionId, owner, until, now],
    ),
  );
}

/** Where a run stands, in the transaction of the batch. False: it is somebody else's now, and the batch must not commit. */
export async function saveRun(
  tx: Tx,
  run: RemapRow,
  owner: string,
  next: Partial<Pick<RemapRow, 'state' | 'error' | 'failures'>> & { leaseUntil: Date | null; endedAt?: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update remap_run set streams = $4, after = $5, mapping_seq = $6, total = $7, seen = $8, changed = $9, parked = $10,
       resolved = $11, joined = $12, separated = $13, state = $14, error = $15, failures = $16, lease_until = $17,
       ended_at = $18, lease_owner = case when $17::timestamptz is null then null else lease_owner end
     where tenant_id = $1 and id = $2 and lease_owner = $3`,
    [
      tx.tenantId,
      run.id,
      owner,
      JSON.stringify(run.streams),
      run.after,
      run.mapping_seq,
      run.total,
      run.seen,
      run.changed,
      run.parked,
      run.resolved,
      run.joined,
      run.separated,
      next.state ?? 'running',
      next.error ?? null,
      next.failures ?? 0,
      next.leaseUntil,
      next.endedAt ?? null,
    ],
  );
  return rowCount === 1;
}

/** Runs, newest first; of one platform or connection when it is named. */
export async function listRuns(
  tx: Tx,
  filter: { connector?: string; connectionId?: string; open?: boolean; before?: string; limit: number },
): Promise<RemapRow[]> {
  const { rows } = await tx.query<RemapRow>(
    `select ${ALL} from remap_run where tenant_id = $1 and ($2::text is null or connector = $2)
       and ($3::uuid is null or connection_id = $3) and (not $4::boolean or state in ('waiting', 'running'))
       and ($5::uuid is null or id < $5) order by id desc limit $6`,
    [
      tx.tenantId,
      filter.connector ?? null,
      filter.connectionId ?? null,
      filter.open ?? false,
      filter.before ?? null,
      filter.limit,
    ],
  );
  return rows;
}

export interface MappedStream {
  id: string;
  name: string;
  connection_id: string;
  mapping_version: string | null;
  default_version: string | null;
  mapping_seq: number;
  /** Whether it holds records. */
  filled: boolean;
}

/** By which mapping the stored records of each stream are, as far as a whole pass has told. */
export async function mappedStreams(tx: Tx, connectionId?: string): Promise<MappedStream[]> {
  const { rows } = await tx.query<MappedStream>(
    `select s.id, s.name, s.connection_id, s.mapping_version, s.default_version, s.mapping_seq,
       exists (select from source_record r where r.tenant_id = $1 and r.stream_id = s.id) as filled
     from stream s where s.tenant_id = $1 and ($2::uuid is null or s.connection_id = $2) order by s.id`,
    [tx.tenantId, connectionId ?? null],
  );
  return rows;
}

/** Notes by which mapping all records of streams are, and what the platform's own one is. */
export async function noteMapped(
  tx: Tx,
  streams: readonly { id: string; version?: string; defaultVersion?: string }[],
): Promise<void> {
  await tx.query(
    `update stream s set mapping_version = coalesce(i.version, s.mapping_version), default_version = coalesce(i.own, s.default_version)
     from unnest($2::uuid[], $3::text[], $4::text[]) as i(id, version, own) where s.tenant_id = $1 and s.id = i.id`,
    [
      tx.tenantId,
      streams.map((stream) => stream.id),
      streams.map((stream) => stream.version ?? null),
      streams.map((stream) => stream.defaultVersion ?? null),
    ],
  );
}
