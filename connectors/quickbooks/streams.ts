import {
  at,
  defineStream,
  type EntityKind,
  listAt,
  type RecordHint,
  type Stream,
  textAt,
} from '../../src/kit/index.ts';
import { MAX_ROWS, rowsOf } from './api.ts';
import { count, countBetween, deletedIn, fetchByIds, page, select, UPDATED } from './queries.ts';

interface EntityType {
  name: string;
  title: string;
  /** Entity in the query language. */
  entity: string;
  kinds: EntityKind[];
  after: string[];
  /** Reading is metered over all companies and webhooks bring what changes: polls only find what those missed. */
  every: number;
  /** Condition that every query needs. */
  where?: string;
  deletes: Stream['deletes'];
  implies?: (record: unknown) => RecordHint[];
}

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Invoices and credits a transaction is applied to: it changed them, and the vendor may not say so. */
function applied(record: unknown): RecordHint[] {
  const lines = listAt(record, 'Line').flatMap((line) => listAt(line, 'LinkedTxn'));
  const streams: Record<string, string> = { Invoice: 'invoices', CreditMemo: 'credit_memos' };
  const hints = [...listAt(record, 'LinkedTxn'), ...lines].map((link) => ({
    stream: streams[textAt(link, 'TxnType') ?? ''],
    id: textAt(link, 'TxnId'),
  }));
  return [...new Map(hints.map((hint) => [`${hint.stream}/${hint.id}`, hint])).values()].filter(
    (hint): hint is RecordHint => hint.stream !== undefined && hint.id !== undefined,
  );
}

const appliedTo =
  (stream: string) =>
  (record: unknown): RecordHint[] =>
    applied(record).filter((hint) => hint.stream !== stream);

const TYPES: readonly EntityType[] = [
  {
    name: 'customers',
    title: 'Customers',
    entity: 'Customer',
    kinds: ['contact', 'company'],
    after: [],
    every: 4 * HOUR,
    // Left out, inactive ones are hidden, and would look as if they had never changed.
    where: 'Active in (true, false)',
    deletes: { kind: 'flag', isDeleted: (record) => at(record, 'Active') === false },
  },
  {
    name: 'invoices',
    title: 'Invoices',
    entity: 'Invoice',
    kinds: ['invoice'],
    after: ['customers'],
    every: HOUR,
    deletes: deletedIn('Invoice'),
  },
  {
    name: 'payments',
    title: 'Payments',
    entity: 'Payment',
    kinds: ['payment'],
    after: ['customers', 'invoices'],
    every: HOUR,
    deletes: deletedIn('Payment'),
    implies: appliedTo('payments'),
  },
  {
    name: 'credit_memos',
    title: 'Credit memos',
    entity: 'CreditMemo',
    kinds: ['payment'],
    after: ['customers', 'invoices'],
    every: 4 * HOUR,
    deletes: deletedIn('CreditMemo'),
    implies: appliedTo('credit_memos'),
  },
  {
    name: 'sales_receipts',
    title: 'Sales receipts',
    entity: 'SalesReceipt',
    kinds: ['payment'],
    after: ['customers'],
    every: 4 * HOUR,
    deletes: deletedIn('SalesReceipt'),
  },
  {
    name: 'refund_receipts',
    title: 'Refund receipts',
    entity: 'RefundReceipt',
    kinds: ['payment'],
    after: ['customers'],
    every: 4 * HOUR,
    deletes: deletedIn('RefundReceipt'),
  },
  {
    name: 'estimates',
    title: 'Estimates',
    entity: 'Estimate',
    kinds: ['deal'],
    after: ['customers'],
    every: 4 * HOUR,
    deletes: deletedIn('Estimate'),
  },
  {
    name: 'time_activities',
    title: 'Time',
    entity: 'TimeActivity',
    kinds: ['job'],
    after: ['customers'],
    every: 4 * HOUR,
    // The list of changes leaves time out.
    deletes: { kind: 'webhook+sweep', sweep: { everySeconds: 7 * DAY } },
  },
];

const entityStream = ({ entity, where, ...type }: EntityType): Stream =>
  defineStream({
    name: type.name,
    title: type.title,
    entities: type.kinds,
    feature: 'read',
    after: type.after,
    every: type.every,
    list: (ctx, position) => page(ctx, entity, where, position),
    paging: { kind: 'keyset', size: MAX_ROWS, ties: 'offset' },
    records: (reply) => rowsOf(entity, reply.body),
    id: (record) => textAt(record, 'Id'),
    changedAt: (record) => textAt(record, UPDATED),
    incremental: { granularity: 'second', lagSeconds: 300, sorted: 'ascending' },
    deletes: type.deletes,
    ...(type.implies ? { implies: type.implies } : {}),
    fetchByIds: fetchByIds(entity, where),
    count: count(entity, where),
    countBetween: countBetween(entity, where),
  });

/** Templates of what customers get; those of bills and transfers are none of our business and keep their id only. */
const SOLD = ['Invoice', 'SalesReceipt'];

function unwrapped(wrapper: unknown): unknown {
  const [type = '', record] = Object.entries(wrapper as Record<string, unknown>)[0] ?? [];
  if (SOLD.includes(type)) return { ...(record as object), type };
  return { Id: textAt(record, 'Id'), type };
}

const recurring = defineStream({
  name: 'recurring',
  title: 'Recurring templates',
  entities: ['subscription'],
  feature: 'read',
  after: ['customers'],
  every: DAY,
  list: (ctx, position) =>
    select(ctx, 'RecurringTransaction', [], `startposition ${(position.offset ?? 0) + 1} maxresults ${position.limit}`),
  paging: { kind: 'offset', size: MAX_ROWS },
  records: (reply) => rowsOf('RecurringTransaction', reply.body).map(unwrapped),
  id: (record) => textAt(record, 'Id'),
  changedAt: (record) => textAt(record, UPDATED),
  // Neither the list of changes nor webhooks tell of deleted templates; one that is switched off is seen.
  deletes: { kind: 'sweep', sweep: { everySeconds: 7 * DAY } },
});

/** What is read of a company. */
export const streams: readonly Stream[] = [...TYPES.map(entityStream), recurring];
