import { randomBytes } from 'node:crypto';
import { Value } from 'typebox/value';
import { appendEvents } from '../audit/store.ts';
import { conflict, invalid, messageOf } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { type Account, type Connector, type Prepared, type Secrets, VendorError } from '../kit/index.ts';
import { addRoute, removeRoutes } from './coordinator.ts';
import { keepSecrets, readCredential, storeSecrets } from './credentials.ts';
import type { ConnectionDeps } from './deps.ts';
import { fieldErrors } from './fields.ts';
import { type Session, sessionFor } from './session.ts';
import {
  type ConnectionRow,
  findConnection,
  findConnectionByAccount,
  insertConnection,
  noteNotice,
  notePrepareAt,
  renewConnection,
} from './store.ts';

/** Tells other rooms that a connection became usable, in the order given. */
export type OnConnected = (tenantId: string, connectionId: string) => Promise<void>;

export interface Authorised {
  connector: Connector;
  secrets: Secrets;
  expiresAt: Date | undefined;
  scopes: string[];
  features: string[];
  settings: Record<string, unknown>;
  /** Authorising this connection again; another account is then refused. */
  connectionId: string | undefined;
  name: string | undefined;
  /** Parameters of the vendor's redirect that tell the account. */
  callback: Record<string, string>;
  actor: string;
}

/**
 * Finishes an authorisation: asks the vendor who that is, then makes the connection or renews the one of that account.
 * @throws Problem when the account is not the one of the connection that was to be authorised again
 */
export async function establish(
  deps: ConnectionDeps,
  tenantId: string,
  authorised: Authorised,
  onConnected: OnConnected,
): Promise<ConnectionRow> {
  const { connector } = authorised;
  const id = authorised.connectionId ?? newId();
  const probe = await probeAccount(deps, tenantId, id, authorised);
  const account = probe.account;
  const row = await deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    const known = authorised.connectionId
      ? await findConnection(tx, authorised.connectionId)
      : await findConnectionByAccount(tx, connector.id, account.id);
    if (authorised.connectionId && !known)
      throw conflict(
        'The connection that was to be authorised again does not exist any more.',
        'Connect the platform as a new connection.',
      );
    if (known && known.account_id !== null && known.account_id !== account.id) {
      throw conflict(
        `You authorised the account "${account.name}" (${account.id}), but this connection belongs to "${known.name}" (${known.account_id}). Nothing was changed.`,
        `Log in to ${connector.name} with the right account and try again, or connect "${account.name}" as a new connection.`,
      );
    }
    const features = [...new Set([...(known?.features ?? []), ...authorised.features])];
    const settings = { ...known?.settings, ...authorised.settings };
    if (known) await renewConnection(tx, known.id, { account, settings, features, scopes: authorised.scopes, now });
    else {
      await insertConnection(tx, {
        id,
        connector: connector.id,
        name: authorised.name ?? account.name,
        account_id: account.id,
        account,
        settings,
        features,
        granted_scopes: authorised.scopes,
        state: 'active',
        created_at: now,
      });
    }
    const connectionId = known?.id ?? id;
    await appendEvents(tx, [
      {
        actor: authorised.actor,
        action: known ? 'connection.reauthorised' : 'connection.authorised',
        subject: { kind: 'connection', id: connectionId },
        data: { connector: connector.id, account: account.id, accountName: account.name, features },
        at: now,
      },
    ]);
    return (await findConnection(tx, connectionId))!;
  });
  const secrets = await withHookSecret(deps, tenantId, connector, row.id, authorised.secrets);
  await storeSecrets(deps, tenantId, row.id, secrets, authorised.expiresAt);
  await removeRoutes({ query: deps.db.statement }, row.id);
  for (const name of new Set([account.id, ...(account.alsoKnownAs ?? [])]))
    await addRoute({ query: deps.db.statement }, connector.id, name, tenantId, row.id);
  await prepareAtVendor(deps, tenantId, connector, row);
  await onConnected(tenantId, row.id);
  return row;
}

/** Secrets with one for webhooks where the vendor repeats such a thing; it stays the same while the connection does. */
async function withHookSecret(
  deps: ConnectionDeps,
  tenantId: string,
  connector: Connector,
  connectionId: string,
  secrets: Secrets,
): Promise<Secrets> {
  if (!connector.webhooks?.secret) return secrets;
  const known = await readCredential(deps, tenantId, connectionId).catch((error: unknown) => {
    if (error instanceof VendorError) return undefined;
    throw error;
  });
  const webhookSecret = known?.secrets.webhookSecret ?? randomBytes(24).toString('base64url');
  return { ...secrets, webhookSecret };
}

