import { Type } from 'typebox';
import { notFound } from '../base/errors.ts';
import { nullable } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, IdParams, PageQuery, pageOf, toPage } from '../http/helpers.ts';
import { type BreakerRow, listBreakers, resetBreaker } from './breaker.ts';
import type { SyncDeps } from './deps.ts';

const Moment = Type.String({ format: 'date-time' });

const Breaker = Type.Object({
  id: Type.String({ format: 'uuid' }),
  connectionId: Type.String({ format: 'uuid' }),
  connection: nullable(Type.String()),
  object: Type.String(),
  record: Type.String({ description: 'Native id' }),
  field: Type.String(),
  flips: Type.Array(Moment, { description: 'When it was set back after we wrote it' }),
  stoppedAt: nullable(Moment),
  resetAt: nullable(Moment),
  resetBy: nullable(Type.String()),
});

const toBreaker = (row: BreakerRow) => ({
  id: row.id,
  connectionId: row.connection_id,
  connection: row.connection,
  object: row.object,
  record: row.remote_id,
  field: row.field,
  flips: row.flips.map((at) => at.toISOString()),
  stoppedAt: row.tripped_at?.toISOString() ?? null,
  resetAt: row.reset_at?.toISOString() ?? null,
  resetBy: row.reset_by,
});

/** Fields we stopped writing because somebody sets them back each time. */
export function breakerRoutes(app: App, deps: Pick<SyncDeps, 'db' | 'clock'>): void {
  app.get(
    '/v1/write-breakers',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['actions'],
        summary: 'Fields we stopped writing because somebody sets them back each time',
        querystring: Type.Object({
          ...PageQuery.properties,
          all: Type.Boolean({ default: false, description: 'Also those that were set back, but not often enough' }),
        }),
        response: { 200: pageOf(Breaker) },
      },
    },
    async (request) => {
      const { cursor, limit, all } = request.query;
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listBreakers(tx, { all, after: cursorId(cursor), limit: limit + 1 }),
      );
      return toPage(rows, limit, toBreaker);
    },
  );

  app.post(
    '/v1/write-breakers/:id/reset',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['actions'],
        summary: 'Write the field again: what set it back was taken care of',
        params: IdParams,
        response: { 200: Breaker },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const row = await deps.db.tenant(tenantId, (tx) => resetBreaker(tx, request.params.id, actor, deps.clock.now()));
      if (!row) throw notFound('breaker', request.params.id);
      return toBreaker(row);
    },
  );
}
