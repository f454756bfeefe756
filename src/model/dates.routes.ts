import { Type } from 'typebox';
import { notFound } from '../base/errors.ts';
import { nullable, words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams } from '../http/helpers.ts';
import { clearDate, setDate } from '../sync/dates.ts';
import type { SyncDeps } from '../sync/deps.ts';
import { findCustomer } from './store.ts';
import { type CustomerDate, DATE_KINDS, datesOf } from './yearly.ts';

const Kind = words(DATE_KINDS, 'Which day');
const KindParams = Type.Object({ ...IdParams.properties, kind: Kind });

const DateView = Type.Object({
  kind: Kind,
  value: nullable(Type.String({ description: 'YYYY-MM-DD; a birthday without its year is --MM-DD' })),
  origin: nullable(words(['customer', 'staff', 'platform', 'jobs'], 'Where it comes from')),
  setBy: nullable(Type.String()),
  setAt: nullable(Type.String({ format: 'date-time' })),
  note: nullable(Type.String()),
});
const Dates = Type.Object({ items: Type.Array(DateView) });

const toView = (date: CustomerDate) => ({ ...date, setAt: date.setAt?.toISOString() ?? null });

/** Birthdays and anniversaries: they come from the platforms and the jobs, and can be set by hand. */
export function dateRoutes(app: App, deps: SyncDeps): void {
  app.get(
    '/v1/customers/:id/dates',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['customers'],
        summary: 'Birthday and anniversaries of a customer, and where each comes from',
        params: IdParams,
        response: { 200: Dates },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) => {
        const customer = await findCustomer(tx, request.params.id);
        if (!customer) throw notFound('customer', request.params.id);
        return { items: (await datesOf(tx, customer)).map(toView) };
      }),
  );

  app.put(
    '/v1/customers/:id/dates/:kind',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['customers'],
        summary: 'Set a birthday or an anniversary by hand: it counts before every platform until it is taken back',
        params: KindParams,
        body: Type.Object(
          {
            value: Type.String({ maxLength: 10, description: 'YYYY-MM-DD; a birthday without its year is --MM-DD' }),
            source: Type.Optional(words(['customer', 'staff'], 'Who knows it; staff unless you say so')),
            note: Type.Optional(Type.String({ maxLength: 500 })),
          },
          { additionalProperties: false },
        ),
        response: { 200: Dates },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const { id, kind } = request.params;
      const { value, source, note } = request.body;
      const entry = { kind, value, source: source ?? ('staff' as const), by: actor, note };
      const { dates } = await setDate(deps, tenantId, id, entry);
      return { items: dates.map(toView) };
    },
  );

  app.delete(
    '/v1/customers/:id/dates/:kind',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['customers'],
        summary: 'Give a day back to the platforms',
        params: KindParams,
        response: { 200: Dates },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const { dates } = await clearDate(deps, tenantId, request.params.id, request.params.kind, actor);
      return { items: dates.map(toView) };
    },
  );
}
