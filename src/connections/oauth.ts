import * as oauth from 'oauth4webapi';
import { Value } from 'typebox/value';
import { conflict, invalid, messageOf, Problem } from '../base/errors.ts';
import { hashToken, sameBytes } from '../base/ids.ts';
import { type Connector, encodeParameters, type OAuth2, VendorError } from '../kit/index.ts';
import { type Authorised, establish, type OnConnected } from './connect.ts';
import { insertOAuthState, oauthOutcome, settleOAuthState, useOAuthState } from './coordinator.ts';
import type { ConnectionDeps } from './deps.ts';
import { fieldErrors } from './fields.ts';
import type { ConnectionRow } from './store.ts';
import { expiry, oauthClient, scopesOf, secretsOf, tokenAnswer } from './tokens.ts';
import { appCredentials, connectorOf, originOf } from './vendors.ts';

/** A person has this long to say yes on the platform's page. */
const STATE_MS = 15 * 60_000;

/** Cookie that ties an authorisation to the browser that started it. */
export const OAUTH_COOKIE = 'rapport_oauth';

/** What the verifier of an authorisation is sealed for. */
export const oauthContext = (stateHash: string): string => `oauth ${stateHash}`;

export interface StartRequest {
  connector: Connector & { auth: OAuth2 };
  features: string[];
  settings: Record<string, unknown>;
  connectionId?: string | undefined;
  returnTo?: string | undefined;
  actor: string;
  /** A value only the browser that started has (a cookie); the answer must come from the same one. */
  browser?: string | undefined;
}

/**
 * Starts an authorisation.
 * @returns where to send the browser, and the state's hash to ask for the outcome
 * @throws Problem when this hub has no registration at the platform
 */
export async function startOAuth(
  deps: ConnectionDeps,
  tenantId: string,
  request: StartRequest,
): Promise<{ authorizeUrl: string; stateHash: string }> {
  const { connector } = request;
  const { auth } = connector;
  const app = appCredentials(deps.config, connector);
  checkEntered(connector, request.settings);
  const state = oauth.generateRandomState();
  const verifier = oauth.generateRandomCodeVerifier();
  const stateHash = hashToken(state);
  await insertOAuthState({ query: deps.db.statement }, stateHash, {
    tenant_id: tenantId,
    connector: connector.id,
    connection_id: request.connectionId ?? null,
    features: request.features,
    settings: request.settings,
    verifier: deps.keyring.seal(verifier, oauthContext(stateHash)),
    browser_hash: request.browser ? hashToken(request.browser) : null,
    created_by: request.actor,
    return_to: request.returnTo ?? null,
    expires_at: new Date(deps.clock.now().getTime() + STATE_MS),
  });
  const scopes = scopesOf(auth, request.features);
  const query = encodeParameters({
    client_id: app.clientId,
    response_type: 'code',
    redirect_uri: redirectUri(deps),
    // Some vendors know no scopes.
    scope: scopes.required.join(auth.scopeSeparator) || undefined,
    ...(auth.optionalScopeParameter && scopes.optional.length > 0
      ? { [auth.optionalScopeParameter]: scopes.optional.join(auth.scopeSeparator) }
      : {}),
    state,
    ...(auth.pkce
      ? { code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }
      : {}),
    ...auth.authorize.query,
  });
  return {
    authorizeUrl: `${originOf(deps.config, connector, auth.authorize.host, { settings: request.settings, secrets: {} })}${auth.authorize.path}?${query}`,
    stateHash,
  };
}

/** @throws Problem naming what has to be entered before the vendor's page can be shown */
function checkEntered({ name, auth }: Connector & { auth: OAuth2 }, settings: Record<string, unknown>): void {
  if (!auth.fields || Value.Check(auth.fields, settings)) return;
  const errors = fieldErrors(auth.fields, settings);
  throw invalid(
    `${name} needs other details: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}.`,
    errors,
  );
}

const redirectUri = (deps: ConnectionDeps): string => `${deps.config.publicUrl}/oauth/callback`;

export interface CallbackResult {
  connection: ConnectionRow;
  returnTo: string | undefined;
}

/**
 * The platform's redirect back: checks the state, trades the code, finds out the account, makes the connection.
 * @throws Problem in words for the person who looks at the page
 */
