import { Agent, fetch as fetchWith } from 'undici';
import { bodyOf, networkError, parseBody, readBytes, type Transport } from '../../src/kit/index.ts';
import { createLanes } from './lanes.ts';

const TIMEOUT_MS = 30_000;

/**
 * Microsoft's own client as the transport. Its chain of handlers is replaced by one that sends: no retries, no token
 * handling (the hub's one policy decides), and time-outs of our own. Its wrapper for errors loses what went wrong below
 * HTTP, so that is kept beside it.
 */
export async function graphTransport(): Promise<Transport> {
  const { Client, ResponseType } = await import('@microsoft/microsoft-graph-client');
  const dispatcher = new Agent({
    connectTimeout: 10_000,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    keepAliveTimeout: 10_000,
  });
  const lanes = createLanes();
  return (request) =>
    lanes(request.headers.authorization ?? '', async () => {
      let broken: unknown;
      const client = Client.initWithMiddleware({
        baseUrl: request.origin,
        defaultVersion: '',
        middleware: {
          execute: async (context) => {
            try {
              const options = { ...context.options, dispatcher, signal: request.signal };
              context.response = (await fetchWith(String(context.request), options as never)) as never;
            } catch (error) {
              broken = error;
              throw error;
            }
          },
        },
      });
      const { type, body } = bodyOf(request);
      const query = Object.entries(request.query ?? {}).flatMap(([name, value]) =>
        value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`],
      );
      const path = `${request.path}${query.length > 0 ? `${request.path.includes('?') ? '&' : '?'}${query.join('&')}` : ''}`;
      const call = client
        .api(path)
        .headers({ ...request.headers, ...(type ? { 'Content-Type': type } : {}) })
        .responseType(ResponseType.RAW);
      try {
        const send = { GET: 'get', POST: 'post', PUT: 'put', PATCH: 'patch', DELETE: 'delete' } as const;
        const method = send[request.method];
        const response: Response =
          method === 'get' || method === 'delete' ? await call[method]() : await call[method](body?.toString());
        const raw = await readBytes(response.body, response.status);
        return {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          body: parseBody(raw, response.status, request.expect ?? 'json'),
        };
      } catch (error) {
        throw networkError(broken ?? error, new URL(request.origin).host);
      }
    });
}
