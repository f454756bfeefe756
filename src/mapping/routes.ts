import { Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import type { ConnectionDeps } from '../connections/deps.ts';
import {
  type Level,
  levelOfConnection,
  levelOfConnector,
  loadLevel,
  readOverride,
  saveMapping,
} from '../connections/mappings.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, IdParams, ref, tag } from '../http/helpers.ts';
import { ENTITIES } from '../kit/index.ts';
import { compileMapping } from './compile.ts';
import { overlay } from './load.ts';
import { MappingFile, MappingOverride } from './schema.ts';
import { listFields } from './store.ts';

const Answer = Type.Object({
  connector: Type.String(),
  override: ref(MappingOverride),
  version: Type.Integer({ description: '0 while there is no override' }),
  effective: ref(MappingFile),
});

const Field = Type.Object({
  name: Type.String(),
  label: Type.String(),
  type: Type.String(),
  options: Type.Unknown(),
  custom: Type.Boolean(),
  mapped: Type.Boolean({ description: 'Whether the mapping reads it' }),
  gone: Type.Boolean(),
});

/** Mappings on their three levels, the native fields that can be mapped, and the canonical model. */
export function mappingRoutes(app: App, deps: ConnectionDeps): void {
  const ofConnector = async (_tx: Tx, id: string): Promise<Level> => levelOfConnector(deps, id);

  app.get(
    '/v1/model',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['mapping'],
        summary: 'The canonical model: every kind with its fields and words',
        response: { 200: Type.Unknown() },
      },
    },
    async () => ENTITIES,
  );

  const levels = [
    {
      url: '/v1/connections/:id/mapping',
      params: IdParams,
      levelOf: levelOfConnection,
      of: 'a connection',
    },
    {
      url: '/v1/connectors/:id/mapping',
      params: Type.Object({ id: Type.String({ maxLength: 50 }) }),
      levelOf: ofConnector,
      of: 'every connection of a platform',
    },
  ];
  for (const { url, params, levelOf, of } of levels) {
    app.get(
      url,
      {
        config: { permission: 'read' },
        schema: {
          tags: ['mapping'],
          summary: `How records of ${of} become canonical ones`,
          params,
          response: { 200: Answer },
        },
      },
      async (request, reply) => {
        const { tenantId } = caller(request);
        const { level, own, below } = await deps.db.tenant(tenantId, async (tx) => {
          const found = await levelOf(tx, request.params.id);
          return { level: found, ...(await loadLevel(tx, found)) };
        });
        const override = own?.mapping ?? {};
        tag(reply, own?.version ?? 0);
        return {
          connector: level.connector,
          override,
          version: own?.version ?? 0,
          effective: overlay(below, override),
        };
      },
    );

    app.put(
      url,
      {
        config: { permission: 'integrate' },
        schema: {
          tags: ['mapping'],
          summary: `Override the mapping of ${of}; mistakes are named with their path`,
          params,
          body: Type.Record(Type.String(), Type.Unknown()),
          response: { 200: Answer },
        },
      },
      async (request, reply) => {
        const { tenantId, actor } = caller(request);
        const expected = expectedVersion(request);
        const override = readOverride(request.body);
        const answer = await deps.db.tenant(tenantId, async (tx) =>
          saveMapping(deps, tx, await levelOf(tx, request.params.id), { override, expected, actor }),
        );
        tag(reply, answer.version);
        return answer;
      },
    );
  }

  app.get(
    '/v1/connections/:id/fields/:stream',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['mapping'],
        summary: "The platform's own fields of a stream, custom ones included",
        params: Type.Object({ ...IdParams.properties, stream: Type.String({ maxLength: 50 }) }),
        response: { 200: Type.Object({ items: Type.Array(Field) }) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const { stream } = request.params;
      const { rows, paths } = await deps.db.tenant(tenantId, async (tx) => {
        const { own, below } = await loadLevel(tx, await levelOfConnection(tx, request.params.id));
        const effective = overlay(below, own?.mapping ?? {});
        const { rows: found } = await tx.query<{ id: string }>(
          'select id from stream where tenant_id = $1 and connection_id = $2 and name = $3',
          [tenantId, request.params.id, stream],
        );
        if (!found[0]) throw notFound('stream', stream);
        return {
          rows: await listFields(tx, found[0].id),
          paths: compileMapping(effective).mapping.streams.get(stream)?.paths ?? [],
        };
      });
      return {
        items: rows.map((row) => ({
          name: row.name,
          label: row.label,
          type: row.type,
          options: row.options,
          custom: row.custom,
          mapped: paths.some((path) => path === row.name || path.endsWith(`.${row.name}`)),
          gone: row.gone_at !== null,
        })),
      };
    },
  );
}
