import * as oauth from 'oauth4webapi';
import { appendEvents } from '../audit/store.ts';
import { messageOf } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import {
  type AppCredentials,
  type Connector,
  type OAuth2,
  type Reply,
  readTokenAnswer,
  type Secrets,
  type TokenAnswer,
  VendorError,
} from '../kit/index.ts';
import type { ConnectionDeps } from './deps.ts';
import {
  dropLease,
  findConnection,
  loadCredential,
  putCredential,
  setConnectionState,
  settleLease,
  takeLease,
} from './store.ts';
import { appCredentials, originOf } from './vendors.ts';

/** Refresh this long before the end, so that a page of calls does not run into it. */
const MARGIN_MS = 120_000;
/** Longer than the token call may take: a lease must not end under a running refresh. */
const LEASE_MS = 60_000;
const TOKEN_TIMEOUT_MS = 20_000;
const WAIT_MS = 50;

export interface Credential {
  secrets: Secrets;
  expiresAt: Date | undefined;
  version: number;
}

const context = (tenantId: string, connectionId: string): string => `credential ${tenantId} ${connectionId}`;

/** Encrypts and stores the secrets of a fresh authorisation, over whatever was there. */
export async function storeSecrets(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
  secrets: Secrets,
  expiresAt: Date | undefined,
): Promise<void> {
  const sealed = deps.keyring.seal(JSON.stringify(secrets), context(tenantId, connectionId));
  await deps.db.tenant(tenantId, (tx) => putCredential(tx, connectionId, sealed, expiresAt ?? null, deps.clock.now()));
}

/** @throws VendorError `auth_revoked` when the connection has no credential any more */
export async function readCredential(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
): Promise<Credential & { leaseUntil: Date | undefined }> {
  const row = await deps.db.tenant(tenantId, (tx) => loadCredential(tx, connectionId));
  if (!row) throw new VendorError('auth_revoked', 'This connection has no credentials any more. Connect it again.');
  const secrets = JSON.parse(deps.keyring.open(row.sealed, context(tenantId, connectionId))) as Secrets;
  return {
    secrets,
    expiresAt: row.expires_at ?? undefined,
    version: row.version,
    leaseUntil: row.lease_until ?? undefined,
  };
}

/**
 * A credential that is good for the next calls. When it is about to end (or `rejected` says the vendor refused that
 * version) exactly one process refreshes it, under a lease row; the others wait and read the result. No lock is held
 * across the call, and nobody ever refreshes without the lease.
 */
export async function freshCredential(
  deps: ConnectionDeps,
  connector: Connector,
  tenantId: string,
  connectionId: string,
  rejected?: number,
): Promise<Credential> {
  const owner = `${deps.processId}:${newId()}`;
  for (;;) {
    const credential = await readCredential(deps, tenantId, connectionId);
    const now = deps.clock.now();
    const refused = rejected !== undefined && credential.version === rejected;
    const ending = credential.expiresAt !== undefined && credential.expiresAt.getTime() - now.getTime() < MARGIN_MS;
    if (connector.auth.kind !== 'oauth2' || (!refused && !ending)) return credential;
    if (!credential.secrets.refreshToken) {
      // Nothing to refresh with: good until the vendor says otherwise.
      if (!refused) return credential;
      throw await revoked(deps, tenantId, connectionId, 'The platform no longer accepts the access it gave.');
    }
    const lease = { owner, until: new Date(now.getTime() + LEASE_MS), version: credential.version, now };
    const mine = await deps.db.tenant(tenantId, (tx) => takeLease(tx, connectionId, lease));
    if (mine) return refreshUnderLease(deps, connector, connector.auth, tenantId, connectionId, credential, owner);
    await deps.clock.sleep(WAIT_MS);
  }
}

async function refreshUnderLease(
  deps: ConnectionDeps,
  connector: Connector,
  auth: OAuth2,
  tenantId: string,
  connectionId: string,
  credential: Credential,
  owner: string,
): Promise<Credential> {
  let answer: TokenAnswer | { error: string; description: string };
  try {
    answer = await refreshRequest(deps, connector, auth, credential.secrets.refreshToken!);
  } catch (error) {
    await deps.db.tenant(tenantId, (tx) => dropLease(tx, connectionId, owner));
    throw error instanceof VendorError
      ? error
      : new VendorError('transient', `Refreshing the access to ${connector.name} failed: ${messageOf(error)}`, {
          cause: error,
        });
  }
  if ('error' in answer) {
    await deps.db.tenant(tenantId, (tx) => dropLease(tx, connectionId, owner));
    if (/invalid_client|unauthorized_client/.test(answer.error)) {
      throw new VendorError(
        'operator',
        `${connector.name} does not accept this hub's registration (${answer.error}). Check ${auth.app.clientId} and ${auth.app.clientSecret}.`,
      );
    }
    throw await revoked(deps, tenantId, connectionId, `${connector.name} ended the access (${answer.error}).`);
  }
  const secrets = {
    ...credential.secrets,
    ...secretsOf(auth, answer),
    refreshToken: answer.refreshToken ?? credential.secrets.refreshToken!,
  };
  const expiresAt = expiry(deps, answer);
  const sealed = deps.keyring.seal(JSON.stringify(secrets), context(tenantId, connectionId));
  const settled = await deps.db.tenant(tenantId, (tx) =>
    settleLease(tx, connectionId, {
      owner,
      version: credential.version,
      sealed,
      expiresAt: expiresAt ?? null,
      now: deps.clock.now(),
    }),
  );
  // A person connected anew meanwhile: theirs is the newer one.
  if (!settled) return readCredential(deps, tenantId, connectionId);
  return { secrets, expiresAt, version: credential.version + 1 };
}

