import { Readable } from 'node:stream';
import { Type } from 'typebox';
import type { Database } from '../base/database.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, PageQuery, pageOf, ref, toPage } from '../http/helpers.ts';
import { exportAudit, toAuditEvent, verifyAudit } from './chain.ts';
import { AuditEvent, AuditVerification } from './schema.ts';
import { listEvents } from './store.ts';

const Query = Type.Object({
  ...PageQuery.properties,
  customerId: Type.Optional(Type.String({ format: 'uuid' })),
  subjectKind: Type.Optional(Type.String({ maxLength: 50 })),
  subjectId: Type.Optional(Type.String({ maxLength: 200 })),
  action: Type.Optional(Type.String({ maxLength: 100 })),
});

/** The audit trail: read, export, verify. Nobody can write or delete here. */
export function auditRoutes(app: App, deps: { db: Database }): void {
  app.get(
    '/v1/audit',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['audit'],
        summary: 'Audit events, newest first',
        querystring: Query,
        response: { 200: pageOf(ref(AuditEvent)) },
      },
    },
    async (request) => {
      const { cursor, limit, customerId, subjectKind, subjectId, action } = request.query;
      const before = cursorId(cursor);
      const filter = {
        ...(customerId ? { customerId } : {}),
        ...(subjectKind ? { subjectKind } : {}),
        ...(subjectId ? { subjectId } : {}),
        ...(action ? { action } : {}),
        ...(before ? { before } : {}),
        limit: limit + 1,
      };
      return toPage(
        await deps.db.tenant(caller(request).tenantId, (tx) => listEvents(tx, filter)),
        limit,
        toAuditEvent,
      );
    },
  );

  app.get(
    '/v1/audit/export',
    {
      config: { permission: 'admin' },
      schema: { tags: ['audit'], summary: 'The whole trail in chain order, one JSON document per line' },
    },
    async (request, reply) => {
      const { tenantId } = caller(request);
      const lines = async function* (): AsyncGenerator<string> {
        for await (const event of exportAudit(deps.db, tenantId)) yield `${JSON.stringify(event)}\n`;
      };
      return reply
        .header('content-type', 'application/x-ndjson')
        .header('content-disposition', 'attachment; filename="audit.ndjson"')
        .send(Readable.from(lines()));
    },
  );

  app.post(
    '/v1/audit/verify',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['audit'],
        summary: 'Walk the chain and find the first event that does not fit',
        querystring: Type.Object({
          head: Type.Optional(
            Type.String({
              pattern: '^[0-9a-f]{64}$',
              description: 'A head kept elsewhere that must still be in the chain',
            }),
          ),
        }),
        response: { 200: ref(AuditVerification) },
      },
    },
    (request) => verifyAudit(deps.db, caller(request).tenantId, undefined, request.query.head),
  );
}
