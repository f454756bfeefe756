import type { Tx } from '../base/database.ts';
import { messageOf } from '../base/errors.ts';
import type { CompiledStream, Issue, MappedEntity } from '../mapping/compile.ts';
import type { Env } from '../mapping/compiler.ts';
import { hashOf, newestOfEach, type RawRecord } from './records.ts';
import { environment, holdMapping, type Source } from './source.ts';
import { loadHashes, type SourceRow } from './sources.ts';

/** Records of one stream as read. */
export interface RawBatch {
  stream: string;
  records: readonly RawRecord[];
}

/** A record that differs from what is stored, with what the mapping makes of it. */
export interface PreparedRecord {
  record: RawRecord;
  hash: Buffer;
  entities: MappedEntity[];
  issues: Issue[];
}

/** What is to be stored of a batch, worked out beforehand. Storing it decides anew where somebody was faster. */
export interface Prepared {
  stream: string;
  streamId: string;
  seen: number;
  changed: PreparedRecord[];
  /** What was stored of them at that time. */
  present: ReadonlyMap<string, SourceRow>;
  /** State of the mapping they were mapped by. */
  mappingSeq: number;
}

/** Records after which the work is put down for a moment, so that nobody waits long for an answer of the database. */
const BREATH = 40;

/**
 * Finds the records that differ from what is stored, and maps them. Writes nothing, so that it can be done for one batch
 * while another is being stored.
 * @throws Error when the connection has no such stream
 */
export async function prepare(
  tx: Tx,
  source: Source,
  { stream, records }: RawBatch,
  options: { evenIfSame?: boolean } = {},
): Promise<Prepared> {
  const streamId = source.streamIds.get(stream);
  if (!streamId) throw new Error(`The connection ${source.connection.name} has no stream "${stream}".`);
  const latest = newestOfEach(records);
  const present = await loadHashes(
    tx,
    streamId,
    latest.map((record) => record.id),
  );
  const changed = latest
    .map((record) => ({ record, hash: hashOf(record) }))
    .filter(({ record, hash }) => differs(record, hash, present.get(record.id), options.evenIfSame === true));
  const { mappingSeq } = source;
  return {
    stream,
    streamId,
    seen: records.length,
    changed: await mapAll(tx, source, stream, changed),
    present,
    mappingSeq,
  };
}

/** Maps records by the mapping `source` has now. A mapping that fails costs the record, not the others. */
export async function mapAll<Item extends { record: RawRecord }>(
  tx: Tx,
  source: Source,
  stream: string,
  items: readonly Item[],
): Promise<(Item & Pick<PreparedRecord, 'entities' | 'issues'>)[]> {
  const compiled = source.mapping.streams.get(stream);
  const env = compiled && items.length > 0 ? await environment(tx, source, compiled.lookups) : undefined;
  const mapped: (Item & Pick<PreparedRecord, 'entities' | 'issues'>)[] = [];
  for (const [at, item] of items.entries()) {
    if (at % BREATH === BREATH - 1) await new Promise((resolve) => setImmediate(resolve));
    const result = env ? await attempt(compiled!, item.record.raw, env) : { entities: [], issues: [] };
    mapped.push({ ...item, ...result });
  }
  return mapped;
}

async function attempt(
  compiled: CompiledStream,
  raw: unknown,
  env: Env,
): Promise<Pick<PreparedRecord, 'entities' | 'issues'>> {
  try {
    return await compiled.run(raw, env);
  } catch (error) {
    const message = `the mapping fails: ${messageOf(error)}`;
    return { entities: [], issues: [{ kind: compiled.kinds[0]!, field: '*', message, critical: true }] };
  }
}

/**
 * What was prepared, mapped by the mapping in force: it may have changed since. From here on nobody can change it until
 * the transaction ends.
 */
export async function inForce(tx: Tx, source: Source, prepared: Prepared): Promise<PreparedRecord[]> {
  await holdMapping(tx, source, [prepared.stream]);
  return prepared.mappingSeq === source.mappingSeq
    ? prepared.changed
    : mapAll(tx, source, prepared.stream, prepared.changed);
}

/** Two fetches can finish in the other order than they began: what the vendor dates older never replaces the newer. */
function differs(record: RawRecord, hash: Buffer, before: SourceRow | undefined, evenIfSame: boolean): boolean {
  if (!before) return true;
  if (before.vendor_at && record.vendorAt && Date.parse(record.vendorAt) < before.vendor_at.getTime()) return false;
  return evenIfSame || !before.hash.equals(hash) || (before.deleted_at !== null) !== (record.deleted === true);
}
