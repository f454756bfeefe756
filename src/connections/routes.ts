import { Type } from 'typebox';
import { conflict, notFound } from '../base/errors.ts';
import { newToken } from '../base/ids.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams, ref, tag } from '../http/helpers.ts';
import type { Connector, OAuth2 } from '../kit/index.ts';
import { connectWithFields, type OnConnected } from './connect.ts';
import type { ConnectionDeps } from './deps.ts';
import { toConnection } from './health.ts';
import { OAUTH_COOKIE, startOAuth } from './oauth.ts';
import { ConnectAnswer, Connection, ConnectorInfo, ConnectRequest } from './schema.ts';
import { type ConnectionRow, callsOfDay, findConnection, listConnections } from './store.ts';
import { connectorOf, missingSecrets, usualFeatures } from './vendors.ts';

/** A connector as the catalogue shows it: derived from what it has. */
export function toConnectorInfo(deps: Pick<ConnectionDeps, 'config'>, connector: Connector) {
  const { auth } = connector;
  return {
    id: connector.id,
    name: connector.name,
    category: connector.category,
    api: connector.api ?? null,
    auth: auth.kind,
    configured: missingSecrets(deps.config, connector).length === 0,
    missingConfiguration: missingSecrets(deps.config, connector),
    fields: auth.fields ?? null,
    secretFields: auth.kind === 'oauth2' ? [] : [...auth.secret],
    features: Object.entries(auth.features).map(([id, feature]) => ({
      id,
      title: feature.title,
      scopes: [...feature.scopes],
      optional: feature.optional ?? false,
    })),
    reads: connector.streams.map((stream) => ({
      stream: stream.name,
      title: stream.title,
      entities: [...stream.entities],
      deletes: stream.deletes.kind === 'none' ? `none: ${stream.deletes.reason}` : stream.deletes.kind,
    })),
    listens: connector.webhooks !== undefined,
    acts: connector.actions.map((action) => ({
      kind: action.kind,
      title: action.title,
      idempotency: action.idempotency.kind,
    })),
    notes: [...(connector.notes ?? [])],
  };
}

/** What somebody entered to be sent to the vendor's page, for going there again. */
const enteredOf = (auth: OAuth2, { settings }: ConnectionRow): Record<string, unknown> =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => auth.fields && name in auth.fields.properties));

/** The catalogue of connectors, and the connections of a tenant. */
export function connectionRoutes(
  app: App,
  deps: ConnectionDeps & { onConnected: OnConnected; secureCookies: boolean },
): void {
  const show = (row: ConnectionRow) => toConnection(deps.config, connectorOf(deps.registry, row.connector), row);
  const load = async (tenantId: string, id: string): Promise<ConnectionRow> => {
    const row = await deps.db.tenant(tenantId, (tx) => findConnection(tx, id));
    if (!row) throw notFound('connection', id);
    return row;
  };

  app.get(
    '/v1/connectors',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['connections'],
        summary: 'Platforms that can be connected, and what each can do',
        response: { 200: Type.Object({ items: Type.Array(ref(ConnectorInfo)) }) },
      },
    },
    async () => ({
      items: deps.registry.all().map((connector) => toConnectorInfo(deps, connector)),
    }),
  );

  app.get(
    '/v1/connections',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['connections'],
        summary: 'Connections with their health in words',
        response: { 200: Type.Object({ items: Type.Array(ref(Connection)) }) },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, (tx) => listConnections(tx))).map(show),
    }),
  );

  app.get(
    '/v1/connections/:id',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['connections'],
        summary: 'One connection',
        params: IdParams,
        response: { 200: ref(Connection) },
      },
    },
    async (request, reply) => {
      const row = await load(caller(request).tenantId, request.params.id);
      tag(reply, row.version);
      return show(row);
    },
  );

  const start = async (
    tenantId: string,
    actor: string,
    body: {
      connector: string;
      features?: string[];
      settings?: Record<string, unknown>;
      connectionId?: string;
      returnTo?: string;
      name?: string;
    },
    browser: string | undefined,
  ) => {
    const connector = connectorOf(deps.registry, body.connector);
    const features = body.features ?? usualFeatures(connector);
    if (connector.auth.kind === 'oauth2') {
      const oauth = connector as Connector & { auth: OAuth2 };
      const { authorizeUrl } = await startOAuth(deps, tenantId, {
        connector: oauth,
        features,
        settings: body.settings ?? {},
        connectionId: body.connectionId,
        returnTo: body.returnTo,
        actor,
        browser,
      });
      return { authorizeUrl };
    }
    const row = await connectWithFields(
      deps,
      tenantId,
      connector,
      { fields: body.settings ?? {}, features, connectionId: body.connectionId, name: body.name, actor },
      deps.onConnected,
    );
    return { connection: show(row) };
  };

  app.post(
    '/v1/connections',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['connections'],
        summary: 'Connect a platform: by its own page (answers the address to open) or with keys',
        body: ref(ConnectRequest),
        response: { 200: ref(ConnectAnswer) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor, via } = caller(request);
      // A browser must come back as the one that left: the cookie travels with the top-level redirect.
      const browser = via === 'cookie' ? newToken() : undefined;
      const answer = await start(tenantId, actor, request.body, browser);
      if (browser)
        reply.setCookie(OAUTH_COOKIE, browser, {
          httpOnly: true,
          sameSite: 'lax',
          path: '/oauth',
          secure: deps.secureCookies,
          maxAge: 900,
        });
      return answer;
    },
  );

  app.post(
    '/v1/connections/:id/authorise',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['connections'],
        summary: 'A link to authorise a connection again; it can be sent to whoever has the rights',
        params: IdParams,
        response: { 200: ref(ConnectAnswer) },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const row = await load(tenantId, request.params.id);
      const connector = connectorOf(deps.registry, row.connector);
      if (connector.auth.kind !== 'oauth2')
        throw conflict(
          `${connector.name} is connected with keys.`,
          'Send the new keys to POST /v1/connections with this connectionId.',
        );
      return start(
        tenantId,
        actor,
        {
          connector: row.connector,
          features: row.features,
          settings: enteredOf(connector.auth, row),
          connectionId: row.id,
        },
        undefined,
      );
    },
  );

  app.get(
    '/v1/connections/:id/calls',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['connections'],
        summary: 'Calls made today, by purpose',
        params: IdParams,
        response: { 200: Type.Object({ day: Type.String(), purposes: Type.Record(Type.String(), Type.Integer()) }) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const row = await load(tenantId, request.params.id);
      const day = deps.clock.now().toISOString().slice(0, 10);
      const calls = await deps.db.tenant(tenantId, (tx) => callsOfDay(tx, row.id, day));
      return { day, purposes: Object.fromEntries(calls.map((call) => [call.purpose, call.calls])) };
    },
  );
}
