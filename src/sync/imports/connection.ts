import { isDeepStrictEqual } from 'node:util';
import { appendEvents } from '../../audit/store.ts';
import type { Row, Tx } from '../../base/database.ts';
import { conflict } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { addRoute } from '../../connections/coordinator.ts';
import { findConnectionByAccount, insertConnection } from '../../connections/store.ts';
import type { Connector } from '../../kit/index.ts';
import { loadOverrides, saveOverride } from '../../mapping/store.ts';
import type { SyncDeps } from '../deps.ts';
import { createStreams, listStreams, switchOff } from '../store.ts';
import type { ImportMapping } from './mapping.ts';
import { clearDeadRuns, importedSince } from './store.ts';

/**
 * The connection that stands for files of this mapping; made when it is not there.
 * @returns its id, and whether records that did not change must be mapped again because the mapping did
 */
export async function importConnection(
  deps: SyncDeps,
  tenantId: string,
  connector: Connector,
  mapping: ImportMapping,
  actor: string,
): Promise<{ connectionId: string; remap: boolean }> {
  return deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    await clearDeadRuns(tx, now);
    const account = { id: mapping.name ?? 'files', name: mapping.name ?? 'Files' };
    const connectionId =
      (await findConnectionByAccount(tx, connector.id, account.id))?.id ??
      (await makeConnection(tx, connector.id, account, now, actor));
    // All of them: an invoice may point at a contact whose file is imported later.
    const names = connector.streams.map((stream) => stream.name);
    await createStreams(tx, connectionId, names, now);
    await switchOff(
      tx,
      (await listStreams(tx, connectionId)).map((stream) => stream.id),
    );
    return { connectionId, remap: await keepMapping(tx, connector.id, connectionId, mapping, actor, now) };
  });
}

async function makeConnection(
  tx: Tx,
  connector: string,
  account: { id: string; name: string },
  now: Date,
  actor: string,
): Promise<string> {
  const id = newId();
  await insertConnection(tx, {
    id,
    connector,
    name: account.name,
    account_id: account.id,
    account,
    settings: {},
    features: [],
    granted_scopes: [],
    state: 'active',
    created_at: now,
  });
  await addRoute(tx, connector, account.id, tx.tenantId, id);
  const data: Row = { connector, account: account.id, accountName: account.name };
  await appendEvents(tx, [
    { actor, action: 'connection.authorised', subject: { kind: 'connection', id }, data, at: now },
  ]);
  return id;
}

/** Stores the mapping with the connection. @returns whether stored records may still be mapped by an older one */
async function keepMapping(
  tx: Tx,
  connector: string,
  connectionId: string,
  mapping: ImportMapping,
  actor: string,
  now: Date,
): Promise<boolean> {
  const own = (await loadOverrides(tx, connector, connectionId)).find((row) => row.connection_id === connectionId);
  const merged = {
    ...own?.mapping,
    ...(mapping.defaults ? { defaults: mapping.defaults } : {}),
    streams: { ...own?.mapping.streams, ...mapping.streams },
  };
  if (own && isDeepStrictEqual(own.mapping, JSON.parse(JSON.stringify(merged))))
    return !(await importedSince(tx, connectionId, own.created_at));
  const saved = await saveOverride(tx, { connector, connectionId, mapping: merged, by: actor, at: now }, own?.version);
  if (saved === undefined)
    throw conflict('The mapping of these files was changed by someone else just now.', 'Import the file again.');
  return true;
}
