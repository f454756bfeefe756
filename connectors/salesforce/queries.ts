import {
  type ListPosition,
  listAt,
  type RequestSpec,
  type Stream,
  type Tombstones,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { dataPath, fullId, literal, moment, nextSecond, queryCall, rowsOf } from './api.ts';
import { describe, discover } from './describe.ts';
import { EXPORT_FROM, exportJob, exportPart, isExport } from './exports.ts';
import { type ObjectType, objectOf } from './objects.ts';

const STAMP = 'SystemModstamp';
const DAY_MS = 86_400_000;

/** Fields that say what a record is and whether it still is, where the object has them. */
const ALWAYS = ['Id', STAMP, 'IsDeleted', 'MasterRecordId'];
/** What tells whether a task or case is over. */
const FOLLOWED = ['Status', 'IsClosed'];

/**
 * The fields worth asking for: those the mapping reads and the user may see. What a mapping names and nobody here can see
 * is left out; the watch over fields tells of it.
 */
async function fieldsOf(ctx: VendorContext, type: ObjectType): Promise<string[]> {
  const { fields, relations } = await describe(ctx, objectOf(type, ctx));
  const mapped = ctx.paths(type.name).map((path) => path.replace(/\[.*$/, ''));
  const visible = [...ALWAYS, ...(type.follows ? FOLLOWED : []), ...mapped].filter((path) => {
    const [root = '', ...rest] = path.split('.');
    return rest.length === 0 ? fields.has(root) : relations.has(root);
  });
  const { children } = type;
  const wanted = children && mapped.some((path) => path.startsWith(children.relation));
  return [...new Set(visible), ...(wanted ? [`(${children.select})`] : [])];
}

const where = (conditions: readonly (string | undefined)[]): string => {
  const given = conditions.filter((condition) => condition !== undefined);
  return given.length > 0 ? ` WHERE ${given.join(' AND ')}` : '';
};

/**
 * A query without rows, for objects that nobody named and that this organisation does not have: there is nothing of the
 * kind, which is no error.
 */
const NOTHING = 'SELECT Id, SystemModstamp FROM User WHERE SystemModstamp > 4000-01-01T00:00:00Z';

async function isThere(ctx: VendorContext, type: ObjectType): Promise<boolean> {
  const isNamed = typeof type.object === 'string' ? !type.optional : Boolean(ctx.settings[type.object.setting]);
  if (isNamed) return true;
  try {
    return (await describe(ctx, objectOf(type, ctx))) !== undefined;
  } catch (error) {
    if (error instanceof VendorError && error.kind === 'invalid') return false;
    throw error;
  }
}

/** The first load: all rows, in pages behind a place the vendor keeps (`nextRecordsUrl`), or exported when they are many. */
export async function firstPage(ctx: VendorContext, type: ObjectType, at: ListPosition): Promise<RequestSpec> {
  if (at.token !== undefined && isExport(at.token)) return exportPart(ctx, at.token, at.limit);
  if (at.token !== undefined) return { method: 'GET', path: at.token, timeoutMs: 120_000 };
  if (!(await isThere(ctx, type))) return queryCall(NOTHING);
  const fields = (await fieldsOf(ctx, type)).join(', ');
  const soql = `SELECT ${fields} FROM ${objectOf(type, ctx)}`;
  // Rows of other objects cannot be exported along.
  if (fields.includes('(')) return queryCall(soql);
  const most = Number(ctx.settings.exportFrom || EXPORT_FROM);
  return (await sizeOf(ctx, type)) >= most ? exportJob(soql) : queryCall(soql);
}

/**
 * What changed, deleted and archived rows included: each page is a query of its own from the last moment on, because
 * thousands of rows share one after a bulk load, and rows that move while pages are read must not be skipped.
 */
export async function changes(ctx: VendorContext, type: ObjectType, at: ListPosition): Promise<RequestSpec> {
  if (!(await isThere(ctx, type))) return queryCall(NOTHING);
  const fields = (await fieldsOf(ctx, type)).join(', ');
  const { tie, since, limit } = at;
  // One second, whatever finer time the vendor keeps: it falls in here.
  const span = tie
    ? [`${STAMP} >= ${moment(tie.at)}`, `${STAMP} < ${nextSecond(tie.at)}`]
    : [since === undefined ? undefined : `${STAMP} >= ${moment(since)}`];
  const behind = tie?.afterId === undefined ? undefined : `Id > ${literal(tie.afterId)}`;
  const order = tie ? 'Id' : `${STAMP}, Id`;
  const conditions = where([...span, behind]);
  return queryCall(`SELECT ${fields} FROM ${objectOf(type, ctx)}${conditions} ORDER BY ${order} LIMIT ${limit}`, true);
}

/** Rows by id, deleted ones too: one that was merged away tells into what. */
export async function rowsById(ctx: VendorContext, type: ObjectType, ids: readonly string[]): Promise<unknown[]> {
  const fields = (await fieldsOf(ctx, type)).join(', ');
  const wanted = `Id IN (${ids.map(literal).join(', ')})`;
  const soql = `SELECT ${fields} FROM ${objectOf(type, ctx)} WHERE ${wanted}`;
  return rowsOf((await ctx.call(queryCall(soql, true))).body);
}

async function total(ctx: VendorContext, type: ObjectType, span: readonly string[]): Promise<number | undefined> {
  if (!(await isThere(ctx, type))) return 0;
  const soql = `SELECT COUNT() FROM ${objectOf(type, ctx)}${where(span)}`;
  const counted = textAt((await ctx.call(queryCall(soql))).body, 'totalSize');
  return counted === undefined ? undefined : Number(counted);
}

/** How many rows there are; too many to be counted in time are many. */
async function sizeOf(ctx: VendorContext, type: ObjectType): Promise<number> {
  try {
    return (await total(ctx, type, [])) ?? 0;
  } catch (error) {
    if (error instanceof VendorError && error.code === 'QUERY_TIMEOUT') return Number.POSITIVE_INFINITY;
    throw error;
  }
}

export const count =
  (type: ObjectType): NonNullable<Stream['count']> =>
  (ctx, since) =>
    total(ctx, type, since === undefined ? [] : [`${STAMP} >= ${moment(since)}`]);

export const countBetween =
  (type: ObjectType): NonNullable<Stream['countBetween']> =>
  (ctx, from, to) =>
    total(ctx, type, [`${STAMP} >= ${moment(from)}`, `${STAMP} < ${moment(to)}`]);

/** How far back the vendor is sure to list deletions, a little less because clocks differ (dossier, "Read"). */
const LISTED_MS = 15 * DAY_MS - 60_000;
/** The list ends at `latestDateCovered`, which may be earlier than what was asked for: so much is asked again. */
const OVERLAP_MS = 3_600_000;

/**
 * Deleted rows show in lists of changes until somebody empties the recycle bin; the vendor's list of deletions has those
 * that were deleted for good as well.
 */
export const deletedOf = (type: ObjectType): Stream['deletes'] =>
  type.stays
    ? { kind: 'none', reason: type.stays }
    : {
        kind: 'tombstones',
        everySeconds: DAY_MS / 1000,
        isDeleted: (record) => textAt(record, 'IsDeleted') === 'true',
        list: async (ctx, { since }) => {
          if (!(await isThere(ctx, type))) return queryCall(NOTHING);
          const now = ctx.now.getTime();
          const from = since === undefined ? now - DAY_MS : new Date(since).getTime() - OVERLAP_MS;
          return {
            method: 'GET',
            path: dataPath(`/sobjects/${objectOf(type, ctx)}/deleted/`),
            query: {
              start: moment(new Date(Math.max(from, now - LISTED_MS)).toISOString()),
              end: moment(ctx.now.toISOString()),
            },
          };
        },
        read: (reply): Tombstones => ({
          deleted: listAt(reply.body, 'deletedRecords').map((record) => ({
            id: fullId(textAt(record, 'id') ?? ''),
            at: textAt(record, 'deletedDate') ?? '',
          })),
        }),
        // Deleted for good while the hub was away for longer than that list reaches.
        sweep: { everySeconds: (30 * DAY_MS) / 1000 },
      };

/** The fields of what a stream reads; none where there is no such object: the reading tells of it. */
export const fieldsIn =
  (type: ObjectType): NonNullable<Stream['discover']> =>
  async (ctx) => {
    try {
      return await discover(ctx, objectOf(type, ctx));
    } catch (error) {
      if (error instanceof VendorError && error.kind === 'invalid') return [];
      throw error;
    }
  };