/** Marks the connection so that a person is asked, and returns the error to throw. */
async function revoked(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
  message: string,
): Promise<VendorError> {
  await markConnection(deps, tenantId, connectionId, 'needs_reauthorisation', message);
  return new VendorError('auth_revoked', `${message} Authorise the connection again.`);
}

/** Changes the state of a connection and tells the audit trail, once. */
export async function markConnection(
  deps: Pick<ConnectionDeps, 'db' | 'clock'>,
  tenantId: string,
  connectionId: string,
  state: 'active' | 'needs_reauthorisation' | 'needs_operator' | 'paused' | 'revoked',
  reason: string | null,
): Promise<void> {
  await deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    const before = await findConnection(tx, connectionId);
    if (!before || !(await setConnectionState(tx, connectionId, state, reason, now))) return;
    await appendEvents(tx, [
      {
        actor: 'system',
        action: `connection.${state}`,
        subject: { kind: 'connection', id: connectionId },
        data: { connector: before.connector, reason, before: before.state },
        at: now,
      },
    ]);
  });
}

/** What of a token answer is kept: tokens and the fields the connector names. */
export function secretsOf(auth: OAuth2, answer: TokenAnswer): Secrets {
  const kept = Object.fromEntries(
    (auth.keep ?? []).filter((name) => answer.raw[name] !== undefined).map((name) => [name, String(answer.raw[name])]),
  );
  return {
    ...kept,
    accessToken: answer.accessToken,
    ...(answer.refreshToken ? { refreshToken: answer.refreshToken } : {}),
  };
}

export const expiry = (deps: Pick<ConnectionDeps, 'clock'>, answer: TokenAnswer): Date | undefined =>
  answer.expiresInSeconds === undefined
    ? undefined
    : new Date(deps.clock.now().getTime() + answer.expiresInSeconds * 1000);

interface OAuthClient {
  server: oauth.AuthorizationServer;
  client: oauth.Client;
  clientAuth: oauth.ClientAuth;
  options: oauth.TokenEndpointRequestOptions;
}

/** Our registration at the vendor in the form the OAuth library wants; its requests go through the kit's transport. */
export function oauthClient(
  deps: ConnectionDeps,
  connector: Connector,
  auth: OAuth2,
  app: AppCredentials,
): OAuthClient {
  const token = `${originOf(deps.config, connector, auth.token.host)}${auth.token.path}`;
  return {
    server: { issuer: new URL(token).origin, token_endpoint: token },
    client: { client_id: app.clientId },
    clientAuth: auth.clientAuth === 'basic' ? basicPlain(app) : oauth.ClientSecretPost(app.clientSecret),
    options: {
      headers: { accept: 'application/json', ...auth.token.headers },
      // A simulated vendor on this machine speaks plain HTTP; the vendors' own addresses are https.
      [oauth.allowInsecureRequests]: token.startsWith('http://'),
      [oauth.customFetch]: (url, init) => sendThroughKit(deps, url, init),
    },
  };
}

/** HTTP Basic without the form-encoding of RFC 6749: vendors compare with the plain values. */
const basicPlain =
  (app: AppCredentials): oauth.ClientAuth =>
  (_server, _client, _body, headers) => {
    headers.set('authorization', `Basic ${Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64')}`);
  };

async function sendThroughKit(
  deps: ConnectionDeps,
  url: string,
  init: { method: string; body?: unknown; headers: Record<string, string> },
): Promise<Response> {
  const target = new URL(url);
  const reply = await deps.http({
    method: init.method as 'POST',
    origin: target.origin,
    path: `${target.pathname}${target.search}`,
    headers: init.headers,
    bytes: { type: 'application/x-www-form-urlencoded;charset=UTF-8', data: Buffer.from(String(init.body ?? '')) },
    expect: 'text',
    timeoutMs: TOKEN_TIMEOUT_MS,
    secrets: {},
    settings: {},
    signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
    guarded: false,
    allowedHosts: [],
  });
  return new Response(reply.status === 204 ? null : String(reply.body), {
    status: reply.status,
    headers: reply.headers,
  });
}

/** The answer of a token endpoint, read by the tolerant reader of the kit. */
export async function tokenAnswer(
  auth: OAuth2,
  response: Response,
): Promise<TokenAnswer | { error: string; description: string }> {
  const text = await response.text();
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Some vendors answer a refusal with HTML; the status then tells.
  }
  const reply: Reply = { status: response.status, headers: Object.fromEntries(response.headers), body };
  if (response.status >= 500 || response.status === 429) {
    throw new VendorError('transient', `The token endpoint answered with status ${response.status}.`, {
      status: response.status,
    });
  }
  return readTokenAnswer(auth, reply);
}

async function refreshRequest(
  deps: ConnectionDeps,
  connector: Connector,
  auth: OAuth2,
  refreshToken: string,
): Promise<TokenAnswer | { error: string; description: string }> {
  const { server, client, clientAuth, options } = oauthClient(
    deps,
    connector,
    auth,
    appCredentials(deps.config, connector),
  );
  return tokenAnswer(auth, await oauth.refreshTokenGrantRequest(server, client, clientAuth, refreshToken, options));
}
