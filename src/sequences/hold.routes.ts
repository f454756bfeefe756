import { type Static, Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { notFound, stale } from '../base/errors.ts';
import { lockGuards } from '../consent/store.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { closeHold, findHold, type HoldRow, listHolds, openHold } from './holds.ts';
import { Day, Hold } from './people.schema.ts';

const toHold = (row: HoldRow): Static<typeof Hold> => ({
  id: row.id,
  customerId: row.customer_id,
  kind: row.kind,
  amount: row.amount,
  promisedOn: row.promised_on,
  untilOn: row.until_on,
  owner: row.owner,
  note: row.note,
  createdAt: row.created_at.toISOString(),
  closedAt: row.closed_at?.toISOString() ?? null,
  outcome: row.outcome,
  version: row.version,
});

/** Promises and disputes: the chase waits for them. */
export function holdRoutes(
  app: App,
  deps: {
    db: Database;
    clock: Clock;
    wake: (tenantId: string) => Promise<void>;
    /** Messages that were let through and not yet handed over are decided anew. */
    unfreeze: (tx: Tx, customerIds: readonly string[], now: Date) => Promise<unknown>;
  },
): void {
  const holdBody = {
    owner: Type.Optional(Type.String({ maxLength: 200 })),
    note: Type.Optional(Type.String({ maxLength: 2000 })),
  };
  for (const kind of ['promise', 'dispute'] as const) {
    const body =
      kind === 'promise'
        ? Type.Object(
            { ...holdBody, promisedOn: Day, amount: Type.Optional(Type.String({ pattern: '^\\d+(\\.\\d{1,4})?$' })) },
            { additionalProperties: false },
          )
        : Type.Object(holdBody, { additionalProperties: false });
    const summary =
      kind === 'promise'
        ? 'The customer promised to pay: the chase pauses until then'
        : 'The customer disputes: the chase pauses until it is closed';
    app.post(
      `/v1/customers/:id/${kind}s`,
      {
        config: { permission: 'operate' },
        schema: { tags: ['receivables'], summary, params: IdParams, body, response: { 201: ref(Hold) } },
      },
      async (request, reply) => {
        const { tenantId, actor } = caller(request);
        const given = request.body as { owner?: string; note?: string; promisedOn?: string; amount?: string };
        const row = await deps.db.tenant(tenantId, async (tx) => {
          const customer = await findCustomer(tx, request.params.id);
          if (!customer) throw notFound('customer', request.params.id);
          // The lock of a send: what the gate let through before this is decided anew, what comes after sees it.
          await lockGuards(tx, [customer.id]);
          await deps.unfreeze(tx, [customer.id], deps.clock.now());
          return openHold(
            tx,
            {
              customerId: customer.id,
              kind,
              promisedOn: given.promisedOn,
              amount: given.amount,
              owner: given.owner ?? actor,
              note: given.note,
              by: actor,
            },
            deps.clock.now(),
          );
        });
        tag(reply, row.version);
        return reply.code(201).send(toHold(row));
      },
    );
  }

  app.get(
    '/v1/holds',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['receivables'],
        summary: 'Promises and disputes',
        querystring: Type.Object({
          ...PageQuery.properties,
          customerId: Type.Optional(Type.String({ format: 'uuid' })),
          open: Type.Optional(Type.Boolean()),
        }),
        response: { 200: pageOf(ref(Hold)) },
      },
    },
    async (request) => {
      const { cursor, limit, customerId, open } = request.query;
      const before = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listHolds(tx, {
          ...(customerId ? { customerId } : {}),
          openOnly: open ?? false,
          ...(before ? { before } : {}),
          limit: limit + 1,
        }),
      );
      return toPage(rows, limit, toHold);
    },
  );

  app.post(
    '/v1/holds/:id/close',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['receivables'],
        summary: 'Close a promise or dispute; what waited for it is looked at again',
        params: IdParams,
        body: Type.Object({ outcome: Type.String({ minLength: 2, maxLength: 500 }) }, { additionalProperties: false }),
        response: { 200: ref(Hold) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const closed = await closeHold(tx, request.params.id, {
          outcome: request.body.outcome,
          by: actor,
          expected,
          now: deps.clock.now(),
        });
        if (!closed)
          throw (await findHold(tx, request.params.id))
            ? stale('hold')
            : notFound('promise or dispute', request.params.id);
        await tx.query(
          "update action_request set not_before = $3 where tenant_id = $1 and customer_id = $2 and state = 'planned' and reason in ('promise', 'dispute')",
          [tenantId, closed.customer_id, deps.clock.now()],
        );
        return closed;
      });
      await deps.wake(tenantId);
      tag(reply, row.version);
      return toHold(row);
    },
  );
}