export async function finishOAuth(
  deps: ConnectionDeps,
  query: Record<string, string>,
  browser: string | undefined,
  onConnected: OnConnected,
): Promise<CallbackResult> {
  const sql = { query: deps.db.statement };
  const hash = hashToken(query.state ?? '');
  const state = await useOAuthState(sql, hash, deps.clock.now());
  if (!state) {
    throw new Problem(
      400,
      'bad_state',
      'This authorisation was not started here, has been used already, or took longer than 15 minutes.',
      {
        fix: 'Start connecting again from the hub.',
      },
    );
  }
  if (state.browser_hash && (!browser || !sameBytes(state.browser_hash, hashToken(browser)))) {
    throw new Problem(400, 'other_browser', 'This authorisation was started in another browser.', {
      fix: 'Finish it where you started it, or start again here.',
    });
  }
  try {
    const connector = connectorOf(deps.registry, state.connector) as Connector & { auth: OAuth2 };
    if (query.error) {
      throw conflict(
        query.error === 'access_denied'
          ? `You said no on the ${connector.name} page, so nothing was connected.`
          : `${connector.name} refused: ${query.error_description ?? query.error}.`,
        'Start connecting again when you want to.',
      );
    }
    const authorised = await tradeCode(
      deps,
      connector,
      query,
      deps.keyring.open(state.verifier, oauthContext(hash)),
      state,
    );
    const connection = await establish(deps, state.tenant_id, authorised, onConnected);
    await settleOAuthState(sql, hash, { connectionId: connection.id });
    return { connection, returnTo: state.return_to ?? undefined };
  } catch (error) {
    await settleOAuthState(sql, hash, { error: messageOf(error) });
    if (error instanceof VendorError)
      throw new Problem(502, 'vendor', error.message, { fix: 'Try again; if it happens again, check the platform.' });
    throw error;
  }
}

async function tradeCode(
  deps: ConnectionDeps,
  connector: Connector & { auth: OAuth2 },
  query: Record<string, string>,
  verifier: string,
  state: { features: string[]; settings: Record<string, unknown>; connection_id: string | null; created_by: string },
): Promise<Authorised> {
  const { auth } = connector;
  const app = appCredentials(deps.config, connector);
  const wrong = auth.checkCallback?.(query, { app, settings: state.settings, now: deps.clock.now() });
  if (wrong) throw conflict(wrong, 'Start connecting again from the hub.');
  const callback = Object.fromEntries((auth.callbackParameters ?? []).map((name) => [name, query[name] ?? '']));
  const settings = { ...state.settings, ...callback };
  const { server, client, clientAuth, options } = oauthClient(deps, connector, auth, app, {
    settings,
    secrets: {},
    features: state.features,
  });
  const parameters = oauth.validateAuthResponse(
    server,
    client,
    new URLSearchParams({ code: query.code ?? '', state: query.state! }),
    query.state!,
  );
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    clientAuth,
    parameters,
    redirectUri(deps),
    auth.pkce ? verifier : oauth.nopkce,
    options,
  );
  const answer = await tokenAnswer(auth, response);
  if ('error' in answer)
    throw conflict(
      `${connector.name} did not accept the authorisation (${answer.error}: ${answer.description}).`,
      'Start connecting again.',
    );
  return {
    connector,
    secrets: secretsOf(auth, answer),
    expiresAt: expiry(deps, answer),
    scopes: answer.scopes ?? scopesOf(auth, state.features).required,
    features: state.features,
    settings,
    connectionId: state.connection_id ?? undefined,
    name: undefined,
    callback,
    actor: state.created_by,
  };
}

/** Waits for what became of an authorisation: the connection's id. */
export async function awaitOAuth(deps: ConnectionDeps, stateHash: string, signal: AbortSignal): Promise<string> {
  while (!signal.aborted) {
    const outcome = await oauthOutcome({ query: deps.db.statement }, stateHash);
    if (outcome?.error) throw conflict(String(outcome.error));
    if (outcome?.connectionId) return String(outcome.connectionId);
    await deps.clock.sleep(300);
  }
  throw conflict('Nobody finished the authorisation in time.', 'Start connecting again.');
}
