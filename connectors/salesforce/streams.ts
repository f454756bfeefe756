import { defineStream, type ListPosition, type Reply, type Stream, textAt, VendorError } from '../../src/kit/index.ts';
import { MAX_ROWS, queryCall, rowsOf } from './api.ts';
import { asQueried, exportedIn, isExport, isLost, placeBehind } from './exports.ts';
import { OBJECTS, type ObjectType, objectOf } from './objects.ts';
import { changes, count, countBetween, deletedOf, fieldsIn, firstPage, rowsById } from './queries.ts';

/** Addresses of next pages stay within the data of the organisation. */
function nextPage(reply: Reply, { token }: ListPosition): string | undefined {
  const next = placeBehind(reply, token) ?? textAt(reply.body, 'nextRecordsUrl');
  if (next === undefined || isExport(next) || next.startsWith('/services/data/')) return next;
  throw new VendorError('malformed', 'Salesforce named a next page outside of its data.');
}

const objectStream = (type: ObjectType): Stream =>
  defineStream({
    name: type.name,
    title: type.title,
    entities: type.entities,
    feature: type.feature,
    after: type.after ?? [],
    every: type.every ?? 180,
    list: (ctx, at) => changes(ctx, type, at),
    paging: { kind: 'keyset', size: MAX_ROWS, ties: 'id' },
    initial: {
      list: (ctx, at) => firstPage(ctx, type, at),
      paging: { kind: 'token', size: MAX_ROWS, next: nextPage, lost: isLost },
    },
    records: (reply) => exportedIn(reply.body) ?? rowsOf(reply.body),
    complete: (ctx, records) => asQueried(ctx, objectOf(type, ctx), records),
    id: (record) => textAt(record, 'Id'),
    changedAt: (record) => textAt(record, 'SystemModstamp'),
    // Long transactions show late (dossier, "Read").
    incremental: { granularity: 'second', lagSeconds: 300, sorted: 'ascending' },
    deletes: deletedOf(type),
    ...(type.merges ? { mergedInto: (record) => textAt(record, 'MasterRecordId') } : {}),
    ...(type.follows ? { follows: type.follows } : {}),
    fetchByIds: { max: 200, fetch: (ctx, ids) => rowsById(ctx, type, ids) },
    count: count(type),
    countBetween: countBetween(type),
    discover: fieldsIn(type),
  });

/** Words of a status with what they mean; each organisation has its own. One record a word. */
const stageStream = (name: string, title: string, object: string, fields: string): Stream =>
  defineStream({
    name,
    title,
    entities: ['pipeline_stage'],
    feature: 'read',
    every: 3600,
    list: () => queryCall(`SELECT ${fields} FROM ${object} ORDER BY SortOrder LIMIT ${MAX_ROWS}`),
    paging: { kind: 'single' },
    records: (reply) => rowsOf(reply.body),
    // The word as it stands in the records: the id of the row says nothing there.
    id: (record) => textAt(record, 'ApiName'),
    changedAt: (record) => textAt(record, 'SystemModstamp'),
    deletes: { kind: 'sweep', sweep: { everySeconds: 7 * 86_400 } },
  });

const STAGE = 'Id, ApiName, MasterLabel, SortOrder, IsClosed, SystemModstamp';

export const streams: readonly Stream[] = [
  stageStream('deal_stages', 'Opportunity stages', 'OpportunityStage', `${STAGE}, IsWon, IsActive`),
  stageStream('ticket_stages', 'Case statuses', 'CaseStatus', STAGE),
  ...OBJECTS.map(objectStream),
];
