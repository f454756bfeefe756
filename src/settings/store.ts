import { one, type Tx } from '../base/database.ts';
import type { FieldError } from '../base/errors.ts';
import { SETTINGS, type SettingKey, type SettingValue } from './schema.ts';

export interface SettingRow<Key extends SettingKey = SettingKey> {
  key: Key;
  value: SettingValue<Key>;
  /** 0 while the default stands. */
  version: number;
  updated_at: Date | null;
  updated_by: string | null;
}

// A transaction that asks for one setting asks for others too: all of a tenant's are a handful of small rows.
const known = new WeakMap<Tx, Promise<Map<SettingKey, SettingRow>>>();

async function readAll(tx: Tx): Promise<Map<SettingKey, SettingRow>> {
  const { rows } = await tx.query<SettingRow>(
    'select key, value, version, updated_at, updated_by from setting where tenant_id = $1',
    [tx.tenantId],
  );
  return new Map(rows.map((row) => [row.key, row]));
}

/** A setting as it stands: the tenant's, else the default. Within one transaction it stays what it was when first read. */
export async function readSetting<Key extends SettingKey>(tx: Tx, key: Key): Promise<SettingRow<Key>> {
  const reading = known.get(tx) ?? readAll(tx);
  known.set(tx, reading);
  const row = (await reading).get(key) as SettingRow<Key> | undefined;
  const standard = SETTINGS[key].value as SettingValue<Key>;
  return row
    ? { ...row, value: { ...(standard as object), ...(row.value as object) } as SettingValue<Key> }
    : { key, value: standard, version: 0, updated_at: null, updated_by: null };
}

/** Names the mistakes of a setting that only the rooms above can know, such as a connection that cannot do it. */
export type SettingMistakes = (tx: Tx, key: SettingKey, value: unknown) => Promise<FieldError[]>;

export const setting = async <Key extends SettingKey>(tx: Tx, key: Key): Promise<SettingValue<Key>> =>
  (await readSetting(tx, key)).value;

/** Stores a setting when its version is still the expected one (0: the default). @returns the new version */
export async function writeSetting<Key extends SettingKey>(
  tx: Tx,
  key: Key,
  value: SettingValue<Key>,
  meta: { expected: number; by: string; at: Date },
): Promise<number | undefined> {
  known.delete(tx);
  const row = one(
    await tx.query<{ version: number }>(
      `insert into setting as s (tenant_id, key, value, version, updated_at, updated_by) select $1, $2, $3, 1, $5, $6 where $4 = 0
       on conflict (tenant_id, key) do nothing returning version`,
      [tx.tenantId, key, value, meta.expected, meta.at, meta.by],
    ),
  );
  if (row) return row.version;
  return one(
    await tx.query<{ version: number }>(
      'update setting set value = $3, version = version + 1, updated_at = $5, updated_by = $6 where tenant_id = $1 and key = $2 and version = $4 returning version',
      [tx.tenantId, key, value, meta.expected, meta.at, meta.by],
    ),
  )?.version;
}

/** Gives a setting its default back. */
export async function removeSetting(tx: Tx, key: SettingKey): Promise<void> {
  known.delete(tx);
  await tx.query('delete from setting where tenant_id = $1 and key = $2', [tx.tenantId, key]);
}

/** The zone the tenant's days are counted in. */
export const tenantZone = async (tx: Tx): Promise<string> => (await setting(tx, 'business')).zone;
