import { Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { changeSegment, createSegment, listedSegment, removeSegment } from './manage.ts';
import { Membership, Segment, SegmentInput, SegmentMember } from './schema.ts';
import { sentenceOf } from './sentence.ts';
import { allSegments, membershipsOf, membersOf, type SegmentRow } from './store.ts';

const toSegment = (row: SegmentRow, all: readonly SegmentRow[]) => ({
  id: row.id,
  name: row.name,
  condition: row.condition,
  sentence: sentenceOf(row.condition, all),
  settleMinutes: row.settle_minutes,
  size: row.evaluated_at ? row.size : null,
  evaluatedAt: row.evaluated_at?.toISOString() ?? null,
  problem: row.problem,
  updatedAt: row.updated_at.toISOString(),
  version: row.version,
});

/** Groups of customers by a condition, who is in them, and since when. */
export function segmentRoutes(
  app: App,
  deps: { db: Database; clock: Clock; wake: (tenantId: string) => Promise<unknown> },
): void {
  const shown = async (tx: Tx, id: string) => {
    const row = await listedSegment(tx, id);
    return { row, view: toSegment(row, await allSegments(tx)) };
  };

  app.get(
    '/v1/segments',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['segments'],
        summary: 'Segments, each with its condition in words and its size',
        response: { 200: Type.Object({ items: Type.Array(ref(Segment)) }) },
      },
    },
    async (request) => {
      const all = await deps.db.tenant(caller(request).tenantId, (tx) => allSegments(tx));
      return { items: all.filter((row) => !row.trigger_id).map((row) => toSegment(row, all)) };
    },
  );

  app.get(
    '/v1/segments/:id',
    {
      config: { permission: 'read' },
      schema: { tags: ['segments'], summary: 'One segment', params: IdParams, response: { 200: ref(Segment) } },
    },
    async (request, reply) => {
      const { row, view } = await deps.db.tenant(caller(request).tenantId, (tx) => shown(tx, request.params.id));
      tag(reply, row.version);
      return view;
    },
  );

  app.post(
    '/v1/segments',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['segments'],
        summary: 'Make a segment; POST /v1/conditions/try counts and samples while it is being written',
        description: 'Customers who match already are in it from the start, and nothing is triggered by that.',
        body: ref(SegmentInput),
        response: { 201: ref(Segment) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { row, view } = await deps.db.tenant(tenantId, async (tx) =>
        shown(tx, (await createSegment(tx, request.body, actor, deps.clock.now())).id),
      );
      await deps.wake(tenantId);
      tag(reply, row.version);
      return reply.code(201).send(view);
    },
  );

  app.patch(
    '/v1/segments/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['segments'],
        summary: 'Change a segment',
        description:
          'With another condition everybody is looked at anew; who enters or leaves by that triggers nothing.',
        params: IdParams,
        body: Type.Partial(SegmentInput, { additionalProperties: false }),
        response: { 200: ref(Segment) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const { row, view } = await deps.db.tenant(tenantId, async (tx) => {
        const meta = { expected, actor, at: deps.clock.now() };
        return shown(tx, (await changeSegment(tx, request.params.id, request.body, meta)).id);
      });
      await deps.wake(tenantId);
      tag(reply, row.version);
      return view;
    },
  );

  app.delete(
    '/v1/segments/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['segments'],
        summary: 'Remove a segment nobody uses; who was in it is forgotten',
        params: IdParams,
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      await deps.db.tenant(tenantId, (tx) => removeSegment(tx, request.params.id, actor, deps.clock.now()));
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/segments/:id/members',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['segments'],
        summary: 'Who is in a segment, or was at a moment, and since when',
        params: IdParams,
        querystring: Type.Object({
          ...PageQuery.properties,
          at: Type.Optional(Type.String({ format: 'date-time', description: 'A moment in the past' })),
        }),
        response: { 200: pageOf(ref(SegmentMember)) },
      },
    },
    async (request) => {
      const { cursor, limit, at } = request.query;
      const after = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const { row } = await shown(tx, request.params.id);
        return membersOf(tx, row.id, {
          ...(after ? { after } : {}),
          ...(at ? { at: new Date(at) } : {}),
          limit: limit + 1,
        });
      });
      return toPage(
        rows.map((row) => ({ ...row, id: row.customer_id })),
        limit,
        (row) => ({
          customerId: row.customer_id,
          name: row.name,
          email: row.email,
          enteredAt: row.entered_at.toISOString(),
          leftAt: row.left_at?.toISOString() ?? null,
        }),
      );
    },
  );

  app.get(
    '/v1/customers/:id/segments',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['segments'],
        summary: 'The segments a customer is or was in, newest first',
        params: IdParams,
        response: { 200: Type.Object({ items: Type.Array(ref(Membership)) }) },
      },
    },
    async (request) => {
      const rows = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const customer = await findCustomer(tx, request.params.id);
        if (!customer) throw notFound('customer', request.params.id);
        return membershipsOf(tx, customer.id);
      });
      return {
        items: rows.map((row) => ({
          segmentId: row.segment_id,
          name: row.name,
          enteredAt: row.entered_at.toISOString(),
          leftAt: row.left_at?.toISOString() ?? null,
        })),
      };
    },
  );
}
