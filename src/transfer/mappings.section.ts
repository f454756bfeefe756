import { Type } from 'typebox';
import { levelOfConnector, loadLevel, readOverride, saveMapping } from '../connections/mappings.ts';
import type { MappingOverride } from '../mapping/schema.ts';
import { overriddenConnectors } from '../mapping/store.ts';
import { defineSection } from './section.ts';

/** What the business changes in the mapping of a platform, for all its connections. */
export const mappings = defineSection<MappingOverride>({
  key: 'mappings',
  kind: 'mapping',
  schema: Type.Record(Type.String({ maxLength: 50 }), Type.Record(Type.String(), Type.Unknown())),
  items: (section) =>
    Object.entries(section as Record<string, MappingOverride>).map(([name, value]) => ({ name, value, path: [name] })),
  section: (items) => Object.fromEntries(items.map(({ name, value }) => [name, value])),
  read: async (tx, deps) => {
    const found = [];
    for (const name of await overriddenConnectors(tx)) {
      if (!deps.registry.find(name)) continue;
      const { own } = await loadLevel(tx, levelOfConnector(deps, name));
      if (own && Object.keys(own.mapping).length > 0) found.push({ name, value: own.mapping });
    }
    return found;
  },
  write: async (tx, { name, value }, deps, { actor }) => {
    const level = levelOfConnector(deps, name);
    const { own } = await loadLevel(tx, level);
    await saveMapping(deps, tx, level, { override: readOverride(value), expected: own?.version ?? 0, actor });
    return 'records that are there already are mapped anew by "rapport remap"';
  },
  remove: async (tx, { name }, deps, { actor }) => {
    const level = levelOfConnector(deps, name);
    const { own } = await loadLevel(tx, level);
    await saveMapping(deps, tx, level, { override: {}, expected: own?.version ?? 0, actor });
  },
});
