import { Value } from 'typebox/value';
import { type FieldError, invalid } from '../base/errors.ts';
import { isZone } from '../base/time.ts';
import { controlMistakes } from './control.ts';
import { SETTINGS, type SettingKey, type SettingValue } from './schema.ts';
import { scoreMistakes } from './score.ts';

/** @throws Problem with every mistake in the value */
export function checkSetting<Key extends SettingKey>(key: Key, value: unknown): SettingValue<Key> {
  const { schema } = SETTINGS[key];
  if (!Value.Check(schema, value)) {
    const fields = Value.Errors(schema, value).map((error) => ({
      path: `${key}${error.instancePath.replaceAll('/', '.')}`,
      message: error.message,
    }));
    refuse(key, fields);
  }
  refuse(key, key === 'score' ? scoreMistakes(value) : key === 'staffControl' ? controlMistakes(value) : []);
  const zone = (value as { zone?: unknown }).zone;
  if (key === 'business' && !isZone(zone))
    throw invalid(`"${String(zone)}" is not a time zone.`, [
      { path: 'business.zone', message: 'must be an IANA name such as Europe/Berlin' },
    ]);
  return value as SettingValue<Key>;
}

/** @throws Problem telling the mistakes of a setting, if there are any */
export function refuse(key: SettingKey, mistakes: FieldError[]): void {
  if (mistakes.length === 0) return;
  const said = mistakes.map(({ path, message }) => `${path} ${message}`).join('; ');
  throw invalid(`The setting ${key} cannot be like this: ${said}.`, mistakes);
}
