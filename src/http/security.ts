import type {} from '@fastify/cookie';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type AccessDeps, principalOf } from '../access/identity.ts';
import { forbidden, Problem } from '../base/errors.ts';

export const SESSION_COOKIE = 'rapport_session';

const UNSAFE = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Finds out who calls and whether they may: every route under /v1 names the permission it needs. */
export function installSecurity(app: FastifyInstance, deps: AccessDeps, publicUrl: string): void {
  app.decorateRequest('principal', undefined);
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/v1') && route.method !== 'HEAD' && !route.config?.permission)
      throw new Error(`The route ${String(route.method)} ${route.url} does not say which permission it needs.`);
  });
  app.addHook('onRequest', async (request) => {
    const needed = request.routeOptions.config?.permission;
    if (needed === undefined || needed === 'public') return;
    const { token, via } = tokenOf(request);
    const principal = token ? await principalOf(deps, token, via) : undefined;
    if (!principal) {
      throw new Problem(
        401,
        'unauthenticated',
        token ? 'This key or session is not valid (any more).' : 'This address needs a log-in.',
        {
          fix: 'Send an API key or session token as Authorization: Bearer, or log in with POST /v1/sessions.',
        },
      );
    }
    if (principal.via === 'cookie' && UNSAFE.has(request.method)) refuseForeign(request, publicUrl);
    if (!principal.permissions.includes(needed)) {
      throw forbidden(
        `Your role (${principal.role}) or key may not ${needed === 'read' ? 'read this' : needed}.`,
        'Ask the owner or an admin of this business.',
      );
    }
    request.principal = principal;
  });
}

function tokenOf(request: FastifyRequest): { token: string | undefined; via: 'bearer' | 'cookie' } {
  const header = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '');
  if (header) return { token: header[1], via: 'bearer' };
  return { token: request.cookies[SESSION_COOKIE], via: 'cookie' };
}

/** A browser sends the cookie for other sites' pages too: only our own pages may change anything with it. */
export function refuseForeign(request: FastifyRequest, publicUrl: string): void {
  const site = request.headers['sec-fetch-site'];
  const origin = request.headers.origin;
  const own =
    origin !== undefined
      ? origin === new URL(publicUrl).origin || origin === `${request.protocol}://${request.host}`
      : site === 'same-origin';
  if (!own) throw forbidden('This change came from another site.', 'Use the hub in its own window.');
}
