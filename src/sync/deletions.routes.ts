import { Type } from 'typebox';
import { bumpDue } from '../base/due.ts';
import { invalid, notFound } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import { findConnection } from '../connections/store.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, IdParams, PageQuery, pageOf, ref, toPage } from '../http/helpers.ts';
import { type Decision, decide } from './deletions.apply.ts';
import { BATCH_STATES, findBatch, listBatches } from './deletions.store.ts';
import { describeBatches } from './deletions.view.ts';
import type { SyncDeps } from './deps.ts';
import { planProof, plansOf } from './proof.store.ts';
import { Deletions } from './schema.ts';

const DECISIONS: { decision: Decision; summary: string }[] = [
  {
    decision: 'confirm',
    summary: 'Delete what was held; what the platform shows again by then stays',
  },
  { decision: 'refuse', summary: 'Keep what was held; it stays until the platform shows it again and deletes it anew' },
  { decision: 'undo', summary: 'Bring deleted records back as they were; nothing is triggered by it' },
];

/** Deletions that are held or can be undone, and comparing connections with their platform. */
export function deletionRoutes(app: App, deps: SyncDeps): void {
  app.get(
    '/v1/deletions',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sync'],
        summary: 'Deletions in batches, newest first: what waits for a decision, what was deleted and why',
        querystring: Type.Object({
          ...PageQuery.properties,
          state: Type.Optional(words(BATCH_STATES)),
          connectionId: Type.Optional(Type.String({ format: 'uuid' })),
        }),
        response: { 200: pageOf(ref(Deletions)) },
      },
    },
    async (request) => {
      const { cursor, limit, state, connectionId } = request.query;
      const before = cursorId(cursor);
      return deps.db.tenant(caller(request).tenantId, async (tx) => {
        const rows = await listBatches(tx, {
          ...(state ? { state } : {}),
          ...(connectionId ? { connectionId } : {}),
          ...(before ? { before } : {}),
          limit: limit + 1,
        });
        const page = toPage(rows, limit, (row) => row);
        return { items: await describeBatches(deps, tx, page.items), next: page.next };
      });
    },
  );

  app.get(
    '/v1/deletions/:id',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sync'],
        summary: 'One batch of deletions, with up to 200 of its records by name',
        params: IdParams,
        response: { 200: ref(Deletions) },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) => {
        const row = await findBatch(tx, request.params.id);
        if (!row) throw notFound('deletion', request.params.id);
        return (await describeBatches(deps, tx, [row], 200))[0]!;
      }),
  );

  for (const { decision, summary } of DECISIONS) {
    app.post(
      `/v1/deletions/:id/${decision}`,
      {
        config: { permission: 'operate' },
        schema: { tags: ['sync'], summary, params: IdParams, response: { 202: ref(Deletions) } },
      },
      async (request, reply) => {
        const { tenantId, actor } = caller(request);
        const shown = await deps.db.tenant(tenantId, async (tx) => {
          const row = await decide(deps, tx, request.params.id, decision, actor);
          if (decision !== 'refuse') await deps.queue.send(tx, 'deletions', { tenantId, batchId: row.id });
          return (await describeBatches(deps, tx, [row]))[0]!;
        });
        return reply.code(202).send(shown);
      },
    );
  }

  app.post(
    '/v1/connections/:id/verify',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['sync'],
        summary:
          'Compare a connection with its platform now; what was lost is read again. Results stand at the streams',
        params: IdParams,
        body: Type.Object({ streams: Type.Optional(Type.Array(Type.String())) }, { additionalProperties: false }),
        response: { 202: Type.Object({ streams: Type.Array(Type.String()) }) },
      },
    },
    async (request, reply) => {
      const { tenantId } = caller(request);
      const now = deps.clock.now();
      const names = await deps.db.tenant(tenantId, async (tx) => {
        if (!(await findConnection(tx, request.params.id))) throw notFound('connection', request.params.id);
        const plans = await plansOf(tx, request.params.id);
        const { streams } = request.body;
        const unknown = streams?.find((name) => !plans.some((plan) => plan.name === name));
        if (unknown !== undefined)
          throw invalid(`This connection has no stream "${unknown}".`, [
            { path: 'streams', message: `has ${unknown}` },
          ]);
        const wanted = plans.filter((plan) => streams?.includes(plan.name) ?? plan.state !== 'off');
        await planProof(
          tx,
          wanted.map((plan) => plan.id),
          { verifyAt: now },
        );
        return wanted.map((plan) => plan.name);
      });
      await bumpDue({ query: deps.db.statement }, tenantId, 'sync', now);
      await deps.queue.wake('proof', { tenantId, connectionId: request.params.id });
      return reply.code(202).send({ streams: names });
    },
  );
}
