import { Type } from 'typebox';
import { notFound } from '../base/errors.ts';
import { nullable, words } from '../base/schema.ts';
import { findConnection } from '../connections/store.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams } from '../http/helpers.ts';
import type { SyncDeps } from './deps.ts';
import { listFindings } from './drift/store.ts';

const Finding = Type.Object({
  id: Type.String({ format: 'uuid' }),
  stream: Type.String(),
  kind: words(['gone', 'missing', 'type', 'option', 'new']),
  field: Type.String({ description: "The platform's field, or the path the mapping reads" }),
  message: Type.String({ description: 'What it is and what to do, in words' }),
  detail: Type.Unknown(),
  foundAt: Type.String({ format: 'date-time' }),
  resolvedAt: nullable(Type.String()),
});

/** Fields of a platform that changed, told before records must be parked for it. */
export function driftRoutes(app: App, deps: SyncDeps): void {
  app.get(
    '/v1/connections/:id/drift',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['mapping'],
        summary: 'Fields of the platform that went, came or changed, as far as the mapping is concerned',
        params: IdParams,
        querystring: Type.Object({
          all: Type.Boolean({ default: false, description: 'Also those that are over' }),
        }),
        response: { 200: Type.Object({ items: Type.Array(Finding) }) },
      },
    },
    async (request) => {
      const rows = await deps.db.tenant(caller(request).tenantId, async (tx) => {
        if (!(await findConnection(tx, request.params.id))) throw notFound('connection', request.params.id);
        return listFindings(tx, { connectionId: request.params.id, closedToo: request.query.all });
      });
      return {
        items: rows.map((row) => ({
          id: row.id,
          stream: row.stream,
          kind: row.kind,
          field: row.field,
          message: row.message,
          detail: row.detail,
          foundAt: row.found_at.toISOString(),
          resolvedAt: row.resolved_at?.toISOString() ?? null,
        })),
      };
    },
  );
}
