import { hash, verify } from '@node-rs/argon2';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, forbidden, invalid, Problem } from '../base/errors.ts';
import { hashToken, newId, newToken } from '../base/ids.ts';
import { isZone } from '../base/time.ts';
import { readSetting, writeSetting } from '../settings/store.ts';
import { countTry, forgetTries } from './lock.ts';
import { type Permission, type Principal, ROLE_PERMISSIONS, type UserRole } from './schema.ts';
import {
  type ApiKeyRow,
  claimFirstTenant,
  deleteSession,
  findAccount,
  findApiKey,
  findSession,
  insertAccount,
  insertApiKey,
  insertMembership,
  insertSession,
  insertTenant,
  listTenants,
  noteApiKeyUse,
  roleOf,
  routeOfApiKey,
} from './store.ts';

export interface AccessDeps {
  db: Database;
  clock: Clock;
  /** Kinds of due work every tenant has from its first day. */
  dueKinds: readonly string[];
}

const SESSION_MS = 14 * 86_400_000;
export const API_KEY_PREFIX = 'rpk_';
export const SESSION_PREFIX = 'rps_';

// Argon2id with the parameters OWASP recommends at least (19 MiB, 2 passes); a hash takes some 20 ms here.
const hashPassword = (password: string): Promise<string> =>
  hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });

let decoy: Promise<string> | undefined;

export interface NewBusiness {
  business: string;
  zone?: string | undefined;
  country?: string | undefined;
  currency?: string | undefined;
}

/** The tenant's first settings and its place in the sweeps. */
async function furnish(deps: AccessDeps, tenantId: string, business: NewBusiness, by: string): Promise<void> {
  const now = deps.clock.now();
  if (business.zone !== undefined && !isZone(business.zone))
    throw invalid(`"${business.zone}" is not a time zone.`, [
      { path: 'zone', message: 'must be an IANA name such as Europe/Berlin' },
    ]);
  await deps.db.tenant(tenantId, async (tx) => {
    const { value, version } = await readSetting(tx, 'business');
    await writeSetting(
      tx,
      'business',
      {
        ...value,
        name: business.business,
        zone: business.zone ?? value.zone,
        country: business.country ?? value.country,
        currency: business.currency ?? value.currency,
      },
      { expected: version, by, at: now },
    );
    await appendEvents(tx, [
      {
        actor: by,
        action: 'tenant.created',
        subject: { kind: 'tenant', id: tenantId },
        data: { name: business.business },
        at: now,
      },
    ]);
  });
  for (const kind of deps.dueKinds) await bumpDue({ query: deps.db.statement }, tenantId, kind, now);
}

/**
 * The first visitor of a fresh hub makes the business and becomes its owner.
 * @throws Problem 409 when the hub has an owner already
 */
export async function setUp(
  deps: AccessDeps,
  request: NewBusiness & { name: string; email: string; password: string },
): Promise<{ tenantId: string; userId: string }> {
  const now = deps.clock.now();
  if (request.zone !== undefined && !isZone(request.zone))
    throw invalid(`"${request.zone}" is not a time zone.`, [
      { path: 'zone', message: 'must be an IANA name such as Europe/Berlin' },
    ]);
  const password_hash = await hashPassword(request.password);
  const userId = newId();
  const tenantId = await deps.db.system(async (tx) => {
    const claimed = await claimFirstTenant(tx, { id: newId(), name: request.business }, now);
    if (!claimed) return undefined;
    await insertAccount(tx, { id: userId, email: request.email, name: request.name, password_hash }, now);
    return claimed.id;
  });
  if (!tenantId) throw conflict('This hub has an owner already.', 'Log in, or ask the owner for an account.');
  await deps.db.tenant(tenantId, (tx) => insertMembership(tx, userId, 'owner', now));
  await furnish(deps, tenantId, request, `user:${userId}`);
  return { tenantId, userId };
}

/** A tenant without a person, for the command line and for tests. */
export async function createTenant(deps: AccessDeps, business: NewBusiness, by = 'system'): Promise<string> {
  const tenantId = newId();
  await insertTenant({ query: deps.db.statement }, { id: tenantId, name: business.business }, deps.clock.now());
  await furnish(deps, tenantId, business, by);
  return tenantId;
}

/**
 * Opens a session. The same answer and the same time for an unknown address and a wrong password.
 * @throws Problem 401, or 429 while too many tries failed
 */
