import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { type FieldError, invalid, notFound, stale } from '../base/errors.ts';
import { compileMapping } from '../mapping/compile.ts';
import { defaultMapping, overlay, shapeErrors } from '../mapping/load.ts';
import { type MappingFile, MappingOverride } from '../mapping/schema.ts';
import { loadOverrides, type OverrideRow, saveOverride, WHOLE_TENANT } from '../mapping/store.ts';
import type { ConnectionDeps } from './deps.ts';
import { findConnection, listConnections } from './store.ts';
import { connectorOf } from './vendors.ts';

/** How much an override applies to: one connection, or every connection of a connector. */
export interface Level {
  connector: string;
  connectionId: string;
  subject: { kind: string; id: string };
}

type Deps = Pick<ConnectionDeps, 'registry' | 'clock'>;

const listed = (errors: readonly FieldError[]): string =>
  errors.map((error) => `${error.path} ${error.message}`).join('; ');

/** @throws Problem 404 when the tenant has no such connection */
export async function levelOfConnection(tx: Tx, id: string): Promise<Level> {
  const connection = await findConnection(tx, id);
  if (!connection) throw notFound('connection', id);
  return { connector: connection.connector, connectionId: id, subject: { kind: 'connection', id } };
}

/** @throws Problem 404 when there is no such connector */
export const levelOfConnector = (deps: Pick<Deps, 'registry'>, id: string): Level => ({
  connector: connectorOf(deps.registry, id).id,
  connectionId: WHOLE_TENANT,
  subject: { kind: 'connector', id },
});

/** What somebody sent as an override. @throws Problem naming what does not have the form of one */
export function readOverride(value: unknown): MappingOverride {
  const errors = shapeErrors(MappingOverride, value);
  if (errors.length > 0) throw invalid(`The override does not have the form of a mapping: ${listed(errors)}`, errors);
  return value as MappingOverride;
}

/** The newest override of a level, and the mapping it is laid over. */
export async function loadLevel(tx: Tx, level: Level): Promise<{ own: OverrideRow | undefined; below: MappingFile }> {
  const overrides = await loadOverrides(tx, level.connector, level.connectionId);
  const own = overrides.find((row) => row.connection_id === level.connectionId);
  const below = overrides.filter((row) => row !== own).map((row) => row.mapping);
  return { own, below: below.reduce<MappingFile>(overlay, defaultMapping(level.connector)) };
}

/** The mapping with an override laid over it. @throws Problem naming every mistake with its path */
function checked(deps: Deps, connectorId: string, below: MappingFile, override: MappingOverride): MappingFile {
  const effective = overlay(below, override);
  const streams = connectorOf(deps.registry, connectorId).streams.map((stream) => stream.name);
  const { errors } = compileMapping(effective, streams);
  if (errors.length > 0) throw invalid(`The mapping has mistakes: ${listed(errors)}`, errors);
  return effective;
}

/**
 * The mapping a level would have with an override.
 * @throws Problem naming every mistake with its path, also those it makes together with what a connection changes
 */
export async function checkOverride(
  deps: Deps,
  tx: Tx,
  level: Level,
  override: MappingOverride,
): Promise<{ own: OverrideRow | undefined; effective: MappingFile }> {
  const { own, below } = await loadLevel(tx, level);
  const effective = checked(deps, level.connector, below, override);
  if (level.connectionId === WHOLE_TENANT) {
    // What a single connection changes is laid over this: together they must work, too.
    for (const connection of await listConnections(tx)) {
      if (connection.connector !== level.connector) continue;
      const last = (await loadOverrides(tx, level.connector, connection.id)).at(-1);
      if (last?.connection_id === connection.id) checked(deps, level.connector, effective, last.mapping);
    }
  }
  return { own, effective };
}

/**
 * Stores an override as the newest version of its level.
 * @param change.expected the version the editor saw, 0 for none
 * @throws Problem when it has mistakes, or when somebody else was faster
 */
export async function saveMapping(
  deps: Deps,
  tx: Tx,
  level: Level,
  change: { override: MappingOverride; expected: number; actor: string; restores?: number },
): Promise<{ connector: string; override: MappingOverride; version: number; effective: MappingFile }> {
  const { override, expected, actor, restores } = change;
  const { own, effective } = await checkOverride(deps, tx, level, override);
  const at = deps.clock.now();
  const { connector, connectionId, subject } = level;
  const version = await saveOverride(
    tx,
    { connector, connectionId, mapping: override, by: actor, at, restores },
    expected === 0 ? undefined : expected,
  );
  if (version === undefined) throw stale('mapping');
  const data = {
    version,
    before: own?.mapping ?? {},
    after: override,
    ...(restores === undefined ? {} : { restores }),
  };
  await appendEvents(tx, [{ actor, action: 'mapping.changed', subject, data, at }]);
  return { connector, override, version, effective };
}
