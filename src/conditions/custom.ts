import type { Tx } from '../base/database.ts';
import { listConnections } from '../connections/store.ts';
import { defaultMapping, overlay } from '../mapping/load.ts';
import type { MappingFile } from '../mapping/schema.ts';
import { loadOverrides } from '../mapping/store.ts';
import type { Catalogue, CustomField, SeenType } from './catalogue.ts';
import { CUSTOM_SCOPES, type Scope } from './fields.ts';
import { IS_DATE, IS_INSTANT } from './values.ts';

// The newest records say what there is; reading all of them would take as long as the business is large.
const SAMPLE = 2000;

interface Seen {
  name: string;
  source: string | null;
  type: SeenType;
}

const TYPE = `case jsonb_typeof(v.value) when 'string' then
    case when v.value #>> '{}' ~ '${IS_DATE}' then 'date' when v.value #>> '{}' ~ '${IS_INSTANT}' then 'instant' else 'text' end
  when 'array' then 'list' else jsonb_typeof(v.value) end`;

const object = (sql: string): string => `case when jsonb_typeof(${sql}) = 'object' then ${sql} else '{}'::jsonb end`;

/** The custom fields in the newest records of a scope, by platform where they are kept by it. */
async function seenIn(tx: Tx, scope: Scope): Promise<Seen[]> {
  const golden = scope === 'customer' || scope === 'company';
  const newest = `select custom from ${scope} where tenant_id = $1 and custom is not null and deleted_at is null order by ${golden ? 'id' : 'entity_id'} desc limit $2`;
  const each = golden
    ? `jsonb_each(${object('n.custom')}) s cross join lateral jsonb_each(${object('s.value')}) v`
    : `jsonb_each(${object('n.custom')}) v`;
  const { rows } = await tx.query<Seen>(
    `select v.key as name, ${golden ? 's.key' : 'null::text'} as source, ${TYPE} as type from (${newest}) n cross join lateral ${each}
     where jsonb_typeof(v.value) <> 'null' and v.value <> '""'::jsonb group by 1, 2, 3 order by 1, 2, 3 limit 2000`,
    [tx.tenantId, SAMPLE],
  );
  return rows;
}

/** Custom fields that a mapping fills, whether or not a record has come yet. */
async function mapped(tx: Tx): Promise<{ scope: Scope; name: string; source: string }[]> {
  const found: { scope: Scope; name: string; source: string }[] = [];
  for (const { connector, id } of await listConnections(tx)) {
    const overrides = await loadOverrides(tx, connector, id);
    const file = overrides.map((row) => row.mapping).reduce<MappingFile>(overlay, defaultMapping(connector));
    for (const kinds of Object.values(file.streams))
      for (const [kind, entity] of Object.entries(kinds)) {
        const scope = (kind === 'contact' ? 'customer' : kind) as Scope;
        if (!CUSTOM_SCOPES.includes(scope)) continue;
        for (const name of Object.keys(entity.custom ?? {})) found.push({ scope, name, source: connector });
      }
  }
  return found;
}

/**
 * The custom fields of a business with the types their values have.
 * @param segments names of the segments by id; absent: conditions may name any
 */
export async function loadCatalogue(tx: Tx, segments?: ReadonlyMap<string, string>): Promise<Catalogue> {
  const custom = new Map<string, CustomField>();
  const add = (scope: Scope, own: string, source: string | null, type?: SeenType): void => {
    const name = `${scope}.custom.${own}`;
    const known = custom.get(name) ?? { name, scope, seen: [], sources: [] };
    const kept = scope === 'customer' || scope === 'company' ? source : null;
    custom.set(name, {
      ...known,
      seen: type && !known.seen.includes(type) ? [...known.seen, type] : known.seen,
      sources: kept !== null && !known.sources.includes(kept) ? [...known.sources, kept] : known.sources,
    });
  };
  for (const scope of CUSTOM_SCOPES)
    for (const { name, source, type } of await seenIn(tx, scope)) add(scope, name, source, type);
  for (const { scope, name, source } of await mapped(tx)) add(scope, name, source);
  return { custom, ...(segments ? { segments } : {}) };
}
