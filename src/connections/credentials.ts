import { appendEvents } from '../audit/store.ts';
import { messageOf } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { type Connector, type OAuth2, type Secrets, type TokenAnswer, VendorError } from '../kit/index.ts';
import {
  dropLease,
  loadCredential,
  putCredential,
  replaceSecrets,
  settleLease,
  takeLease,
} from './credential.store.ts';
import type { ConnectionDeps } from './deps.ts';
import { findConnection, setConnectionState } from './store.ts';
import { expiry, refreshRequest, secretsOf } from './tokens.ts';

/** Refresh this long before the end, so that a page of calls does not run into it. */
const MARGIN_MS = 120_000;

/** Longer than the token call may take: a lease must not end under a running refresh. */
const LEASE_MS = 60_000;

const WAIT_MS = 50;

export interface Credential {
  secrets: Secrets;
  expiresAt: Date | undefined;
  version: number;
}

/** What the credential of a connection is sealed for; another connection's does not open. */
export const credentialContext = (tenantId: string, connectionId: string): string =>
  `credential ${tenantId} ${connectionId}`;

/** Encrypts and stores the secrets of a fresh authorisation, over whatever was there. */
export async function storeSecrets(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
  secrets: Secrets,
  expiresAt: Date | undefined,
): Promise<void> {
  const sealed = deps.keyring.seal(JSON.stringify(secrets), credentialContext(tenantId, connectionId));
  await deps.db.tenant(tenantId, (tx) => putCredential(tx, connectionId, sealed, expiresAt ?? null, deps.clock.now()));
}

/**
 * Adds to the secrets of a connection, whatever else becomes of them meanwhile.
 * @throws VendorError `auth_revoked` when the connection has no credential any more
 */
export async function keepSecrets(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
  more: Secrets,
): Promise<void> {
  for (;;) {
    const { secrets, version } = await readCredential(deps, tenantId, connectionId);
    if (Object.entries(more).every(([name, value]) => secrets[name] === value)) return;
    const sealed = deps.keyring.seal(
      JSON.stringify({ ...secrets, ...more }),
      credentialContext(tenantId, connectionId),
    );
    const kept = { sealed, version, now: deps.clock.now() };
    // Who refreshes just now would store what they read before: they go first.
    if (await deps.db.tenant(tenantId, (tx) => replaceSecrets(tx, connectionId, kept))) return;
    await deps.clock.sleep(WAIT_MS);
  }
}

/** @throws VendorError `auth_revoked` when the connection has no credential any more */
export async function readCredential(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
): Promise<Credential & { leaseUntil: Date | undefined }> {
  const row = await deps.db.tenant(tenantId, (tx) => loadCredential(tx, connectionId));
  if (!row) throw new VendorError('auth_revoked', 'This connection has no credentials any more. Connect it again.');
  const secrets = JSON.parse(deps.keyring.open(row.sealed, credentialContext(tenantId, connectionId))) as Secrets;
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
    const connection = await deps.db.tenant(tenantId, (tx) => findConnection(tx, connectionId));
    const secrets = { ...credential.secrets, refreshToken: credential.secrets.refreshToken! };
    answer = await refreshRequest(deps, connector, auth, secrets, {
      settings: connection?.settings ?? {},
      features: connection?.features ?? [],
    });
  } catch (error) {
    await deps.db.tenant(tenantId, (tx) => dropLease(tx, connectionId, owner));
    // Whatever became of the refresh, what it was for has not been asked.
    if (error instanceof VendorError)
      throw new VendorError(error.kind, error.message, {
        ...(error.status === undefined ? {} : { status: error.status }),
        ...(error.until ? { until: error.until } : {}),
        cause: error,
      });
    throw new VendorError('transient', `Refreshing the access to ${connector.name} failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if ('error' in answer) {
    await deps.db.tenant(tenantId, (tx) => dropLease(tx, connectionId, owner));
    if (/invalid_client|unauthorized_client|bad_client_secret/.test(answer.error)) {
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
  const sealed = deps.keyring.seal(JSON.stringify(secrets), credentialContext(tenantId, connectionId));
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
