import type { ActionDeps } from '../actions/deps.ts';
import type { App } from '../http/app.ts';
import { caller, ref } from '../http/helpers.ts';
import { applyFiles, exportFiles } from './apply.ts';
import { ApplyInput, ApplyResult, Exported, ExportInput } from './schema.ts';

/** Files of configuration are larger than other requests. */
const LARGEST = 10 * 1024 * 1024;

/** Configuration as files. */
export function transferRoutes(app: App, deps: ActionDeps): void {
  app.post(
    '/v1/export',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['configuration'],
        summary: 'Everything that is configured, as YAML: the same configuration is always the same bytes',
        body: ref(ExportInput),
        response: { 200: ref(Exported) },
      },
    },
    async (request) => ({
      files: await deps.db.tenant(caller(request).tenantId, (tx) => exportFiles(deps, tx, request.body.split ?? false)),
    }),
  );

  app.post(
    '/v1/apply',
    {
      bodyLimit: LARGEST,
      config: { permission: 'integrate' },
      schema: {
        tags: ['configuration'],
        summary: 'Make the configuration what files say, all or nothing; with dryRun only tell what would change',
        body: ref(ApplyInput),
        response: { 200: ref(ApplyResult) },
      },
    },
    async (request) => {
      const { tenantId, actor, permissions } = caller(request);
      const { files, dryRun = false, prune = false } = request.body;
      const meta = { actor, at: deps.clock.now(), maySet: permissions.includes('admin') };
      return applyFiles(deps, tenantId, { files, dryRun, prune }, meta);
    },
  );
}
