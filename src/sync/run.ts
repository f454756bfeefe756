import { appendEvents } from '../audit/store.ts';
import { bumpDue } from '../base/due.ts';
import { messageOf } from '../base/errors.ts';
import { prepareAtVendor } from '../connections/connect.ts';
import { type Session, sessionOf, withSession } from '../connections/session.ts';
import { findConnection, preparesDue } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import { type Connector, type Stream, VendorError } from '../kit/index.ts';
import { planFirst } from './completeness.ts';
import { unfinishedBatches } from './deletions.store.ts';
import type { SyncDeps } from './deps.ts';
import { takeFields } from './drift/fields.ts';
import { takeDueDiscoveries } from './drift/store.ts';
import { flushFields, tellFindings } from './drift/watch.ts';
import { connectionsToProve, nextProofDue } from './proof.store.ts';
import { type RunOptions, type RunResult, runStream } from './reader.ts';
import { tendMappings } from './remap/start.ts';
import { checkSilence } from './silence.ts';
import { loadSource } from './source.ts';
import {
  connectionsWithHints,
  createStreams,
  dueStreams,
  isDue,
  listStreams,
  nextStreamDue,
  requestRun,
  type StreamRow,
  switchOff,
} from './store.ts';
import { readTombstones } from './tombstones.ts';

/** Streams a connection reads: those whose feature is switched on. */
export const usableStreams = (connector: Connector, features: readonly string[]): Stream[] =>
  connector.streams.filter((stream) => stream.feature === undefined || features.includes(stream.feature));

/** Parents before children; a circle is broken where it is met. */
export function inOrder(connector: Connector, names: readonly string[]): string[] {
  const ordered: string[] = [];
  const visit = (name: string, path: readonly string[]): void => {
    if (ordered.includes(name) || path.includes(name)) return;
    const stream = connector.streams.find((candidate) => candidate.name === name);
    for (const before of stream?.after ?? []) if (names.includes(before)) visit(before, [...path, name]);
    ordered.push(name);
  };
  for (const name of names) visit(name, []);
  return ordered;
}

/** What a new connection sets off: its streams exist and are due now. */
export async function prepareStreams(deps: SyncDeps, tenantId: string, connectionId: string): Promise<void> {
  const now = deps.clock.now();
  await deps.db.tenant(tenantId, async (tx) => {
    const connection = await findConnection(tx, connectionId);
    if (!connection) return;
    const streams = usableStreams(connectorOf(deps.registry, connection.connector), connection.features);
    await createStreams(
      tx,
      connectionId,
      streams.map((stream) => stream.name),
      now,
    );
    const rows = await listStreams(tx, connectionId);
    const asked = new Set(streams.filter((stream) => stream.list).map((stream) => stream.name));
    await switchOff(
      tx,
      rows.filter((row) => !asked.has(row.name)).map((row) => row.id),
    );
    // A connection that was broken goes on at once.
    await requestRun(
      tx,
      rows.filter((row) => asked.has(row.name)).map((row) => row.id),
      now,
      false,
    );
    await deps.queue.send(tx, 'discover', { tenantId, connectionId });
    await deps.queue.send(tx, 'refetch', { tenantId, connectionId });
  });
  await bumpDue({ query: deps.db.statement }, tenantId, 'sync', now);
}

/** Asks a connection for its fields, custom ones included, and registers them. */
export async function discoverFields(deps: SyncDeps, tenantId: string, connectionId: string): Promise<number> {
  return withSession(deps, tenantId, connectionId, 'sweep', async (session) => {
    const rows = await deps.db.tenant(tenantId, (tx) => listStreams(tx, connectionId));
    let found = 0;
    for (const row of rows) {
      const stream = session.connector.streams.find((candidate) => candidate.name === row.name);
      if (!stream?.discover) continue;
      const fields = await discovered(deps, session, stream);
      if (!fields) continue;
      found += fields.length;
      const source = await loadSource(deps, tenantId, connectionId);
      const news = await deps.db.tenant(tenantId, (tx) => takeFields(tx, source, row, fields, deps.clock.now()));
      tellFindings(deps, source, row.name, news);
    }
    return found;
  });
}

/** Refusals that concern one stream alone: the fields of the others are found all the same. */
const OF_ONE: ReadonlySet<string> = new Set(['forbidden', 'not_found', 'invalid', 'malformed']);

async function discovered(
  deps: SyncDeps,
  { ctx, connection }: Session,
  stream: Stream,
): Promise<Awaited<ReturnType<NonNullable<Stream['discover']>>> | undefined> {
  try {
    return await stream.discover!(ctx);
  } catch (error) {
    if (!(error instanceof VendorError) || !OF_ONE.has(error.kind)) throw error;
    deps.log.warn({ err: error, connection: connection.id, stream: stream.name }, 'fields were not found');
    return undefined;
  }
}

