import type { Connector, PreparedRequest, RequestSpec } from '../kit/index.ts';
import type { Credential } from './credentials.ts';
import type { ConnectionDeps } from './deps.ts';
import type { ConnectionRow } from './store.ts';
import { originOf } from './vendors.ts';

const CALL_TIMEOUT_MS = 60_000;

/** A request with everything the transport needs: where it goes, and who it comes from. */
export function prepare(
  deps: ConnectionDeps,
  connector: Connector,
  connection: ConnectionRow,
  spec: RequestSpec,
  credential: Credential,
): PreparedRequest {
  const { auth } = connector;
  const headers: Record<string, string> = { ...spec.headers };
  if (!spec.anonymous) {
    if (auth.kind === 'oauth2') {
      if (credential.secrets.accessToken)
        headers.authorization = `${auth.scheme ?? 'Bearer'} ${credential.secrets.accessToken}`;
    } else Object.assign(headers, auth.headers?.(credential.secrets, connection.settings));
  }
  const host = spec.host ?? 'api';
  // A host left empty by the connector belongs to the connection: somebody typed it in, so it is guarded.
  const own = connector.hosts[host] === '';
  const known = { settings: connection.settings, secrets: credential.secrets };
  const origin = own ? String(connection.settings[host] ?? '') : originOf(deps.config, connector, host, known);
  return {
    ...spec,
    origin: origin.replace(/\/+$/, ''),
    headers,
    secrets: credential.secrets,
    settings: connection.settings,
    signal: AbortSignal.timeout(spec.timeoutMs ?? CALL_TIMEOUT_MS),
    guarded: own,
    allowedHosts: deps.config.allowPrivateHosts,
  };
}
