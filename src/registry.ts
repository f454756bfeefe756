import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Registry } from './connections/vendors.ts';
import type { Connector } from './kit/index.ts';

const FOLDER = fileURLToPath(new URL('../connectors', import.meta.url));

/** Names of the connectors in the house. */
export const connectorNames = (): string[] =>
  readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

/**
 * Loads every connector: its facts only. SDKs, mappings and simulations load when they are used.
 * The one place that imports connectors.
 */
export async function loadRegistry(names: readonly string[] = connectorNames()): Promise<Registry> {
  const modules = await Promise.all(
    names.map(
      (name) => import(pathToFileURL(path.join(FOLDER, name, 'connector.ts')).href) as Promise<{ default: Connector }>,
    ),
  );
  const byId = new Map(modules.map((module) => [module.default.id, module.default]));
  return { all: () => [...byId.values()], find: (id) => byId.get(id) };
}
