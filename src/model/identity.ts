import { insertRows, type Row, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { JoinedKind } from '../kit/index.ts';
import { goldenTable } from './columns.ts';
import { type IdentityKey, namesAgree } from './keys.ts';

/** A record that looks for its entity. */
export interface Seeker {
  streamId: string;
  remoteId: string;
  keys: IdentityKey[];
  values: Row;
  /** The entity it already belongs to. */
  entityId: string | undefined;
}

/** Two entities that turned out to be one, with what says so. */
export interface Join {
  survivor: string;
  absorbed: string;
  evidence: { key: string; record: string };
}

export interface Suggestion {
  entityId: string;
  otherId: string;
  reason: string;
}

export interface Resolution {
  /** Entity of each seeker, in order. */
  entities: string[];
  joins: Join[];
  suggestions: Suggestion[];
  created: Set<string>;
}

interface Known {
  values: Row;
  /** Streams that have a record of it: one system that keeps two records apart usually means it. */
  streams: Set<string>;
}

const KEY_COLUMNS = [
  { name: 'kind', type: 'text' },
  { name: 'key', type: 'text' },
  { name: 'entity_id', type: 'uuid' },
];

/**
 * Finds or makes the entity of each record and claims its keys. Two transactions that claim the same key meet at the
 * key's row: the second waits, sees the winner and takes its entity.
 */
export async function resolveIdentity(tx: Tx, kind: JoinedKind, seekers: readonly Seeker[]): Promise<Resolution> {
  for (let attempt = 0; ; attempt++) {
    const owners = await loadKeyOwners(tx, kind, seekers);
    const known = await loadKnown(
      tx,
      kind,
      new Set([...owners.values(), ...seekers.map((seeker) => seeker.entityId).filter((id) => id !== undefined)]),
    );
    const resolution = decide(seekers, owners, known);
    if ((await claimKeys(tx, kind, seekers, resolution, owners)) || attempt >= 4) return resolution;
  }
}

async function loadKeyOwners(tx: Tx, kind: JoinedKind, seekers: readonly Seeker[]): Promise<Map<string, string>> {
  const keys = [...new Set(seekers.flatMap((seeker) => seeker.keys.map(({ key }) => key)))];
  if (keys.length === 0) return new Map();
  const { rows } = await tx.query<{ key: string; entity_id: string }>(
    'select key, entity_id from identity_key where tenant_id = $1 and kind = $2 and key = any($3)',
    [tx.tenantId, kind, keys],
  );
  return new Map(rows.map((row) => [row.key, row.entity_id]));
}

async function loadKnown(tx: Tx, kind: JoinedKind, ids: ReadonlySet<string>): Promise<Map<string, Known>> {
  if (ids.size === 0) return new Map();
  const extra = kind === 'contact' ? 'g.first_name, g.last_name, g.emails' : 'g.domain';
  const { rows } = await tx.query<Row & { id: string; streams: string[] }>(
    `select g.id, g.name, g.email, ${extra},
            array(select distinct p.stream_id::text from ${kind}_projection p where p.tenant_id = g.tenant_id and p.entity_id = g.id) as streams
     from ${goldenTable(kind)} g where g.tenant_id = $1 and g.id = any($2)`,
    [tx.tenantId, [...ids]],
  );
  return new Map(rows.map((row) => [row.id, { values: row, streams: new Set(row.streams) }]));
}

/** Whether a key is enough to say that the record is this entity. */
function joins(seeker: Seeker, key: IdentityKey, entity: Known): boolean {
  if (key.key.startsWith('id:')) return true;
  const sameSystem = entity.streams.has(seeker.streamId);
  if (key.strong) return !sameSystem || namesAgree(seeker.values, entity.values);
  if (sameSystem) return false;
  if (key.key.startsWith('name:')) return true;
  const mine = seeker.values.email;
  const theirs = entity.values.email;
  const mailsDiffer = typeof mine === 'string' && typeof theirs === 'string' && mine !== theirs;
  return !mailsDiffer && namesAgree(seeker.values, entity.values);
}

function decide(seekers: readonly Seeker[], owners: Map<string, string>, known: Map<string, Known>): Resolution {
  const keyOwner = new Map(owners);
  const alias = new Map<string, string>();
  const live = (id: string): string => {
    let here = id;
    while (alias.has(here)) here = alias.get(here)!;
    return here;
  };
  const resolution: Resolution = { entities: [], joins: [], suggestions: [], created: new Set() };
  for (const seeker of seekers) {
    let entity = seeker.entityId ? live(seeker.entityId) : undefined;
    const alike: { otherId: string; key: string }[] = [];
    for (const key of seeker.keys) {
      const owner = keyOwner.get(key.key);
      if (!owner) continue;
      const other = live(owner);
      if (other === entity) continue;
      const candidate = known.get(other);
      if (!candidate || !joins(seeker, key, candidate)) {
        if (candidate) alike.push({ otherId: other, key: key.key });
        continue;
      }
      if (!entity) entity = other;
      else {
        // The older id survives: it is the one others have seen longer (ids are time-ordered).
        const [survivor, absorbed] = entity < other ? [entity, other] : [other, entity];
        resolution.joins.push({
          survivor,
          absorbed,
          evidence: { key: key.key, record: `${seeker.streamId}/${seeker.remoteId}` },
        });
        alias.set(absorbed, survivor);
        const merged = known.get(survivor);
        for (const stream of known.get(absorbed)?.streams ?? []) merged?.streams.add(stream);
        entity = survivor;
      }
    }
    if (!entity) {
      entity = newId();
      resolution.created.add(entity);
    }
    const facts = known.get(entity);
    if (facts) facts.streams.add(seeker.streamId);
    else known.set(entity, { values: seeker.values, streams: new Set([seeker.streamId]) });
    for (const { key } of seeker.keys) if (!keyOwner.has(key)) keyOwner.set(key, entity);
    resolution.entities.push(entity);
    for (const { otherId, key } of alike)
      resolution.suggestions.push({ entityId: entity, otherId, reason: `Both have ${key}, but other things differ.` });
  }
  // Later joins of the batch may have absorbed an entity chosen earlier.
  resolution.entities = resolution.entities.map(live);
  resolution.suggestions = resolution.suggestions.filter(({ entityId, otherId }) => live(entityId) !== live(otherId));
  return resolution;
}

/** Inserts the keys nobody holds yet. False when another transaction claimed one of them meanwhile. */
async function claimKeys(
  tx: Tx,
  kind: JoinedKind,
  seekers: readonly Seeker[],
  resolution: Resolution,
  owners: ReadonlyMap<string, string>,
): Promise<boolean> {
  const wanted = new Map<string, string>();
  seekers.forEach((seeker, at) => {
    for (const { key } of seeker.keys)
      if (!owners.has(key) && !wanted.has(key)) wanted.set(key, resolution.entities[at]!);
  });
  if (wanted.size === 0) return true;
  const rows = [...wanted].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entity_id]) => ({ kind, key, entity_id }));
  const claimed = await insertRows<{ key: string }>(
    tx,
    'identity_key',
    KEY_COLUMNS,
    rows,
    'on conflict (tenant_id, kind, key) do nothing returning key',
  );
  if (claimed.length === rows.length) return true;
  // Give back what we claimed: the next look decides anew.
  await tx.query('delete from identity_key where tenant_id = $1 and kind = $2 and key = any($3)', [
    tx.tenantId,
    kind,
    claimed.map((row) => row.key),
  ]);
  return false;
}

