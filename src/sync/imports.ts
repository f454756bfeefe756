import { statSync } from 'node:fs';
import path from 'node:path';
import { appendEvents } from '../audit/store.ts';
import { insertRows, one, type Row, type Tx } from '../base/database.ts';
import { invalid, messageOf, Problem } from '../base/errors.ts';
import { newId, sha256 } from '../base/ids.ts';
import {
  addRoute,
  type ConnectionRow,
  findConnection,
  findConnectionByAccount,
  insertConnection,
} from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { FileReader, FileRow } from '../kit/index.ts';
import type { Env } from '../mapping/directives.ts';
import { loadOverrides, saveOverride } from '../mapping/store.ts';
import { ValueError } from '../mapping/values.ts';
import type { SyncDeps } from './deps.ts';
import { type CompiledObject, compileObjects, guessImportMapping, type ImportMapping } from './importing.ts';
import { ingest, loadSource, type RawRecord, type Source } from './ingest.ts';
import { type Parking, park } from './parked.ts';
import { createStreams } from './store.ts';

const BATCH = 1000;

export interface ImportRequest {
  object: string;
  file: string;
  /** Name shown for the file; default: its base name. */
  fileName?: string;
  mapping?: ImportMapping | undefined;
  encoding?: string | undefined;
  actor: string;
}

export interface ImportProgress {
  rows: number;
  parked: number;
  records: Record<string, number>;
}

export interface ImportResult extends ImportProgress {
  id: string;
  connectionId: string;
}

/**
 * Imports a file. Good rows land, each bad one is parked with its line and the reason; memory stays flat. Importing the
 * same file again changes nothing.
 * @throws Problem when the file or mapping as a whole cannot be used
 */
export async function importFile(
  deps: SyncDeps,
  tenantId: string,
  request: ImportRequest,
  onProgress?: (progress: ImportProgress) => void,
): Promise<ImportResult> {
  const connector = connectorOf(deps.registry, 'csv');
  const reader = connector.files!;
  const fileName = request.fileName ?? path.basename(request.file);
  if (!connector.streams.some((stream) => stream.name === request.object)) {
    throw invalid(
      `"${request.object}" cannot be imported; there are ${connector.streams.map((stream) => stream.name).join(', ')}.`,
    );
  }
  if (!statSync(request.file, { throwIfNoEntry: false })?.isFile())
    throw new Problem(404, 'not_found', `There is no file ${request.file}.`);
  const options = { ...request.mapping?.file, ...(request.encoding ? { encoding: request.encoding } : {}) };
  const mapping =
    request.mapping ??
    (await guess(
      reader,
      connector.streams.find((stream) => stream.name === request.object)!.entities[0]!,
      request,
      options,
    ));
  const connectionId = await importConnection(deps, tenantId, mapping, request);
  const source = await loadSource(deps, tenantId, connectionId);
  const id = newId();
  await deps.db.tenant(tenantId, (tx) =>
    tx.query(
      "insert into import_run (tenant_id, id, connection_id, object, file_name, state, started_at) values ($1, $2, $3, $4, $5, 'running', $6)",
      [tenantId, id, connectionId, request.object, fileName, deps.clock.now()],
    ),
  );
  const run = new ImportRun(deps, tenantId, source, compileObjects(mapping).objects, id, fileName);
  try {
    for await (const batch of batches(reader.rows(request.file, options))) {
      await run.take(batch);
      onProgress?.(run.progress);
    }
    await run.grouped(() => onProgress?.(run.progress));
    await run.end('done', null, request.actor);
  } catch (error) {
    await run.end('failed', messageOf(error), request.actor);
    throw error instanceof Problem ? error : invalid(`${fileName} cannot be imported: ${messageOf(error)}`);
  }
  return { id, connectionId, ...run.progress };
}

async function guess(
  reader: FileReader,
  kind: Parameters<typeof guessImportMapping>[1],
  request: ImportRequest,
  options: object,
): Promise<ImportMapping> {
  for await (const item of reader.rows(request.file, options)) {
    if ('row' in item) return guessImportMapping(request.object, kind, Object.keys(item.row));
  }
  throw invalid(`${request.file} has no rows.`);
}

