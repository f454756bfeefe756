import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import { conflict, forbidden, notFound, stale } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, IdParams, ref, tag } from '../http/helpers.ts';
import { SESSION_COOKIE } from '../http/security.ts';
import { type AccessDeps, addUser, logIn, logOut, openUserSession, setUp } from './identity.ts';
import { LoginRequest, SessionAnswer, SetupRequest, USER_ROLES, User, UserInput } from './schema.ts';
import {
  countOwners,
  deleteMembership,
  deleteSessionsOf,
  hubIsFresh,
  listUsers,
  type UserRow,
  updateMembership,
} from './store.ts';

const toUser = (row: UserRow) => ({
  id: row.id,
  email: row.email,
  name: row.name,
  role: row.role,
  createdAt: row.created_at.toISOString(),
  version: row.version,
});

// Counted by address whatever else the request carries: a new made-up key in every try must not start anew.
const strict = {
  rateLimit: { max: 10, timeWindow: '1 minute', keyGenerator: (request: { ip: string }) => request.ip },
};

/** Users, sessions, API keys, and the set-up of a fresh hub. */
export function accessRoutes(app: App, deps: AccessDeps & { secureCookies: boolean }): void {
  const cookie = { httpOnly: true, sameSite: 'strict' as const, path: '/', secure: deps.secureCookies };

  app.get(
    '/v1/setup',
    {
      config: { permission: 'public' },
      schema: {
        tags: ['access'],
        summary: 'Whether this hub still waits for its owner',
        response: { 200: Type.Object({ fresh: Type.Boolean() }) },
      },
    },
    async () => ({
      fresh: await hubIsFresh({ query: deps.db.statement }),
    }),
  );

  app.post(
    '/v1/setup',
    {
      config: { permission: 'public', ...strict },
      schema: {
        tags: ['access'],
        summary: 'Make the business and its owner on a fresh hub',
        body: ref(SetupRequest),
        response: { 201: ref(SessionAnswer) },
      },
    },
    async (request, reply) => {
      const { tenantId, userId } = await setUp(deps, request.body);
      const session = await openUserSession(deps, tenantId, userId);
      return reply
        .code(201)
        .setCookie(SESSION_COOKIE, session.token, { ...cookie, expires: session.expiresAt })
        .send({ token: session.token, expiresAt: session.expiresAt.toISOString(), tenantId, role: 'owner' as const });
    },
  );

  app.post(
    '/v1/sessions',
    {
      config: { permission: 'public', ...strict },
      schema: { tags: ['access'], summary: 'Log in', body: ref(LoginRequest), response: { 201: ref(SessionAnswer) } },
    },
    async (request, reply) => {
      const session = await logIn(deps, request.body.email, request.body.password);
      return reply
        .code(201)
        .setCookie(SESSION_COOKIE, session.token, { ...cookie, expires: session.expiresAt })
        .send({
          token: session.token,
          expiresAt: session.expiresAt.toISOString(),
          tenantId: session.tenantId,
          role: session.role,
        });
    },
  );

  app.delete(
    '/v1/sessions/current',
    { config: { permission: 'read' }, schema: { tags: ['access'], summary: 'Log out' } },
    async (request, reply) => {
      const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? request.cookies[SESSION_COOKIE];
      if (token) await logOut(deps, token);
      return reply.code(204).clearCookie(SESSION_COOKIE, cookie).send();
    },
  );

  app.get(
    '/v1/me',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['access'],
        summary: 'Who I am here',
        response: {
          200: Type.Object({
            actor: Type.String(),
            tenantId: Type.String(),
            role: words(USER_ROLES),
            permissions: Type.Array(Type.String()),
          }),
        },
      },
    },
    async (request) => {
      const { actor, tenantId, role, permissions } = caller(request);
      return { actor, tenantId, role, permissions: [...permissions] };
    },
  );

  app.get(
    '/v1/users',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['access'],
        summary: 'Users of the business',
        response: { 200: Type.Object({ items: Type.Array(ref(User)) }) },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, listUsers)).map(toUser),
    }),
  );

  app.post(
    '/v1/users',
    {
      config: { permission: 'admin' },
      schema: { tags: ['access'], summary: 'Add a user', body: ref(UserInput), response: { 201: ref(User) } },
    },
    async (request, reply) => {
      const { tenantId, actor, role } = caller(request);
      if (request.body.role === 'owner' && role !== 'owner') throw forbidden('Only an owner can make another owner.');
      const id = await addUser(deps, tenantId, { ...request.body, by: actor });
      const user = (await deps.db.tenant(tenantId, listUsers)).find((row) => row.id === id)!;
      return reply.code(201).send(toUser(user));
    },
  );

  app.patch(
    '/v1/users/:id',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['access'],
        summary: 'Change the role of a user',
        params: IdParams,
        body: Type.Object({ role: words(USER_ROLES) }, { additionalProperties: false }),
        response: { 200: ref(User) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor, role } = caller(request);
      const expected = expectedVersion(request);
      const user = await deps.db.tenant(tenantId, async (tx) => {
        const before = (await listUsers(tx)).find((row) => row.id === request.params.id);
        if (!before) throw notFound('user', request.params.id);
        if ((before.role === 'owner' || request.body.role === 'owner') && role !== 'owner')
          throw forbidden('Only an owner can change who is owner.');
        if (before.role === 'owner' && request.body.role !== 'owner' && (await countOwners(tx)) === 1)
          throw conflict('A business needs at least one owner.', 'Make somebody else owner first.');
        if (!(await updateMembership(tx, before.id, request.body.role, expected))) throw stale('user');
        await appendEvents(tx, [
          {
            actor,
            action: 'user.role_changed',
            subject: { kind: 'user', id: before.id },
            data: { from: before.role, to: request.body.role },
            at: deps.clock.now(),
          },
        ]);
        return (await listUsers(tx)).find((row) => row.id === before.id)!;
      });
      tag(reply, user.version);
      return toUser(user);
    },
  );

  app.delete(
    '/v1/users/:id',
    {
      config: { permission: 'admin' },
      schema: { tags: ['access'], summary: 'Take a user out of the business', params: IdParams },
    },
    async (request, reply) => {
      const { tenantId, actor, role } = caller(request);
      await deps.db.tenant(tenantId, async (tx) => {
        const before = (await listUsers(tx)).find((row) => row.id === request.params.id);
        if (!before) throw notFound('user', request.params.id);
        if (before.role === 'owner' && role !== 'owner') throw forbidden('Only an owner can take an owner out.');
        if (before.role === 'owner' && (await countOwners(tx)) === 1)
          throw conflict('A business needs at least one owner.', 'Make somebody else owner first.');
        await deleteMembership(tx, before.id);
        await deleteSessionsOf(tx, tenantId, before.id);
        await appendEvents(tx, [
          {
            actor,
            action: 'user.removed',
            subject: { kind: 'user', id: before.id },
            data: { email: before.email },
            at: deps.clock.now(),
          },
        ]);
      });
      return reply.code(204).send();
    },
  );
}
