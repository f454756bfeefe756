import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import { notFound, Problem } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams, ref } from '../http/helpers.ts';
import { type AccessDeps, makeApiKey } from './identity.ts';
import { ApiKey, ApiKeyInput } from './schema.ts';
import { type ApiKeyRow, findApiKey, listApiKeys, revokeApiKey } from './store.ts';

const toApiKey = (row: ApiKeyRow, key?: string) => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  role: row.role,
  scopes: row.scopes,
  createdAt: row.created_at.toISOString(),
  lastUsedOn: row.last_used_on,
  revokedAt: row.revoked_at?.toISOString() ?? null,
  version: row.version,
  ...(key ? { key } : {}),
});

/** API keys: made, listed, revoked. */
export function apiKeyRoutes(app: App, deps: AccessDeps): void {
  app.get(
    '/v1/api-keys',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['access'],
        summary: 'API keys',
        response: { 200: Type.Object({ items: Type.Array(ref(ApiKey)) }) },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, listApiKeys)).map((row) => toApiKey(row)),
    }),
  );

  app.post(
    '/v1/api-keys',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['access'],
        summary: 'Make an API key; its text is shown this once',
        body: ref(ApiKeyInput),
        response: { 201: ref(ApiKey) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const made = await makeApiKey(deps, tenantId, {
        name: request.body.name,
        role: request.body.role,
        scopes: request.body.scopes,
        by: actor,
      });
      const row = await deps.db.tenant(tenantId, (tx) => findApiKey(tx, made.id));
      if (!row) throw new Problem(500, 'internal', 'The key was not stored.');
      return reply.code(201).send(toApiKey(row, made.key));
    },
  );

  app.delete(
    '/v1/api-keys/:id',
    {
      config: { permission: 'admin' },
      schema: { tags: ['access'], summary: 'Revoke an API key at once', params: IdParams },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      await deps.db.tenant(tenantId, async (tx) => {
        if (!(await revokeApiKey(tx, request.params.id, deps.clock.now())))
          throw notFound('API key', request.params.id);
        await appendEvents(tx, [
          {
            actor,
            action: 'api_key.revoked',
            subject: { kind: 'api_key', id: request.params.id },
            at: deps.clock.now(),
          },
        ]);
      });
      return reply.code(204).send();
    },
  );
}
