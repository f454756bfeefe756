import formbody from '@fastify/formbody';
import { Value } from 'typebox/value';
import { type AccessDeps, openUserSession, setUp } from '../access/identity.ts';
import { SetupRequest } from '../access/schema.ts';
import { hubIsFresh } from '../access/store.ts';
import { messageOf, Problem } from '../base/errors.ts';
import type { OnConnected } from '../connections/connect.ts';
import type { ConnectionDeps } from '../connections/deps.ts';
import { finishOAuth, OAUTH_COOKIE } from '../connections/oauth.ts';
import type { App } from './app.ts';
import { escapeHtml, homePage, page, STYLE } from './pages.ts';
import { toProblem } from './problems.ts';
import { refuseForeign, SESSION_COOKIE } from './security.ts';

/** What a person opens in a browser: the first page, the way back from a platform, and the recipients' pages. */
export async function browserRoutes(
  parent: App,
  deps: ConnectionDeps & AccessDeps & { onConnected: OnConnected; secureCookies: boolean },
  inside: (app: App) => void,
): Promise<void> {
  await parent.register(async (scope) => {
    const app = scope as unknown as App;
    await app.register(formbody);
    // One-click unsubscribes may come as multipart; what is in them does not matter.
    app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    inside(app);

    app.get('/hub.css', { schema: { hide: true } }, async (_request, reply) =>
      reply.type('text/css').header('cache-control', 'max-age=3600').send(STYLE),
    );

    app.get('/', { schema: { hide: true } }, async (_request, reply) =>
      reply.type('text/html').send(homePage(await hubIsFresh({ query: deps.db.statement }))),
    );

    app.post(
      '/setup',
      {
        schema: { hide: true },
        config: { rateLimit: { max: 10, timeWindow: '1 minute', keyGenerator: (request) => request.ip } },
      },
      async (request, reply) => {
        const values = (request.body ?? {}) as Record<string, string>;
        try {
          // A form on any page could be sent here by the visitor's browser, which tells where it comes from.
          if (request.headers.origin !== undefined) refuseForeign(request, deps.config.publicUrl);
          if (!Value.Check(SetupRequest, values)) {
            const first = Value.Errors(SetupRequest, values)[0];
            throw new Problem(
              422,
              'invalid',
              `${first?.instancePath.replace('/', '') || 'Something'} ${first?.message ?? 'is wrong'}.`,
            );
          }
          const { tenantId, userId } = await setUp(deps, values);
          const session = await openUserSession(deps, tenantId, userId);
          return await reply
            .setCookie(SESSION_COOKIE, session.token, {
              httpOnly: true,
              sameSite: 'strict',
              path: '/',
              secure: deps.secureCookies,
              expires: session.expiresAt,
            })
            .type('text/html')
            .send(
              page(
                'You are the owner now',
                '<p>The hub is set up. Next, connect a platform: <code>npx rapport connect hubspot</code> on the hub, or <code>POST /v1/connections</code>.</p><p><a href="/docs">API reference</a></p>',
              ),
            );
        } catch (error) {
          const problem = toProblem(error);
          return reply
            .code(problem.status)
            .type('text/html')
            .send(homePage(await hubIsFresh({ query: deps.db.statement }), problem.message, values));
        }
      },
    );

    app.get('/oauth/callback', { schema: { hide: true } }, async (request, reply) => {
      const query = Object.fromEntries(
        Object.entries(request.query as Record<string, unknown>).map(([name, value]) => [
          name,
          Array.isArray(value) ? String(value[0]) : String(value),
        ]),
      );
      try {
        const { connection, returnTo } = await finishOAuth(
          deps,
          query,
          request.cookies[OAUTH_COOKIE],
          deps.onConnected,
        );
        reply.clearCookie(OAUTH_COOKIE, { path: '/oauth' });
        if (returnTo && /^\/(?!\/)/.test(returnTo)) return await reply.redirect(returnTo);
        return await reply
          .type('text/html')
          .send(page('Connected', `<p>${escapeHtml(connection.name)} is connected. You can close this window.</p>`));
      } catch (error) {
        const problem = toProblem(error);
        if (problem.status >= 500) request.log.error({ err: problem.cause ?? error }, 'an authorisation failed');
        const fix = problem.fix ? `<p>${escapeHtml(problem.fix)}</p>` : '';
        return reply
          .code(problem.status)
          .type('text/html')
          .send(page('Not connected', `<p class="error" role="alert">${escapeHtml(messageOf(problem))}</p>${fix}`));
      }
    });
  });
}