async function* batches(rows: AsyncIterable<FileRow>): AsyncGenerator<FileRow[]> {
  let batch: FileRow[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/** The connection that stands for files of this mapping; made when it is not there. */
async function importConnection(
  deps: SyncDeps,
  tenantId: string,
  mapping: ImportMapping,
  request: ImportRequest,
): Promise<string> {
  const account = mapping.name ?? 'files';
  return deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    let connection: ConnectionRow | undefined = await findConnectionByAccount(tx, 'csv', account);
    if (!connection) {
      const id = newId();
      await insertConnection(tx, {
        id,
        connector: 'csv',
        name: mapping.name ?? 'Files',
        account_id: account,
        account: { id: account, name: mapping.name ?? 'Files' },
        settings: {},
        features: [],
        granted_scopes: [],
        state: 'active',
        created_at: now,
      });
      await addRoute(tx, 'csv', account, tenantId, id);
      connection = (await findConnection(tx, id))!;
    }
    await createStreams(tx, connection.id, Object.keys(mapping.objects), now);
    // Files are not polled.
    await tx.query(
      "update stream set state = 'off', phase = 'incremental' where tenant_id = $1 and connection_id = $2",
      [tenantId, connection.id],
    );
    const override = { streams: mapping.streams, ...(mapping.defaults ? { defaults: mapping.defaults } : {}) };
    const present = (await loadOverrides(tx, 'csv', connection.id)).find((row) => row.connection_id === connection.id);
    const merged = present
      ? { ...present.mapping, ...override, streams: { ...present.mapping.streams, ...override.streams } }
      : override;
    if (JSON.stringify(present?.mapping) !== JSON.stringify(merged)) {
      await saveOverride(
        tx,
        { connector: 'csv', connectionId: connection.id, mapping: merged, by: request.actor, at: now },
        present?.version,
      );
    }
    return connection.id;
  });
}

class ImportRun {
  readonly progress: ImportProgress = { rows: 0, parked: 0, records: {} };
  private readonly deps: SyncDeps;
  private readonly tenantId: string;
  private readonly source: Source;
  private readonly objects: CompiledObject[];
  private readonly id: string;
  private readonly fileName: string;
  private readonly env: Env;

  constructor(
    deps: SyncDeps,
    tenantId: string,
    source: Source,
    objects: CompiledObject[],
    id: string,
    fileName: string,
  ) {
    this.deps = deps;
    this.tenantId = tenantId;
    this.source = source;
    this.objects = objects;
    this.id = id;
    this.fileName = fileName;
    const { country = source.country, currency = source.currency } = source.mapping.defaults;
    this.env = {
      zone: source.zone,
      country,
      currency,
      account: source.connection.account_id ?? '',
      connector: 'csv',
      lookup: () => undefined,
    };
  }

  /** Takes a batch of rows: one transaction. */
  async take(batch: readonly FileRow[]): Promise<void> {
    const records = new Map<string, RawRecord[]>(
      this.objects.filter((object) => !object.group).map((object) => [object.name, []]),
    );
    const staged: Row[] = [];
    const parking: Parking[] = [];
    for (const item of batch) {
      this.progress.rows += 1;
      if ('error' in item) parking.push(this.parkedRow(item.line, item.error, item.text));
      else {
        const reason = this.sortRow(item.line, item.row, records, staged);
        if (reason) parking.push(this.parkedRow(item.line, reason, item.row));
      }
    }
    await this.deps.db.tenant(this.tenantId, async (tx) => {
      await this.store(
        tx,
        [...records].map(([stream, list]) => ({ stream, records: list })),
      );
      await stageRows(tx, this.id, staged);
      await park(tx, parking, this.deps.clock.now());
    });
    this.progress.parked += parking.length;
  }

  /** Gives a row to the objects it is part of. @returns why it fits none of them */
  private sortRow(line: number, row: Row, records: Map<string, RawRecord[]>, staged: Row[]): string | undefined {
    const made: (() => void)[] = [];
    for (const object of this.objects) {
      try {
        if (!object.when(row, this.env)) continue;
        const failed = object.require.find((rule) => !rule.test(row, this.env));
        if (failed) return failed.reason;
        const id = object.id(row, this.env);
        if (id === null || id === undefined || String(id).trim() === '') return `has no id for ${object.name}`;
        const raw = object.pick(row);
        made.push(() => {
          if (object.group) staged.push({ object: object.name, group_key: String(id), line, data: raw });
          else records.get(object.name)!.push({ id: String(id), raw });
        });
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        return `${object.name}: ${error.message}`;
      }
    }
    for (const make of made) make();
    return undefined;
  }

