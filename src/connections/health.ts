import type { Config } from '../base/config.ts';
import type { Connector } from '../kit/index.ts';
import type { Connection } from './schema.ts';
import type { ConnectionRow } from './store.ts';
import { scopesOf } from './tokens.ts';
import { webhookUrl } from './vendors.ts';

/** Scopes switched-on features need and the account did not grant. */
export function missingScopes(connector: Connector, row: ConnectionRow): string[] {
  if (connector.auth.kind !== 'oauth2' || row.granted_scopes.length === 0) return [];
  const { required, optional } = scopesOf(connector.auth, row.features);
  return [...required, ...optional].filter((scope) => !row.granted_scopes.includes(scope));
}

/** Where the connector can enter our address at the vendor itself, that; else what there is to see. */
const silenceAction = (connector: Connector, row: ConnectionRow): NonNullable<Connection['health']['action']> =>
  connector.webhooks?.subscribes && connector.prepare
    ? { label: 'Set up again', method: 'POST', path: `/v1/connections/${row.id}/prepare` }
    : { label: 'See what arrives', method: 'GET', path: `/v1/connections/${row.id}/webhooks` };

/** How a connection is, in words, with the one thing to do about it. */
export function healthOf(connector: Connector, row: ConnectionRow): Connection['health'] {
  const again = { label: 'Authorise again', method: 'POST', path: `/v1/connections/${row.id}/authorise` };
  const since = row.state_since.toISOString().slice(0, 16).replace('T', ' ');
  switch (row.state) {
    case 'active': {
      const missing = missingScopes(connector, row);
      const connected = `${connector.name} is connected as ${row.account.name ?? row.name}.`;
      if (missing.length === 0 && row.notice === null && row.waiting !== null)
        return {
          ok: false,
          sentence: `${connected} ${row.waiting}`,
          action: {
            label: 'Look at what waits',
            method: 'GET',
            path: `/v1/deletions?state=held&connectionId=${row.id}`,
          },
        };
      if (missing.length === 0 && row.notice === null && row.silent !== null)
        return { ok: false, sentence: `${connected} ${row.silent}`, action: silenceAction(connector, row) };
      if (missing.length === 0)
        return row.notice === null
          ? { ok: true, sentence: connected, action: null }
          : { ok: false, sentence: `${connected} Not set up: ${row.notice}`, action: again };
      return {
        ok: false,
        sentence: `${connector.name} works, but some switched-on features lack permission (${missing.join(', ')}).`,
        action: again,
      };
    }
    case 'connecting':
      return { ok: false, sentence: `${connector.name} is being connected.`, action: null };
    case 'needs_reauthorisation':
      return {
        ok: false,
        sentence: `${connector.name} has not let us in since ${since} UTC: ${row.reason ?? 'access ended'} Nothing is lost; work for it waits.`,
        action: again,
      };
    case 'needs_operator':
      return {
        ok: false,
        sentence: `${connector.name} refuses this hub since ${since} UTC: ${row.reason ?? ''} Whoever runs the hub must look at its registration.`,
        action: null,
      };
    case 'paused':
      return {
        ok: false,
        sentence: `${connector.name} is paused since ${since} UTC: ${row.reason ?? ''} Work for it waits.`,
        action: { label: 'Check now', method: 'POST', path: `/v1/connections/${row.id}/test` },
      };
    case 'revoked':
      return { ok: false, sentence: `${connector.name} was disconnected on ${since} UTC.`, action: null };
  }
}

export const toConnection = (config: Config, connector: Connector, row: ConnectionRow): Connection => ({
  id: row.id,
  connector: row.connector,
  name: row.name,
  account: {
    id: row.account_id,
    name: row.account.name ?? null,
    ...(row.account.timeZone ? { timeZone: row.account.timeZone } : {}),
    ...(row.account.currency ? { currency: row.account.currency } : {}),
    ...(row.account.url ? { url: row.account.url } : {}),
  },
  features: row.features,
  missingScopes: missingScopes(connector, row),
  settings: row.settings,
  state: row.state,
  health: healthOf(connector, row),
  lastOkAt: row.last_ok_at?.toISOString() ?? null,
  webhookUrl: webhookUrl(config, connector, row.id),
  createdAt: row.created_at.toISOString(),
  version: row.version,
});
