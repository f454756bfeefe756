import { insertRows, type Tx } from '../base/database.ts';
import { messageOf } from '../base/errors.ts';
import { type Route, routeOfConnection, routesOfAccount } from '../connections/coordinator.ts';
import { type ConnectionRow, findConnection, notePrepareAt } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { HookEvent, RawHook } from '../kit/index.ts';
import type { SyncDeps } from './deps.ts';
import { erasedHints } from './erased.ts';
import { notePosted } from './silence.ts';
import { listStreams, requestRun } from './store.ts';

interface InboxRow {
  id: string;
  connector: string;
  connection_id: string | null;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: Buffer;
  received_at: Date;
}

/**
 * Takes a stored post apart: every event goes to each tenant that connected the account it names. Running it twice
 * changes nothing: events have keys.
 */
export async function routeHook(deps: SyncDeps, hookId: string): Promise<void> {
  const { rows } = await deps.db.statement<InboxRow>(
    'select id, connector, connection_id, method, url, headers, body, received_at from hook_inbox where id = $1 and routed_at is null',
    [hookId],
  );
  const row = rows[0];
  if (!row) return;
  const connector = connectorOf(deps.registry, row.connector);
  const hook: RawHook = { method: row.method, url: row.url, headers: row.headers, body: row.body };
  const owner = await ownerOf(deps, row);
  let events: HookEvent[];
  try {
    events = connector.webhooks!.events(hook, owner);
  } catch (error) {
    // A verified post we cannot read stays in the inbox with the reason; it is not thrown away and not tried for ever.
    await deps.db.statement('update hook_inbox set routed_at = $2, error = $3 where id = $1', [
      row.id,
      deps.clock.now(),
      messageOf(error),
    ]);
    deps.log.error({ err: error, connector: row.connector, hookId }, 'a verified webhook could not be read');
    return;
  }
  const byRoute = new Map<string, { route: Route; events: HookEvent[] }>();
  for (const event of events) {
    for (const route of await routesOf(deps, row, event)) {
      const entry = byRoute.get(route.connection_id) ?? { route, events: [] };
      entry.events.push(event);
      byRoute.set(route.connection_id, entry);
    }
  }
  let erased = false;
  for (const { route, events: own } of byRoute.values()) {
    await deps.db.tenant(route.tenant_id, async (tx) => {
      const connection = await findConnection(tx, route.connection_id);
      // Revoked between the post and now: it belongs to nobody here any more.
      if (!connection || connection.state === 'revoked') return;
      erased = (await takeEvents(deps, tx, connection, own, row.received_at)).erased || erased;
    });
  }
  if (erased)
    await deps.db.statement("update hook_inbox set body = ''::bytea, headers = '{}', url = '' where id = $1", [row.id]);
  await deps.db.statement('update hook_inbox set routed_at = $2, error = $3 where id = $1', [
    row.id,
    deps.clock.now(),
    byRoute.size === 0 && events.length > 0 ? 'no connection of this account' : null,
  ]);
}

/** Settings of the connection an address belongs to; undefined for addresses of the whole app. */
async function ownerOf(deps: SyncDeps, row: InboxRow): Promise<{ settings: Record<string, unknown> } | undefined> {
  if (!row.connection_id) return undefined;
  const route = await routeOfConnection({ query: deps.db.statement }, row.connector, row.connection_id);
  return route && deps.db.tenant(route.tenant_id, (tx) => findConnection(tx, row.connection_id!));
}

async function routesOf(deps: SyncDeps, row: InboxRow, event: HookEvent): Promise<Route[]> {
  const sql = { query: deps.db.statement };
  if (row.connection_id) {
    const route = await routeOfConnection(sql, row.connector, row.connection_id);
    return route ? [route] : [];
  }
  return event.account === undefined ? [] : routesOfAccount(sql, row.connector, event.account);
}

const COLUMNS = [
  { name: 'connection_id', type: 'uuid' },
  { name: 'event_key', type: 'text' },
  { name: 'stream', type: 'text' },
  { name: 'remote_id', type: 'text' },
  { name: 'change', type: 'text' },
  { name: 'payload', type: 'jsonb' },
  { name: 'vendor_at', type: 'timestamptz' },
  { name: 'received_at', type: 'timestamptz' },
  { name: 'done_at', type: 'timestamptz' },
];

/**
 * Records become hints for the refetch; everything else is handed on at once. Known event keys are ignored.
 * @returns whether something was of an erased person, of whom no byte is kept
 */
async function takeEvents(
  deps: SyncDeps,
  tx: Tx,
  connection: ConnectionRow,
  events: readonly HookEvent[],
  receivedAt: Date,
): Promise<{ erased: boolean }> {
  const rows = events.map((event) => ({
    connection_id: connection.id,
    event_key: event.key,
    stream: event.type === 'record' ? event.stream : `(${event.type})`,
    remote_id: event.type === 'record' ? event.id : '',
    change: event.type === 'record' ? event.change : event.type,
    payload:
      event.type === 'record'
        ? event.change === 'merged'
          ? { into: event.into ?? null }
          : (event.record ?? null)
        : null,
    vendor_at: event.at ?? null,
    received_at: receivedAt,
    done_at: event.type === 'record' ? null : receivedAt,
  }));
  const distinct = [...new Map(rows.map((row) => [row.event_key, row])).values()];
  // What is not taken need not be fetched.
  const erased = await erasedHints(deps, tx, connection.id, distinct);
  const fresh = new Set(
    (
      await insertRows<{ event_key: string }>(
        tx,
        'hint',
        COLUMNS,
        distinct.filter((row) => !erased.has(row)),
        'on conflict (tenant_id, connection_id, event_key) do nothing returning event_key',
      )
    ).map((row) => row.event_key),
  );
  const told = events.flatMap((event) => (event.type === 'record' && fresh.has(event.key) ? event.stream : []));
  await notePosted(deps, tx, connection, new Set(told));
  for (const event of events) {
    if (event.type === 'record' || !fresh.delete(event.key)) continue;
    if (event.type === 'poll') await readNow(deps, tx, connection.id, event.stream, deps.clock.now());
    else if (event.type === 'renew') await renewNow(deps, tx, connection.id, deps.clock.now());
    else await deps.listeners.event(tx, connection, event, deps.clock.now());
  }
  if (events.some((event) => event.type === 'record' && fresh.has(event.key))) {
    await deps.queue.send(tx, 'refetch', { tenantId: tx.tenantId, connectionId: connection.id });
  }
  return { erased: erased.size > 0 };
}

/** Reads what a post spoke of without naming a record. */
async function readNow(
  deps: SyncDeps,
  tx: Tx,
  connectionId: string,
  name: string | undefined,
  now: Date,
): Promise<void> {
  const rows = await listStreams(tx, connectionId);
  const due = rows.filter((row) => row.state !== 'off' && (name === undefined || row.name === name));
  await requestRun(
    tx,
    due.map(({ id }) => id),
    now,
    false,
  );
  await deps.queue.send(tx, 'read', { tenantId: tx.tenantId, connectionId });
}

/** Sets up anew what the vendor says has ended; should the job be lost, the due date stands. */
async function renewNow(deps: SyncDeps, tx: Tx, connectionId: string, now: Date): Promise<void> {
  await notePrepareAt(tx, connectionId, now);
  await deps.queue.send(tx, 'renew', { tenantId: tx.tenantId, connectionId });
}
