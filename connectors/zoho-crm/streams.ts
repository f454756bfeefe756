import { defineStream, listAt, type Stream, textAt, type VendorContext } from '../../src/kit/index.ts';
import { discoverFields } from './fields.ts';
import { MODULES, type Module, moduleName } from './modules.ts';
import { byIds, completed, IDS, listed, recordsOf, zohoTime } from './records.ts';
import { crm } from './version.ts';

const DAY = 86_400;

/** Streams whose records are something we may have made ourselves: how far it is, is told by them. */
const FOLLOWED = ['tasks', 'cases'];

const count = async (ctx: VendorContext, module: string): Promise<number | undefined> => {
  const { body } = await ctx.call({ method: 'GET', path: crm(`${module}/actions/count`) });
  const found = Number(textAt(body, 'count') ?? Number.NaN);
  return Number.isInteger(found) ? found : undefined;
};

function moduleStream(module: Module): Stream {
  const { stream } = module;
  const nameFor = (ctx: VendorContext): string => moduleName(module, ctx.settings);
  return defineStream({
    name: stream,
    title: module.title,
    entities: [module.entity],
    feature: module.feature,
    after: module.after,
    list: (ctx, at) => listed(ctx, stream, nameFor(ctx), at),
    // Every page is asked for anew from the last time on: `page` ends at 2,000 records, a token lives for a day.
    paging: { kind: 'keyset', size: 200, ties: 'offset' },
    records: recordsOf,
    id: (record) => textAt(record, 'id'),
    changedAt: (record) => textAt(record, 'Modified_Time'),
    incremental: { granularity: 'second', lagSeconds: 120, sorted: 'ascending' },
    complete: (ctx, records) => completed(ctx, stream, nameFor(ctx), records),
    deletes: {
      kind: 'tombstones',
      everySeconds: DAY,
      list: (ctx, at) => ({
        method: 'GET',
        path: crm(`${nameFor(ctx)}/deleted`),
        headers: at.since ? { 'if-modified-since': zohoTime(at.since) } : {},
        query: { type: 'all', page: Number(at.token ?? 1), per_page: 200 },
      }),
      read: (reply) => ({
        deleted: listAt(reply.body, 'data').map((row) => ({
          id: textAt(row, 'id') ?? '',
          at: textAt(row, 'deleted_time') ?? '',
        })),
        ...(textAt(reply.body, 'info.more_records') === 'true'
          ? { next: String(Number(textAt(reply.body, 'info.page') ?? 1) + 1) }
          : {}),
      }),
      // What a merge took away stands in no list of deleted records that anybody promises.
      sweep: {
        everySeconds: 30 * DAY,
        ids: {
          list: (ctx, at) => ({
            method: 'GET',
            path: crm(nameFor(ctx)),
            query: {
              ...{ fields: 'id', per_page: at.limit, sort_by: 'id', sort_order: 'asc', approved: 'both' },
              ...(at.token ? { page_token: at.token } : { page: 1 }),
              ...(nameFor(ctx) === 'Leads' ? { converted: 'both' } : {}),
            },
          }),
          paging: { kind: 'token', size: 200, next: (reply) => textAt(reply.body, 'info.next_page_token') },
          records: recordsOf,
        },
      },
    },
    ...(FOLLOWED.includes(stream)
      ? {
          follows: (record: unknown) => {
            const [nativeId, state] = [textAt(record, 'id'), textAt(record, 'Status')];
            return nativeId && state ? { nativeId, state } : undefined;
          },
        }
      : {}),
    fetchByIds: {
      max: IDS,
      fetch: async (ctx, ids) => [...(await byIds(ctx, stream, nameFor(ctx), ids)).values()],
    },
    count: (ctx) => count(ctx, nameFor(ctx)),
    discover: (ctx) => discoverFields(ctx, nameFor(ctx)),
  });
}

const owners = defineStream({
  name: 'owners',
  title: 'Users',
  entities: ['owner'],
  feature: 'read',
  every: 3600,
  list: (_ctx, at) => ({
    method: 'GET',
    path: crm('users'),
    query: { type: 'ActiveUsers', page: at.page, per_page: at.limit },
  }),
  paging: { kind: 'page', size: 200, first: 1 },
  records: (reply) => (reply.status === 204 ? [] : (reply.body as { users: unknown[] }).users),
  id: (record) => textAt(record, 'id'),
  // Who leaves is no longer among the active ones.
  deletes: { kind: 'sweep', sweep: { everySeconds: DAY } },
});

const dealStages = defineStream({
  name: 'deal_stages',
  title: 'Deal stages',
  entities: ['pipeline_stage'],
  feature: 'read',
  every: 3600,
  // The values of the field, whatever pipelines and layouts use them: deals name their stage by `actual_value`.
  list: () => ({ method: 'GET', path: crm('settings/fields'), query: { module: 'Deals' } }),
  paging: { kind: 'single' },
  records: (reply) => {
    const { fields } = reply.body as { fields: unknown[] };
    const stage = Array.isArray(fields) && fields.find((field) => textAt(field, 'api_name') === 'Stage');
    return stage ? listAt(stage, 'pick_list_values') : fields;
  },
  id: (record) => textAt(record, 'actual_value'),
  deletes: {
    kind: 'flag',
    isDeleted: (record) => textAt(record, 'type') === 'unused',
    sweep: { everySeconds: DAY },
  },
});

export const streams: readonly Stream[] = [owners, dealStages, ...MODULES.map(moduleStream)];
