import { Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { notFound, stale } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { enrolByHand, pauseRun, resumeRun, stopRun } from './manual.ts';
import type { SequenceRouteDeps } from './routes.ts';
import { findRun, listRuns, type RunRow } from './runs.ts';
import { Enrolment } from './schema.ts';
import { findSequence, listSequences, type SequenceRow } from './store.ts';
import { stepsOfRun } from './way.ts';

const toEnrolment = (row: RunRow, key: string) => ({
  id: row.id,
  sequenceId: row.sequence_id,
  sequence: key,
  sequenceVersion: row.version,
  customerId: row.customer_id,
  businessKey: row.business_key,
  state: row.state,
  step: row.step_id,
  waitingFor: row.waiting_for,
  wakeAt: row.wake_at?.toISOString() ?? null,
  startOn: row.start_on,
  startedAt: row.started_at.toISOString(),
  endedAt: row.ended_at?.toISOString() ?? null,
  endReason: row.end_reason,
  problem: row.problem,
  arm: row.arm,
  shadow: row.shadow,
  version: row.row_version,
});

/** Enrolments: who is in which sequence, started, paused and taken out by hand. */
export function enrolmentRoutes(app: App, deps: SequenceRouteDeps): void {
  const load = async (tx: Tx, id: string): Promise<SequenceRow> => {
    const row = await findSequence(tx, id);
    if (!row) throw notFound('sequence', id);
    return row;
  };

  const EnrolQuery = Type.Object({
    ...PageQuery.properties,
    sequenceId: Type.Optional(Type.String({ format: 'uuid' })),
    customerId: Type.Optional(Type.String({ format: 'uuid' })),
    state: Type.Optional(Type.String({ maxLength: 20 })),
  });
  app.get(
    '/v1/enrolments',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'Enrolments, newest first',
        querystring: EnrolQuery,
        response: { 200: pageOf(ref(Enrolment)) },
      },
    },
    async (request) => {
      const { cursor, limit, sequenceId, customerId, state } = request.query;
      const before = cursorId(cursor);
      return deps.db.tenant(caller(request).tenantId, async (tx) => {
        const keys = new Map((await listSequences(tx)).map((row) => [row.id, row.key]));
        const rows = await listRuns(tx, {
          ...(sequenceId ? { sequenceId } : {}),
          ...(customerId ? { customerId } : {}),
          ...(state ? { state } : {}),
          ...(before ? { before } : {}),
          limit: limit + 1,
        });
        return toPage(rows, limit, (row) => toEnrolment(row, keys.get(row.sequence_id) ?? ''));
      });
    },
  );

  const EnrolBody = Type.Object(
    {
      sequence: Type.String({ maxLength: 60, description: 'Id or key' }),
      customers: Type.Array(Type.String({ maxLength: 200 }), {
        minItems: 1,
        maxItems: 500,
        description: 'Ids, e-mail addresses or phone numbers',
      }),
      reason: Type.String({ minLength: 3, maxLength: 500 }),
      preview: Type.Optional(Type.Boolean({ description: 'Say what would happen and do nothing' })),
    },
    { additionalProperties: false },
  );
  app.post(
    '/v1/enrolments',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['sequences'],
        summary: 'Start a sequence by hand, with a reason',
        body: EnrolBody,
        response: {
          200: Type.Object({
            preview: Type.Boolean(),
            items: Type.Array(
              Type.Object({
                customerId: Type.String(),
                name: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
                outcome: Type.String(),
                enrolmentId: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
              }),
            ),
          }),
        },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const { sequence, customers, reason, preview } = request.body;
      const work = async (tx: Tx) =>
        enrolByHand(
          tx,
          await load(tx, sequence),
          { customers, reason, actor, key: request.headers['idempotency-key'] as string | undefined },
          deps.start,
          deps.clock.now(),
        );
      const items = preview ? await deps.db.rehearse(tenantId, work) : await deps.db.tenant(tenantId, work);
      return {
        preview: preview ?? false,
        items: preview ? items.map((item) => ({ ...item, enrolmentId: null })) : items,
      };
    },
  );

  app.get(
    '/v1/enrolments/:id',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'One enrolment with its way so far',
        params: IdParams,
        response: { 200: Type.Object({ enrolment: ref(Enrolment), steps: Type.Array(Type.Unknown()) }) },
      },
    },
    async (request, reply) => {
      const found = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        const row = await findRun(tx, request.params.id);
        if (!row) throw notFound('enrolment', request.params.id);
        return { row, key: (await findSequence(tx, row.sequence_id))?.key ?? '', steps: await stepsOfRun(tx, row.id) };
      });
      tag(reply, found.row.row_version);
      return { enrolment: toEnrolment(found.row, found.key), steps: found.steps };
    },
  );

  for (const [verb, work, summary] of [
    ['pause', pauseRun, 'Pause an enrolment'],
    ['resume', resumeRun, 'Let a paused enrolment go on'],
  ] as const) {
    app.post(
      `/v1/enrolments/:id/${verb}`,
      {
        config: { permission: 'operate' },
        schema: { tags: ['sequences'], summary, params: IdParams, response: { 200: ref(Enrolment) } },
      },
      async (request, reply) => {
        const { tenantId, actor } = caller(request);
        const expected = expectedVersion(request);
        const enrolment = await deps.db.tenant(tenantId, async (tx) => {
          const row = await work(tx, request.params.id, actor, expected, deps.clock.now());
          if (!row)
            throw (await findRun(tx, request.params.id))
              ? stale('enrolment')
              : notFound('enrolment', request.params.id);
          return toEnrolment(row, (await findSequence(tx, row.sequence_id))?.key ?? '');
        });
        tag(reply, enrolment.version);
        return enrolment;
      },
    );
  }

  app.delete(
    '/v1/enrolments/:id',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['sequences'],
        summary: 'Take a customer out of a sequence',
        params: IdParams,
        querystring: Type.Object({ reason: Type.String({ minLength: 3, maxLength: 500 }) }),
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      await deps.db.tenant(tenantId, async (tx) => {
        const row = await stopRun(
          deps.ports,
          tx,
          request.params.id,
          actor,
          request.query.reason,
          expected,
          deps.clock.now(),
        );
        if (!row)
          throw (await findRun(tx, request.params.id)) ? stale('enrolment') : notFound('enrolment', request.params.id);
      });
      return reply.code(204).send();
    },
  );
}