/** Releases keys a record no longer has, unless another record of the entity still has them. */
export async function releaseKeys(
  tx: Tx,
  kind: JoinedKind,
  dropped: readonly { entityId: string; key: string }[],
): Promise<void> {
  if (dropped.length === 0) return;
  await tx.query(
    `delete from identity_key k using unnest($3::uuid[], $4::text[]) as i(entity_id, key)
     where k.tenant_id = $1 and k.kind = $2 and k.key = i.key and k.entity_id = i.entity_id
       and not exists (select from ${kind}_projection p where p.tenant_id = $1 and p.entity_id = i.entity_id and i.key = any(p.keys))`,
    [tx.tenantId, kind, dropped.map((item) => item.entityId), dropped.map((item) => item.key)],
  );
}

/** Remembers pairs for a person to decide on. */
export async function recordSuggestions(
  tx: Tx,
  kind: JoinedKind,
  suggestions: readonly Suggestion[],
  now: Date,
): Promise<void> {
  const columns = [
    { name: 'kind', type: 'text' },
    { name: 'entity_id', type: 'uuid' },
    { name: 'other_id', type: 'uuid' },
    { name: 'reason', type: 'text' },
    { name: 'at', type: 'timestamptz' },
  ];
  const pairs = new Map<string, Row>();
  for (const { entityId, otherId, reason } of suggestions) {
    const [a, b] = entityId < otherId ? [entityId, otherId] : [otherId, entityId];
    if (a !== b) pairs.set(`${a}${b}`, { kind, entity_id: a, other_id: b, reason, at: now });
  }
  await insertRows(tx, 'merge_suggestion', columns, [...pairs.values()], 'on conflict do nothing');
}
