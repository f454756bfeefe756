import {
  type Connector,
  classify,
  type Purpose,
  type Reply,
  type RequestSpec,
  type Transport,
  type VendorContext,
  VendorError,
} from '../kit/index.ts';
import { effectiveMapping } from '../mapping/load.ts';
import type { MappingOverride } from '../mapping/schema.ts';
import { loadOverrides } from '../mapping/store.ts';
import { type Credential, freshCredential, markConnection } from './credentials.ts';
import type { ConnectionDeps } from './deps.ts';
import { prepare } from './prepared.ts';
import { budgetsOf } from './quota.ts';
import { addCalls, type ConnectionRow, findConnection, noteSuccess } from './store.ts';
import { appSecretsOf, connectorOf, webhookUrl } from './vendors.ts';

/** Work with one connection for one purpose: credentials, limits, refresh, classification and counting included. */
export interface Session {
  connector: Connector;
  connection: ConnectionRow;
  ctx: VendorContext;
  call<Body = unknown>(spec: RequestSpec): Promise<Reply<Body>>;
  /** Exactly what would be sent, without credentials. */
  preview(spec: RequestSpec): { method: string; url: string; body: unknown };
  /** Calls made so far. */
  made(): number;
  /** Writes down how many calls were made. */
  close(): Promise<void>;
}

const SAFE_RETRIES = 2;
/** A stated wait up to this is sat out in place. */
const PATIENCE_MS = 5_000;
/** A credential that ends within this time is renewed before it is used. */
const ENDING_MS = 60_000;

const transports = new WeakMap<Connector, Promise<Transport>>();

/** The connector's own transport, made once, or the hub's: that one ends with the hub. */
function transportOf(deps: ConnectionDeps, connector: Connector): Promise<Transport> | Transport {
  if (!connector.transport) return deps.http;
  const known = transports.get(connector) ?? connector.transport();
  transports.set(connector, known);
  return known;
}

/**
 * Opens a session.
 * @throws VendorError `auth_revoked` or `paused` when the connection cannot be used, in words for a person
 */
export async function openSession(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
  purpose: Purpose,
  options: { evenIf?: string[] } = {},
): Promise<Session> {
  const { connection, overrides } = await deps.db.tenant(tenantId, async (tx) => {
    const row = await findConnection(tx, connectionId);
    return { connection: row, overrides: row ? await loadOverrides(tx, row.connector, connectionId) : [] };
  });
  if (!connection) throw new VendorError('auth_revoked', 'This connection does not exist any more.');
  const known = {
    connector: connectorOf(deps.registry, connection.connector),
    connection,
    overrides: overrides.map((row) => row.mapping),
  };
  return sessionOf(deps, tenantId, known, purpose, options);
}

/**
 * Opens a session for a connection that was just loaded.
 * @throws VendorError as `openSession`
 */
export function sessionOf(
  deps: ConnectionDeps,
  tenantId: string,
  known: { connector: Connector; connection: ConnectionRow; overrides: MappingOverride[] },
  purpose: Purpose,
  options: { evenIf?: string[] } = {},
): Session {
  const { connector, connection, overrides } = known;
  if (connection.state !== 'active' && !options.evenIf?.includes(connection.state)) {
    const kind =
      connection.state === 'needs_operator' ? 'operator' : connection.state === 'paused' ? 'paused' : 'auth_revoked';
    throw new VendorError(
      kind,
      `The connection ${connection.name} is not usable: ${connection.reason ?? connection.state}.`,
    );
  }
  return sessionFor(deps, tenantId, connector, connection, purpose, { overrides });
}

/**
 * A session for a connection row in hand.
 * @param more `probing`: the credential of a connection that is not stored yet, so nothing about it is refreshed or
 *   marked; `overrides`: mappings laid over the platform's default
 */
