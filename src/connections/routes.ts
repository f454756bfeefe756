import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import { conflict, messageOf, notFound, stale } from '../base/errors.ts';
import { newToken } from '../base/ids.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, IdParams, ref, tag } from '../http/helpers.ts';
import { type Connector, type OAuth2, VendorError } from '../kit/index.ts';
import { connectWithFields, type OnConnected } from './connect.ts';
import { markConnection, readCredential } from './credentials.ts';
import type { ConnectionDeps } from './deps.ts';
import { toConnection } from './health.ts';
import { OAUTH_COOKIE, startOAuth } from './oauth.ts';
import { ConnectAnswer, Connection, ConnectorInfo, ConnectRequest } from './schema.ts';
import { openSession } from './session.ts';
import {
  type ConnectionRow,
  callsOfDay,
  deleteCredential,
  findConnection,
  listConnections,
  removeRoutes,
  setConnectionState,
  updateConnection,
} from './store.ts';
import { appCredentials, connectorOf, missingSecrets } from './vendors.ts';

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
    fields: auth.kind === 'oauth2' ? null : auth.fields,
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
    const features = body.features ?? Object.keys(connector.auth.features);
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
        { connector: row.connector, features: row.features, settings: {}, connectionId: row.id },
        undefined,
      );
    },
  );

  app.post(
    '/v1/connections/:id/test',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['connections'],
        summary: 'Ask the platform who we are, and put the answer into the health',
        params: IdParams,
        response: { 200: ref(Connection) },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      const row = await load(tenantId, request.params.id);
      const connector = connectorOf(deps.registry, row.connector);
      try {
        const session = await openSession(deps, tenantId, row.id, 'action', {
          evenIf: ['paused', 'needs_operator', 'needs_reauthorisation'],
        });
        try {
          await connector.account(session.ctx, { realmId: row.account_id ?? '' });
        } finally {
          await session.close();
        }
        await markConnection(deps, tenantId, row.id, 'active', null);
      } catch (error) {
        if (!(error instanceof VendorError)) throw error;
        request.log.info({ reason: messageOf(error) }, 'a connection test failed');
      }
      return show(await load(tenantId, row.id));
    },
  );

  app.patch(
    '/v1/connections/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['connections'],
        summary: 'Rename a connection or change its settings',
        params: IdParams,
        body: Type.Object(
          {
            name: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
            settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          },
          { additionalProperties: false },
        ),
        response: { 200: ref(Connection) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const row = await load(tenantId, request.params.id);
      const expected = expectedVersion(request);
      await deps.db.tenant(tenantId, async (tx) => {
        const settings = { ...row.settings, ...request.body.settings };
        if (
          !(await updateConnection(tx, row.id, {
            name: request.body.name ?? row.name,
            settings,
            expected,
            now: deps.clock.now(),
          }))
        )
          throw stale('connection');
        await appendEvents(tx, [
          {
            actor,
            action: 'connection.changed',
            subject: { kind: 'connection', id: row.id },
            data: { name: request.body.name ?? row.name },
            at: deps.clock.now(),
          },
        ]);
      });
      const after = await load(tenantId, row.id);
      tag(reply, after.version);
      return show(after);
    },
  );

  app.delete(
    '/v1/connections/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['connections'],
        summary: 'Disconnect: our access is given back, what was read stays',
        params: IdParams,
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const row = await load(tenantId, request.params.id);
      await giveBack(deps, tenantId, row);
      await deps.db.tenant(tenantId, async (tx) => {
        await setConnectionState(tx, row.id, 'revoked', 'Disconnected here.', deps.clock.now());
        await deleteCredential(tx, row.id);
        await tx.query("update stream set state = 'off' where tenant_id = $1 and connection_id = $2", [
          tenantId,
          row.id,
        ]);
        await appendEvents(tx, [
          {
            actor,
            action: 'connection.revoked',
            subject: { kind: 'connection', id: row.id },
            data: { connector: row.connector },
            at: deps.clock.now(),
          },
        ]);
      });
      await removeRoutes({ query: deps.db.statement }, row.id);
      return reply.code(204).send();
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

/** Tells the platform that we give our access back. It may be gone already, which is as good. */
async function giveBack(deps: ConnectionDeps, tenantId: string, row: ConnectionRow): Promise<void> {
  const connector = connectorOf(deps.registry, row.connector);
  if (connector.auth.kind !== 'oauth2' || !connector.auth.revoke) return;
  try {
    const { secrets } = await readCredential(deps, tenantId, row.id);
    const spec = connector.auth.revoke(
      secrets.refreshToken ?? secrets.accessToken ?? '',
      appCredentials(deps.config, connector),
    );
    const session = await openSession(deps, tenantId, row.id, 'action', { evenIf: [row.state] });
    try {
      await session.call(spec);
    } finally {
      await session.close();
    }
  } catch (error) {
    deps.log.info(
      { reason: messageOf(error), connector: connector.id },
      'giving back access was not confirmed by the platform',
    );
  }
}
