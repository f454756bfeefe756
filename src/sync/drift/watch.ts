import type { Database, Tx } from '../../base/database.ts';
import { messageOf } from '../../base/errors.ts';
import type { CompiledStream } from '../../mapping/compile.ts';
import type { SyncDeps } from '../deps.ts';
import type { Source } from '../source.ts';
import { addTallies, closeFindings, type Finding, listFindings, openFindings } from './store.ts';
import { addTally, changedShape, isMissing, type Tally, tallyOf } from './tally.ts';

/** Counts are written down after so many records or so long, whichever comes first. */
const RECORDS = 200;
const MILLISECONDS = 30_000;

interface Waiting {
  tenantId: string;
  stream: { id: string; name: string; connectionId: string };
  source: Source;
  tally: Tally;
  records: number;
  since: number;
}

/** Counts not yet written down, by database and stream. Losing them when a process dies costs nothing but a little time. */
const waiting = new WeakMap<Database, Map<string, Waiting>>();

function waitingOf(db: Database): Map<string, Waiting> {
  const known = waiting.get(db) ?? new Map<string, Waiting>();
  waiting.set(db, known);
  return known;
}

/**
 * Looks which of the fields the mapping reads fresh records have. Counts in memory and only when the records are
 * stored; a field that stays away or is written differently is told before records must be parked.
 */
export function watchFields(
  deps: SyncDeps,
  tx: Tx,
  source: Source,
  stream: { id: string; name: string },
  records: readonly unknown[],
): void {
  const compiled = source.mapping.streams.get(stream.name);
  if (!compiled || compiled.paths.length === 0 || records.length === 0) return;
  const tally = tallyOf(compiled, records);
  tx.afterCommit(async () => {
    const all = waitingOf(deps.db);
    const now = deps.clock.now().getTime();
    const entry = all.get(stream.id) ?? {
      tenantId: tx.tenantId,
      stream: { ...stream, connectionId: source.connection.id },
      source,
      tally: new Map(),
      records: 0,
      since: now,
    };
    for (const [path, counts] of tally) {
      const known = entry.tally.get(path);
      entry.tally.set(path, known ? addTally(known, counts) : counts);
    }
    entry.records += records.length;
    entry.source = source;
    all.set(stream.id, entry);
    if (entry.records >= RECORDS || now - entry.since >= MILLISECONDS) await writeDown(deps, entry);
  });
}

/** Writes down what was counted for a tenant so far. */
export async function flushFields(deps: SyncDeps, tenantId: string): Promise<void> {
  for (const entry of [...waitingOf(deps.db).values()]) if (entry.tenantId === tenantId) await writeDown(deps, entry);
}

async function writeDown(deps: SyncDeps, entry: Waiting): Promise<void> {
  const { tenantId, stream, source, tally } = entry;
  waitingOf(deps.db).delete(stream.id);
  try {
    const compiled = source.mapping.streams.get(stream.name);
    if (!compiled) return;
    const news = await deps.db.tenant(tenantId, (tx) => judge(tx, source, compiled, stream, tally, deps.clock.now()));
    tellFindings(deps, source, stream.name, news);
  } catch (error) {
    // Notices are for people; records are stored whether or not they can be written.
    deps.log.warn({ err: error, stream: stream.name }, `counting fields failed: ${messageOf(error)}`);
  }
}

/** Says new findings in the log. */
export function tellFindings(deps: SyncDeps, source: Source, stream: string, findings: readonly Finding[]): void {
  for (const { kind, field, message } of findings)
    deps.log.warn({ connection: source.connection.id, stream, kind, field }, message);
}

async function judge(
  tx: Tx,
  source: Source,
  compiled: CompiledStream,
  stream: { id: string; name: string; connectionId: string },
  tally: Tally,
  now: Date,
): Promise<Finding[]> {
  const sums = await addTallies(tx, stream.id, tally);
  const { name } = source.connector;
  const findings: Finding[] = [];
  for (const [path, sum] of sums) {
    if (isMissing(sum)) {
      const share = Math.round((100 * sum.present) / (sum.seen - sum.missingFor));
      findings.push({
        kind: 'missing',
        field: path,
        message: `The last ${sum.missingFor} ${stream.name} from ${name} came without ${path}, which ${share} % of those before had. Was the field removed or renamed there? Map another one, or remove it from the mapping.`,
        detail: { missingFor: sum.missingFor, share },
      });
    }
    const change = changedShape(sum);
    if (change)
      findings.push({
        kind: 'type',
        field: path,
        message: `${path} of ${stream.name} from ${name} was ${WORDS[change.was]} and is ${WORDS[change.is]} now. Look whether the mapping still reads it well: preview it before records are parked.`,
        detail: { ...change, seenIn: 'records' },
      });
  }
  const open = await listFindings(tx, { streamId: stream.id });
  const over = open.filter(
    (row) =>
      (row.kind === 'missing' || (row.kind === 'type' && row.detail.seenIn === 'records')) &&
      (!compiled.paths.includes(row.field) ||
        (sums.has(row.field) && !findings.some((item) => item.kind === row.kind && item.field === row.field))),
  );
  await closeFindings(
    tx,
    over.map((row) => row.id),
    now,
  );
  return openFindings(tx, stream, findings, now);
}

const WORDS = {
  number: 'a number',
  boolean: 'yes or no',
  list: 'a list',
  object: 'a group of fields',
  date: 'a date',
  text: 'text',
};