export function sessionFor(
  deps: ConnectionDeps,
  tenantId: string,
  connector: Connector,
  connection: ConnectionRow,
  purpose: Purpose,
  more: { probing?: Credential; overrides?: MappingOverride[] } = {},
): Session {
  const { probing, overrides = [] } = more;
  let credential = probing;
  let calls = 0;
  let made = 0;
  const limits = budgetsOf(deps.config, connector, connection);
  const account = { id: connection.account_id ?? '', name: connection.name, ...connection.account };

  let asked: Promise<Credential> | undefined;
  /** The credential in hand while it is good. Many calls at once read it once. */
  async function usable(): Promise<Credential> {
    const left = credential?.expiresAt ? credential.expiresAt.getTime() - deps.clock.now().getTime() : undefined;
    if (credential && (probing || left === undefined || left >= ENDING_MS)) return credential;
    asked ??= freshCredential(deps, connector, tenantId, connection.id).finally(() => {
      asked = undefined;
    });
    credential = await asked;
    return credential;
  }

  async function send(spec: RequestSpec, good: Credential): Promise<Reply> {
    await deps.budgets.acquire(connector.id, account.id, limits, spec, purpose);
    calls += 1;
    made += 1;
    const started = performance.now();
    const outcome = (name: string): void =>
      deps.onCall?.({ connector: connector.id, purpose, outcome: name, milliseconds: performance.now() - started });
    try {
      const transport = await transportOf(deps, connector);
      const reply = await transport(prepare(deps, connector, connection, spec, good));
      const failure = classify(connector.errors, reply, deps.clock.now());
      outcome(failure?.kind ?? 'ok');
      // The platform has answered: not being able to write down what is left must not make that undone.
      await deps.budgets
        .note(connector.id, account.id, limits, spec, reply)
        .catch((error: unknown) => deps.log.warn({ err: error }, 'what is left of a limit was not written down'));
      if (failure) throw failure;
      return reply;
    } catch (error) {
      if (!(error instanceof VendorError)) outcome('error');
      throw withoutSecrets(error, secretValues(deps, connector, good));
    }
  }

  async function call<Body>(spec: RequestSpec): Promise<Reply<Body>> {
    const safe = spec.safe ?? spec.method === 'GET';
    let refreshed = false;
    for (let attempt = 0; ; attempt++) {
      let used: Credential | undefined;
      try {
        used = await usable();
        return (await send(spec, used)) as Reply<Body>;
      } catch (error) {
        if (!(error instanceof VendorError)) throw error;
        if (error.kind === 'auth_expired' && !refreshed && !probing && connector.auth.kind === 'oauth2') {
          refreshed = true;
          // The one this call went out with: another call of this session may hold a fresh one by now.
          credential = await freshCredential(deps, connector, tenantId, connection.id, used?.version);
          continue;
        }
        if (await shouldRepeat(error, spec, safe, attempt)) continue;
        await react(error);
        throw error;
      }
    }
  }

  async function shouldRepeat(error: VendorError, spec: RequestSpec, safe: boolean, attempt: number): Promise<boolean> {
    const now = deps.clock.now().getTime();
    if (error.kind === 'rate_limited' || error.kind === 'quota_exhausted') {
      const until = error.until ?? new Date(now + 1000 * 2 ** attempt);
      // Budgets that refused locally are not parked again.
      if (error.status !== undefined)
        await deps.budgets.park(
          connector.id,
          account.id,
          limits,
          spec,
          error.kind === 'quota_exhausted' ? error.until : until,
          error.message,
          error.kind === 'quota_exhausted',
        );
      if (error.kind === 'quota_exhausted' || until.getTime() - now > PATIENCE_MS || attempt >= 4) return false;
      await deps.clock.sleep(until.getTime() - now);
      return true;
    }
    if (!safe || attempt >= SAFE_RETRIES || (error.kind !== 'transient' && error.kind !== 'malformed')) return false;
    await deps.clock.sleep(
      error.until ? Math.min(PATIENCE_MS, Math.max(0, error.until.getTime() - now)) : 250 * 4 ** attempt,
    );
    return true;
  }

  /** What a refusal says about the connection as a whole. */
  async function react(error: VendorError): Promise<void> {
    if (probing) return;
    if (error.kind === 'auth_expired' || error.kind === 'auth_revoked')
      await markConnection(deps, tenantId, connection.id, 'needs_reauthorisation', error.message);
    if (error.kind === 'operator') await markConnection(deps, tenantId, connection.id, 'needs_operator', error.message);
    if (error.kind === 'paused') await markConnection(deps, tenantId, connection.id, 'paused', error.message);
  }

  const ctx: VendorContext = {
    account,
    settings: connection.settings,
    features: connection.features,
    get now() {
      return deps.clock.now();
    },
    webhookSecret: async () => (await usable()).secrets.webhookSecret,
    app: appSecretsOf(deps.config, connector),
    webhookUrl: webhookUrl(deps.config, connector, connection.id) ?? undefined,
    paths: (stream) => effectiveMapping(connector.id, overrides).streams.get(stream)?.paths ?? [],
    call,
  };
  return {
    connector,
    connection,
    ctx,
    call,
    preview: (spec) => {
      const { origin, path, query, json, form, bytes, method } = prepare(deps, connector, connection, spec, {
        secrets: {},
        version: 0,
        expiresAt: undefined,
      });
      // What goes out by another way than HTTP (mail) has no host.
      const url = new URL(path, origin || 'none://');
      for (const [name, value] of Object.entries(query ?? {}))
        if (value !== undefined) url.searchParams.append(name, String(value));
      return { method, url: String(url), body: json ?? form ?? bytes?.data.toString('utf8') ?? null };
    },
    made: () => made,
    close: async () => {
      if (calls === 0 || probing) return;
      const counted = calls;
      calls = 0;
      const now = deps.clock.now();
      await deps.db.tenant(tenantId, async (tx) => {
        await addCalls(tx, connection.id, now.toISOString().slice(0, 10), purpose, counted);
        await noteSuccess(tx, connection.id, now);
      });
    },
  };
}

/** Everything of ours that a vendor may repeat in the sentence it refuses with. */
function secretValues(deps: ConnectionDeps, connector: Connector, credential: Credential): string[] {
  const { auth } = connector;
  // Ids that came with the tokens, and the id of our app, stand in addresses and records.
  const known = auth.kind === 'oauth2' ? [...(auth.keep ?? []), auth.app.clientId] : [];
  return Object.entries({ ...appSecretsOf(deps.config, connector), ...credential.secrets }).flatMap(([name, value]) =>
    value === undefined || value.length < 6 || known.includes(name) ? [] : [value],
  );
}

/** What is told to people, logged and kept says nothing a vendor repeated. */
function withoutSecrets(error: unknown, secrets: readonly string[]): unknown {
  if (!(error instanceof Error)) return error;
  const clean = (text: string): string => secrets.reduce((told, secret) => told.replaceAll(secret, '[secret]'), text);
  error.message = clean(error.message);
  if (error.stack) error.stack = clean(error.stack);
  return error;
}

/** Runs `work` with a session and closes it, whatever happens. */
export async function withSession<T>(
  deps: ConnectionDeps,
  tenantId: string,
  connectionId: string,
  purpose: Purpose,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(deps, tenantId, connectionId, purpose);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
