import { type Static, Type } from 'typebox';
import { conflict, notFound } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { words } from '../base/schema.ts';
import { withSession } from '../connections/session.ts';
import { findConnection } from '../connections/store.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { CUSTOMER_KINDS } from './content.ts';
import { decideAction } from './decide.ts';
import type { ActionDeps } from './deps.ts';
import { gateView } from './explain.ts';
import { decideBatch } from './facts.ts';
import { explain } from './gate.ts';
import { reconcile } from './reconcile.ts';
import { address, checkInput, toNewRequest } from './requested.ts';
import { ActionPreview, ActionRequestBody, ActionView } from './schema.ts';
import {
  type AttemptRow,
  attemptsOf,
  findRequest,
  findRequestByKey,
  insertRequest,
  listRequests,
  type NewRequest,
  type RequestRow,
} from './store.ts';

export const toAction = (row: RequestRow): Static<typeof ActionView> => ({
  id: row.id,
  kind: row.kind,
  channel: row.channel,
  recipient: row.recipient,
  class: row.class,
  customerId: row.customer_id,
  enrolmentId: row.run_id,
  step: row.step_id,
  state: row.state,
  held: row.held,
  reason: row.reason,
  detail: row.reason_detail,
  notBefore: row.not_before.toISOString(),
  content: row.content,
  connectionId: row.connection_id,
  receipt:
    row.native_id || row.native_state
      ? {
          nativeId: row.native_id,
          url: row.native_url,
          state: row.native_state,
          stateAt: row.native_state_at?.toISOString() ?? null,
        }
      : null,
  attempts: row.attempts,
  createdBy: row.created_by,
  createdAt: row.created_at.toISOString(),
  endedAt: row.ended_at?.toISOString() ?? null,
  version: row.version,
});

const toTry = (row: AttemptRow): NonNullable<Static<typeof ActionView>['tries']>[number] => ({
  number: row.number,
  startedAt: row.started_at.toISOString(),
  endedAt: row.ended_at?.toISOString() ?? null,
  outcome: row.outcome,
  status: row.status,
  errorKind: row.error_kind,
  message: row.message,
});

/** Actions: what was, is and will be done, why and why not. */
export function actionRoutes(app: App, deps: ActionDeps): void {
  const load = async (tenantId: string, id: string): Promise<RequestRow> => {
    const row = await deps.db.tenant(tenantId, (tx) => findRequest(tx, id));
    if (!row) throw notFound('action', id);
    return row;
  };

  const Query = Type.Object({
    ...PageQuery.properties,
    customerId: Type.Optional(Type.String({ format: 'uuid' })),
    enrolmentId: Type.Optional(Type.String({ format: 'uuid' })),
    state: Type.Optional(Type.String({ maxLength: 20 })),
    held: Type.Optional(Type.Boolean()),
  });
  app.get(
    '/v1/actions',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['actions'],
        summary: 'Actions with their state, reason and receipt, newest first',
        querystring: Query,
        response: { 200: pageOf(ref(ActionView)) },
      },
    },
    async (request) => {
      const { cursor, limit, customerId, enrolmentId, state, held } = request.query;
      const before = cursorId(cursor);
      const filter = {
        ...(customerId ? { customerId } : {}),
        ...(enrolmentId ? { runId: enrolmentId } : {}),
        ...(state ? { state } : {}),
        ...(held === undefined ? {} : { held }),
        ...(before ? { before } : {}),
        limit: limit + 1,
      };
      return toPage(await deps.db.tenant(caller(request).tenantId, (tx) => listRequests(tx, filter)), limit, toAction);
    },
  );

  app.get(
    '/v1/actions/:id',
    {
      config: { permission: 'read' },
      schema: { tags: ['actions'], summary: 'One action', params: IdParams, response: { 200: ref(ActionView) } },
    },
    async (request, reply) => {
      const { tenantId } = caller(request);
      const row = await load(tenantId, request.params.id);
      const tries = await deps.db.tenant(tenantId, (tx) => attemptsOf(tx, row.id));
      tag(reply, row.version);
      return { ...toAction(row), tries: tries.map(toTry) };
    },
  );

  app.post(
    '/v1/actions',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['actions'],
        summary: 'Do something natively; with preview, see the gate and the exact request instead',
        body: ref(ActionRequestBody),
        response: { 200: ref(ActionPreview), 202: ref(ActionView) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { body } = request;
      const planned = toNewRequest(body, actor, request.headers['idempotency-key'] as string | undefined);
      if (body.customerId) {
        await deps.db.tenant(tenantId, async (tx) => {
          const customer = await findCustomer(tx, body.customerId!);
          if (!customer) throw notFound('customer', body.customerId!);
          planned.customer_id = customer.id;
          if (CUSTOMER_KINDS.includes(body.kind)) await address(tx, planned);
        });
      }
      if (body.connectionId && !(await deps.db.tenant(tenantId, (tx) => findConnection(tx, body.connectionId!))))
        throw notFound('connection', body.connectionId);
      checkInput(planned);
      if (body.preview) return reply.code(200).send(await preview(deps, tenantId, planned));
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const made = await insertRequest(tx, planned, deps.clock.now());
        if (made) await deps.queue.send(tx, 'dispatch', { tenantId });
        return made ?? (await findRequestByKey(tx, planned.idempotency_key!));
      });
      if (!row) throw conflict('This action could not be planned.');
      tag(reply, row.version);
      return reply.code(202).send(toAction(row));
    },
  );

  app.post(
    '/v1/actions/:id/reconcile',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['actions'],
        summary: 'Ask the platform what became of an unknown action',
        params: IdParams,
        response: { 200: Type.Object({ finding: words(['sent', 'retry', 'unknown']), action: ref(ActionView) }) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const row = await load(tenantId, request.params.id);
      if (row.state !== 'unknown') throw conflict(`This action is ${row.state}, not unknown.`);
      const finding = await reconcile(deps, tenantId, row);
      return { finding, action: toAction(await load(tenantId, row.id)) };
    },
  );

  app.post(
    '/v1/actions/:id/settle',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['actions'],
        summary:
          'Decide about an unknown or held action: it was sent, it was not (and is tried again), or leave it out',
        params: IdParams,
        body: Type.Object(
          { as: words(['sent', 'again', 'skipped']), reason: Type.String({ minLength: 3, maxLength: 500 }) },
          { additionalProperties: false },
        ),
        response: { 200: ref(ActionView) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const row = await decideAction(deps, tenantId, request.params.id, { ...request.body, by: actor, expected });
      tag(reply, row.version);
      return toAction(row);
    },
  );
}

async function preview(deps: ActionDeps, tenantId: string, planned: NewRequest): Promise<Static<typeof ActionPreview>> {
  const decision = await deps.db.rehearse(tenantId, async (tx) => {
    const row = await insertRequest(tx, { ...planned, idempotency_key: newId() }, deps.clock.now());
    return (await decideBatch(deps, tx, [row!], deps.clock.now(), new Map()))[0]!;
  });
  const gates = explain(decision.facts).map(gateView);
  if (!decision.route || !decision.content) return { verdict: decision.verdict.kind, gates, request: null };
  const { action, connection } = decision.route;
  const shown = await withSession(deps, tenantId, connection.id, 'action', async (session) =>
    session.preview(
      action.request(session.ctx, decision.content as never, {
        requestId: decision.request.id,
        firstTriedAt: deps.clock.now(),
        before: {},
      }),
    ),
  ).catch(() => null);
  return { verdict: decision.verdict.kind, gates, request: shown };
}
