import { randomBytes } from 'node:crypto';
import { appendEvents } from './audit/store.ts';
import type { Clock } from './base/clock.ts';
import { type Config, ConfigError } from './base/config.ts';
import type { Database, Sql } from './base/database.ts';
import { messageOf } from './base/errors.ts';
import { createKeyring, hasSealed, type Keyring, keyIdOf } from './base/keyring.ts';
import type { Logger } from './base/log.ts';
import { CHECK, eachPage, eachTable, ROOT } from './sealed.ts';

/** While a process seals, it says so at least this often; after three times that it counts as gone. */
const KEY_HEARTBEAT_MS = 30_000;
const NOBODY_MS = 3 * KEY_HEARTBEAT_MS;

const NIL = '00000000-0000-0000-0000-000000000000';
/** Sealed values by key and table. */
export interface KeyUse {
  key: string;
  /** The key is among those of this hub. */
  known: boolean;
  current: boolean;
  tables: Record<string, { rows: number; oldest: string | null }>;
}

/** Which keys seal how much of what. Keys of this hub that seal nothing are among them. */
export async function keyUses(db: Database, config: Config): Promise<KeyUse[]> {
  const uses = new Map<string, KeyUse>();
  const of = (key: string): KeyUse => {
    const known = config.keys.some(({ id }) => id === key);
    const use = uses.get(key) ?? { key, known, current: config.keys[0]?.id === key, tables: {} };
    uses.set(key, use);
    return use;
  };
  for (const { id } of config.keys) of(id);
  await eachTable(db, (table, within) =>
    eachPage(table, within, async (rows) => {
      for (const row of rows) {
        const { tables } = of(keyIdOf(row.sealed));
        const entry = tables[table.name] ?? { rows: 0, oldest: null };
        const at = row.at?.toISOString() ?? null;
        tables[table.name] = {
          rows: entry.rows + 1,
          oldest: entry.oldest === null || (at !== null && at < entry.oldest) ? at : entry.oldest,
        };
      }
    }),
  );
  return [...uses.values()];
}

export interface Rotation {
  key: string;
  /** Values sealed anew, by table. */
  resealed: Record<string, number>;
  /** Values that could not be opened: they stay as they are. */
  unreadable: { table: string; id: string; tenantId: string | null; key: string; reason: string }[];
  /** Keys that nothing is sealed with any more. */
  notNeeded: string[];
  /** Keys that a running process still seals with. */
  stillSealing: { key: string; lastSeen: string }[];
  uses: KeyUse[];
}

/**
 * Seals every sealed value with the current key. It may be killed and run again, run twice at once, and run while the
 * hub works: a value is replaced only while it is the one that was read.
 * @param afterBatch called after each page, for tests that stop it there
 */
export async function rotateKeys(
  deps: { db: Database; config: Config; keyring: Keyring },
  now: Date,
  by: string,
  afterBatch: () => Promise<void> = async () => {},
): Promise<Rotation> {
  const { db, config, keyring } = deps;
  const resealed: Record<string, number> = {};
  const unreadable: Rotation['unreadable'] = [];
  await eachTable(db, async (table, within, tenantId) => {
    let done = 0;
    const before = new Set<string>();
    await eachPage(table, within, async (rows, sql) => {
      for (const row of rows) {
        const key = keyIdOf(row.sealed);
        if (key === keyring.currentKeyId) continue;
        let plain: string;
        try {
          plain = keyring.open(row.sealed, row.context);
        } catch (error) {
          unreadable.push({ table: table.name, id: row.id, tenantId: tenantId ?? null, key, reason: messageOf(error) });
          continue;
        }
        if (!(await table.replace(sql, row, keyring.seal(plain, row.context)))) continue;
        done += 1;
        before.add(key);
      }
      await afterBatch();
    });
    if (done === 0) return;
    resealed[table.name] = (resealed[table.name] ?? 0) + done;
    if (!tenantId) return;
    await db.tenant(tenantId, (tx) =>
      appendEvents(tx, [
        {
          actor: by,
          action: 'keys.rotated',
          subject: { kind: 'key', id: keyring.currentKeyId },
          data: { table: table.name, values: done, from: [...before], to: keyring.currentKeyId },
          at: now,
        },
      ]),
    );
  });
  const uses = await keyUses(db, config);
  const { notNeeded, stillSealing } = await retire(db, uses, keyring.currentKeyId, now);
  return { key: keyring.currentKeyId, resealed, unreadable, notNeeded, stillSealing, uses };
}

