import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { type FieldError, invalid, notFound, stale } from '../base/errors.ts';
import type { ConnectionDeps } from '../connections/deps.ts';
import { findConnection, listConnections } from '../connections/store.ts';
import { connectorOf } from '../connections/vendors.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, IdParams, ref, tag } from '../http/helpers.ts';
import { ENTITIES } from '../kit/index.ts';
import { compileMapping } from './compile.ts';
import { defaultMapping, overlay, shapeErrors } from './load.ts';
import { MappingFile, MappingOverride } from './schema.ts';
import { listFields, loadOverrides, saveOverride, WHOLE_TENANT } from './store.ts';

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

const listed = (errors: readonly FieldError[]): string =>
  errors.map((error) => `${error.path} ${error.message}`).join('; ');

/** How much an override applies to: one connection, or every connection of a connector. */
interface Level {
  connector: string;
  connectionId: string;
  subject: { kind: string; id: string };
}

/** Mappings on their three levels, the native fields that can be mapped, and the canonical model. */
export function mappingRoutes(app: App, deps: ConnectionDeps): void {
  const ofConnection = async (tx: Tx, id: string): Promise<Level> => {
    const connection = await findConnection(tx, id);
    if (!connection) throw notFound('connection', id);
    return { connector: connection.connector, connectionId: id, subject: { kind: 'connection', id } };
  };
  const ofConnector = async (_tx: Tx, id: string): Promise<Level> => ({
    connector: connectorOf(deps.registry, id).id,
    connectionId: WHOLE_TENANT,
    subject: { kind: 'connector', id },
  });

  const load = async (tx: Tx, level: Level) => {
    const overrides = await loadOverrides(tx, level.connector, level.connectionId);
    const own = overrides.find((row) => row.connection_id === level.connectionId);
    const below = overrides.filter((row) => row !== own).map((row) => row.mapping);
    return { own, below: below.reduce<MappingFile>(overlay, defaultMapping(level.connector)) };
  };

  /** The mapping with an override laid over it. @throws Problem naming every mistake with its path */
  const checked = (connectorId: string, below: MappingFile, override: MappingOverride): MappingFile => {
    const effective = overlay(below, override);
    const streams = connectorOf(deps.registry, connectorId).streams.map((stream) => stream.name);
    const { errors } = compileMapping(effective, streams);
    if (errors.length > 0) throw invalid(`The mapping has mistakes: ${listed(errors)}`, errors);
    return effective;
  };

  const save = async (tx: Tx, level: Level, override: MappingOverride, expected: number, actor: string) => {
    const { own, below } = await load(tx, level);
    const effective = checked(level.connector, below, override);
    if (level.connectionId === WHOLE_TENANT) {
      // What a single connection changes is laid over this: together they must work, too.
      for (const connection of await listConnections(tx)) {
        if (connection.connector !== level.connector) continue;
        const last = (await loadOverrides(tx, level.connector, connection.id)).at(-1);
        if (last?.connection_id === connection.id) checked(level.connector, effective, last.mapping);
      }
    }
    const at = deps.clock.now();
    const { connector, connectionId, subject } = level;
    const version = await saveOverride(
      tx,
      { connector, connectionId, mapping: override, by: actor, at },
      expected === 0 ? undefined : expected,
    );
    if (version === undefined) throw stale('mapping');
    const data = { version, before: own?.mapping ?? {}, after: override };
    await appendEvents(tx, [{ actor, action: 'mapping.changed', subject, data, at }]);
    return { connector, override, version, effective };
  };

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
      levelOf: ofConnection,
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
          return { level: found, ...(await load(tx, found)) };
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
        const errors = shapeErrors(MappingOverride, request.body);
        if (errors.length > 0)
          throw invalid(`The override does not have the form of a mapping: ${listed(errors)}`, errors);
        const answer = await deps.db.tenant(tenantId, async (tx) =>
          save(tx, await levelOf(tx, request.params.id), request.body as MappingOverride, expected, actor),
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
        const { own, below } = await load(tx, await ofConnection(tx, request.params.id));
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
