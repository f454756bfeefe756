import {
  defineStream,
  type EntityKind,
  type FieldDescription,
  type ListPosition,
  listAt,
  type RequestSpec,
  type Stream,
  textAt,
  type VendorContext,
} from '../../src/kit/index.ts';
import { VERSION } from './version.ts';

interface ObjectType {
  name: string;
  title: string;
  /** Object type in paths. */
  type: string;
  entity: EntityKind;
  feature: string;
  after: string[];
  /** Property that holds the last change: contacts have another one than everything else. */
  modified: string;
  /** Object types whose associations belong to the record. */
  associated: string[];
}

const OBJECTS: readonly ObjectType[] = [
  {
    name: 'companies',
    title: 'Companies',
    type: 'companies',
    entity: 'company',
    feature: 'read',
    after: ['owners'],
    modified: 'hs_lastmodifieddate',
    associated: [],
  },
  {
    name: 'contacts',
    title: 'Contacts',
    type: 'contacts',
    entity: 'contact',
    feature: 'read',
    after: ['owners', 'companies'],
    modified: 'lastmodifieddate',
    associated: ['companies'],
  },
  {
    name: 'deals',
    title: 'Deals',
    type: 'deals',
    entity: 'deal',
    feature: 'read',
    after: ['contacts', 'deal_stages'],
    modified: 'hs_lastmodifieddate',
    associated: ['contacts', 'companies'],
  },
  {
    name: 'tickets',
    title: 'Tickets',
    type: 'tickets',
    entity: 'ticket',
    feature: 'read',
    after: ['contacts', 'ticket_stages'],
    modified: 'hs_lastmodifieddate',
    associated: ['contacts', 'companies'],
  },
  {
    name: 'invoices',
    title: 'Invoices',
    type: 'invoices',
    entity: 'invoice',
    feature: 'invoices',
    after: ['contacts'],
    modified: 'hs_lastmodifieddate',
    associated: ['contacts', 'companies'],
  },
];

/** Properties worth asking for: those the mapping reads, and those paging needs. HubSpot sends next to none by itself. */
const propertiesOf = (ctx: VendorContext, object: ObjectType): string[] => {
  const mapped = ctx
    .paths(object.name)
    .filter((path) => path.startsWith('properties.'))
    .map((path) => path.slice('properties.'.length));
  return [...new Set([...mapped, object.modified, 'hs_object_id'])];
};

const time = (iso: string): string => String(new Date(iso).getTime());

function search(ctx: VendorContext, object: ObjectType, at: ListPosition): RequestSpec {
  const filters = at.tie
    ? [
        { propertyName: object.modified, operator: 'EQ', value: time(at.tie.at) },
        ...(at.tie.afterId ? [{ propertyName: 'hs_object_id', operator: 'GT', value: at.tie.afterId }] : []),
      ]
    : at.since
      ? [{ propertyName: object.modified, operator: 'GTE', value: time(at.since) }]
      : [];
  return {
    method: 'POST',
    path: `/crm/objects/${VERSION}/${object.type}/search`,
    safe: true,
    json: {
      filterGroups: filters.length > 0 ? [{ filters }] : [],
      properties: propertiesOf(ctx, object),
      sorts: [{ propertyName: at.tie ? 'hs_object_id' : object.modified, direction: 'ASCENDING' }],
      limit: at.limit,
      after: '0',
    },
  };
}

/** Ids of associated records for a whole page in one call per object type, in the form single reads have them. */
async function withAssociations(ctx: VendorContext, object: ObjectType, records: unknown[]): Promise<unknown[]> {
  const ids = records.map((record) => ({ id: textAt(record, 'id')! }));
  const found = new Map<string, Record<string, { results: { id: string }[] }>>();
  for (const other of object.associated) {
    const { body } = await ctx.call({
      method: 'POST',
      path: `/crm/associations/${VERSION}/${object.type}/${other}/batch/read`,
      json: { inputs: ids },
      safe: true,
    });
    for (const result of listAt(body, 'results')) {
      const from = textAt(result, 'from.id')!;
      const results = listAt(result, 'to').map((to) => ({ id: textAt(to, 'toObjectId')! }));
      found.set(from, { ...found.get(from), [other]: { results } });
    }
  }
  return records.map((record) => ({ ...(record as object), associations: found.get(textAt(record, 'id')!) ?? {} }));
}

const FIELD_TYPES: Record<string, FieldDescription['type']> = {
  string: 'text',
  number: 'number',
  bool: 'boolean',
  date: 'date',
  datetime: 'datetime',
  enumeration: 'enum',
};

