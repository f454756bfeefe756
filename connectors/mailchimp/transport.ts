import {
  bodyOf,
  networkError,
  type PreparedRequest,
  parseBody,
  type Reply,
  sha256,
  type Transport,
  VendorError,
} from '../../src/kit/index.ts';

const TIMEOUT_MS = 30_000;

/** Calls at once for one account: Mailchimp takes 10 of a user, over all apps and hubs (dossier, Limits). */
const AT_ONCE = 5;

/** What of the package is used; it brings no types. */
interface Client {
  basePath: string;
  config: object;
  timeout: object;
  agent: { get(url: string): object };
  callApi(
    path: string,
    method: string,
    pathParams: object,
    query: object,
    headers: object,
    form: object,
    body: unknown,
    auth: string[],
    sent: string[],
    accepted: string[],
    type: null,
  ): Promise<{ response: Answer }>;
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  text?: string;
}

/**
 * Mailchimp's own client as the transport: its generic call, with the address, time-outs and headers of each request. It
 * repeats nothing by itself.
 */
export async function mailchimpTransport(): Promise<Transport> {
  // @ts-expect-error The package brings no types.
  const client = (await import('@mailchimp/mailchimp_marketing')).default as Client;
  followNothing(client);
  const places = createPlaces(AT_ONCE);
  return async (request) => {
    const host = new URL(request.origin).host;
    const leave = await places.enter(sha256(request.headers.authorization ?? '').toString('hex'), request.signal);
    try {
      return await send(client, request);
    } catch (error) {
      throw networkError(error, host);
    } finally {
      leave();
    }
  };
}

async function send(client: Client, request: PreparedRequest): Promise<Reply> {
  const { type, body } = bodyOf(request);
  const wait = request.timeoutMs ?? TIMEOUT_MS;
  // One of its own for each call: address and time-out are the client's, not the call's.
  const one: Client = Object.assign(Object.create(client), {
    basePath: request.origin,
    config: {},
    timeout: { response: wait, deadline: wait },
  });
  const headers = { ...request.headers };
  // This one address wants another word before the token (dossier, Auth).
  if (request.path === '/oauth2/metadata') headers.authorization = `OAuth ${request.secrets.accessToken}`;
  const query = Object.fromEntries(Object.entries(request.query ?? {}).filter(([, value]) => value !== undefined));
  const sent = type ?? 'application/json';
  const {
    status,
    headers: got,
    text,
  } = await Promise.race([
    one
      .callApi(request.path, request.method, {}, query, headers, {}, body?.toString(), [], [sent], ['*/*'], null)
      .then(({ response }) => response)
      .catch(answerOf),
    aborted(request.signal),
  ]);
  return { status, headers: got, body: parseBody(Buffer.from(text ?? ''), status, request.expect ?? 'json') };
}

/** The client takes refusals and answers it cannot read for failures of the call. @throws what is a failure of it */
function answerOf(error: unknown): Answer {
  const { response, rawResponse, statusCode, timeout } = error as {
    response?: Answer;
    rawResponse?: string;
    statusCode?: number;
    timeout?: number;
  };
  if (response) return response;
  if (statusCode !== undefined) return { status: statusCode, headers: {}, text: rawResponse ?? '' };
  if (timeout !== undefined)
    throw new VendorError('transient', 'Mailchimp did not answer in time.', { mayHaveActed: true, cause: error });
  throw error;
}

/** The client takes no abort signal: the wait is ended from outside. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

/**
 * The HTTP library below the client follows redirects to any host, access token included, and the client has no way to
 * tell it not to. Nobody else uses this copy of it.
 */
function followNothing(client: Client): void {
  const requests = Object.getPrototypeOf(client.agent.get('http://localhost/')) as { redirects: unknown };
  requests.redirects = function redirects(this: { _maxRedirects: number }) {
    this._maxRedirects = 0;
    return this;
  };
}

/** Lets so many in at once for each account; the others wait in the order they came. */
function createPlaces(most: number): { enter(account: string, signal: AbortSignal): Promise<() => void> } {
  const taken = new Map<string, { count: number; waiting: (() => void)[] }>();
  const leave = (account: string): void => {
    const place = taken.get(account)!;
    const next = place.waiting.shift();
    // Whoever waits takes the place over.
    if (next) next();
    else place.count -= 1;
    if (place.count === 0) taken.delete(account);
  };
  return {
    async enter(account, signal) {
      const place = taken.get(account) ?? { count: 0, waiting: [] };
      taken.set(account, place);
      if (place.count < most) place.count += 1;
      else
        await new Promise<void>((resolve, reject) => {
          const go = (): void => resolve();
          place.waiting.push(go);
          signal.addEventListener('abort', () => {
            const at = place.waiting.indexOf(go);
            if (at < 0) return;
            place.waiting.splice(at, 1);
            // It never left, so nothing can have happened.
            reject(new VendorError('transient', 'Too many calls to Mailchimp were waiting.', { mayHaveActed: false }));
          });
        });
      return () => leave(account);
    },
  };
}