export async function logIn(
  deps: AccessDeps,
  email: string,
  password: string,
): Promise<{ token: string; expiresAt: Date; tenantId: string; role: UserRole }> {
  const sql = { query: deps.db.statement };
  await countTry(sql, email, deps.clock.now());
  const account = await findAccount(sql, email);
  decoy ??= hashPassword(newToken());
  const matches = await verify(account?.password_hash ?? (await decoy), password);
  if (!account || !matches)
    throw new Problem(401, 'bad_credentials', 'The e-mail address or the password is wrong.', {
      fix: 'Check both and try again.',
    });
  await forgetTries(sql, email);
  for (const tenant of await listTenants(sql)) {
    const role = await deps.db.tenant(tenant.id, (tx) => roleOf(tx, account.id));
    if (role) return { ...(await openUserSession(deps, tenant.id, account.id)), role };
  }
  throw forbidden('Your account belongs to no business any more.', 'Ask the owner to add you again.');
}

/** A session for a user of a tenant. */
export async function openUserSession(
  deps: AccessDeps,
  tenantId: string,
  userId: string,
): Promise<{ token: string; expiresAt: Date; tenantId: string }> {
  const token = newToken(SESSION_PREFIX);
  const now = deps.clock.now();
  const expiresAt = new Date(now.getTime() + SESSION_MS);
  await insertSession({ query: deps.db.statement }, { tokenHash: hashToken(token), userId, tenantId, expiresAt }, now);
  return { token, expiresAt, tenantId };
}

export const logOut = (deps: AccessDeps, token: string): Promise<void> =>
  deleteSession({ query: deps.db.statement }, hashToken(token));

/** Makes an API key. Its text is returned once and stored as a hash. */
export async function makeApiKey(
  deps: AccessDeps,
  tenantId: string,
  key: { name: string; role: Exclude<UserRole, 'owner'>; scopes?: Permission[] | undefined; by: string },
): Promise<{ id: string; key: string }> {
  const token = newToken(API_KEY_PREFIX);
  const id = newId();
  const allowed = ROLE_PERMISSIONS[key.role];
  const scopes = key.scopes ?? [...allowed];
  const beyond = scopes.filter((scope) => !allowed.includes(scope));
  if (beyond.length > 0)
    throw invalid(`The role ${key.role} does not have ${beyond.join(', ')}.`, [
      { path: 'scopes', message: `must be among ${allowed.join(', ')}` },
    ]);
  await deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    await insertApiKey(
      tx,
      {
        id,
        name: key.name,
        prefix: token.slice(0, 10),
        role: key.role,
        scopes,
        created_by: key.by,
        tokenHash: hashToken(token),
      },
      now,
    );
    await appendEvents(tx, [
      {
        actor: key.by,
        action: 'api_key.created',
        subject: { kind: 'api_key', id },
        data: { name: key.name, role: key.role, scopes },
        at: now,
      },
    ]);
  });
  return { id, key: token };
}

/** Who a token belongs to, or undefined. */
export async function principalOf(
  deps: AccessDeps,
  token: string,
  via: Principal['via'],
): Promise<Principal | undefined> {
  const sql = { query: deps.db.statement };
  const now = deps.clock.now();
  if (token.startsWith(API_KEY_PREFIX)) {
    const route = await routeOfApiKey(sql, hashToken(token));
    if (!route) return undefined;
    return deps.db.tenant(route.tenant_id, async (tx) => {
      const key: ApiKeyRow | undefined = await findApiKey(tx, route.api_key_id);
      if (!key || key.revoked_at) return undefined;
      await noteApiKeyUse(tx, key.id, now.toISOString().slice(0, 10));
      return { tenantId: route.tenant_id, actor: `api_key:${key.id}`, role: key.role, permissions: key.scopes, via };
    });
  }
  if (!token.startsWith(SESSION_PREFIX)) return undefined;
  const session = await findSession(sql, hashToken(token), now);
  if (!session) return undefined;
  const role = await deps.db.tenant(session.tenant_id, (tx) => roleOf(tx, session.user_id));
  return (
    role && {
      tenantId: session.tenant_id,
      actor: `user:${session.user_id}`,
      role,
      permissions: ROLE_PERMISSIONS[role],
      userId: session.user_id,
      via,
    }
  );
}

/** Adds a user to a tenant; an account that exists keeps its password. */
export async function addUser(
  deps: AccessDeps,
  tenantId: string,
  user: { email: string; name: string; password: string; role: UserRole; by: string },
): Promise<string> {
  const now = deps.clock.now();
  const sql = { query: deps.db.statement };
  const present = await findAccount(sql, user.email);
  const id = present?.id ?? newId();
  if (!present)
    await insertAccount(
      sql,
      { id, email: user.email, name: user.name, password_hash: await hashPassword(user.password) },
      now,
    );
  await deps.db.tenant(tenantId, async (tx) => {
    if (!(await insertMembership(tx, id, user.role, now)))
      throw conflict(
        `${user.email} belongs to this business already.`,
        'Change the role of the existing user instead.',
      );
    await appendEvents(tx, [
      {
        actor: user.by,
        action: 'user.added',
        subject: { kind: 'user', id },
        data: { email: user.email, role: user.role },
        at: now,
      },
    ]);
  });
  return id;
}
