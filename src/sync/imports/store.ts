import { insertRows, one, type Row, type Tx } from '../../base/database.ts';

/** Without a sign of life for so long a run has died: a batch takes seconds. */
const DEAD_AFTER = 15 * 60_000;

/** More rows than this under one id are not one record; the id does not tell records apart. */
const MOST_ROWS = 10_000;

/** What an import did so far. */
export interface ImportProgress {
  /** Rows of the file that were read. */
  rows: number;
  /** Rows that no object of the mapping wanted. */
  skipped: number;
  /** Rows and records that were put aside with a reason. */
  parked: number;
  /** Records found in the file, by object. */
  records: Record<string, number>;
  /** Those of them that were new, differed from what was stored, or were read anew because the mapping changed. */
  changed: Record<string, number>;
}

export async function insertRun(
  tx: Tx,
  run: { id: string; connectionId: string; object: string; fileName: string; at: Date },
): Promise<void> {
  await tx.query(
    "insert into import_run (tenant_id, id, connection_id, object, file_name, state, started_at, alive_at) values ($1, $2, $3, $4, $5, 'running', $6, $6)",
    [tx.tenantId, run.id, run.connectionId, run.object, run.fileName, run.at],
  );
}

/**
 * Notes progress and that the run is alive.
 * @returns false when the run was taken for dead meanwhile and must not go on
 */
export async function noteProgress(tx: Tx, id: string, progress: ImportProgress, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    "update import_run set rows_read = $3, rows_parked = $4, records = $5, alive_at = $6 where tenant_id = $1 and id = $2 and state = 'running'",
    [tx.tenantId, id, progress.rows, progress.parked, progress.records, now],
  );
  return rowCount === 1;
}

export async function endRun(
  tx: Tx,
  id: string,
  end: { state: 'done' | 'failed'; error: string | null; progress: ImportProgress; at: Date },
): Promise<void> {
  await dropStaged(tx, [id]);
  await tx.query(
    'update import_run set state = $3, error = $4, rows_read = $5, rows_parked = $6, records = $7, ended_at = $8 where tenant_id = $1 and id = $2',
    [tx.tenantId, id, end.state, end.error, end.progress.rows, end.progress.parked, end.progress.records, end.at],
  );
}

/** Closes runs whose program ended in the middle, and removes the rows they left. */
export async function clearDeadRuns(tx: Tx, now: Date): Promise<void> {
  const { rows } = await tx.query<{ id: string }>(
    `update import_run set state = 'failed', error = 'The program ended in the middle of the import; import the file again.', ended_at = $3
     where tenant_id = $1 and state = 'running' and alive_at < $2 returning id`,
    [tx.tenantId, new Date(now.getTime() - DEAD_AFTER), now],
  );
  await dropStaged(
    tx,
    rows.map((row) => row.id),
  );
}

async function dropStaged(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length > 0)
    await tx.query('delete from import_row where tenant_id = $1 and import_id = any($2)', [tx.tenantId, ids]);
}

/** Whether a file was imported to the end with the connection's mapping as it is since `since`. */
export async function importedSince(tx: Tx, connectionId: string, since: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    "select 1 from import_run where tenant_id = $1 and connection_id = $2 and state = 'done' and started_at >= $3 limit 1",
    [tx.tenantId, connectionId, since],
  );
  return rowCount > 0;
}

/** A row's part in an object; `data` is false where the row cannot be used, so that its group is known to be incomplete. */
export interface StagedRow {
  object: string;
  key: string;
  line: number;
  data: Row | false;
}

const STAGED = [
  { name: 'import_id', type: 'uuid' },
  { name: 'object', type: 'text' },
  { name: 'group_key', type: 'text' },
  { name: 'line', type: 'int' },
  { name: 'data', type: 'jsonb' },
];

