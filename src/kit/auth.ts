import type { TObject } from 'typebox';
import type { Parameters, Reply, RequestSpec } from './request.ts';

/** What a connection keeps encrypted. */
export type Secrets = Record<string, string>;

/** Scopes one feature of the connector needs; only the features a tenant switches on are asked for. */
export interface FeatureScopes {
  title: string;
  scopes: readonly string[];
  /** Asked for as optional, because accounts without the vendor's paid tier would fail to install otherwise. */
  optional?: true;
  /** Asked for only when somebody names it: most accounts cannot give it, and would refuse everything for it. */
  byName?: true;
}

export interface OAuth2 {
  kind: 'oauth2';
  /** Environment variables that hold our registration at the vendor. */
  app: { clientId: string; clientSecret: string };
  /**
   * What a person enters before they are sent to the vendor's page, such as the name of their account in its address.
   * It becomes settings of the connection, so no secret may be asked for here.
   */
  fields?: TObject;
  authorize: { host: string; path: string; query?: Parameters };
  /**
   * `json`: its questions are written as JSON instead of a form; `parameters` are asked along each time; `scope`: the
   * scopes are named here once more.
   */
  token: {
    host: string;
    path: string;
    headers?: Record<string, string>;
    json?: true;
    scope?: true;
    parameters?: Record<string, string | number>;
  };
  revoke?: (token: string, app: AppCredentials) => RequestSpec;
  /** How client id and secret travel to the token endpoint. */
  clientAuth: 'basic' | 'post';
  pkce: boolean;
  /** Word before the access token in the header that carries it; `Bearer` when absent. */
  scheme?: string;
  /** Errors of the token endpoint that mean "not now" instead of "never again". */
  busyErrors?: readonly string[];
  scopeSeparator: ' ' | ',';
  /** Parameter for optional scopes, where the vendor has one. */
  optionalScopeParameter?: string;
  features: Record<string, FeatureScopes>;
  /** The refresh token changes with (some) refreshes: losing the new one loses the connection. */
  rotates: boolean;
  /** Seconds an access token lives when the answer does not say; absent: for ever. */
  accessTtl?: number;
  /** Fields of the token answer to keep with the secrets. */
  keep?: readonly string[];
  /**
   * Checks the redirect back where the vendor signs it, beyond what state says.
   * @returns what is wrong with it, in words; undefined when nothing is
   */
  checkCallback?: (
    query: Readonly<Record<string, string>>,
    known: { app: AppCredentials; settings: Readonly<Record<string, unknown>>; now: Date },
  ) => string | undefined;
  /** Parameters of the redirect back that belong to the account (`realmId`). */
  callbackParameters?: readonly string[];
  /** Scopes that were granted, as the token answer tells; default: its `scope`. */
  grantedScopes?: (answer: Record<string, unknown>) => string[] | undefined;
  /** Where the access token stands in the answer, when not at `access_token`. */
  accessToken?: (answer: Record<string, unknown>) => string | undefined;
}

/** Credentials a person types in: keys, passwords, a signing secret. */
export interface FieldsAuth {
  kind: 'api_key' | 'basic' | 'none';
  /** What is asked for. Fields named in `secret` are stored encrypted, the others are settings of the connection. */
  fields: TObject;
  secret: readonly string[];
  features: Record<string, FeatureScopes>;
  /** Headers that carry the credentials. */
  headers?: (secrets: Secrets, settings: Record<string, unknown>) => Record<string, string>;
}

export type Auth = OAuth2 | FieldsAuth;

export interface AppCredentials {
  clientId: string;
  clientSecret: string;
}

/** Who is connected. `id` is stable at the vendor: webhooks are routed by it. */
export interface Account {
  id: string;
  name: string;
  timeZone?: string;
  currency?: string;
  /** Other names by which posts call it, such as an address that may change. */
  alsoKnownAs?: readonly string[];
  /** Web address of the account, for links. */
  url?: string;
  /** Whatever else the connector needs to know about it. */
  extra?: Record<string, unknown>;
}

/** Header of HTTP Basic authentication. */
export const basicAuth = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Token answers of real vendors are looser than the standard; this is what must hold. */
export interface TokenAnswer {
  accessToken: string;
  refreshToken: string | undefined;
  expiresInSeconds: number | undefined;
  scopes: string[] | undefined;
  raw: Record<string, unknown>;
}

/**
 * Reads a token endpoint's answer: `ok: false` with status 200 is a failure (Slack), a missing `token_type` and a null
 * scope are fine (Shopify), seconds may be text.
 * @returns the tokens, or the vendor's error code
 */
export function readTokenAnswer(auth: OAuth2, reply: Reply): TokenAnswer | { error: string; description: string } {
  const raw = (reply.body !== null && typeof reply.body === 'object' ? reply.body : {}) as Record<string, unknown>;
  const accessToken = auth.accessToken ? auth.accessToken(raw) : raw.access_token;
  if (reply.status >= 400 || raw.ok === false || typeof accessToken !== 'string' || accessToken === '') {
    const error = typeof raw.error === 'string' ? raw.error : `status_${reply.status}`;
    const description =
      [raw.error_description, raw.message].find((item) => typeof item === 'string') ??
      'The answer holds no access token.';
    return { error, description: description as string };
  }
  const seconds = Number(raw.expires_in);
  const scopes =
    auth.grantedScopes?.(raw) ?? (typeof raw.scope === 'string' ? raw.scope.split(/[ ,]+/).filter(Boolean) : undefined);
  return {
    accessToken,
    refreshToken: typeof raw.refresh_token === 'string' ? raw.refresh_token : undefined,
    // Nothing lives for no time: 0 says that it does not end (Mailchimp).
    expiresInSeconds: raw.expires_in != null && seconds > 0 ? seconds : auth.accessTtl,
    scopes,
    raw,
  };
}
