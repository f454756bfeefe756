import { Type } from 'typebox';
import type { ActionDeps } from '../actions/deps.ts';
import { playbookViews } from '../actions/playbooks.ts';
import type { App } from '../http/app.ts';
import { caller, ref, tag } from '../http/helpers.ts';
import { InstalledPlaybook, PlaybookView } from './playbook.schema.ts';
import { installPlaybook } from './playbooks.ts';
import { toSequence } from './routes.ts';
import { findSequence } from './store.ts';

/** Ready-made sequences: what each does and needs, and installing one. */
export function playbookRoutes(app: App, deps: Pick<ActionDeps, 'db' | 'clock' | 'registry'>): void {
  app.get(
    '/v1/playbooks',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'Ready-made sequences: what each does, what it needs, and what of that is there',
        response: { 200: Type.Object({ items: Type.Array(ref(PlaybookView)) }) },
      },
    },
    async (request) => ({ items: await playbookViews(deps, caller(request).tenantId) }),
  );

  app.post(
    '/v1/playbooks/:key/install',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Install a playbook, switched off; what was edited stays. Says what it still needs',
        params: Type.Object({ key: Type.String({ maxLength: 60 }) }),
        response: { 201: ref(InstalledPlaybook) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const sequence = await deps.db.tenant(tenantId, async (tx) => {
        const row = await installPlaybook(tx, request.params.key, actor, deps.clock.now());
        return toSequence(tx, (await findSequence(tx, row.id))!);
      });
      const views = await playbookViews(deps, tenantId);
      const missing = views.find(({ key }) => key === request.params.key)?.needs.filter(({ met }) => !met) ?? [];
      tag(reply, sequence.version);
      return reply.code(201).send({ ...sequence, needs: missing });
    },
  );
}