/** Who the secrets belong to. Nothing is stored yet, so the session works on secrets in hand. */
async function probeAccount(
  deps: ConnectionDeps,
  tenantId: string,
  id: string,
  authorised: Authorised,
): Promise<{ account: Account }> {
  const { connector } = authorised;
  const row: ConnectionRow = {
    id,
    connector: connector.id,
    name: connector.name,
    account_id: authorised.callback.realmId ?? null,
    account: {},
    settings: authorised.settings,
    features: authorised.features,
    granted_scopes: authorised.scopes,
    state: 'connecting',
    reason: null,
    notice: null,
    waiting: null,
    silent: null,
    state_since: deps.clock.now(),
    last_ok_at: null,
    created_at: deps.clock.now(),
    updated_at: deps.clock.now(),
    version: 0,
  };
  const session = sessionFor(deps, tenantId, connector, row, 'action', {
    probing: { secrets: authorised.secrets, expiresAt: authorised.expiresAt, version: 0 },
  });
  try {
    return { account: await connector.account(session.ctx, authorised.callback) };
  } catch (error) {
    if (!(error instanceof VendorError)) throw error;
    throw invalid(
      `${connector.name} does not accept these credentials: ${error.message}`,
      undefined,
      'Check what you entered and try again.',
    );
  }
}

/** What `prepare` answers: secrets, or a date at which it has to run again, with or without secrets. */
function readPrepared(made: unknown): Partial<Prepared> {
  if (!made) return {};
  return (made as Prepared).again instanceof Date ? (made as Prepared) : { secrets: made as Secrets };
}

/** After so long a set-up that did not work is tried again, where it has to be renewed anyway. */
const PREPARE_AGAIN_MS = 15 * 60_000;
/** The same where the platform has said no: a plan or a permission changes seldom. */
const PREPARE_REFUSED_MS = 24 * 3_600_000;

/** Makes at the vendor what the connector needs there. What did not work becomes the notice of the connection. */
export async function prepareAtVendor(
  deps: ConnectionDeps,
  tenantId: string,
  connector: Connector,
  row: ConnectionRow,
): Promise<void> {
  if (!connector.prepare) return;
  const session: Session = sessionFor(deps, tenantId, connector, row, 'action');
  try {
    const { again, secrets } = readPrepared(await connector.prepare(session.ctx));
    if (secrets) await keepSecrets(deps, tenantId, row.id, secrets);
    await deps.db.tenant(tenantId, async (tx) => {
      await noteNotice(tx, row.id, null);
      await notePrepareAt(tx, row.id, again ?? null);
    });
  } catch (error) {
    const refused = error instanceof VendorError && error.kind === 'forbidden';
    const wait = refused ? PREPARE_REFUSED_MS : PREPARE_AGAIN_MS;
    const again = connector.webhooks?.renews ? new Date(deps.clock.now().getTime() + wait) : null;
    // The connection works without it; its health says what is missing.
    await deps.db.tenant(tenantId, async (tx) => {
      await noteNotice(tx, row.id, messageOf(error));
      await notePrepareAt(tx, row.id, again);
    });
    deps.log.warn(
      { err: error, connector: connector.id },
      `preparing ${connector.name} did not finish: ${messageOf(error)}`,
    );
  } finally {
    await session.close();
  }
}

/**
 * Connects a platform that asks for keys instead of sending people through a page.
 * @throws Problem with the fields that are wrong, or with the platform's refusal
 */
export async function connectWithFields(
  deps: ConnectionDeps,
  tenantId: string,
  connector: Connector,
  request: {
    fields: Record<string, unknown>;
    features: string[];
    connectionId?: string | undefined;
    name?: string | undefined;
    actor: string;
  },
  onConnected: OnConnected,
): Promise<ConnectionRow> {
  const { auth } = connector;
  if (auth.kind === 'oauth2') throw new Error(`${connector.id} is connected by OAuth.`);
  const given = Value.Default(auth.fields, structuredClone(request.fields)) as Record<string, unknown>;
  if (!Value.Check(auth.fields, given)) {
    const errors = fieldErrors(auth.fields, given);
    throw invalid(
      `${connector.name} needs other details: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}.`,
      errors,
    );
  }
  const secrets = Object.fromEntries(
    auth.secret.filter((name) => given[name] !== undefined).map((name) => [name, String(given[name])]),
  );
  const settings = Object.fromEntries(Object.entries(given).filter(([name]) => !auth.secret.includes(name)));
  return establish(
    deps,
    tenantId,
    {
      connector,
      secrets,
      settings,
      expiresAt: undefined,
      scopes: [],
      features: request.features,
      connectionId: request.connectionId,
      name: request.name,
      callback: {},
      actor: request.actor,
    },
    onConnected,
  );
}
