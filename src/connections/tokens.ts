import * as oauth from 'oauth4webapi';
import {
  type AppCredentials,
  type Connector,
  encodeParameters,
  type OAuth2,
  type Reply,
  readTokenAnswer,
  type Secrets,
  type TokenAnswer,
  VendorError,
} from '../kit/index.ts';
import type { ConnectionDeps } from './deps.ts';
import { appCredentials, originOf } from './vendors.ts';

/** How long a token endpoint may take. */
export const TOKEN_TIMEOUT_MS = 20_000;

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

/** The scopes that features need. */
export function scopesOf(auth: OAuth2, features: readonly string[]): { required: string[]; optional: string[] } {
  const chosen = features.map((feature) => auth.features[feature]).filter((feature) => feature !== undefined);
  const required = new Set(chosen.filter((feature) => !feature.optional).flatMap((feature) => feature.scopes));
  const optional = new Set(chosen.filter((feature) => feature.optional).flatMap((feature) => feature.scopes));
  // Where the platform knows no optional scopes, all are asked for.
  if (!auth.optionalScopeParameter) for (const scope of optional) required.add(scope);
  return {
    required: [...required],
    optional: auth.optionalScopeParameter ? [...optional].filter((scope) => !required.has(scope)) : [],
  };
}

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
  known: { settings: Record<string, unknown>; secrets: Secrets; features: readonly string[] },
): OAuthClient {
  const token = `${originOf(deps.config, connector, auth.token.host, known)}${auth.token.path}`;
  return {
    server: { issuer: new URL(token).origin, token_endpoint: token },
    client: { client_id: app.clientId },
    clientAuth: auth.clientAuth === 'basic' ? basicPlain(app) : oauth.ClientSecretPost(app.clientSecret),
    options: {
      headers: { accept: 'application/json', ...auth.token.headers },
      // A simulated vendor on this machine speaks plain HTTP; the vendors' own addresses are https.
      [oauth.allowInsecureRequests]: token.startsWith('http://'),
      [oauth.customFetch]: (url, init) =>
        sendThroughKit(deps, url, init, auth.token.json, {
          ...auth.token.parameters,
          ...(auth.token.scope ? { scope: scopesOf(auth, known.features).required.join(auth.scopeSeparator) } : {}),
        }),
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
  json: true | undefined,
  parameters: Record<string, string | number>,
): Promise<Response> {
  const target = new URL(url);
  const fields = { ...Object.fromEntries(new URLSearchParams(String(init.body ?? ''))), ...parameters };
  const type = 'application/x-www-form-urlencoded;charset=UTF-8';
  const reply = await deps.http({
    method: init.method as 'POST',
    origin: target.origin,
    path: `${target.pathname}${target.search}`,
    headers: Object.fromEntries(Object.entries(init.headers).filter(([name]) => name.toLowerCase() !== 'content-type')),
    ...(json ? { json: fields } : { bytes: { type, data: Buffer.from(encodeParameters(fields)) } }),
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
  const answer = readTokenAnswer(auth, reply);
  if ('error' in answer && auth.busyErrors?.includes(answer.error))
    throw new VendorError('transient', `The token endpoint gives no tokens just now (${answer.error}).`, {
      status: reply.status,
    });
  return answer;
}

/** Trades the refresh token. @param settings of the connection: some vendors have an address for each region */
export async function refreshRequest(
  deps: ConnectionDeps,
  connector: Connector,
  auth: OAuth2,
  secrets: Secrets & { refreshToken: string },
  { settings, features }: { settings: Record<string, unknown>; features: readonly string[] },
): Promise<TokenAnswer | { error: string; description: string }> {
  const { server, client, clientAuth, options } = oauthClient(
    deps,
    connector,
    auth,
    appCredentials(deps.config, connector),
    { settings, secrets, features },
  );
  return tokenAnswer(
    auth,
    await oauth.refreshTokenGrantRequest(server, client, clientAuth, secrets.refreshToken, options),
  );
}
