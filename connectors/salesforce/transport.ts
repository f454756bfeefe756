import { PassThrough } from 'node:stream';
import type { HttpRequest, HttpResponse } from 'jsforce/lib/types/index.js';
import { Agent, request as send } from 'undici';
import {
  bodyOf,
  encodeParameters,
  networkError,
  type PreparedRequest,
  parseBody,
  type Reply,
  readBytes,
  type Transport,
} from '../../src/kit/index.ts';
import { VERSION } from './api.ts';

const TIMEOUT_MS = 30_000;

/**
 * Salesforce's client for JavaScript (jsforce) as the transport: it keeps the session (instance, version, token, call
 * options) and writes the addresses and headers. Its own wire is replaced by the hub's: a connection that breaks within
 * an answer ends the whole process there (QUIRKS.md), and it repeats calls by itself. Each connection of the hub has a
 * session of its own for one call, so no token outlives its use.
 */
export async function salesforceTransport(): Promise<Transport> {
  // Without the parts for the command line, streaming, metadata and SOAP.
  const { Connection } = await import('jsforce/lib/core.js');
  const agent = new Agent({ connect: { timeout: 10_000 }, keepAliveTimeout: 10_000, connections: 32, pipelining: 1 });
  return async (request) => {
    const session = new Connection({
      instanceUrl: request.origin,
      version: VERSION,
      ...(request.headers.authorization ? { accessToken: request.secrets.accessToken ?? '' } : {}),
      // Changes of ours are told apart from others' by it in the organisation's event log.
      callOptions: { client: 'Rapport' },
    });
    let reply: Reply | undefined;
    const wire = {
      httpRequest: (asked: HttpRequest) =>
        sent(asked, request, agent, (got) => {
          reply = got;
        }),
    };
    try {
      await session.request(written(request), { transport: wire as never });
    } catch (error) {
      // Refusals are read by the hub's own table; only what never came back is a failure here.
      if (!reply) throw networkError(error, new URL(request.origin).host);
    }
    return reply!;
  };
}

/** The request in jsforce's form; the body is written by the kit, so that what a preview shows is what is sent. */
function written(request: PreparedRequest): HttpRequest {
  const { type, body } = bodyOf(request);
  const query = encodeParameters(request.query ?? {});
  const { authorization: _its, ...headers } = request.headers;
  return {
    method: request.method,
    url: `${request.origin}${request.path}${query ? `?${query}` : ''}`,
    headers: { accept: 'application/json', ...headers, ...(type ? { 'content-type': type } : {}) },
    ...(body === undefined ? {} : { body: body.toString() }),
  };
}

/** Sends what jsforce wrote and notes the answer as it came. @returns what jsforce expects of a transport */
function sent(
  asked: HttpRequest,
  request: PreparedRequest,
  dispatcher: Agent,
  note: (reply: Reply) => void,
): Promise<HttpResponse> & { stream: () => PassThrough } {
  const answered = (async (): Promise<HttpResponse> => {
    const timeout = request.timeoutMs ?? TIMEOUT_MS;
    const answer = await send(asked.url, {
      method: request.method,
      headers: asked.headers ?? {},
      ...(asked.body === undefined ? {} : { body: String(asked.body) }),
      dispatcher,
      signal: request.signal,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
    const raw = await readBytes(answer.body, answer.statusCode);
    const headers = Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), String(value ?? '')]),
    );
    note({ status: answer.statusCode, headers, body: parseBody(raw, answer.statusCode, request.expect ?? 'json') });
    // jsforce takes nothing out of it any more.
    return { statusCode: 204, headers, body: '' };
  })();
  return Object.assign(answered, { stream: () => new PassThrough() });
}
