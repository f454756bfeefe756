import { bodyOf, networkError, parseBody, type Transport, VendorError } from '../../src/kit/index.ts';

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 64 * 1024 * 1024;

interface Envelope {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/**
 * Pipedrive's own client as the transport. It has no call for any path and its interceptors throw status and headers
 * away, so its HTTP instance is used with an envelope that carries both through them; it does not retry by itself.
 */
export async function pipedriveTransport(): Promise<Transport> {
  const { Configuration, PersonsApi } = await import('pipedrive/v2');
  class Client extends PersonsApi {
    send(config: Parameters<typeof this.axios.request>[0]): Promise<unknown> {
      return this.axios.request(config);
    }
  }
  const client = new Client(new Configuration({}));
  return async (request) => {
    const { type, body } = bodyOf(request);
    const query = Object.entries(request.query ?? {}).filter(([, value]) => value !== undefined);
    try {
      const answer = (await client.send({
        method: request.method,
        url: `${request.origin}${request.path}`,
        ...(query.length > 0 ? { params: Object.fromEntries(query) } : {}),
        // Bodies are written by the kit, so that what a preview shows is what is sent.
        ...(body === undefined ? {} : { data: body, transformRequest: [(data: unknown) => data] }),
        headers: { ...request.headers, ...(type ? { 'Content-Type': type } : {}) },
        responseType: 'arraybuffer',
        validateStatus: () => true,
        transformResponse: [
          (data: unknown, headers: Record<string, unknown>, status?: number): Envelope => ({
            status: status ?? 0,
            headers: Object.fromEntries(
              Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
            ),
            body: Buffer.from((data as Buffer | undefined) ?? []),
          }),
        ],
        signal: request.signal,
        timeout: request.timeoutMs ?? TIMEOUT_MS,
        maxContentLength: MAX_BYTES,
        maxRedirects: 0,
        proxy: false,
      })) as Envelope;
      const { status, headers } = answer;
      return { status, headers, body: parseBody(answer.body, status, request.expect ?? 'json') };
    } catch (error) {
      throw failure(error, new URL(request.origin).host);
    }
  };
}

/** The client calls silence and an end from outside by names of its own. */
function failure(error: unknown, host: string): VendorError {
  const { code, name } = error as { code?: string; name?: string };
  if (code === 'ECONNABORTED' || name === 'CanceledError')
    return new VendorError('transient', `${host} did not answer in time.`, { mayHaveActed: true, cause: error });
  return networkError(error, host);
}
