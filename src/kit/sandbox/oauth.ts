import { createHash, randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../base/clock.ts';
import type { Trial } from '../trial.ts';

/** What somebody allowed: tokens and the account they are for. */
export interface Grant {
  account: string;
  scopes: string[];
  refreshToken: string;
  revoked: boolean;
}

export interface SandboxOAuthOptions {
  clock: Clock;
  vendor: string;
  authorizePath: string;
  tokenPath: string;
  clientId: string;
  clientSecret: string;
  clientAuth: 'basic' | 'post';
  scopeSeparator: string;
  /** Word before the access token; `Bearer` when absent. */
  scheme?: string;
  optionalScopeParameter?: string;
  /** Seconds an access token lives; undefined: for ever. */
  accessTtl?: number;
  /** A refresh token works once; using it again ends the grant, as strict vendors do. */
  rotates: boolean;
  /** The account a person who presses "Allow" is logged in to. */
  account: () => string;
  /** Parameters of the redirect back, beside code and state: those are given, for vendors that sign them all. */
  redirectExtra?: (account: string, query: Record<string, string>) => Record<string, string>;
  /** The token answer in the vendor's own form. */
  answer: (grant: Grant, accessToken: string, refreshed: boolean) => Record<string, unknown>;
  /** Scopes the account's plan does not allow. */
  withheldScopes?: () => string[];
  refuse?: (reply: FastifyReply, error: string, description: string) => FastifyReply;
}

export interface SandboxOAuth {
  /** The grant of a request's bearer token, or undefined when it is unknown, expired or revoked. */
  grantOf(request: FastifyRequest): Grant | undefined;
  /** An access token, as if somebody had allowed these scopes on the page. */
  allow(scopes: readonly string[]): string;
  revokeAll(): void;
  /** Ends the one grant an access or refresh token belongs to, as the app itself asks for it. */
  revoke(token: string): void;
  /** Ends every access token now, as if its time had come. */
  expireAll(): void;
  counts: { codes: number; refreshes: number; reused: number };
}

/** The grants of the simulated page, as cases need them. @param ends whether its access tokens end by themselves */
export const grantsOf = (oauth: SandboxOAuth, ends = true): NonNullable<Trial['grants']> => ({
  ...(ends ? { expire: () => oauth.expireAll() } : {}),
  revoke: () => oauth.revokeAll(),
  counts: oauth.counts,
});

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** The vendor's own pages and token endpoint: a page with "Allow" and "Deny", codes, PKCE, refresh, rotation. */
export function installOAuth(app: FastifyInstance, options: SandboxOAuthOptions): SandboxOAuth {
  const codes = new Map<
    string,
    { account: string; scopes: string[]; redirectUri: string; challenge: string | undefined; expiresAt: number }
  >();
  const access = new Map<string, { grant: Grant; expiresAt: number }>();
  const refresh = new Map<string, Grant>();
  const spent = new Map<string, Grant>();
  const counts = { codes: 0, refreshes: 0, reused: 0 };
  const token = (kind: string): string => `${kind}-${randomBytes(24).toString('hex')}`;
  const now = (): number => options.clock.now().getTime();
  const refuse =
    options.refuse ??
    ((reply, error, error_description) =>
      reply.code(error === 'invalid_client' ? 401 : 400).send({ error, error_description }));

  app.get(options.authorizePath, async (request, reply) => {
    const query = request.query as Record<string, string>;
    if (query.client_id !== options.clientId || !query.redirect_uri)
      return reply.code(400).type('text/html').send('<h1>Unknown app</h1>');
    const hidden = Object.entries(query).map(
      ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
    );
    const scopes = (query.scope ?? '').split(options.scopeSeparator).map((scope) => `<li>${escapeHtml(scope)}</li>`);
    return reply
      .type('text/html')
      .send(
        `<!doctype html><title>${escapeHtml(options.vendor)} (simulation)</title><h1>${escapeHtml(options.vendor)}, simulated</h1><p>An app asks for access to <b>${escapeHtml(options.account())}</b>:</p><ul>${scopes.join('')}</ul><form method="post">${hidden.join('')}<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>`,
      );
  });

  app.post(options.authorizePath, async (request, reply) => {
    const form = request.body as Record<string, string>;
    const back = new URL(form.redirect_uri!);
    if (form.state) back.searchParams.set('state', form.state);
    if (form.decision !== 'allow') back.searchParams.set('error', 'access_denied');
    else {
      const account = options.account();
      const asked = `${form.scope ?? ''}${options.scopeSeparator}${options.optionalScopeParameter ? (form[options.optionalScopeParameter] ?? '') : ''}`;
      const withheld = options.withheldScopes?.() ?? [];
      const scopes = asked.split(options.scopeSeparator).filter((scope) => scope !== '' && !withheld.includes(scope));
      const code = token('code');
      codes.set(code, {
        account,
        scopes,
        redirectUri: form.redirect_uri!,
        challenge: form.code_challenge,
        expiresAt: now() + 600_000,
      });
      back.searchParams.set('code', code);
      const given = Object.fromEntries(back.searchParams);
      for (const [name, value] of Object.entries(options.redirectExtra?.(account, given) ?? {}))
        back.searchParams.set(name, value);
    }
    return reply.redirect(back.href);
  });

  const open = (grant: Grant): string => {
    const accessToken = token('access');
    access.set(accessToken, {
      grant,
      expiresAt: options.accessTtl === undefined ? Number.POSITIVE_INFINITY : now() + options.accessTtl * 1000,
    });
    refresh.set(grant.refreshToken, grant);
    return accessToken;
  };
  const issue = (grant: Grant, refreshed: boolean): Record<string, unknown> =>
    options.answer(grant, open(grant), refreshed);

  app.post(options.tokenPath, async (request, reply) => {
    const form = (request.body ?? {}) as Record<string, string>;
    if (!clientMatches(request, form)) return refuse(reply, 'invalid_client', 'The client is not known.');
    if (form.grant_type === 'authorization_code') {
      const found = codes.get(form.code ?? '');
      codes.delete(form.code ?? '');
      if (!found || found.expiresAt < now() || found.redirectUri !== form.redirect_uri)
        return refuse(reply, 'invalid_grant', 'The code is not valid.');
      if (
        found.challenge &&
        createHash('sha256')
          .update(form.code_verifier ?? '')
          .digest('base64url') !== found.challenge
      )
        return refuse(reply, 'invalid_grant', 'The verifier does not match.');
      counts.codes += 1;
      return issue(
        { account: found.account, scopes: found.scopes, refreshToken: token('refresh'), revoked: false },
        false,
      );
    }
    if (form.grant_type === 'refresh_token') {
      const grant = refresh.get(form.refresh_token ?? '');
      const again = spent.get(form.refresh_token ?? '');
      if (again) {
        counts.reused += 1;
        again.revoked = true;
      }
      if (!grant || grant.revoked) return refuse(reply, 'invalid_grant', 'The refresh token is not valid.');
      counts.refreshes += 1;
      if (options.rotates) {
        refresh.delete(grant.refreshToken);
        spent.set(grant.refreshToken, grant);
        grant.refreshToken = token('refresh');
      }
      return issue(grant, true);
    }
    return refuse(reply, 'unsupported_grant_type', 'This grant type is not supported.');
  });

  function clientMatches(request: FastifyRequest, form: Record<string, string>): boolean {
    if (options.clientAuth === 'post')
      return form.client_id === options.clientId && form.client_secret === options.clientSecret;
    const [user, password] = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /i, ''), 'base64')
      .toString()
      .split(':');
    return user === options.clientId && password === options.clientSecret;
  }

  return {
    counts,
    grantOf(request) {
      const [scheme = '', token = ''] = (request.headers.authorization ?? '').split(' ');
      const found = scheme.toLowerCase() === (options.scheme ?? 'Bearer').toLowerCase() ? access.get(token) : undefined;
      return found && !found.grant.revoked && found.expiresAt > now() ? found.grant : undefined;
    },
    allow: (scopes) =>
      open({ account: options.account(), scopes: [...scopes], refreshToken: token('refresh'), revoked: false }),
    revoke: (token) => {
      const grant = refresh.get(token) ?? access.get(token)?.grant;
      if (grant) grant.revoked = true;
    },
    revokeAll: () => {
      for (const { grant } of access.values()) grant.revoked = true;
    },
    expireAll: () => {
      for (const entry of access.values()) entry.expiresAt = 0;
    },
  };
}
