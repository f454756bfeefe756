import { insertRows, type Row, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { JoinedKind } from '../kit/index.ts';
import { goldenTable } from './columns.ts';
import { type IdentityKey, namesAgree } from './keys.ts';
import { type Apart, bequeathKeys, loadApart } from './not-same.ts';

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
  /** What the two have in common. */
  key?: string;
}

export interface Resolution {
  /** Entity of each seeker, in order. */
  entities: string[];
  joins: Join[];
  suggestions: Suggestion[];
  created: Set<string>;
  /** Entity of each seeker before the joins of this batch: where it belongs when they are undone. */
  homes: string[];
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
  if (seekers.length >= MANY && (await nobodyKnown(tx, kind, seekers))) {
    // Claiming tells what looking up would tell: whoever holds a key already keeps it.
    const resolution = decide(seekers, new Map(), new Map());
    if (await claimKeys(tx, kind, seekers, resolution, new Map())) return resolution;
  }
  for (let attempt = 0; ; attempt++) {
    const owners = await loadKeyOwners(tx, kind, seekers);
    const ids = new Set([
      ...owners.values(),
      ...seekers.map((seeker) => seeker.entityId).filter((id) => id !== undefined),
    ]);
    let resolution = decide(seekers, owners, await loadKnown(tx, kind, ids));
    if (resolution.joins.length > 0 || resolution.suggestions.length > 0) {
      // Somebody may have said that they are not the same; asked only where it matters, which is seldom.
      const apart = await loadApart(tx, kind, ids);
      resolution = decide(seekers, owners, await loadKnown(tx, kind, ids), apart);
    }
    if ((await claimKeys(tx, kind, seekers, resolution, owners)) || attempt >= 4) return resolution;
  }
}

/** Records from which it pays to guess that a first load is going on. */
const MANY = 100;

/** Whether a sample of the records has no key that somebody holds: most of a first load is new. */
async function nobodyKnown(tx: Tx, kind: JoinedKind, seekers: readonly Seeker[]): Promise<boolean> {
  if (seekers.some((seeker) => seeker.entityId !== undefined)) return false;
  const step = Math.ceil(seekers.length / 20);
  const sample = seekers.filter((_, at) => at % step === 0);
  return (await loadKeyOwners(tx, kind, sample)).size === 0;
}

async function loadKeyOwners(tx: Tx, kind: JoinedKind, seekers: readonly Seeker[]): Promise<Map<string, string>> {
  const keys = [...new Set(seekers.flatMap((seeker) => seeker.keys.map(({ key }) => key)))];
  if (keys.length === 0) return new Map();
  const { rows } = await tx.query<{ key: string; entity_id: string }>(
    // Key by key: by old statistics the planner would rather read every key of the tenant.
    `select i.key, k.entity_id from unnest($3::text[]) as i(key)
     cross join lateral (select entity_id from identity_key where tenant_id = $1 and kind = $2 and key = i.key limit 1) k`,
    [tx.tenantId, kind, keys],
  );
  return new Map(rows.map((row) => [row.key, row.entity_id]));
}

async function loadKnown(tx: Tx, kind: JoinedKind, ids: ReadonlySet<string>): Promise<Map<string, Known>> {
  if (ids.size === 0) return new Map();
  const extra = kind === 'contact' ? 'g.first_name, g.last_name, g.emails' : 'g.domain';
  const { rows } = await tx.query<Row & { id: string; streams: string[] }>(
    `select g.id, g.name, g.email, ${extra},
            array(select distinct p.stream_id::text from ${kind}_projection p where p.tenant_id = $1 and p.entity_id = g.id) as streams
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

function decide(
  seekers: readonly Seeker[],
  owners: Map<string, string>,
  known: Map<string, Known>,
  apart?: Apart,
): Resolution {
  const keyOwner = new Map(owners);
  const alias = new Map<string, string>();
  const live = (id: string): string => {
    let here = id;
    while (alias.has(here)) here = alias.get(here)!;
    return here;
  };
  const resolution: Resolution = { entities: [], joins: [], suggestions: [], created: new Set(), homes: [] };
  for (const seeker of seekers) {
    let entity = seeker.entityId ? live(seeker.entityId) : undefined;
    let home = seeker.entityId;
    const alike: { otherId: string; key: string }[] = [];
    for (const key of seeker.keys) {
      const owner = keyOwner.get(key.key);
      if (!owner) continue;
      const other = live(owner);
      if (other === entity) continue;
      const candidate = known.get(other);
      const kept = entity !== undefined && apart?.between(entity, other, live) !== undefined;
      if (!candidate || kept || !joins(seeker, key, candidate)) {
        if (candidate) alike.push({ otherId: other, key: key.key });
        continue;
      }
      home ??= owner;
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
    resolution.homes.push(home ?? entity);
    for (const { otherId, key } of alike)
      resolution.suggestions.push({
        entityId: entity,
        otherId,
        key,
        reason: `Both have ${key}, but other things differ.`,
      });
  }
  // Later joins of the batch may have absorbed an entity chosen earlier.
  resolution.entities = resolution.entities.map(live);
  resolution.suggestions = resolution.suggestions.filter(
    ({ entityId, otherId, key }) =>
      live(entityId) !== live(otherId) && !apart?.between(live(entityId), live(otherId), live)?.has(key ?? ''),
  );
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
  await bequeathKeys(tx, kind, dropped);
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
    { name: 'id', type: 'uuid' },
    { name: 'kind', type: 'text' },
    { name: 'entity_id', type: 'uuid' },
    { name: 'other_id', type: 'uuid' },
    { name: 'key', type: 'text' },
    { name: 'reason', type: 'text' },
    { name: 'at', type: 'timestamptz' },
  ];
  const pairs = new Map<string, Row>();
  for (const { entityId, otherId, reason, key } of suggestions) {
    const [a, b] = entityId < otherId ? [entityId, otherId] : [otherId, entityId];
    if (a !== b)
      pairs.set(`${a}${b}`, { id: newId(), kind, entity_id: a, other_id: b, key: key ?? null, reason, at: now });
  }
  // What was decided about comes up again with new evidence only: the old kind was filtered out before.
  await insertRows(
    tx,
    'merge_suggestion as s',
    columns,
    [...pairs.values()],
    `on conflict (tenant_id, kind, entity_id, other_id) do update set id = excluded.id, key = excluded.key, reason = excluded.reason,
       at = excluded.at, decided_at = null, decision = null, decided_by = null
     where s.decided_at is not null and s.key is distinct from excluded.key`,
  );
}
