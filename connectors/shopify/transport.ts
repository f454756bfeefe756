import { Agent, request } from 'undici';
import {
  bodyOf,
  networkError,
  type PreparedRequest,
  parseBody,
  readBytes,
  type Transport,
  textAt,
} from '../../src/kit/index.ts';
import { GRAPHQL, VERSION } from './version.ts';

const TIMEOUT_MS = 30_000;

/** A line of its own: the package's client always says https, knows no time-outs and swallows what broke. */
interface Line {
  origin: string;
  signal: AbortSignal;
  failure?: unknown;
}

// The package has one fetch for the whole process: whoever sets it finds the calls of all.
const lines = new Map<string, Line>();
let numbers = 0;

/**
 * Shopify's own library as the transport: its GraphQL client brings the address, headers and version of a session. Its
 * retries stay off, and its answers are read raw: made into errors they would lose what the throttle says.
 */
export async function shopifyTransport(): Promise<Transport> {
  const [{ ApiVersion, LogSeverity, Session, shopifyApi }, { setAbstractFetchFunc }] = await Promise.all([
    import('@shopify/shopify-api'),
    import('@shopify/shopify-api/runtime'),
    import('@shopify/shopify-api/adapters/node'),
  ]);
  const dispatcher = new Agent({ connect: { timeout: 10_000 }, keepAliveTimeout: 10_000, connections: 32 });
  setAbstractFetchFunc((async (
    url: string,
    init: { method: string; headers: Record<string, string>; body: string },
  ) => {
    const { 'X-Line': number, ...headers } = init.headers;
    const line = lines.get(number ?? '')!;
    const { pathname, search } = new URL(url);
    try {
      // A renamed shop redirects, which is not followed: the token is for this shop.
      const answer = await request(`${line.origin}${pathname}${search}`, {
        ...{ method: init.method as 'POST', headers, body: init.body, dispatcher, signal: line.signal },
        ...{ headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS },
      });
      const told = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]);
      return new Response(await readBytes(answer.body, answer.statusCode), {
        ...{ status: answer.statusCode, headers: told },
      });
    } catch (error) {
      line.failure = error;
      throw error;
    }
  }) as unknown as typeof globalThis.fetch);
  const shopify = shopifyApi({
    // Signing in and checking signatures is the engine's, which has a clock that can be moved.
    ...{ apiKey: 'unused', apiSecretKey: 'unused', hostName: 'unused.invalid' },
    apiVersion: versionOf(ApiVersion),
    isEmbeddedApp: false,
    logger: { level: LogSeverity.Error, log: () => undefined },
  });

  return async (prepared) => {
    const { host } = new URL(prepared.origin);
    const number = String(++numbers);
    const line: Line = { origin: prepared.origin, signal: prepared.signal };
    lines.set(number, line);
    try {
      const session = new Session({
        ...{ id: number, shop: host, state: '', isOnline: false },
        accessToken: prepared.secrets.accessToken ?? '',
      });
      const { client } = new shopify.clients.Graphql({ session });
      const { query, variables } = documentOf(prepared);
      // `request` of the client would turn refusals into errors; `fetch` answers as it came.
      const answer = await client.fetch(query, { variables, headers: { 'X-Line': number }, retries: 0 });
      const whole = answer.body as AsyncIterable<Uint8Array> | null;
      const raw = await readBytes(whole, answer.status);
      return {
        status: answer.status,
        headers: Object.fromEntries(answer.headers),
        body: parseBody(raw, answer.status, prepared.expect ?? 'json'),
      };
    } catch (error) {
      throw networkError(line.failure ?? error, host);
    } finally {
      lines.delete(number);
    }
  };
}

/** The package's word for our version. @throws Error when it does not know it: both are raised together */
function versionOf<Known extends Record<string, string>>(versions: Known): Known[keyof Known] {
  const found = Object.values(versions).find((version) => version === VERSION);
  if (!found) throw new Error(`@shopify/shopify-api does not know the version ${VERSION} of the API.`);
  return found as Known[keyof Known];
}

function documentOf(request: PreparedRequest): { query: string; variables: Record<string, unknown> } {
  const query = textAt(request.json, 'query');
  if (request.path !== GRAPHQL || query === undefined || bodyOf(request).type !== 'application/json')
    throw new Error(`Shopify is asked by GraphQL only, not ${request.method} ${request.path}.`);
  return { query, variables: (request.json as { variables?: Record<string, unknown> }).variables ?? {} };
}
