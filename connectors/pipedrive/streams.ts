import {
  defineStream,
  type ListPosition,
  listAt,
  type Reply,
  type RequestSpec,
  type Stream,
  textAt,
  type VendorContext,
} from '../../src/kit/index.ts';
import { discoverFields } from './fields.ts';
import { OBJECTS, type PipedriveObject } from './objects.ts';
import { v1, v2 } from './paths.ts';

const DAY = 86_400;
/** Ids of one call at most. */
const IDS = 100;

const next = (reply: Reply): string | undefined => textAt(reply.body, 'additional_data.next_cursor');
const dataOf = (reply: Reply): unknown[] => (reply.body as { data: unknown[] }).data;
/** Whole seconds. */
const stamp = (iso: string): string => `${new Date(iso).toISOString().slice(0, 19)}Z`;

const listed = (object: PipedriveObject, at: ListPosition, by: 'id' | 'update_time'): RequestSpec => ({
  method: 'GET',
  path: v2(object.name),
  query: {
    limit: at.limit,
    cursor: at.token,
    sort_by: by,
    sort_direction: 'asc',
    include_fields: object.include,
    ...(at.since ? { updated_since: stamp(at.since) } : {}),
  },
});

/** What an activity tells of how far it is: done, or what those who were invited answered. */
export function stateOf(activity: unknown): string {
  if (textAt(activity, 'done') === 'true') return 'done';
  const answers = listAt(activity, 'attendees').map((person) => textAt(person, 'status'));
  if (answers.includes('declined')) return 'declined';
  return answers.includes('accepted') ? 'accepted' : 'open';
}

/** Names of the labels a record has, beside their ids. */
async function withLabels(ctx: VendorContext, object: PipedriveObject, records: unknown[]): Promise<unknown[]> {
  if (!records.some((record) => listAt(record, 'label_ids').length > 0)) return records;
  const field = (await discoverFields(ctx, object)).find(({ name }) => name === 'label_ids');
  const names = new Map(field?.options?.map(({ value, label }) => [value, label]));
  return records.map((record) => ({
    ...(record as object),
    labels: listAt(record, 'label_ids').flatMap((id) => names.get(String(id)) ?? []),
  }));
}

function objectStream(object: PipedriveObject): Stream {
  const byId = (ctx: VendorContext, ids: readonly string[]): Promise<Reply> =>
    ctx.call({
      method: 'GET',
      path: v2(object.name),
      query: { ids: ids.join(','), limit: IDS, include_fields: object.include },
    });
  const sweep = { everySeconds: 7 * DAY };
  return defineStream({
    name: object.name,
    title: object.title,
    entities: [object.kind],
    feature: object.feature,
    after: object.after,
    // In the order of changes: what changes while we read comes to the end and is met there.
    list: (_ctx, at) => listed(object, at, 'update_time'),
    paging: { kind: 'token', size: 500, next },
    initial: { list: (_ctx, at) => listed(object, at, 'id'), paging: { kind: 'token', size: 500, next } },
    records: dataOf,
    id: (record) => textAt(record, 'id'),
    changedAt: (record) => textAt(record, 'update_time'),
    incremental: { granularity: 'second', lagSeconds: 120, sorted: 'ascending' },
    ...(object.name === 'activities' ? {} : { complete: (ctx, records) => withLabels(ctx, object, records) }),
    deletes:
      object.name === 'deals'
        ? {
            kind: 'tombstones',
            everySeconds: DAY,
            // Of the last 30 days; what is older shows when all are read.
            list: (_ctx, at) => ({
              method: 'GET',
              path: v2('deals'),
              query: { status: 'deleted', limit: 500, cursor: at.token },
            }),
            read: (reply) => {
              const cursor = next(reply);
              const deleted = dataOf(reply).map((deal) => ({ id: textAt(deal, 'id') ?? '' }));
              return { deleted, ...(cursor ? { next: cursor } : {}) };
            },
            sweep,
          }
        : { kind: 'webhook+sweep', sweep },
    ...(object.name === 'activities'
      ? {
          follows: (record: unknown) => {
            const nativeId = textAt(record, 'id');
            return nativeId ? { nativeId, state: stateOf(record) } : undefined;
          },
        }
      : {}),
    fetchByIds: { max: IDS, fetch: async (ctx, ids) => dataOf(await byId(ctx, ids)) },
    discover: (ctx) => discoverFields(ctx, object),
    fieldAt: (record, field) => {
      const own = record as Record<string, unknown> | null | undefined;
      if (!own) return undefined;
      if (Object.hasOwn(own, field)) return { holder: own, key: field };
      const custom = own.custom_fields as Record<string, unknown> | undefined;
      return custom && Object.hasOwn(custom, field) ? { holder: custom, key: field } : undefined;
    },
  });
}

const owners = defineStream({
  name: 'owners',
  title: 'Users',
  entities: ['owner'],
  feature: 'read',
  every: 3600,
  list: () => ({ method: 'GET', path: v1('users') }),
  paging: { kind: 'single' },
  records: dataOf,
  id: (record) => textAt(record, 'id'),
  deletes: { kind: 'flag', isDeleted: (record) => textAt(record, 'is_deleted') === 'true' },
});

const dealStages = defineStream({
  name: 'deal_stages',
  title: 'Deal stages',
  entities: ['pipeline_stage'],
  feature: 'read',
  every: 3600,
  list: (_ctx, at) => ({ method: 'GET', path: v2('stages'), query: { limit: at.limit, cursor: at.token } }),
  paging: { kind: 'token', size: 500, next },
  records: dataOf,
  id: (record) => textAt(record, 'id'),
  deletes: {
    kind: 'flag',
    isDeleted: (record) => textAt(record, 'is_deleted') === 'true',
    sweep: { everySeconds: DAY },
  },
  complete: async (ctx, stages) => {
    const { body } = await ctx.call({ method: 'GET', path: v2('pipelines'), query: { limit: 500 } });
    const names = new Map(listAt(body, 'data').map((pipeline) => [textAt(pipeline, 'id'), textAt(pipeline, 'name')]));
    return stages.map((stage) => ({ ...(stage as object), pipeline_name: names.get(textAt(stage, 'pipeline_id')) }));
  },
});

export const streams: readonly Stream[] = [owners, dealStages, ...OBJECTS.map(objectStream)];
