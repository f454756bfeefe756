import { statSync } from 'node:fs';
import path from 'node:path';
import { invalid, messageOf, Problem } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { connectorOf } from '../../connections/vendors.ts';
import type { Connector, FileOptions, FileReader, FileRow } from '../../kit/index.ts';
import type { SyncDeps } from '../deps.ts';
import { loadSource } from '../source.ts';
import { columnErrors } from './columns.ts';
import { importConnection } from './connection.ts';
import { guessImportMapping } from './guess.ts';
import { compileObjects, type ImportMapping, mappingErrors } from './mapping.ts';
import { ImportRun } from './run.ts';
import { type ImportProgress, insertRun } from './store.ts';

const BATCH = 1000;

/** Rows that are looked at to guess how dates and amounts are written. */
const SAMPLE = 200;

export interface ImportRequest {
  object: string;
  file: string;
  /** Name shown for the file; default: its base name. */
  fileName?: string;
  mapping?: ImportMapping | undefined;
  encoding?: string | undefined;
  actor: string;
}

export interface ImportResult extends ImportProgress {
  id: string;
  connectionId: string;
}

/**
 * Imports a file. Good rows land, each bad one is parked with its line and the reason; memory stays flat. Importing the
 * same file again changes nothing. Nothing lands before the file was read to its end.
 * @throws Problem when the file or mapping as a whole cannot be used
 */
export async function importFile(
  deps: SyncDeps,
  tenantId: string,
  request: ImportRequest,
  onProgress?: (progress: ImportProgress) => void,
): Promise<ImportResult> {
  const connector = connectorOf(deps.registry, 'csv');
  const fileName = shownName(request.fileName ?? path.basename(request.file));
  const reader = readerOf(connector, fileName);
  if (!connector.streams.some((stream) => stream.name === request.object)) {
    throw invalid(
      `"${request.object}" cannot be imported; there are ${connector.streams.map((stream) => stream.name).join(', ')}.`,
    );
  }
  if (!statSync(request.file, { throwIfNoEntry: false })?.isFile())
    throw new Problem(404, 'not_found', `There is no file ${request.file}.`);
  const options = { ...request.mapping?.file, ...(request.encoding ? { encoding: request.encoding } : {}) };
  const columns = await reader.columns(request.file, options);
  const mapping = request.mapping ?? (await guess(connector, reader, request, columns, options));
  checkMapping(connector, mapping, columns, fileName, request.object);

  const { connectionId, remap } = await importConnection(deps, tenantId, connector, mapping, request.actor);
  const source = await loadSource(deps, tenantId, connectionId);
  const id = newId();
  await deps.db.tenant(tenantId, (tx) =>
    insertRun(tx, { id, connectionId, object: request.object, fileName, at: deps.clock.now() }),
  );
  const order = connector.streams.map((stream) => stream.name);
  const { objects } = compileObjects(mapping);
  // Parents first: most references then find their target at once.
  objects.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const run = new ImportRun(deps, tenantId, source, { id, object: request.object, fileName, objects, remap });
  try {
    for await (const batch of batches(reader.rows(request.file, options))) {
      await run.take(batch);
      onProgress?.(run.progress);
    }
    await run.land(() => onProgress?.(run.progress));
    await run.end('done', null, request.actor);
  } catch (error) {
    // When the database itself is away, the next import closes this one.
    await run.end('failed', messageOf(error), request.actor).catch((failure: unknown) => {
      deps.log.warn({ err: failure, import: id }, 'a failed import could not be closed');
    });
    throw error;
  }
  return { id, connectionId, ...run.progress };
}

const shownName = (name: string): string =>
  name
    .replace(/[\u0000-\u001f\u007f]/g, ' ')
    .slice(0, 200)
    .toWellFormed();

/** The connector's reader; its troubles with a file become answers that name the file. */
function readerOf(connector: Connector, fileName: string): Omit<FileReader, 'write'> {
  const files = connector.files!;
  const problem = (error: unknown): Problem => invalid(`${fileName} cannot be imported: ${messageOf(error)}.`);
  return {
    columns: (file, options) =>
      files.columns(file, options).catch((error: unknown) => {
        throw problem(error);
      }),
    rows: async function* (file, options) {
      const rows = files.rows(file, options)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await rows.next().catch((error: unknown) => {
            throw problem(error);
          });
          if (next.done) return;
          yield next.value;
        }
      } finally {
        await rows.return?.();
      }
    },
  };
}

async function guess(
  connector: Connector,
  reader: Pick<FileReader, 'rows'>,
  request: ImportRequest,
  columns: readonly string[],
  options: FileOptions,
): Promise<ImportMapping> {
  const samples: Record<string, string>[] = [];
  for await (const item of reader.rows(request.file, options)) {
    if ('row' in item) samples.push(item.row);
    if (samples.length === SAMPLE) break;
  }
  const kind = connector.streams.find((stream) => stream.name === request.object)!.entities[0]!;
  return guessImportMapping(request.object, kind, columns, samples);
}

/** @throws Problem with every mistake, before anything is stored */
function checkMapping(
  connector: Connector,
  mapping: ImportMapping,
  columns: readonly string[],
  fileName: string,
  object: string,
): void {
  const errors = mappingErrors(
    mapping,
    connector.streams.map((stream) => stream.name),
  );
  if (!mapping.objects[object])
    errors.push({
      path: `objects.${object}`,
      message: `is what was asked for, but the mapping makes ${Object.keys(mapping.objects).join(', ')}`,
    });
  if (errors.length === 0) errors.push(...columnErrors(mapping, columns));
  if (errors.length > 0)
    throw invalid(
      `${fileName} cannot be imported with this mapping: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
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
