import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { conflict, notFound, stale } from '../base/errors.ts';
import { describeCondition } from '../conditions/describe.ts';
import type { Condition } from '../conditions/types.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { draftOf } from './draft.ts';
import { Membership, Segment, SegmentInput, SegmentMember } from './schema.ts';
import {
  allSegments,
  deleteSegment,
  findSegment,
  insertSegment,
  membershipsOf,
  membersOf,
  nameTaken,
  type SegmentRow,
  updateSegment,
} from './store.ts';
import { usersOf } from './users.ts';

const names = (rows: readonly SegmentRow[]): ReadonlyMap<string, string> => new Map(rows.map((row) => [row.id, row.name]));

const toSegment = (row: SegmentRow, all: readonly SegmentRow[]) => ({
  id: row.id,
  name: row.name,
  condition: row.condition,
  sentence: describeCondition(row.condition as Condition, { segments: names(all) }),
  settleMinutes: row.settle_minutes,
  size: row.evaluated_at ? row.size : null,
  evaluatedAt: row.evaluated_at?.toISOString() ?? null,
  problem: row.problem,
  updatedAt: row.updated_at.toISOString(),
  version: row.version,
});

const taken = (name: string) =>
  conflict(`There is a segment "${name}" already.`, 'Choose another name, or change that segment.');

/** Groups of customers by a condition, who is in them, and since when. */
export function segmentRoutes(
  app: App,
  deps: { db: Database; clock: Clock; wake: (tenantId: string) => Promise<unknown> },
): void {
  const shown = async (tx: Tx, id: string) => {
    const row = await findSegment(tx, id);
    if (!row || row.trigger_id) throw notFound('segment', id);
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
      const { row, view } = await deps.db.tenant(tenantId, async (tx) => {
        const now = deps.clock.now();
        const draft = await draftOf(tx, request.body);
        const id = await insertSegment(tx, draft, actor, now);
        if (!id) throw taken(draft.name);
        await appendEvents(tx, [
          { actor, action: 'segment.created', subject: { kind: 'segment', id }, data: { ...draft }, at: now },
        ]);
        return shown(tx, id);
      });
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
        description: 'With another condition everybody is looked at anew; who enters or leaves by that triggers nothing.',
        params: IdParams,
        body: Type.Partial(SegmentInput, { additionalProperties: false }),
        response: { 200: ref(Segment) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const { row, view } = await deps.db.tenant(tenantId, async (tx) => {
        const now = deps.clock.now();
        const { row: before } = await shown(tx, request.params.id);
        const draft = await draftOf(
          tx,
          { name: before.name, condition: before.condition, settleMinutes: before.settle_minutes, ...request.body },
          before.id,
        );
        if (await nameTaken(tx, draft.name, before.id)) throw taken(draft.name);
        const anew = JSON.stringify(draft.condition) !== JSON.stringify(before.condition);
        if (!(await updateSegment(tx, before.id, { ...draft, anew, expected, now }))) throw stale('segment');
        const was = { name: before.name, condition: before.condition, settleMinutes: before.settle_minutes };
        await appendEvents(tx, [
          {
            actor,
            action: 'segment.changed',
            subject: { kind: 'segment', id: before.id },
            data: { before: was, after: { ...draft } },
            at: now,
          },
        ]);
        return shown(tx, before.id);
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
      await deps.db.tenant(tenantId, async (tx) => {
        const { row } = await shown(tx, request.params.id);
        const users = await usersOf(tx, row.id);
        if (users.length > 0)
          throw conflict(`"${row.name}" is used by ${users.join(', ')}.`, 'Change or remove those first.');
        await deleteSegment(tx, row.id);
        await appendEvents(tx, [
          {
            actor,
            action: 'segment.deleted',
            subject: { kind: 'segment', id: row.id },
            data: { name: row.name, condition: row.condition },
            at: deps.clock.now(),
          },
        ]);
      });
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
