import { expect } from 'vitest';
import { decideOnPage } from '../../src/kit/sandbox/index.ts';
import type { Answer } from '../support/hub.ts';
import type { Connected, World } from './case.ts';

type Row = Record<string, any>;

export const connectionOf = async ({ api, connection }: Connected): Promise<Row> =>
  (await api('GET', `/v1/connections/${connection.id}`)).body;

/** Enters what a person would enter at the hub. */
export const enterKeys = (world: World, at: Pick<Connected, 'api'> = world, more: Row = {}): Promise<Answer> =>
  at.api('POST', '/v1/connections', {
    connector: world.connector.id,
    settings: world.vendor.credentials ?? {},
    ...more,
  });

/** Authorises the connection of a world again, as its owner does when asked to. */
export async function authoriseAgain(world: World): Promise<void> {
  const { api, connection, connector } = world;
  if (connector.auth.kind !== 'oauth2') {
    const { status, body } = await enterKeys(world, world, { connectionId: connection.id });
    if (status !== 200) throw new Error(`Entering the keys again failed: ${JSON.stringify(body)}`);
    return;
  }
  const { body } = await api('POST', `/v1/connections/${connection.id}/authorise`);
  const page = await decideOnPage(body.authorizeUrl, 'allow');
  if (page.status !== 200) throw new Error(`Authorising again failed: ${page.body}`);
}

/** The one action or stream with which something is tried that is the same for all. */
export const readStream = ({ trial, connector }: Pick<World, 'trial' | 'connector'>): string | undefined =>
  connector.streams.find(({ name, list }) => list && trial.streams[name])?.name;

/** After a while the hub holds these records of a stream, each once. */
export async function expectRead(world: World, stream: string, ids: readonly string[]): Promise<void> {
  const { hub, tenantId, connection, api } = world;
  await api('POST', `/v1/connections/${connection.id}/sync`, {});
  await hub.settle();
  const { rows } = await hub.hub.db.tenant(tenantId, (tx) =>
    tx.query<{ remote_id: string }>(
      `select r.remote_id from source_record r join stream s on s.tenant_id = r.tenant_id and s.id = r.stream_id
       where r.tenant_id = $1 and s.connection_id = $2 and s.name = $3`,
      [tenantId, connection.id, stream],
    ),
  );
  const held = new Set(rows.map((row) => row.remote_id));
  expect(held.size, stream).toBe(rows.length);
  expect(
    ids.filter((id) => !held.has(id)),
    `${stream} lacks`,
  ).toEqual([]);
}

/** What the vendor was asked since a moment before, as `METHOD /path`; keeping the access alive is no question. */
export const callsSince = ({ trial, connector }: World, before: number): string[] =>
  trial
    .calls()
    .slice(before)
    .map(({ call }) => call)
    .filter((call) => connector.auth.kind !== 'oauth2' || !call.endsWith(connector.auth.token.path));
