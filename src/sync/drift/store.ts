import { appendEvents } from '../../audit/store.ts';
import { insertRows, one, type Tx } from '../../base/database.ts';
import { newId } from '../../base/ids.ts';
import { addTally, emptyTally, type PathTally, type Shape, type Tally } from './tally.ts';

export type DriftKind = 'gone' | 'missing' | 'type' | 'option' | 'new';

export interface Finding {
  kind: DriftKind;
  /** Path in the record, or the field's name. */
  field: string;
  message: string;
  detail: Record<string, unknown>;
}

export interface DriftRow extends Finding {
  id: string;
  connection_id: string;
  stream_id: string;
  found_at: Date;
  resolved_at: Date | null;
}

/** Beyond this the past counts half, so that it can change its mind. */
const FORGET = 20_000;

interface TallyRow {
  path: string;
  seen: number;
  present: number;
  missing_for: number;
  shapes: Partial<Record<Shape, number>>;
  shape: Shape | null;
  shape_for: number;
}

/** Adds counts to those of a stream. @returns all of them as they are now */
export async function addTallies(tx: Tx, streamId: string, tally: Tally): Promise<Tally> {
  const paths = [...tally.keys()].sort();
  const { rows } = await tx.query<TallyRow>(
    `select path, seen, present, missing_for, shapes, shape, shape_for from field_tally
     where tenant_id = $1 and stream_id = $2 and path = any($3) order by path for update`,
    [tx.tenantId, streamId, paths],
  );
  const known = new Map(rows.map((row) => [row.path, toTally(row)]));
  const sums: Tally = new Map(paths.map((path) => [path, addTally(known.get(path) ?? emptyTally(), tally.get(path)!)]));
  const columns = [
    { name: 'stream_id', type: 'uuid' },
    { name: 'path', type: 'text' },
    { name: 'seen', type: 'int' },
    { name: 'present', type: 'int' },
    { name: 'missing_for', type: 'int' },
    { name: 'shapes', type: 'jsonb' },
    { name: 'shape', type: 'text' },
    { name: 'shape_for', type: 'int' },
  ];
  await insertRows(
    tx,
    'field_tally',
    columns,
    [...sums].map(([path, sum]) => ({ stream_id: streamId, path, ...toRow(sum) })),
    `on conflict (tenant_id, stream_id, path) do update set seen = excluded.seen, present = excluded.present,
       missing_for = excluded.missing_for, shapes = excluded.shapes, shape = excluded.shape, shape_for = excluded.shape_for`,
  );
  return sums;
}

const toTally = (row: TallyRow): PathTally => ({
  seen: row.seen,
  present: row.present,
  missingFor: row.missing_for,
  shapes: row.shapes,
  shape: row.shape ?? undefined,
  shapeFor: row.shape_for,
});

function toRow(sum: PathTally): Omit<TallyRow, 'path'> {
  const long = sum.seen - sum.missingFor > FORGET;
  const half = (n: number): number => (long ? Math.ceil(n / 2) : n);
  return {
    seen: half(sum.seen - sum.missingFor) + sum.missingFor,
    present: half(sum.present),
    missing_for: sum.missingFor,
    shapes: Object.fromEntries(Object.entries(sum.shapes).map(([shape, n]) => [shape, half(n)])),
    shape: sum.shape ?? null,
    // What lasts for long is no change any more.
    shape_for: Math.min(sum.shapeFor, FORGET),
  };
}

/**
 * Writes findings down. Told once: an open one of the same kind and field is brought up to date without a word.
 * @returns those that are new
 */
export async function openFindings(
  tx: Tx,
  stream: { id: string; connectionId: string },
  findings: readonly Finding[],
  now: Date,
): Promise<Finding[]> {
  const news: Finding[] = [];
  for (const finding of findings) {
    const id = newId();
    const row = one(
      await tx.query<{ id: string }>(
        `insert into field_drift (tenant_id, id, connection_id, stream_id, kind, field, message, detail, found_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (tenant_id, stream_id, kind, field) where resolved_at is null
         do update set message = excluded.message, detail = excluded.detail returning id`,
        [
          tx.tenantId,
          id,
          stream.connectionId,
          stream.id,
          finding.kind,
          finding.field,
          finding.message,
          finding.detail,
          now,
        ],
      ),
    );
    if (row?.id === id) news.push(finding);
  }
  await appendEvents(
    tx,
    news.map(({ kind, field, message }) => ({
      actor: 'system',
      action: 'mapping.drift',
      subject: { kind: 'stream', id: stream.id },
      data: { connection: stream.connectionId, kind, field, message },
      at: now,
    })),
  );
  return news;
}

/** Closes findings that are not so any more. */
export async function closeFindings(tx: Tx, ids: readonly string[], now: Date): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(
    'update field_drift set resolved_at = $3 where tenant_id = $1 and id = any($2) and resolved_at is null',
    [tx.tenantId, ids, now],
  );
}

/** Findings, newest first: the open ones, or all. */
export async function listFindings(
  tx: Tx,
  filter: { connectionId?: string; streamId?: string; closedToo?: boolean },
): Promise<(DriftRow & { stream: string })[]> {
  const { rows } = await tx.query<DriftRow & { stream: string }>(
    `select d.id, d.connection_id, d.stream_id, s.name as stream, d.kind, d.field, d.message, d.detail, d.found_at, d.resolved_at
     from field_drift d join stream s on s.tenant_id = d.tenant_id and s.id = d.stream_id
     where d.tenant_id = $1 and ($2::uuid is null or d.connection_id = $2) and ($3::uuid is null or d.stream_id = $3)
       and ($4 or d.resolved_at is null) order by d.id desc limit 500`,
    [tx.tenantId, filter.connectionId ?? null, filter.streamId ?? null, filter.closedToo ?? false],
  );
  return rows;
}

const DAY_MS = 86_400_000;

/**
 * Connections whose platform was last asked for its fields a day ago or longer; they count as asked now, so that a
 * platform that does not answer is not asked again and again. One that was never noted begins its day now.
 */
export async function takeDueDiscoveries(tx: Tx, now: Date): Promise<string[]> {
  const { rows } = await tx.query<{ connection_id: string; due: boolean }>(
    `select s.connection_id, bool_or(s.discovered_at is not null) as due from stream s
     join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id and c.state = 'active'
     where s.tenant_id = $1 and (s.discovered_at is null or s.discovered_at <= $2) group by s.connection_id`,
    [tx.tenantId, new Date(now.getTime() - DAY_MS)],
  );
  if (rows.length === 0) return [];
  await tx.query('update stream set discovered_at = $3 where tenant_id = $1 and connection_id = any($2)', [
    tx.tenantId,
    rows.map((row) => row.connection_id),
    now,
  ]);
  return rows.filter((row) => row.due).map((row) => row.connection_id);
}

/** Has a connection's platform asked for its fields at `at`, as if it had last been asked a day before. */
export async function putOffDiscovery(tx: Tx, connectionId: string, at: Date): Promise<void> {
  await tx.query('update stream set discovered_at = $3 where tenant_id = $1 and connection_id = $2', [
    tx.tenantId,
    connectionId,
    new Date(at.getTime() - DAY_MS),
  ]);
}
