import { conflict, notFound, stale } from '../base/errors.ts';
import { findConnection } from '../connections/store.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, IdParams, ref, tag } from '../http/helpers.ts';
import { setAllowance } from './allowance.ts';
import type { SyncDeps } from './deps.ts';
import { quotaPlanOf } from './planner.ts';
import { QuotaAllowance, QuotaInfo } from './quota.schema.ts';

/** What is left of the platforms' limits. */
export function quotaRoutes(app: App, deps: SyncDeps): void {
  const show = async (tenantId: string, id: string) => {
    const plan = await quotaPlanOf(deps, tenantId, id);
    if (!plan) throw notFound('connection', id);
    return plan;
  };

  app.get(
    '/v1/connections/:id/quota',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['connections'],
        summary:
          "Calls by purpose, what is left of the platform's limits, when a first load ends and whether it suffices",
        params: IdParams,
        response: { 200: ref(QuotaInfo) },
      },
    },
    async (request) => show(caller(request).tenantId, request.params.id),
  );

  const change = async (
    tenantId: string,
    id: string,
    allowance: { calls: number; every?: 'day' | 'month'; zone?: string } | null,
    meta: { expected: number; by: string },
  ): Promise<number> => {
    const row = await deps.db.tenant(tenantId, (tx) => findConnection(tx, id));
    if (!row) throw notFound('connection', id);
    if (row.state === 'revoked') throw conflict('This connection was disconnected.');
    const version = await setAllowance(deps, tenantId, row, allowance, meta);
    if (version === undefined) throw stale('connection');
    return version;
  };

  app.put(
    '/v1/connections/:id/quota',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['connections'],
        summary: 'State how many calls a day (or month) this hub may make at the platform',
        params: IdParams,
        body: ref(QuotaAllowance),
        response: { 200: ref(QuotaInfo) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const meta = { expected: expectedVersion(request), by: actor };
      tag(reply, await change(tenantId, request.params.id, request.body, meta));
      return show(tenantId, request.params.id);
    },
  );

  app.delete(
    '/v1/connections/:id/quota',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['connections'],
        summary: 'Take the stated allowance back: what the platform tells counts',
        params: IdParams,
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      await change(tenantId, request.params.id, null, { expected: expectedVersion(request), by: actor });
      return reply.code(204).send();
    },
  );
}
