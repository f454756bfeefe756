import type { FastifyInstance } from 'fastify';
import { invalid } from './sandbox.faults.ts';
import { type Around, type Call, show, stored } from './sandbox.routes.ts';
import type { Fields } from './sandbox.store.ts';

/** What may be written, and how long it may be (0: not counted); the vendor refuses names it does not know. */
const WRITABLE: Record<string, Record<string, number>> = {
  Customer: {
    ...{ DisplayName: 500, Title: 16, GivenName: 100, MiddleName: 100, FamilyName: 100, Suffix: 16, CompanyName: 100 },
    ...{ Notes: 2000, Active: 5, Taxable: 5, Job: 5, IsProject: 5, PreferredDeliveryMethod: 30 },
    ...{ PrimaryEmailAddr: 0, PrimaryPhone: 0, Mobile: 0, BillAddr: 0, ShipAddr: 0, CurrencyRef: 0, ParentRef: 0 },
  },
  Invoice: {
    ...{ DocNumber: 21, TxnDate: 10, DueDate: 10, PrivateNote: 4000, EmailStatus: 20 },
    ...{ AllowOnlineCreditCardPayment: 5, AllowOnlineACHPayment: 5 },
    ...{ CustomerMemo: 0, BillEmail: 0, CustomField: 0, SalesTermRef: 0, Line: 0, CustomerRef: 0 },
  },
};

const SYSTEM = new Set(['Id', 'SyncToken', 'sparse', 'domain', 'MetaData']);

function checkFields(entity: string, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (SYSTEM.has(name)) continue;
    const limit = WRITABLE[entity]?.[name];
    if (limit === undefined) {
      const detail = `Property Name:${name} is not supported`;
      throw invalid('2010', 'Request has invalid or unsupported property', detail);
    }
    if (limit > 0 && String(value).length > limit) {
      const detail = `${name} holds at most ${limit} characters`;
      throw invalid('2050', 'String length is either shorter or longer than supported', detail);
    }
  }
}

/** The same requestid gives the first answer again, and the first refusal when the vendor is told to keep those too. */
function once(around: Around, request: Call, act: () => unknown): unknown {
  const { requestid } = request.query;
  if (requestid === undefined) return act();
  if (requestid.length > 50) throw invalid('2050', 'requestid is too long', 'requestid holds at most 50 characters');
  const key = `${request.params.realm}/${requestid}`;
  const known = around.remembered.get(key);
  if (known) {
    if ('refusal' in known) throw known.refusal;
    return known.answer;
  }
  try {
    const answer = act();
    around.remembered.set(key, { answer: structuredClone(answer) });
    return answer;
  } catch (refusal) {
    if (around.remembersRefusals()) around.remembered.set(key, { refusal });
    throw refusal;
  }
}

/** An update, a void or a deletion, of the version the request names. */
function save(around: Around, request: Call, entity: string): unknown {
  const time = around.clock.now().toISOString();
  const books = around.company(request.params.realm!);
  const { Id, SyncToken, sparse, ...fields } = request.body as Fields & { Id?: string; SyncToken?: string };
  const { operation } = request.query;
  if (Id === undefined)
    throw invalid('2020', 'Required parameter Id is missing in the request', 'Creating is not simulated');
  const before = stored(around, request, entity, Id);
  if (SyncToken !== before.SyncToken) {
    const detail = 'Stale Object Error : You and somebody else were working on this at the same time.';
    throw invalid('5010', 'Stale Object Error', detail);
  }
  if (operation === 'delete') {
    books.deleteInvoice(Id);
    around.changed(books.realm, entity, 'deleted', Id);
    return { [entity]: { domain: 'QBO', status: 'Deleted', Id }, time };
  }
  if (operation === 'void') books.voidInvoice(Id);
  else {
    checkFields(entity, fields);
    const { DisplayName } = fields;
    if (DisplayName && books.all('Customer').some((other) => other.DisplayName === DisplayName && other.Id !== Id)) {
      throw invalid('6240', 'Duplicate Name Exists Error', 'The name supplied already exists.');
    }
    // What a full update leaves out is emptied; an object that is written replaces the one that was there.
    const all = Object.keys(WRITABLE[entity]!).map((name) => [name, undefined] as const);
    const given = Object.entries(fields).map(([name, value]) => [name, emptied(value)] as const);
    books.change(entity, Id, { ...(sparse === true ? {} : Object.fromEntries(all)), ...Object.fromEntries(given) });
  }
  around.changed(books.realm, entity, operation === 'void' ? 'voided' : 'updated', Id);
  return { [entity]: show(entity, books.get(entity, Id), false), time };
}

const emptied = (value: unknown): unknown => (value === '' || value === null ? undefined : value);

function send(around: Around, request: Call): unknown {
  const invoice = stored(around, request, 'Invoice', request.params.id!);
  const to = request.query.sendTo ?? (invoice.BillEmail as { Address: string } | undefined)?.Address;
  if (!to) {
    const detail = 'Business Validation Error: Email address is missing';
    throw invalid('6000', 'A business validation error has occurred', detail);
  }
  const sent = around.company(request.params.realm!).mail(invoice.Id, to);
  around.changed(request.params.realm!, 'Invoice', 'emailed', invoice.Id);
  return { Invoice: show('Invoice', sent, false), time: around.clock.now().toISOString() };
}

/** Writing customers and invoices, and mailing invoices. */
export function installWrites(app: FastifyInstance, around: Around): void {
  for (const entity of ['Customer', 'Invoice']) {
    app.post(`/v3/company/:realm/${entity.toLowerCase()}`, async (request: Call) =>
      once(around, request, () => save(around, request, entity)),
    );
  }
  app.post('/v3/company/:realm/invoice/:id/send', async (request: Call) => {
    if (request.headers['content-type'] !== 'application/octet-stream' || request.body !== undefined) {
      const detail = 'The body must be empty and application/octet-stream';
      throw invalid('2010', 'Request has invalid or unsupported property', detail);
    }
    return once(around, request, () => send(around, request));
  });
}
