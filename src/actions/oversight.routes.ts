import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import { notFound } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams, ref } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import type { ActionDeps } from './deps.ts';
import { explainCustomer } from './explain.ts';
import { Explanation } from './schema.ts';
import { clearKillSwitch, listKillSwitches, setKillSwitch } from './switches.ts';

/** Why something was done or not, and switching off what should not be done. */
export function oversightRoutes(app: App, deps: ActionDeps): void {
  app.get(
    '/v1/customers/:id/explain',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['actions'],
        summary: 'Why this customer got or did not get something, and what comes next',
        params: IdParams,
        querystring: Type.Object({
          sequence: Type.Optional(Type.String({ maxLength: 60 })),
          at: Type.Optional(Type.String({ format: 'date-time', description: 'A past moment: what was known then' })),
        }),
        response: { 200: ref(Explanation) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const customer = await deps.db.tenant(tenantId, (tx) => findCustomer(tx, request.params.id));
      if (!customer) throw notFound('customer', request.params.id);
      const { sequence, at } = request.query;
      return explainCustomer(deps, tenantId, customer.id, sequence, at ? new Date(at) : undefined);
    },
  );

  const Switch = Type.Object({
    scope: Type.String(),
    reason: Type.String(),
    setBy: Type.String(),
    setAt: Type.String(),
  });
  app.get(
    '/v1/kill-switches',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['actions'],
        summary: 'What is switched off',
        response: { 200: Type.Object({ items: Type.Array(Switch) }) },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, listKillSwitches)).map((row) => ({
        scope: row.scope,
        reason: row.reason,
        setBy: row.set_by,
        setAt: row.set_at.toISOString(),
      })),
    }),
  );

  const ScopeParams = Type.Object({
    scope: Type.String({
      pattern: '^(\\*|channel:[a-z_]+|sequence:[a-z0-9-]+)$',
      description: '* for everything, channel:sms, or sequence:overdue-chase',
    }),
  });
  app.put(
    '/v1/kill-switches/:scope',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['actions'],
        summary: 'Switch off at once what was not handed to a platform yet; nothing is lost',
        params: ScopeParams,
        body: Type.Object({ reason: Type.String({ minLength: 3, maxLength: 500 }) }, { additionalProperties: false }),
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      await deps.db.tenant(tenantId, async (tx) => {
        await setKillSwitch(tx, request.params.scope, request.body.reason, actor, deps.clock.now());
        await appendEvents(tx, [
          {
            actor,
            action: 'kill_switch.set',
            subject: { kind: 'kill_switch', id: request.params.scope },
            data: { reason: request.body.reason },
            at: deps.clock.now(),
          },
        ]);
      });
      return reply.code(204).send();
    },
  );

  app.delete(
    '/v1/kill-switches/:scope',
    {
      config: { permission: 'operate' },
      schema: { tags: ['actions'], summary: 'Switch on again', params: ScopeParams },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      await deps.db.tenant(tenantId, async (tx) => {
        if (!(await clearKillSwitch(tx, request.params.scope, deps.clock.now())))
          throw notFound('kill switch', request.params.scope);
        await appendEvents(tx, [
          {
            actor,
            action: 'kill_switch.cleared',
            subject: { kind: 'kill_switch', id: request.params.scope },
            at: deps.clock.now(),
          },
        ]);
        await deps.queue.send(tx, 'dispatch', { tenantId });
      });
      return reply.code(204).send();
    },
  );
}