export async function stageRows(tx: Tx, importId: string, rows: readonly StagedRow[]): Promise<void> {
  await insertRows(
    tx,
    'import_row',
    STAGED,
    rows.map(({ object, key, line, data }) => ({ import_id: importId, object, group_key: key, line, data })),
  );
}

/** The table survives no crash of the database: this finds out whether everything is still there. */
export async function countStaged(tx: Tx, importId: string): Promise<number> {
  const row = one(
    await tx.query<{ n: number }>('select count(*)::int as n from import_row where tenant_id = $1 and import_id = $2', [
      tx.tenantId,
      importId,
    ]),
  );
  return row?.n ?? 0;
}

/** An id that far too many rows have, if there is one. */
export async function crowdedKey(
  tx: Tx,
  importId: string,
  objects: readonly string[],
): Promise<{ object: string; key: string; n: number } | undefined> {
  return one(
    await tx.query<{ object: string; key: string; n: number }>(
      `select object, group_key as key, count(*)::int as n from import_row
       where tenant_id = $1 and import_id = $2 and object = any($3) group by object, group_key having count(*) > $4 limit 1`,
      [tx.tenantId, importId, objects, MOST_ROWS],
    ),
  );
}

/** Everything the file says under one id, in the order of its lines. */
export interface StagedGroup {
  key: string;
  lines: number[];
  rows: (Row | false)[];
}

/** The next ids of an object with their rows; few when they have many rows, because they are held in memory. */
export async function nextGroups(tx: Tx, importId: string, object: string, after: string): Promise<StagedGroup[]> {
  const sizes = await tx.query<{ key: string; n: number }>(
    `select group_key as key, count(*)::int as n from import_row
     where tenant_id = $1 and import_id = $2 and object = $3 and group_key > $4 group by group_key order by group_key limit 500`,
    [tx.tenantId, importId, object, after],
  );
  let total = 0;
  let last: string | undefined;
  for (const { key, n } of sizes.rows) {
    total += n;
    if (last !== undefined && total > MOST_ROWS) break;
    last = key;
  }
  if (last === undefined) return [];
  const { rows } = await tx.query<StagedGroup>(
    `select group_key as key, array_agg(line order by line) as lines, jsonb_agg(data order by line) as rows from import_row
     where tenant_id = $1 and import_id = $2 and object = $3 and group_key > $4 and group_key <= $5 group by group_key order by group_key`,
    [tx.tenantId, importId, object, after, last],
  );
  return rows;
}

/**
 * Writes into parked records where in the file they stand.
 * @returns how many of these records are parked at present
 */
export async function tellLines(
  tx: Tx,
  records: readonly { reference: string; place: string; detail: Row }[],
): Promise<number> {
  const { rowCount } = await tx.query(
    `update parked_item p set reason = i.place || coalesce(p.detail->>'why', p.reason),
       detail = p.detail || i.detail::jsonb || jsonb_build_object('why', coalesce(p.detail->>'why', p.reason))
     from unnest($2::text[], $3::text[], $4::text[]) as i(reference, place, detail)
     where p.tenant_id = $1 and p.kind = 'record' and p.reference = i.reference and p.resolved_at is null`,
    [
      tx.tenantId,
      records.map((record) => record.reference),
      records.map((record) => record.place),
      records.map((record) => JSON.stringify(record.detail)),
    ],
  );
  return rowCount;
}

/** Closes rows that an earlier import of the same file parked and this one did not. */
export async function resolveEarlierRows(
  tx: Tx,
  run: { id: string; connectionId: string; object: string; fileName: string; at: Date },
): Promise<void> {
  await tx.query(
    `update parked_item set resolved_at = $6, resolution = 'the file was imported again and the row is good or gone'
     where tenant_id = $1 and kind = 'row' and connection_id = $2 and resolved_at is null
       and detail->>'file' = $3 and detail->>'object' = $4 and detail->>'import' <> $5`,
    [tx.tenantId, run.connectionId, run.fileName, run.object, run.id, run.at],
  );
}
