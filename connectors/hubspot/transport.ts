import { Agent, setGlobalDispatcher } from 'undici';
import { bodyOf, networkError, parseBody, readBytes, type Transport } from '../../src/kit/index.ts';

const TIMEOUT_MS = 30_000;

/**
 * HubSpot's own client as the transport. Its typed methods still call paths that HubSpot retires in 2027, so its
 * generic request call is used with the dated paths; its retries stay off (the hub's one policy decides).
 */
export async function hubspotTransport(): Promise<Transport> {
  const { Client } = await import('@hubspot/api-client');
  // The client has no time-outs of its own and uses the global fetch; this is what reaches it (a silent server once
  // kept it waiting for more than two minutes).
  setGlobalDispatcher(
    new Agent({
      connectTimeout: 10_000,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      keepAliveTimeout: 10_000,
    }),
  );
  return async (request) => {
    const client = new Client({ basePath: request.origin });
    const { type, body } = bodyOf(request);
    const query = Object.entries(request.query ?? {}).filter(([, value]) => value !== undefined);
    try {
      const response = await Promise.race([
        client.apiRequest({
          method: request.method,
          path: request.path,
          ...(query.length > 0 ? { qs: Object.fromEntries(query) } : {}),
          // Bodies are written by the kit, so that what a preview shows is what is sent.
          defaultJson: false,
          ...(body === undefined ? {} : { body: body.toString() }),
          headers: { ...request.headers, ...(type ? { 'Content-Type': type } : {}) },
        }),
        aborted(request.signal),
      ]);
      // Also a body that never ends is ended by the signal.
      const whole = response.body?.pipeThrough(new TransformStream(), { signal: request.signal }) ?? null;
      const raw = await readBytes(whole, response.status);
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: parseBody(raw, response.status, request.expect ?? 'json'),
      };
    } catch (error) {
      throw networkError(error, new URL(request.origin).host);
    }
  };
}

/** The client takes no abort signal: the wait is ended from outside. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