/** Puts a reading job for every connection that has due streams, and says when to look again. */
export async function startDueReads(deps: SyncDeps, tenantId: string): Promise<void> {
  await tendMappings(deps, tenantId);
  await flushFields(deps, tenantId);
  const { fields, due, hinted, unproven, decided, renewals } = await deps.db.tenant(tenantId, async (tx) => ({
    due: await dueStreams(tx, deps.clock.now()),
    hinted: await connectionsWithHints(tx),
    unproven: await connectionsToProve(tx, deps.clock.now()),
    decided: await unfinishedBatches(tx),
    fields: await takeDueDiscoveries(tx, deps.clock.now()),
    renewals: (await preparesDue(tx, deps.clock.now())).due,
  }));
  for (const connectionId of new Set(due.map((stream) => stream.connection_id)))
    await deps.queue.wake('read', { tenantId, connectionId });
  // Hints whose job failed for good, because the vendor was away for longer than the job's tries.
  for (const connectionId of hinted) await deps.queue.wake('refetch', { tenantId, connectionId });
  for (const connectionId of fields) await deps.queue.wake('discover', { tenantId, connectionId });
  for (const connectionId of unproven) await deps.queue.wake('proof', { tenantId, connectionId });
  for (const connectionId of renewals) await deps.queue.wake('renew', { tenantId, connectionId });
  for (const batchId of decided) await deps.queue.wake('deletions', { tenantId, batchId });
  await bumpNextRead(deps, tenantId);
}

/** Sees to it that the tenant is looked at when the next stream is due. */
export async function bumpNextRead(deps: SyncDeps, tenantId: string): Promise<void> {
  const times = await deps.db.tenant(tenantId, async (tx) => [
    await nextStreamDue(tx),
    await nextProofDue(tx),
    (await preparesDue(tx, deps.clock.now())).next,
  ]);
  const next = times.filter((at) => at !== undefined && at > deps.clock.now()).sort((a, b) => Number(a) - Number(b))[0];
  if (next) await bumpDue({ query: deps.db.statement }, tenantId, 'sync', next);
}

/** Sets up again at the platform what ends there. */
export async function renewPrepared(deps: SyncDeps, tenantId: string, connectionId: string): Promise<void> {
  const row = await deps.db.tenant(tenantId, (tx) => findConnection(tx, connectionId));
  if (row?.state === 'active') await prepareAtVendor(deps, tenantId, connectorOf(deps.registry, row.connector), row);
  await bumpNextRead(deps, tenantId);
}

export interface ReadOptions extends RunOptions {
  /** Streams to read even if they are not due. */
  force?: boolean;
  only?: readonly string[];
}

/**
 * Reads the due streams of a connection, parents first. One stream's trouble does not stop the others.
 * @returns what came of each
 */
export async function readConnection(
  deps: SyncDeps,
  tenantId: string,
  connectionId: string,
  options: ReadOptions = {},
): Promise<Map<string, RunResult>> {
  const now = deps.clock.now();
  const { connector, rows } = await deps.db.tenant(tenantId, async (tx) => {
    const connection = await findConnection(tx, connectionId);
    return {
      connector: connection && connectorOf(deps.registry, connection.connector),
      rows: await listStreams(tx, connectionId),
    };
  });
  const results = new Map<string, RunResult>();
  if (!connector) return results;
  const due = rows.filter(
    (row) => row.state !== 'off' && (options.only?.includes(row.name) ?? true) && (options.force || isDue(row, now)),
  );
  for (const name of inOrder(
    connector,
    due.map((row) => row.name),
  )) {
    const row = due.find((candidate) => candidate.name === name)!;
    const result = await runStream(deps, tenantId, row.id, options);
    results.set(name, result);
    if (result.state === 'complete') await afterRun(deps, tenantId, connector, row, result);
    if (result.state === 'waiting' && !result.message) await deps.queue.wake('read', { tenantId, connectionId });
  }
  await flushFields(deps, tenantId);
  if (results.size > 0)
    await deps.db.tenant(tenantId, async (tx) => {
      const connection = await findConnection(tx, connectionId);
      if (connection) await checkSilence(deps, tx, connector, connection);
    });
  await bumpNextRead(deps, tenantId);
  return results;
}

async function afterRun(
  deps: SyncDeps,
  tenantId: string,
  connector: Connector,
  row: StreamRow,
  result: RunResult,
): Promise<void> {
  if (result.first) {
    await deps.db.tenant(tenantId, (tx) =>
      appendEvents(tx, [
        {
          actor: 'system',
          action: 'sync.first_load',
          subject: { kind: 'stream', id: row.id },
          data: { stream: row.name, connection: row.connection_id, records: result.seen },
          at: deps.clock.now(),
        },
      ]),
    );
  }
  const stream = connector.streams.find((candidate) => candidate.name === row.name);
  if (!stream || (!result.first && stream.deletes.kind !== 'tombstones')) return;
  const source = await loadSource(deps, tenantId, row.connection_id);
  if (result.first) await planFirst(deps, tenantId, row.id, source, stream);
  if (stream.deletes.kind !== 'tombstones') return;
  const session = sessionOf(deps, tenantId, source, 'sweep');
  try {
    await readTombstones(deps, tenantId, session, source, stream, row);
  } catch (error) {
    // Deletions are asked for again at the next run; the records themselves are read.
    deps.log.warn({ err: error, stream: row.name }, `reading deletions failed: ${messageOf(error)}`);
  } finally {
    await session.close();
  }
}
