import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import { invalid, notFound, stale } from '../base/errors.ts';
import type { ConnectionDeps } from '../connections/deps.ts';
import { findConnection } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, IdParams, ref, tag } from '../http/helpers.ts';
import { ENTITIES } from '../kit/index.ts';
import { compileMapping } from './compile.ts';
import { defaultMapping, overlay, shapeErrors } from './load.ts';
import { MappingFile, MappingOverride } from './schema.ts';
import { listFields, loadOverrides, saveOverride } from './store.ts';

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

/** Mappings of a connection, the native fields that can be mapped, and the canonical model. */
export function mappingRoutes(app: App, deps: ConnectionDeps): void {
  const load = (tenantId: string, id: string) =>
    deps.db.tenant(tenantId, async (tx) => {
      const connection = await findConnection(tx, id);
      if (!connection) throw notFound('connection', id);
      const overrides = await loadOverrides(tx, connection.connector, id);
      const own = overrides.find((row) => row.connection_id === id);
      const effective = overrides.reduce(
        (file, row) => overlay(file, row.mapping),
        defaultMapping(connection.connector),
      );
      return { connection, own, effective };
    });

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

  app.get(
    '/v1/connections/:id/mapping',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['mapping'],
        summary: 'How records of a connection become canonical ones',
        params: IdParams,
        response: { 200: Answer },
      },
    },
    async (request, reply) => {
      const { connection, own, effective } = await load(caller(request).tenantId, request.params.id);
      tag(reply, own?.version ?? 0);
      return { connector: connection.connector, override: own?.mapping ?? {}, version: own?.version ?? 0, effective };
    },
  );

  app.put(
    '/v1/connections/:id/mapping',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['mapping'],
        summary: 'Override the mapping of a connection; mistakes are named with their path',
        params: IdParams,
        body: Type.Record(Type.String(), Type.Unknown()),
        response: { 200: Answer },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { connection, own, effective: _before } = await load(tenantId, request.params.id);
      const expected = expectedVersion(request);
      const override = request.body as MappingOverride;
      const errors = shapeErrors(MappingOverride, override);
      if (errors.length > 0)
        throw invalid(
          `The override does not have the form of a mapping: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
          errors,
        );
      const effective = overlay(defaultMapping(connection.connector), override);
      const connector = connectorOf(deps.registry, connection.connector);
      const compiled = compileMapping(
        effective,
        connector.streams.map((stream) => stream.name),
      );
      if (compiled.errors.length > 0)
        throw invalid(
          `The mapping has mistakes: ${compiled.errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
          compiled.errors,
        );
      const now = deps.clock.now();
      const version = await deps.db.tenant(tenantId, async (tx) => {
        const saved = await saveOverride(
          tx,
          { connector: connector.id, connectionId: connection.id, mapping: override, by: actor, at: now },
          expected === 0 ? undefined : expected,
        );
        if (saved === undefined) throw stale('mapping');
        await appendEvents(tx, [
          {
            actor,
            action: 'mapping.changed',
            subject: { kind: 'connection', id: connection.id },
            data: { version: saved, before: own?.mapping ?? {}, after: override },
            at: now,
          },
        ]);
        return saved;
      });
      tag(reply, version);
      return { connector: connection.connector, override, version, effective };
    },
  );

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
      const { effective } = await load(tenantId, request.params.id);
      const { stream } = request.params;
      const paths = new Set(compileMapping(effective).mapping.streams.get(stream)?.paths ?? []);
      const rows = await deps.db.tenant(tenantId, async (tx) => {
        const { rows: found } = await tx.query<{ id: string }>(
          'select id from stream where tenant_id = $1 and connection_id = $2 and name = $3',
          [tenantId, request.params.id, stream],
        );
        if (!found[0]) throw notFound('stream', stream);
        return listFields(tx, found[0].id);
      });
      return {
        items: rows.map((row) => ({
          name: row.name,
          label: row.label,
          type: row.type,
          options: row.options,
          custom: row.custom,
          mapped: [...paths].some((path) => path === row.name || path.endsWith(`.${row.name}`)),
          gone: row.gone_at !== null,
        })),
      };
    },
  );
}
