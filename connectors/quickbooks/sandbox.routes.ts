import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/kit/index.ts';
import { fault, invalid, Refusal } from './sandbox.faults.ts';
import { parseQuery, QueryError } from './sandbox.query.ts';
import type { QuickBooksCompany } from './sandbox.state.ts';
import type { QuickBooksEntity } from './sandbox.store.ts';

/** What the routes need of the simulation around them. */
export interface Around {
  clock: Clock;
  company: (realm: string) => QuickBooksCompany;
  /** The vendor announces changes made through its API like any other. */
  changed: (realm: string, entity: string, operation: string, id: string) => void;
  /** Answers and refusals by company and requestid. */
  remembered: Map<string, { answer: unknown } | { refusal: unknown }>;
  remembersRefusals: () => boolean;
}

export type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string>;
  Body: unknown;
}>;

const THIRTY_DAYS = 30 * 86_400_000;

/** Entities that have an address for each record. */
const SINGLE = [
  'Customer',
  'Invoice',
  'Payment',
  'CreditMemo',
  'SalesReceipt',
  'RefundReceipt',
  'Estimate',
  'TimeActivity',
];

/** @throws Refusal as the vendor refuses what is not there */
export function stored(around: Around, request: Call, entity: string, id: string): QuickBooksEntity {
  const found = around.company(request.params.realm!).find(entity, id);
  if (found) return found;
  const detail = `Object Not Found : Something you're trying to use has been made inactive. (${entity} ${id})`;
  throw invalid('610', 'Object Not Found', detail);
}

/** A record as it is answered: templates in their wrapper, payment links only when asked for and when there is one. */
export function show(entity: string, record: QuickBooksEntity, links: boolean): unknown {
  if (entity === 'RecurringTransaction') {
    const { wrappedIn, ...inner } = record;
    return { [String(wrappedIn)]: inner };
  }
  const payable = record.AllowOnlineCreditCardPayment === true || record.AllowOnlineACHPayment === true;
  if (entity !== 'Invoice' || !links || !payable || !record.BillEmail) return record;
  return { ...record, InvoiceLink: `https://connect.intuit.com/t/scs-v1-${record.Id}?cta=v3invoicelink` };
}

/** Reading below a company: itself, queries, changes, single records. */
export function installReads(app: FastifyInstance, around: Around): void {
  const { clock } = around;
  const base = '/v3/company/:realm';
  const time = (): string => clock.now().toISOString();
  const company = (request: Call): QuickBooksCompany => around.company(request.params.realm!);
  const links = (request: Call): boolean => request.query.include === 'invoiceLink';

  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof Refusal) {
      return reply.code(error.status).send(fault(clock, 'ValidationFault', error.code, error.message, error.detail));
    }
    if (error instanceof QueryError) {
      return reply.code(400).send(fault(clock, 'ValidationFault', error.code, error.message, error.message));
    }
    throw error;
  });

  app.get(`${base}/companyinfo/:id`, async (request: Call) => ({
    CompanyInfo: { ...company(request).info, Id: '1' },
    time: time(),
  }));

  app.get(`${base}/query`, async (request: Call) => {
    const query = parseQuery(request.query.query ?? '');
    const { rows, total } = company(request).query(query);
    if (query.count) return { QueryResponse: { totalCount: total }, time: time() };
    const shown = rows.map((row) => show(query.entity, row, links(request)));
    const found =
      shown.length > 0 ? { [query.entity]: shown, startPosition: query.start, maxResults: shown.length } : {};
    return { QueryResponse: found, time: time() };
  });

  app.get(`${base}/cdc`, async (request: Call) => {
    const since = Date.parse(request.query.changedSince ?? '');
    if (Number.isNaN(since) || since < clock.now().getTime() - THIRTY_DAYS) {
      throw invalid('4001', 'Invalid changedSince', 'changedSince must be within the last 30 days');
    }
    const sets = (request.query.entities ?? '').split(',').map((entity) => {
      const changes = company(request).changes(entity, since);
      return changes.length > 0 ? { [entity]: changes, startPosition: 1, maxResults: changes.length } : {};
    });
    return { CDCResponse: [{ QueryResponse: sets }], time: time() };
  });

  for (const entity of SINGLE) {
    app.get(`${base}/${entity.toLowerCase()}/:id`, async (request: Call) => {
      const record = stored(around, request, entity, request.params.id!);
      return { [entity]: show(entity, record, links(request)), time: time() };
    });
  }
}
