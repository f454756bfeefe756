import diagnostics from 'node:diagnostics_channel';
import type { FastifyInstance, RouteOptions } from 'fastify';
import pg from 'pg';
import { addUser, openUserSession, setUp } from '../../src/access/identity.ts';
import { USER_ROLES, type UserRole } from '../../src/access/schema.ts';
import { type Api, apiFor, startTestHub, type TestHub, testDatabase } from './hub.ts';

/** Everybody's password: what is stored must differ all the same. */
export const PASSWORD = 'correct horse battery';
export const OWNER = { business: 'Acme', name: 'Olga', email: 'Olga@Example.com', password: PASSWORD };

/** A route as the application registered it. */
export interface Route {
  name: string;
  method: string;
  url: string;
  /** What it asks for; absent: it does not ask who calls. */
  permission: string | undefined;
}

/** Notes every route of the applications made while `work` runs, from what each says of itself. */
async function noteRoutes<T>(work: () => Promise<T>): Promise<{ made: T; routes: Route[] }> {
  const routes: Route[] = [];
  const note = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', (route: RouteOptions) => {
      for (const method of [route.method].flat())
        routes.push({ name: `${method} ${route.url}`, method, url: route.url, permission: route.config?.permission });
    });
  };
  diagnostics.subscribe('fastify.initialization', note);
  try {
    return { made: await work(), routes };
  } finally {
    diagnostics.unsubscribe('fastify.initialization', note);
  }
}

/** A hub with a user of each role, and the database behind it. */
export interface PeopledHub {
  hub: TestHub;
  client: pg.Client;
  databaseUrl: string;
  routes: Route[];
  users: Record<UserRole, { id: string; email: string; token: string; api: Api }>;
  stop(): Promise<void>;
}

export async function startPeopledHub(): Promise<PeopledHub> {
  const database = await testDatabase();
  const { made: hub, routes } = await noteRoutes(() =>
    startTestHub({ databaseUrl: database.url, connectors: ['hubspot'], env: { TRUST_PROXY: 'true' } }),
  );
  const { access } = hub.hub;
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { userId, tenantId } = await setUp(access, OWNER);
  const users: Partial<PeopledHub['users']> = {};
  for (const role of USER_ROLES) {
    const email = role === 'owner' ? OWNER.email : `${role}@example.com`;
    const id =
      role === 'owner'
        ? userId
        : await addUser(access, tenantId, { email, name: role, password: PASSWORD, role, by: 'test' });
    const { token } = await openUserSession(access, tenantId, id);
    users[role] = { id, email, token, api: apiFor(hub.url, token) };
  }
  return {
    hub,
    client,
    databaseUrl: database.url,
    routes,
    users: users as PeopledHub['users'],
    stop: async () => {
      await client.end();
      await hub.stop();
      await database.drop();
    },
  };
}

let addresses = 0;
/** Headers of a call from an address of its own, so that one test's log-ins do not count against another's. */
export const elsewhere = (): Record<string, string> => ({ 'x-forwarded-for': `10.0.0.${++addresses}` });

/** An answer as it came. */
export interface Plain {
  status: number;
  headers: Headers;
  body: Record<string, any>;
}

/** A call without any key; `body` goes as JSON. */
export async function send(
  url: string,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Plain> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text.startsWith('{') ? JSON.parse(text) : {} };
}

/** Tables in which a text stands anywhere, the queue's included. */
export async function tablesWith(client: pg.Client, text: string): Promise<string[]> {
  const { rows } = await client.query(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  const found: string[] = [];
  for (const { name } of rows) {
    const hit = await client.query(`select 1 from ${name} t where position($1 in t::text) > 0 limit 1`, [text]);
    if (hit.rowCount) found.push(name);
  }
  return found;
}
