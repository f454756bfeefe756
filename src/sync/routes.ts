import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import { bumpDue } from '../base/due.ts';
import { invalid, notFound, Problem } from '../base/errors.ts';
import { findConnection } from '../connections/store.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, IdParams, PageQuery, pageOf, ref, toPage } from '../http/helpers.ts';
import { deletionRoutes } from './deletions.routes.ts';
import type { SyncDeps } from './deps.ts';
import { importFile } from './imports/import.ts';
import { readImportMapping } from './imports/mapping.ts';
import { findParked, listParked, type ParkedRow, resolveParked } from './parked.ts';
import { replay } from './replay.ts';
import { ParkedItem, StreamInfo } from './schema.ts';
import { streamInfos } from './status.ts';
import { listStreams, requestRun } from './store.ts';

/** Largest file taken over HTTP; the command line has no limit. */
const MAX_UPLOAD = 50 * 1024 * 1024;

const toParked = (row: ParkedRow) => ({
  id: row.id,
  kind: row.kind,
  connectionId: row.connection_id,
  streamId: row.stream_id,
  recordId: row.remote_id,
  reason: row.reason,
  detail: row.detail,
  payload: row.payload ?? null,
  times: row.times,
  parkedAt: row.parked_at.toISOString(),
  lastAt: row.last_at.toISOString(),
});

/** State of the streams, parked items, imports. */
export function syncRoutes(app: App, deps: SyncDeps): void {
  deletionRoutes(app, deps);
  app.get(
    '/v1/streams',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sync'],
        summary: 'Freshness, progress and trouble of every stream',
        querystring: Type.Object({ connectionId: Type.Optional(Type.String({ format: 'uuid' })) }),
        response: { 200: Type.Object({ items: Type.Array(ref(StreamInfo)) }) },
      },
    },
    async (request) => ({
      items: await streamInfos(deps, caller(request).tenantId, request.query.connectionId),
    }),
  );

  app.post(
    '/v1/connections/:id/sync',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['sync'],
        summary: 'Read a connection now; full starts again from the beginning',
        params: IdParams,
        body: Type.Object(
          { full: Type.Optional(Type.Boolean()), streams: Type.Optional(Type.Array(Type.String())) },
          { additionalProperties: false },
        ),
        response: { 202: Type.Object({ streams: Type.Array(Type.String()) }) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const full = request.body.full ?? false;
      const names = await deps.db.tenant(tenantId, async (tx) => {
        if (!(await findConnection(tx, request.params.id))) throw notFound('connection', request.params.id);
        const rows = (await listStreams(tx, request.params.id)).filter(
          (row) => request.body.streams?.includes(row.name) ?? true,
        );
        await requestRun(
          tx,
          rows.map((row) => row.id),
          deps.clock.now(),
          full,
        );
        if (full)
          await appendEvents(tx, [
            {
              actor,
              action: 'sync.restarted',
              subject: { kind: 'connection', id: request.params.id },
              data: { streams: rows.map((row) => row.name) },
              at: deps.clock.now(),
            },
          ]);
        return rows.map((row) => row.name);
      });
      await bumpDue({ query: deps.db.statement }, tenantId, 'sync', deps.clock.now());
      await deps.queue.wake('sync', { tenantId });
      return reply.code(202).send({ streams: names });
    },
  );

  app.get(
    '/v1/parked',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sync'],
        summary: 'What could not be processed, with the reason',
        querystring: Type.Object({
          ...PageQuery.properties,
          kind: Type.Optional(Type.String({ maxLength: 20 })),
          streamId: Type.Optional(Type.String({ format: 'uuid' })),
        }),
        response: { 200: pageOf(ref(ParkedItem)) },
      },
    },
    async (request) => {
      const { cursor, limit, kind, streamId } = request.query;
      const before = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listParked(tx, {
          ...(kind ? { kind } : {}),
          ...(streamId ? { streamId } : {}),
          ...(before ? { before } : {}),
          limit: limit + 1,
        }),
      );
      return toPage(rows, limit, toParked);
    },
  );

  app.post(
    '/v1/parked/replay',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['sync'],
        summary: 'Try parked items again, newest first; nothing is triggered by it',
        body: Type.Object(
          {
            id: Type.Optional(Type.String({ format: 'uuid' })),
            kind: Type.Optional(Type.String({ maxLength: 20 })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Items of this batch' })),
            before: Type.Optional(Type.String({ format: 'uuid', description: '`next` of the batch before' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            tried: Type.Integer(),
            resolved: Type.Integer(),
            stillParked: Type.Integer(),
            left: Type.Integer({ description: 'Items not tried yet' }),
            next: Type.Union([Type.String({ format: 'uuid' }), Type.Null()], {
              description: 'Send it as `before` to go on; null: all were tried',
            }),
          }),
        },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      return replay(deps, tenantId, request.body, actor);
    },
  );

  app.delete(
    '/v1/parked/:id',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['sync'],
        summary: 'Close a parked item with a reason',
        params: IdParams,
        querystring: Type.Object({ reason: Type.String({ minLength: 3, maxLength: 500 }) }),
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      await deps.db.tenant(tenantId, async (tx) => {
        const item = await findParked(tx, request.params.id);
        if (!item || item.resolved_at) throw notFound('parked item', request.params.id);
        await resolveParked(tx, item.kind, [item.reference], `${actor}: ${request.query.reason}`, deps.clock.now());
        await appendEvents(tx, [
          {
            actor,
            action: 'parked.closed',
            subject: { kind: 'parked', id: item.id },
            data: { reason: request.query.reason },
            at: deps.clock.now(),
          },
        ]);
      });
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/imports/:object',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sync'],
        summary: 'Import a CSV file (multipart: file, and optionally mapping)',
        params: Type.Object({ object: Type.String({ maxLength: 50 }) }),
        consumes: ['multipart/form-data'],
        response: { 200: Type.Unknown() },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const folder = await mkdtemp(path.join(os.tmpdir(), 'rapport-import-'));
      try {
        const target = path.join(folder, 'upload.csv');
        let fileName: string | undefined;
        let mapping: string | undefined;
        for await (const part of request.parts({ limits: { fileSize: MAX_UPLOAD, files: 1, fields: 5 } })) {
          if (part.type === 'field') {
            if (part.fieldname === 'mapping') mapping = String(part.value);
            continue;
          }
          fileName = part.filename;
          await pipeline(part.file, createWriteStream(target));
          if (part.file.truncated)
            throw new Problem(413, 'too_large', `Files over HTTP may have ${MAX_UPLOAD / 1024 / 1024} MB.`, {
              fix: 'Use the command "rapport import" on the hub for larger ones.',
            });
        }
        if (!fileName) throw invalid('There is no file in the request.', [{ path: 'file', message: 'is missing' }]);
        const streams = deps.registry.find('csv')?.streams.map((stream) => stream.name) ?? [];
        return await importFile(deps, tenantId, {
          object: request.params.object,
          file: target,
          fileName: path.basename(fileName),
          mapping: mapping ? readImportMapping(mapping, 'mapping', streams) : undefined,
          actor,
        });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
}
