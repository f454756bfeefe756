import { appendEvents } from '../audit/store.ts';
import { bumpDue } from '../base/due.ts';
import { messageOf } from '../base/errors.ts';
import { sessionOf, withSession } from '../connections/session.ts';
import { findConnection } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { Connector, Stream } from '../kit/index.ts';
import { registerFields } from '../mapping/store.ts';
import { readTombstones } from './deletes.ts';
import type { SyncDeps } from './deps.ts';
import { type RunOptions, type RunResult, runStream } from './reader.ts';
import { loadSource } from './source.ts';
import {
  connectionsWithHints,
  createStreams,
  dueStreams,
  listStreams,
  nextStreamDue,
  requestRun,
  type StreamRow,
  switchOff,
} from './store.ts';

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
      const fields = await stream.discover(session.ctx);
      found += fields.length;
      await deps.db.tenant(tenantId, (tx) => registerFields(tx, row.id, fields, deps.clock.now()));
    }
    return found;
  });
}

/** Puts a reading job for every connection that has due streams, and says when to look again. */
export async function startDueReads(deps: SyncDeps, tenantId: string): Promise<void> {
  const { due, hinted } = await deps.db.tenant(tenantId, async (tx) => ({
    due: await dueStreams(tx, deps.clock.now()),
    hinted: await connectionsWithHints(tx),
  }));
  for (const connectionId of new Set(due.map((stream) => stream.connection_id)))
    await deps.queue.wake('read', { tenantId, connectionId });
  // Hints whose job failed for good, because the vendor was away for longer than the job's tries.
  for (const connectionId of hinted) await deps.queue.wake('refetch', { tenantId, connectionId });
  await bumpNextRead(deps, tenantId);
}

async function bumpNextRead(deps: SyncDeps, tenantId: string): Promise<void> {
  const next = await deps.db.tenant(tenantId, (tx) => nextStreamDue(tx));
  if (next && next > deps.clock.now()) await bumpDue({ query: deps.db.statement }, tenantId, 'sync', next);
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
    (row) =>
      row.state !== 'off' &&
      (options.only?.includes(row.name) ?? true) &&
      (options.force || (row.next_due_at !== null && row.next_due_at <= now)),
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
  if (stream?.deletes.kind !== 'tombstones') return;
  const source = await loadSource(deps, tenantId, row.connection_id);
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