/** Keys that seal nothing, and that no running process seals with, are not asked for at the next start. */
async function retire(
  db: Database,
  uses: readonly KeyUse[],
  current: string,
  now: Date,
): Promise<Pick<Rotation, 'notNeeded' | 'stillSealing'>> {
  const { rows } = await db.statement<{ id: string; used_at: Date }>('select id, used_at from sealing_key');
  const idle = uses.filter((use) => use.key !== current && Object.keys(use.tables).length === 0).map(({ key }) => key);
  const gone = rows.filter((row) => row.id !== current && !uses.some((use) => use.key === row.id)).map((row) => row.id);
  const notNeeded: string[] = [];
  const stillSealing: Rotation['stillSealing'] = [];
  for (const key of new Set([...idle, ...gone])) {
    const { rowCount } = await db.statement(
      'update sealing_key set retired_at = coalesce(retired_at, $2) where id = $1 and used_at <= $3',
      [key, now, new Date(now.getTime() - NOBODY_MS)],
    );
    const known = rows.find((row) => row.id === key);
    if (known && rowCount === 0) stillSealing.push({ key, lastSeen: known.used_at.toISOString() });
    else if (uses.some((use) => use.key === key)) notNeeded.push(key);
  }
  return { notNeeded, stillSealing };
}

/** Says so now and then while the process runs: whoever rotates keys must know which are still sealed with. */
export function sayKeyInUse(db: Database, config: Config, clock: Clock, log: Logger): { stop: () => void } {
  const timer = setInterval(() => {
    noteKeyUse({ query: db.statement }, config, clock.now()).catch((error: unknown) =>
      log.warn({ err: error }, 'saying which key is in use failed'),
    );
  }, KEY_HEARTBEAT_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** Says that this process seals with its current key. */
export async function noteKeyUse(sql: Pick<Sql, 'query'>, config: Config, now: Date): Promise<void> {
  await sql.query(
    `insert into sealing_key as k (id, used_at) values ($1, $2)
     on conflict (id) do update set used_at = greatest(k.used_at, excluded.used_at), retired_at = null`,
    [config.keys[0]!.id, now],
  );
}

/**
 * Checks that the keys open what is stored, before anything else does: a key that is missing or wrong would fail later,
 * at the worst moment.
 * @returns the keyring, whose derived keys stay the same when the key they once came from is gone; and what to do at
 *   the end: a key that was only tried, and sealed nothing, is not needed afterwards
 * @throws ConfigError saying which key is missing
 */
export async function admitKeys(
  db: Database,
  config: Config,
  now: Date,
): Promise<{ keyring: Keyring; forget: () => Promise<void> }> {
  const { rows } = await db.statement<{ id: string; retired_at: Date | null }>(
    'select id, retired_at from sealing_key',
  );
  const missing = rows.filter((row) => !row.retired_at && !config.keys.some(({ id }) => id === row.id));
  if (missing.length > 0)
    throw new ConfigError([
      `RAPPORT_KEYS does not open the secrets in this database: the key ${missing.map(({ id }) => `"${id}"`).join(' and ')} is missing. Something may still be sealed with key "${missing[0]!.id}", which is not in RAPPORT_KEYS (${config.keys.map(({ id }) => id).join(', ')}): add it behind the others. "rapport keys rotate" seals everything with the first key and says when an old one may go.`,
    ]);
  const keyring = createKeyring(config.keys);
  await sealedOnce(db, keyring, CHECK, 'rapport', now);
  const oldest = config.keys.at(-1)!.key.toString('base64');
  const root = await sealedOnce(db, keyring, ROOT, oldest, now);
  // Which of the keys of an older hub are needed was never written down: as long as nobody proves the contrary, all.
  if (rows.length === 0)
    for (const { id } of config.keys.slice(1))
      await db.statement("insert into sealing_key (id, used_at) values ($1, '-infinity') on conflict do nothing", [id]);
  await noteKeyUse({ query: db.statement }, config, now);
  const { id } = config.keys[0]!;
  const isNew = !rows.some((row) => row.id === id);
  return {
    keyring: createKeyring(config.keys, Buffer.from(root, 'base64')),
    forget: async () => {
      if (isNew && !hasSealed(id))
        await db.statement('delete from sealing_key where id = $1 and used_at = $2', [id, now]);
    },
  };
}

/** A value that is sealed into the database once, by whoever comes first. @throws ConfigError when it does not open */
async function sealedOnce(db: Database, keyring: Keyring, name: string, value: string, now: Date): Promise<string> {
  for (;;) {
    const { rows } = await db.statement<{ subject: { sealed: string } }>(
      'select subject from link_route where token_hash = $1',
      [name],
    );
    if (rows[0]) {
      try {
        return keyring.open(Buffer.from(rows[0].subject.sealed, 'base64'), name);
      } catch (error) {
        throw new ConfigError([`RAPPORT_KEYS does not open the secrets in this database. ${messageOf(error)}`]);
      }
    }
    await db.statement(
      'insert into link_route (token_hash, tenant_id, purpose, subject, created_at) values ($1, $2, $1, $3, $4) on conflict do nothing',
      [name, NIL, { sealed: keyring.seal(value, name).toString('base64') }, now],
    );
  }
}

/** A new master key under a name that none of `known` has. */
export function newMasterKey(known: readonly string[]): { id: string; text: string } {
  const numbers = known.map((id) => /^k(\d+)$/.exec(id)?.[1]).filter((found) => found !== undefined);
  const id = `k${Math.max(0, ...numbers.map(Number)) + 1}`;
  return { id, text: `${id}:${randomBytes(32).toString('base64')}` };
}
