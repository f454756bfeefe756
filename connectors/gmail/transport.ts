import {
  bodyOf,
  networkError,
  type PreparedRequest,
  parseBody,
  readBytes,
  type Transport,
} from '../../src/kit/index.ts';

const TIMEOUT_MS = 30_000;

/**
 * Google's own client as the transport. Its calls take the address and method of a request, so one of them carries all:
 * also the one of who somebody is, for which it has no method. Its retries and its log-in stay off: the hub's one policy
 * decides, and the hub keeps the tokens.
 */
export async function googleTransport(): Promise<Transport> {
  const [{ gmail }, { Agent, fetch }] = await Promise.all([import('@googleapis/gmail'), import('undici')]);
  // The client has no time-outs of its own.
  const dispatcher = new Agent({
    connect: { timeout: 10_000 },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    keepAliveTimeout: 10_000,
  });
  const fetchImplementation = ((input: string, init: object) => fetch(input, { ...init, dispatcher })) as never;
  const client = gmail({ version: 'v1', retry: false, fetchImplementation });
  return async (request) => {
    try {
      const answer = await client.users.labels.list(parametersOf(request), {
        url: new URL(request.path, request.origin),
        method: request.method,
        headers: { accept: 'application/json', ...request.headers, ...typeOf(request) },
        responseType: 'stream',
        retry: false,
        // A refusal is an answer, and an address that moves is none of Google's.
        validateStatus: () => true,
        redirect: 'error',
        signal: request.signal,
      });
      const raw = await readBytes(answer.data as unknown as AsyncIterable<Uint8Array>, answer.status);
      return {
        status: answer.status,
        headers: Object.fromEntries(new Headers(answer.headers as HeadersInit)),
        body: parseBody(raw, answer.status, request.expect ?? 'json'),
      };
    } catch (error) {
      throw networkError(error, new URL(request.origin).host);
    }
  };
}

/** Query and body as the client takes them. Bodies are written by the kit: what a preview shows is what is sent. */
function parametersOf(request: PreparedRequest): Record<string, unknown> {
  const { body } = bodyOf(request);
  // The call that carries all of them is about a user, whom it takes out of the parameters.
  return { userId: 'me', ...request.query, ...(body === undefined ? {} : { requestBody: body.toString() }) };
}

function typeOf(request: PreparedRequest): Record<string, string> {
  const { type } = bodyOf(request);
  return type ? { 'content-type': type } : {};
}
