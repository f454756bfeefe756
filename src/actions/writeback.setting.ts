import type { Tx } from '../base/database.ts';
import type { FieldError } from '../base/errors.ts';
import { type ConnectionRow, listConnections } from '../connections/store.ts';
import type { SettingValue } from '../settings/schema.ts';
import type { SettingMistakes } from '../settings/store.ts';
import type { ActionDeps } from './deps.ts';
import type { ScoreTarget } from './writeback.sql.ts';
import { kindsOf, namesOf } from './writeback.ts';

/** Names what is wrong with where scores are told: connections there are not, or that cannot or may not write. */
export const settingMistakes =
  (deps: Pick<ActionDeps, 'registry'>): SettingMistakes =>
  async (tx, key, value) => {
    if (key === 'progressWriteBack') return progressMistakes(deps, tx, value);
    if (key !== 'scoreWriteBack') return [];
    const { to } = value as { to: ScoreTarget[] };
    const connections = await listConnections(tx);
    return to.flatMap((target, at) => {
      const path = `scoreWriteBack.to.${at}`;
      const connection = connections.find(({ id }) => id === target.connection);
      if (!connection) return [{ path: `${path}.connection`, message: 'is no connection of this business' }];
      if (to.findIndex((other) => other.connection === target.connection) < at)
        return [{ path: `${path}.connection`, message: `tells ${connection.name} twice; put its names together` }];
      return [...namedTwice(path, target), ...unable(deps, path, target, connection)];
    });
  };

/** Connections there are not, or that cannot or may not write fields, and targets that name nothing. */
async function progressMistakes(
  { registry }: Pick<ActionDeps, 'registry'>,
  tx: Tx,
  value: unknown,
): Promise<FieldError[]> {
  const { to } = value as SettingValue<'progressWriteBack'>;
  const connections = await listConnections(tx);
  return to.flatMap((target, at): FieldError[] => {
    const path = `progressWriteBack.to.${at}`;
    const connection = connections.find(({ id }) => id === target.connection);
    if (!connection) return [{ path: `${path}.connection`, message: 'is no connection of this business' }];
    if (!target.nextStep && !target.enrolment) return [{ path, message: 'names no field' }];
    if (to.findIndex((other) => other.connection === target.connection) < at)
      return [{ path: `${path}.connection`, message: `tells ${connection.name} twice; put its fields together` }];
    if (target.nextStep === target.enrolment) return [{ path, message: `names "${target.nextStep}" twice` }];
    const action = registry.find(connection.connector)?.actions.find(({ kind }) => kind === 'update_field');
    return action && (action.feature === undefined || connection.features.includes(action.feature))
      ? []
      : [{ path: `${path}.connection`, message: `${connection.name} cannot, or may not, write fields` }];
  });
}

/** Names that stand for two things, or for nothing. */
function namedTwice(path: string, target: ScoreTarget): FieldError[] {
  const named = namesOf(target);
  if (kindsOf(named).length === 0) return [{ path, message: 'names neither fields nor tags' }];
  return (['fields', 'tags'] as const).flatMap((place) => {
    const names = Object.values(named[place]);
    const twice = names.find((name, at) => names.indexOf(name) < at);
    return twice === undefined ? [] : [{ path: `${path}.${place}`, message: `name "${twice}" twice` }];
  });
}

/** Why a connection cannot, or may not, write what is asked of it. */
function unable(
  { registry }: Pick<ActionDeps, 'registry'>,
  path: string,
  target: ScoreTarget,
  { connector: id, name, features }: ConnectionRow,
): FieldError[] {
  const connector = registry.find(id);
  return kindsOf(namesOf(target)).flatMap((kind) => {
    const action = connector?.actions.find((candidate) => candidate.kind === kind);
    const said = kind.replaceAll('_', ' ');
    const place = kind === 'update_field' ? 'fields' : 'tags';
    if (!action) return [{ path: `${path}.${place}`, message: `cannot be written: ${name} cannot ${said}` }];
    if (action.feature === undefined || features.includes(action.feature)) return [];
    const message = `cannot be written: ${name} is connected without "${action.feature}", which ${said} needs; connect it again with that`;
    return [{ path: `${path}.${place}`, message }];
  });
}
