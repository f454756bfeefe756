import { insertRows, type Tx } from '../base/database.ts';
import type { JoinedKind } from '../kit/index.ts';
import { projectionTable } from './columns.ts';

/** A record and the entity it belongs to whatever was merged since. */
export interface Home {
  streamId: string;
  remoteId: string;
  entityId: string;
}

const COLUMNS = [
  { name: 'kind', type: 'text' },
  { name: 'stream_id', type: 'uuid' },
  { name: 'remote_id', type: 'text' },
  { name: 'entity_id', type: 'uuid' },
];

/** Writes down where records belong; what is known already stays. */
export async function keepHomes(tx: Tx, kind: JoinedKind, homes: readonly Home[]): Promise<void> {
  const rows = homes.map(({ streamId, remoteId, entityId }) => ({
    kind,
    stream_id: streamId,
    remote_id: remoteId,
    entity_id: entityId,
  }));
  await insertRows(tx, 'record_home', COLUMNS, rows, 'on conflict (tenant_id, kind, stream_id, remote_id) do nothing');
}

/** A record of an entity, with its home and its identity keys. */
export interface Member extends Home {
  keys: string[];
}

const isStrong = (key: string): boolean => !key.startsWith('phone:') && !key.startsWith('name:');

/**
 * The records of an entity, each with a home. One that arrived after a merge belongs to the side whose keys it has,
 * strong ones first; without any it belongs to the entity that was alive then.
 */
export async function membersOf(tx: Tx, kind: JoinedKind, entityId: string): Promise<Member[]> {
  const { rows } = await tx.query<{ stream_id: string; remote_id: string; keys: string[]; home: string | null }>(
    `select p.stream_id, p.remote_id, p.keys, h.entity_id as home from ${projectionTable(kind)} p
     left join record_home h on h.tenant_id = $1 and h.kind = $3 and h.stream_id = p.stream_id and h.remote_id = p.remote_id
     where p.tenant_id = $1 and p.entity_id = $2 order by p.stream_id, p.remote_id`,
    [tx.tenantId, entityId, kind],
  );
  const open = rows.filter((row) => row.home === null);
  if (open.length > 0) {
    // Whoever is about to join has no say yet: what they have in common is why they join.
    const ids = new Set(await idsOf(tx, entityId));
    const homed = rows.filter((row) => row.home !== null && ids.has(row.home));
    settleHomes(homed, open);
    for (const row of open) row.home ??= entityId;
    await keepHomes(
      tx,
      kind,
      open.map((row) => ({ streamId: row.stream_id, remoteId: row.remote_id, entityId: row.home! })),
    );
  }
  return rows.map((row) => ({
    streamId: row.stream_id,
    remoteId: row.remote_id,
    keys: row.keys,
    entityId: row.home!,
  }));
}

interface Open {
  keys: string[];
  home: string | null;
}

/** Gives records the home of one that shares a key with them, until nothing more follows. */
function settleHomes(homed: readonly Open[], open: readonly Open[]): void {
  const homeOf = new Map<string, string>();
  for (const row of homed) for (const key of row.keys) if (!homeOf.has(key)) homeOf.set(key, row.home!);
  for (const strong of [true, false]) {
    for (let found = true; found; ) {
      found = false;
      for (const row of open) {
        if (row.home !== null) continue;
        const key = row.keys.find((candidate) => isStrong(candidate) === strong && homeOf.has(candidate));
        if (key === undefined) continue;
        row.home = homeOf.get(key)!;
        for (const own of row.keys) if (!homeOf.has(own)) homeOf.set(own, row.home);
        found = true;
      }
    }
  }
}

/** Every id that stands for an entity now: its own and those merged into it. */
export async function idsOf(tx: Tx, entityId: string): Promise<string[]> {
  const { rows } = await tx.query<{ old_id: string }>(
    'select old_id from entity_alias where tenant_id = $1 and entity_id = $2 order by old_id',
    [tx.tenantId, entityId],
  );
  return [entityId, ...rows.map((row) => row.old_id)];
}

/** The entity an id stands for now. */
export async function livingId(tx: Tx, id: string): Promise<string> {
  const { rows } = await tx.query<{ entity_id: string }>(
    'select entity_id from entity_alias where tenant_id = $1 and old_id = $2',
    [tx.tenantId, id],
  );
  return rows[0]?.entity_id ?? id;
}

/** Of the ids of an entity, those that came with one of them: itself and what was merged into it before or since. */
export async function idsUnder(tx: Tx, id: string, among: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ survivor_id: string; absorbed_id: string }>(
    'select survivor_id, absorbed_id from merge_event where tenant_id = $1 and survivor_id = any($2) and undone_at is null',
    [tx.tenantId, among],
  );
  const under = new Set([id]);
  // Sets are walked in the order of insertion, so what is found on the way is walked too.
  for (const survivor of under) for (const row of rows) if (row.survivor_id === survivor) under.add(row.absorbed_id);
  return under;
}

/**
 * Holds the source records of entities: whoever stores one of them meanwhile waits, and then sees where it belongs.
 * The other way round we wait for them, so the rows must be read after this.
 */
export async function holdRecords(tx: Tx, kind: JoinedKind, entityIds: readonly string[]): Promise<void> {
  await tx.query(
    `select 1 from source_record where tenant_id = $1 and (stream_id, remote_id) in (
       select stream_id, remote_id from ${projectionTable(kind)} where tenant_id = $1 and entity_id = any($2))
     order by stream_id, remote_id for update`,
    [tx.tenantId, entityIds],
  );
}
