import { Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import { localDate } from '../base/time.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { tenantZone } from '../settings/store.ts';
import { provenanceByField } from './golden.ts';
import { loadOverrides } from './overrides.ts';
import { Customer, Provenance } from './schema.ts';
import {
  type CustomerRow,
  changesOf,
  countEntities,
  documentsOf,
  findCustomer,
  listCustomers,
  mergesOf,
  overdueInvoices,
  sourcesOf,
} from './store.ts';

const string = (value: unknown): string | null => (typeof value === 'string' ? value : null);

const toCustomer = (row: CustomerRow) => ({
  id: row.id,
  name: row.name,
  firstName: string(row.first_name),
  lastName: string(row.last_name),
  email: row.email,
  phone: row.phone,
  company: string(row.company_name),
  country: string(row.country),
  timeZone: string(row.time_zone),
  birthday: string(row.birthday),
  status: string(row.status),
  tags: (row.tags as string[] | null) ?? [],
  custom: row.custom ?? {},
  sources: row.sources,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
  version: row.version,
});

const camel = (name: string): string => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
const HIDDEN = new Set([
  'tenant_id',
  'stream_id',
  'mapping_version',
  'customer_ref',
  'company_ref',
  'owner_ref',
  'updated_at',
]);

/** A document without the bookkeeping columns. */
const toDocument = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row)
      .filter(([name, value]) => !HIDDEN.has(name) && value !== null)
      .map(([name, value]) => [name === 'entity_id' ? 'id' : camel(name), value]),
  );

/** Customers, where their values come from, and what is connected with them. */
export function modelRoutes(app: App, deps: { db: Database; clock: Clock }): void {
  const load = (tenantId: string, id: string): Promise<CustomerRow> =>
    deps.db.tenant(tenantId, async (tx) => {
      const row = await findCustomer(tx, id);
      if (!row) throw notFound('customer', id);
      return row;
    });

  app.get(
    '/v1/customers',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'Customers',
        querystring: Type.Object({ ...PageQuery.properties, search: Type.Optional(Type.String({ maxLength: 200 })) }),
        response: { 200: pageOf(ref(Customer)) },
      },
    },
    async (request) => {
      const { cursor, limit, search } = request.query;
      const after = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listCustomers(tx, { ...(search ? { search } : {}), ...(after ? { after } : {}), limit: limit + 1 }),
      );
      return toPage(rows, limit, toCustomer);
    },
  );

  app.get(
    '/v1/customers/:id',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'One customer; an id that was merged away still finds its survivor',
        params: IdParams,
        response: { 200: ref(Customer) },
      },
    },
    async (request, reply) => {
      const row = await load(caller(request).tenantId, request.params.id);
      tag(reply, row.version);
      return toCustomer(row);
    },
  );

  app.get(
    '/v1/customers/:id/provenance',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'Why each value is what it is: which source, by which rule',
        params: IdParams,
        response: {
          200: Type.Object({
            items: Type.Array(ref(Provenance)),
            sources: Type.Array(Type.Unknown()),
            merges: Type.Array(Type.Unknown()),
          }),
        },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const row = await load(tenantId, request.params.id);
      const { sources, merges, overrides } = await deps.db.tenant(tenantId, async (tx) => ({
        sources: await sourcesOf(tx, row.id),
        overrides: (await loadOverrides(tx, [row.id])).get(row.id) ?? [],
        merges: await mergesOf(tx, row.id),
      }));
      return {
        items: Object.entries(provenanceByField('contact', row, row.provenance)).map(([field, origin]) => {
          const byHand = origin.stream === null ? overrides.find((override) => override.field === field) : undefined;
          const source = sources.find(
            (candidate) => candidate.stream_id === origin.stream && candidate.remote_id === origin.record,
          );
          return {
            field: camel(field),
            value: row[field],
            rule: origin.rule,
            connector: source?.connector ?? null,
            stream: source?.stream ?? null,
            record: origin.record,
            changedAt: (byHand ? byHand.set_at : source?.source_updated_at)?.toISOString() ?? null,
            setBy: byHand?.set_by ?? null,
          };
        }),
        sources: sources.map(toDocument),
        merges: merges.map(toDocument),
      };
    },
  );

  app.get(
    '/v1/customers/:id/documents',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'Deals, tickets, invoices, payments, jobs and activities of a customer',
        params: IdParams,
        response: { 200: Type.Record(Type.String(), Type.Array(Type.Unknown())) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const row = await load(tenantId, request.params.id);
      const documents = await deps.db.tenant(tenantId, (tx) => documentsOf(tx, row.id, 50));
      return Object.fromEntries(Object.entries(documents).map(([kind, rows]) => [kind, rows.map(toDocument)]));
    },
  );

  app.get(
    '/v1/customers/:id/changes',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'What changed about a customer, newest first',
        params: IdParams,
        querystring: PageQuery,
        response: { 200: pageOf(Type.Unknown()) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const row = await load(tenantId, request.params.id);
      const rows = await deps.db.tenant(tenantId, (tx) =>
        changesOf(tx, row.id, cursorId(request.query.cursor), request.query.limit + 1),
      );
      return toPage(rows, request.query.limit, toDocument);
    },
  );

  app.get(
    '/v1/invoices/overdue',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'Invoices that are open and overdue today',
        querystring: PageQuery,
        response: { 200: pageOf(Type.Unknown()) },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query;
      const rows = await deps.db.tenant(caller(request).tenantId, async (tx) =>
        overdueInvoices(tx, localDate(deps.clock.now(), await tenantZone(tx)), cursorId(cursor), limit + 1),
      );
      return toPage(rows, limit, toDocument);
    },
  );

  app.get(
    '/v1/entities',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'How many there are of each kind',
        response: { 200: Type.Record(Type.String(), Type.Integer()) },
      },
    },
    async (request) => deps.db.tenant(caller(request).tenantId, countEntities),
  );
}