const objectStream = (object: ObjectType): Stream =>
  defineStream({
    name: object.name,
    title: object.title,
    entities: [object.entity],
    feature: object.feature,
    after: object.after,
    list: (ctx, at) => search(ctx, object, at),
    paging: { kind: 'keyset', size: 200, ties: 'id' },
    initial: {
      list: (ctx, at) => ({
        method: 'GET',
        path: `/crm/objects/${VERSION}/${object.type}`,
        query: { limit: at.limit, after: at.token, properties: propertiesOf(ctx, object), archived: false },
      }),
      paging: { kind: 'token', size: 100, next: (reply) => textAt(reply.body, 'paging.next.after') },
    },
    records: (reply) => (reply.body as { results: unknown[] }).results,
    id: (record) => textAt(record, 'id'),
    changedAt: (record) => textAt(record, `properties.${object.modified}`) ?? textAt(record, 'updatedAt'),
    // Search trails behind writes by seconds; two minutes are on the safe side.
    incremental: { granularity: 'millisecond', lagSeconds: 120, sorted: 'ascending' },
    deletes: {
      kind: 'tombstones',
      everySeconds: 86_400,
      list: (_ctx, at) => ({
        method: 'GET',
        path: `/crm/objects/${VERSION}/${object.type}`,
        query: { limit: 100, after: at.token, archived: true },
      }),
      read: (reply) => {
        const next = textAt(reply.body, 'paging.next.after');
        return {
          deleted: listAt(reply.body, 'results').map((record) => ({
            id: textAt(record, 'id')!,
            at: textAt(record, 'archivedAt') ?? '',
          })),
          ...(next ? { next } : {}),
        };
      },
      // What was deleted for good, or longer ago than HubSpot lists, is in no list: a pass over all ids finds it.
      sweep: { everySeconds: 30 * 86_400 },
    },
    complete: (ctx, records) =>
      object.associated.length > 0 ? withAssociations(ctx, object, records) : Promise.resolve(records),
    fetchByIds: {
      max: 100,
      fetch: async (ctx, ids) => {
        const { body } = await ctx.call({
          method: 'POST',
          path: `/crm/objects/${VERSION}/${object.type}/batch/read`,
          safe: true,
          json: { inputs: ids.map((id) => ({ id })), properties: propertiesOf(ctx, object), propertiesWithHistory: [] },
        });
        return listAt(body, 'results');
      },
    },
    count: async (ctx) => {
      const { body } = await ctx.call({ ...search(ctx, object, { limit: 1 }), safe: true });
      const total = textAt(body, 'total');
      return total === undefined ? undefined : Number(total);
    },
    countBetween: async (ctx, from, to) => {
      const span = [
        { propertyName: object.modified, operator: 'GTE', value: time(from) },
        { propertyName: object.modified, operator: 'LT', value: time(to) },
      ];
      const spec = search(ctx, object, { limit: 1 });
      const json = { ...(spec.json as object), filterGroups: [{ filters: span }], properties: [object.modified] };
      const total = textAt((await ctx.call({ ...spec, json })).body, 'total');
      return total === undefined ? undefined : Number(total);
    },
    discover: async (ctx) => {
      const { body } = await ctx.call({ method: 'GET', path: `/crm/properties/${VERSION}/${object.type}` });
      return listAt<Record<string, unknown>>(body, 'results').map((property) => ({
        name: String(property.name),
        label: String(property.label ?? property.name),
        type: FIELD_TYPES[String(property.type)] ?? 'other',
        custom: property.hubspotDefined !== true,
        ...(Array.isArray(property.options) && property.options.length > 0
          ? {
              options: property.options.map((option: { value: unknown; label: unknown }) => ({
                value: String(option.value),
                label: String(option.label),
              })),
            }
          : {}),
      }));
    },
  });

const owners = defineStream({
  name: 'owners',
  title: 'Owners',
  entities: ['owner'],
  feature: 'read',
  every: 3600,
  list: (_ctx, at) => ({ method: 'GET', path: `/crm/owners/${VERSION}`, query: { limit: at.limit, after: at.token } }),
  paging: { kind: 'token', size: 500, next: (reply) => textAt(reply.body, 'paging.next.after') },
  records: (reply) => (reply.body as { results: unknown[] }).results,
  id: (record) => textAt(record, 'id'),
  changedAt: (record) => textAt(record, 'updatedAt'),
  deletes: {
    kind: 'tombstones',
    everySeconds: 3600,
    list: (_ctx, at) => ({
      method: 'GET',
      path: `/crm/owners/${VERSION}`,
      query: { limit: 500, after: at.token, archived: true },
    }),
    read: (reply) => {
      const next = textAt(reply.body, 'paging.next.after');
      return {
        deleted: listAt(reply.body, 'results').map((record) => ({ id: textAt(record, 'id')! })),
        ...(next ? { next } : {}),
      };
    },
  },
});

/** Stages carry what a status means (open, won, closed); each account has its own. One record per stage. */
const stageStream = (name: string, title: string, object: 'deals' | 'tickets'): Stream =>
  defineStream({
    name,
    title,
    entities: ['pipeline_stage'],
    feature: 'read',
    every: 3600,
    list: () => ({ method: 'GET', path: `/crm/pipelines/${VERSION}/${object}` }),
    paging: { kind: 'single' },
    records: (reply) =>
      (
        reply.body as { results: { id: string; label: string; stages: { id: string; archived?: boolean }[] }[] }
      ).results.flatMap((pipeline) =>
        pipeline.stages.map((stage) => ({
          ...stage,
          object: object.slice(0, -1),
          pipeline: pipeline.id,
          pipelineLabel: pipeline.label,
        })),
      ),
    id: (record) => textAt(record, 'id'),
    deletes: { kind: 'flag', isDeleted: (record) => textAt(record, 'archived') === 'true' },
  });

export const streams: readonly Stream[] = [
  owners,
  stageStream('deal_stages', 'Deal stages', 'deals'),
  stageStream('ticket_stages', 'Ticket stages', 'tickets'),
  ...OBJECTS.map(objectStream),
];
