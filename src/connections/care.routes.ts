import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import { conflict, messageOf, notFound, stale } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, IdParams, ref, tag } from '../http/helpers.ts';
import { type Connector, VendorError } from '../kit/index.ts';
import { prepareAtVendor } from './connect.ts';
import { removeRoutes } from './coordinator.ts';
import { deleteCredential } from './credential.store.ts';
import { markConnection, readCredential } from './credentials.ts';
import type { ConnectionDeps } from './deps.ts';
import { toConnection } from './health.ts';
import { Connection } from './schema.ts';
import { openSession, sessionFor } from './session.ts';
import { type ConnectionRow, findConnection, noteAccount, setConnectionState, updateConnection } from './store.ts';
import { appCredentials, connectorOf } from './vendors.ts';

/** Looking after connections: testing, changing and ending them. */
export function connectionCareRoutes(app: App, deps: ConnectionDeps): void {
  const show = (row: ConnectionRow) => toConnection(deps.config, connectorOf(deps.registry, row.connector), row);
  const load = async (tenantId: string, id: string): Promise<ConnectionRow> => {
    const row = await deps.db.tenant(tenantId, (tx) => findConnection(tx, id));
    if (!row) throw notFound('connection', id);
    return row;
  };

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
          const account = await connector.account(session.ctx, { realmId: row.account_id ?? '' });
          await deps.db.tenant(tenantId, (tx) => noteAccount(tx, row.id, account));
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

  app.post(
    '/v1/connections/:id/prepare',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['connections'],
        summary:
          'Set up again what is needed at the platform: fields of ours, and where it can be done the address of webhooks',
        params: IdParams,
        response: { 200: ref(Connection) },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const row = await load(tenantId, request.params.id);
      const connector = connectorOf(deps.registry, row.connector);
      if (!connector.prepare)
        throw conflict(
          `There is nothing to set up at ${connector.name} by itself.`,
          'Its notes say what a person sets up there.',
        );
      if (row.state !== 'active') throw conflict(`The connection is ${row.state}.`, 'Make it usable first.');
      await prepareAtVendor(deps, tenantId, connector, row);
      await deps.db.tenant(tenantId, (tx) =>
        appendEvents(tx, [
          {
            actor,
            action: 'connection.prepared',
            subject: { kind: 'connection', id: row.id },
            data: { connector: connector.id },
            at: deps.clock.now(),
          },
        ]),
      );
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
}

/** Tells the platform that we give our access back. It may be gone already, which is as good. */
async function giveBack(deps: ConnectionDeps, tenantId: string, row: ConnectionRow): Promise<void> {
  const connector = connectorOf(deps.registry, row.connector);
  await release(deps, tenantId, connector, row);
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

/** Takes back what was set up at the platform; what cannot be taken back ends there by itself. */
async function release(
  deps: ConnectionDeps,
  tenantId: string,
  connector: Connector,
  row: ConnectionRow,
): Promise<void> {
  if (!connector.release || row.state !== 'active') return;
  const session = sessionFor(deps, tenantId, connector, row, 'action');
  try {
    await connector.release(session.ctx);
  } catch (error) {
    deps.log.info({ reason: messageOf(error), connector: connector.id }, 'what was set up there was not taken back');
  } finally {
    await session.close();
  }
}
