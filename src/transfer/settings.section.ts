import { type TSchema, Type } from 'typebox';
import { settingEffects } from '../actions/setting-effects.ts';
import { settingMistakes } from '../actions/writeback.setting.ts';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { forbidden, invalid, stale } from '../base/errors.ts';
import { checkSetting } from '../settings/check.ts';
import { SETTING_KEYS, SETTINGS, type SettingKey } from '../settings/schema.ts';
import { readSetting, removeSetting, writeSetting } from '../settings/store.ts';
import { same } from './compare.ts';
import { defineSection, type Meta } from './section.ts';

type Members = Record<string, unknown>;

/** What belongs to the connections of one business: it stays where it is. */
const OF_CONNECTIONS: Partial<Record<SettingKey, readonly string[]>> = { delivery: ['connections'] };
const KEYS = SETTING_KEYS.filter((key) => key !== 'scoreWriteBack' && key !== 'progressWriteBack');

const without = (key: SettingKey, value: unknown): Members =>
  Object.fromEntries(Object.entries(value as Members).filter(([name]) => !OF_CONNECTIONS[key]?.includes(name)));

async function note(tx: Tx, key: SettingKey, data: Members, { actor, at }: Meta): Promise<void> {
  await appendEvents(tx, [{ actor, action: 'setting.changed', subject: { kind: 'setting', id: key }, data, at }]);
  await settingEffects(tx, key, at);
}

function allowed(meta: Meta): void {
  if (!meta.maySet)
    throw forbidden('Settings are changed by owners and admins.', 'Ask one of them to apply the files.');
}

/** Settings that differ from what everybody has. */
export const settings = defineSection<Members>({
  key: 'settings',
  kind: 'setting',
  schema: Type.Object(
    Object.fromEntries(KEYS.map((key) => [key, Type.Optional(Type.Record(Type.String(), Type.Unknown()) as TSchema)])),
    { additionalProperties: false },
  ),
  items: (section) =>
    Object.entries(section as Record<string, Members>).map(([name, value]) => ({ name, value, path: [name] })),
  section: (items) => Object.fromEntries(items.map(({ name, value }) => [name, value])),
  read: async (tx) => {
    const found = [];
    for (const key of [...KEYS].sort()) {
      const row = await readSetting(tx, key);
      if (row.version > 0) found.push({ name: key, value: without(key, row.value) });
    }
    // What was set to the default again says nothing.
    return found.filter(({ name, value }) => !same(value, without(name, SETTINGS[name].value)));
  },
  complete: async (_tx, value, name) => {
    const key = name as SettingKey;
    return without(key, { ...(SETTINGS[key].value as object), ...value });
  },
  below: (path, name) => (path.startsWith(`${name}.`) ? path.slice(name.length + 1) : path),
  write: async (tx, { name, value }, deps, meta) => {
    allowed(meta);
    const key = name as SettingKey;
    const before = await readSetting(tx, key);
    const kept = Object.fromEntries(
      (OF_CONNECTIONS[key] ?? []).map((member) => [member, (before.value as Members)[member]]),
    );
    const wanted = checkSetting(key, { ...(SETTINGS[key].value as object), ...value, ...kept });
    const mistakes = await settingMistakes(deps)(tx, key, wanted);
    if (mistakes.length > 0) throw invalid(`The setting ${key} cannot be like this.`, mistakes);
    const written = await writeSetting(tx, key, wanted, { expected: before.version, by: meta.actor, at: meta.at });
    if (written === undefined) throw stale('setting');
    await note(tx, key, { before: before.value, after: wanted }, meta);
    return undefined;
  },
  remove: async (tx, { name }, _deps, meta) => {
    allowed(meta);
    const key = name as SettingKey;
    const before = await readSetting(tx, key);
    await removeSetting(tx, key);
    await note(tx, key, { before: before.value, after: SETTINGS[key].value }, meta);
  },
});
