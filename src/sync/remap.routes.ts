import { Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { invalid } from '../base/errors.ts';
import { type Level, levelOfConnection, levelOfConnector, readOverride } from '../connections/mappings.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { listOverrides } from '../mapping/store.ts';
import type { SyncDeps } from './deps.ts';
import { previewMapping } from './remap/preview.ts';
import { MappingPreview, RemapRun, toRemapRun } from './remap/schema.ts';
import { applyMapping, rollBack } from './remap/start.ts';
import { listRuns } from './remap/store.ts';

const Params = Type.Object({ connector: Type.String({ maxLength: 50 }) });

const connectionId = Type.Optional(
  Type.String({
    format: 'uuid',
    description: 'Its own mapping; without it the one of every connection of the platform',
  }),
);
const Wanted = {
  override: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'The override as it would be' })),
  version: Type.Optional(Type.Integer({ minimum: 0, description: 'Instead: a version there was, 0 for none' })),
};

const Started = Type.Object({
  version: Type.Integer(),
  restored: Type.Optional(Type.Integer()),
  runs: Type.Array(Type.Object({ id: Type.String(), connectionId: Type.String() })),
});

const Version = Type.Object({
  version: Type.Integer(),
  restores: Type.Union([Type.Integer(), Type.Null()], { description: 'The earlier version it returned to' }),
  override: Type.Unknown(),
  by: Type.String(),
  at: Type.String({ format: 'date-time' }),
});

/** What a mapping would do to stored records, doing it, and taking it back. */
export function remapRoutes(app: App, deps: SyncDeps): void {
  /** @throws Problem when the connection is none of this platform */
  const levelOf = async (tx: Tx, connector: string, id: string | undefined): Promise<Level> => {
    const whole = levelOfConnector(deps, connector);
    if (id === undefined) return whole;
    const level = await levelOfConnection(tx, id);
    if (level.connector !== whole.connector)
      throw invalid(`The connection ${id} is one to ${level.connector}, not to ${whole.connector}.`, [
        { path: 'connectionId', message: `must be a connection to ${whole.connector}` },
      ]);
    return level;
  };
  const level = (tenantId: string, connector: string, id: string | undefined): Promise<Level> =>
    deps.db.tenant(tenantId, (tx) => levelOf(tx, connector, id));

  app.post(
    '/v1/mappings/:connector/preview',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['mapping'],
        summary: 'What a mapping would change in stored records: counts, and some before and after; writes nothing',
        params: Params,
        body: Type.Object(
          {
            connectionId,
            ...Wanted,
            rollback: Type.Optional(Type.Boolean({ description: 'What rolling back would do' })),
            ids: Type.Optional(
              Type.Record(Type.String(), Type.Array(Type.String({ maxLength: 500 }), { maxItems: 100 }), {
                description: 'Records to show by stream, whatever comes of them',
              }),
            ),
            sample: Type.Optional(
              Type.Integer({ minimum: 0, maximum: 50, description: 'Records to show of a stream' }),
            ),
            limit: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: 2_000_000,
                description: 'Records to look at in all; default 20,000',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: ref(MappingPreview) },
      },
    },
    async (request, reply) => {
      const { tenantId } = caller(request);
      const { connectionId: id, override, sample = 5, limit = 20_000, ...rest } = request.body;
      const target = await level(tenantId, request.params.connector, id);
      // Whoever does not wait for the answer does not need it.
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      return previewMapping(deps, tenantId, target, {
        ...rest,
        ...(override ? { override: readOverride(override) } : {}),
        sample,
        limit,
        signal: gone.signal,
      });
    },
  );

  app.post(
    '/v1/mappings/:connector/apply',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['mapping'],
        summary: 'Save an override and bring stored records through it; without one, through the mapping in force',
        params: Params,
        body: Type.Object({ connectionId, ...Wanted }, { additionalProperties: false }),
        response: { 202: Started },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { connectionId: id, override, version } = request.body;
      const target = await level(tenantId, request.params.connector, id);
      const started = await applyMapping(deps, tenantId, target, {
        ...(override ? { override: readOverride(override) } : {}),
        version,
        expected: expectedVersion(request),
        actor,
      });
      tag(reply, started.version);
      return reply.code(202).send(started);
    },
  );

  app.post(
    '/v1/mappings/:connector/rollback',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['mapping'],
        summary: 'Return to an earlier version of an override, and take back what came of those after it',
        params: Params,
        body: Type.Object(
          { connectionId, to: Type.Optional(Type.Integer({ minimum: 0, description: 'Default: the version before' })) },
          { additionalProperties: false },
        ),
        response: { 202: Started },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const target = await level(tenantId, request.params.connector, request.body.connectionId);
      const expected = expectedVersion(request);
      const started = await rollBack(deps, tenantId, target, { to: request.body.to, expected, actor });
      tag(reply, started.version);
      return reply.code(202).send(started);
    },
  );

  app.get(
    '/v1/mappings/:connector/versions',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['mapping'],
        summary: 'Every version of an override, newest first',
        params: Params,
        querystring: Type.Object({ connectionId }),
        response: { 200: Type.Object({ items: Type.Array(Version) }) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const target = await level(tenantId, request.params.connector, request.query.connectionId);
      const rows = await deps.db.tenant(tenantId, (tx) => listOverrides(tx, target.connector, target.connectionId));
      return {
        items: rows.map((row) => ({
          version: row.version,
          restores: row.restores ?? null,
          override: row.mapping,
          by: row.created_by,
          at: row.created_at.toISOString(),
        })),
      };
    },
  );

  app.get(
    '/v1/mappings/:connector/runs',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['mapping'],
        summary: 'Stored records being brought through a mapping: what is under way and what was, newest first',
        params: Params,
        querystring: Type.Object({ ...PageQuery.properties, connectionId }),
        response: { 200: pageOf(ref(RemapRun)) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const { cursor, limit, connectionId: id } = request.query;
      const before = cursorId(cursor);
      const { connector } = await level(tenantId, request.params.connector, id);
      const rows = await deps.db.tenant(tenantId, (tx) =>
        listRuns(tx, {
          connector,
          ...(id ? { connectionId: id } : {}),
          ...(before ? { before } : {}),
          limit: limit + 1,
        }),
      );
      return toPage(rows, limit, toRemapRun);
    },
  );
}