  private parkedRow(line: number, reason: string, payload: unknown): Parking {
    const known = sha256(JSON.stringify(payload)).toString('base64url').slice(0, 16);
    return {
      kind: 'row',
      reference: `${this.source.connection.id}/${this.fileName}:${line}:${known}`,
      reason: `Line ${line} of ${this.fileName}: ${reason}`,
      connectionId: this.source.connection.id,
      detail: { file: this.fileName, line, import: this.id },
      payload,
    };
  }

  private async store(tx: Tx, groups: { stream: string; records: RawRecord[] }[]): Promise<void> {
    const result = await ingest(this.deps, tx, this.source, groups, 'backfill');
    for (const { stream, records } of groups)
      this.progress.records[stream] =
        (this.progress.records[stream] ?? 0) + new Set(records.map((record) => record.id)).size;
    this.progress.parked += result.parked;
  }

  /** Makes one record of the rows that belong together, group after group. */
  async grouped(onBatch: () => void): Promise<void> {
    for (const object of this.objects.filter((candidate) => candidate.group)) {
      let after = '';
      for (;;) {
        const groups = await this.deps.db.tenant(this.tenantId, async (tx) => {
          const found = await nextGroups(tx, this.id, object.name, after);
          const records = found.map((group) => ({
            id: group.group_key,
            raw: { first: group.rows[0], rows: group.rows },
          }));
          if (records.length > 0) await this.store(tx, [{ stream: object.name, records }]);
          return found;
        });
        const last = groups.at(-1);
        if (!last) break;
        after = last.group_key;
        onBatch();
      }
    }
  }

  async end(state: 'done' | 'failed', error: string | null, actor: string): Promise<void> {
    await this.deps.db.tenant(this.tenantId, async (tx) => {
      const now = this.deps.clock.now();
      await tx.query('delete from import_row where tenant_id = $1 and import_id = $2', [this.tenantId, this.id]);
      await tx.query(
        'update import_run set state = $3, error = $4, rows_read = $5, rows_parked = $6, records = $7, ended_at = $8 where tenant_id = $1 and id = $2',
        [this.tenantId, this.id, state, error, this.progress.rows, this.progress.parked, this.progress.records, now],
      );
      if (state === 'done')
        await tx.query('update stream set last_complete_at = $3 where tenant_id = $1 and connection_id = $2', [
          this.tenantId,
          this.source.connection.id,
          now,
        ]);
      const data = {
        file: this.fileName,
        rows: this.progress.rows,
        parked: this.progress.parked,
        records: this.progress.records,
        ...(error ? { error } : {}),
      };
      await appendEvents(tx, [
        { actor, action: `import.${state}`, subject: { kind: 'import', id: this.id }, data, at: now },
      ]);
    });
  }
}

async function stageRows(tx: Tx, importId: string, rows: readonly Row[]): Promise<void> {
  const columns = [
    { name: 'import_id', type: 'uuid' },
    { name: 'object', type: 'text' },
    { name: 'group_key', type: 'text' },
    { name: 'line', type: 'int' },
    { name: 'data', type: 'jsonb' },
  ];
  await insertRows(
    tx,
    'import_row',
    columns,
    rows.map((row) => ({ ...row, import_id: importId })),
  );
}

async function nextGroups(
  tx: Tx,
  importId: string,
  object: string,
  after: string,
): Promise<{ group_key: string; rows: Row[] }[]> {
  const { rows } = await tx.query<{ group_key: string; rows: Row[] }>(
    `select group_key, jsonb_agg(data order by line) as rows from import_row
     where tenant_id = $1 and import_id = $2 and object = $3 and group_key > $4 group by group_key order by group_key limit 200`,
    [tx.tenantId, importId, object, after],
  );
  return rows;
}

/** How an import went. */
export async function findImport(tx: Tx, id: string): Promise<Row | undefined> {
  return one(await tx.query('select * from import_run where tenant_id = $1 and id = $2', [tx.tenantId, id]));
}
