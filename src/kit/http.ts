import { Agent, type Dispatcher, request } from 'undici';
import type { PreparedRequest, Transport } from './connector.ts';
import { VendorError } from './errors.ts';
import { publicAddress } from './guard.ts';
import { encodeParameters, type Reply } from './request.ts';

/** Largest answer that is read; a page beyond it is a vendor gone wrong, not data. */
const MAX_BYTES = 64 * 1024 * 1024;
const DEFAULT_TIMEOUT = 30_000;

// Before these the request did not leave, so the vendor cannot have acted on it.
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

export interface HttpClient {
  send: Transport;
  close(): Promise<void>;
}

/**
 * The default transport of connectors: HTTP with time-outs on every phase and no retries of its own.
 * @param allowPrivateHosts hosts that user-given addresses may reach although they are private
 */
export function createHttpClient(allowPrivateHosts: readonly string[]): HttpClient {
  const agent = new Agent({ connect: { timeout: 10_000 }, keepAliveTimeout: 10_000, connections: 32, pipelining: 1 });
  // Pins the address that was checked, so that a name cannot resolve to another one at connect.
  const guarded = new Agent({
    connect: {
      timeout: 10_000,
      lookup: (host, options, done) => {
        publicAddress(host, allowPrivateHosts).then(
          ({ address, family }) => (options.all ? done(null, [{ address, family }]) : done(null, address, family)),
          (error) => done(error, '', 4),
        );
      },
    },
    keepAliveTimeout: 1_000,
  });
  return {
    send: (prepared) => send(prepared, prepared.guarded ? guarded : agent, allowPrivateHosts),
    close: async () => {
      await Promise.all([agent.close(), guarded.close()]);
    },
  };
}

/** Full address of a prepared request. */
export function urlOf(prepared: Pick<PreparedRequest, 'origin' | 'path' | 'query'>): string {
  const query = prepared.query ? encodeParameters(prepared.query) : '';
  return `${prepared.origin}${prepared.path}${query ? `${prepared.path.includes('?') ? '&' : '?'}${query}` : ''}`;
}

/** Body bytes and content type of a request. */
export function bodyOf(spec: Pick<PreparedRequest, 'json' | 'form' | 'bytes'>): {
  type?: string;
  body?: string | Buffer;
} {
  if (spec.json !== undefined) return { type: 'application/json', body: JSON.stringify(spec.json) };
  if (spec.form) return { type: 'application/x-www-form-urlencoded', body: encodeParameters(spec.form) };
  return spec.bytes ? { type: spec.bytes.type, body: spec.bytes.data } : {};
}

async function send(prepared: PreparedRequest, dispatcher: Dispatcher, allowed: readonly string[]): Promise<Reply> {
  const { type, body } = bodyOf(prepared);
  const timeout = prepared.timeoutMs ?? DEFAULT_TIMEOUT;
  const url = new URL(urlOf(prepared));
  if (prepared.guarded) await checkGuarded(url, allowed);
  let answer: Dispatcher.ResponseData;
  let raw: Buffer;
  try {
    answer = await request(url, {
      method: prepared.method,
      headers: { accept: 'application/json', ...(type ? { 'content-type': type } : {}), ...prepared.headers },
      ...(body === undefined ? {} : { body }),
      dispatcher,
      signal: prepared.signal,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
    raw = await readBytes(answer.body, answer.statusCode);
  } catch (cause) {
    throw networkError(cause, url.host);
  }
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(', ') : String(value),
    ]),
  );
  return { status: answer.statusCode, headers, body: parseBody(raw, answer.statusCode, prepared.expect ?? 'json') };
}

async function checkGuarded(url: URL, allowed: readonly string[]): Promise<void> {
  const own = allowed.includes(url.hostname);
  if (url.protocol !== 'https:' && !own)
    throw new VendorError('invalid', `The address must start with https:// (${url.hostname}).`);
  if (url.port !== '' && !own)
    throw new VendorError(
      'invalid',
      `The port ${url.port} is not allowed: use the standard port, or add ${url.hostname} to RAPPORT_ALLOW_PRIVATE.`,
    );
  // The agent's look-up is not asked for literal addresses.
  await publicAddress(url.hostname, allowed);
}

/**
 * The body of an answer, also of one that a vendor's own client got.
 * @throws VendorError `malformed` when it is larger than anything that is read
 */
export async function readBytes(body: AsyncIterable<Uint8Array> | null, status: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop ends the stream, and with it the connection.
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) {
      const sentence = `The platform's answer is larger than ${MAX_BYTES / 1024 / 1024} MB and was not read.`;
      throw new VendorError('malformed', sentence, { status, mayHaveActed: true });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The body in the promised form.
 * @throws VendorError `malformed` when a good answer is not JSON; a refusal may be any text
 */
export function parseBody(raw: Buffer, status: number, expect: 'json' | 'text' | 'none'): unknown {
  const text = raw.toString('utf8');
  if (expect === 'text') return text;
  if (text.trim() === '') return expect === 'json' && status < 300 && status !== 204 && status !== 202 ? {} : undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (expect === 'none' || status >= 400) return text;
    throw new VendorError(
      'malformed',
      `The platform answered with something that is not JSON (${text.length} characters, starting "${text.slice(0, 40).replace(/\s+/g, ' ')}").`,
      {
        status,
        mayHaveActed: true,
        cause,
      },
    );
  }
}

/** A failure below HTTP as a vendor error: silence, a cut connection, an unknown host. */
export function networkError(cause: unknown, host: string): VendorError {
  if (cause instanceof VendorError) return cause;
  const inner = (cause as { cause?: unknown }).cause;
  if (inner instanceof VendorError) return inner;
  // Codes are text; those of the DOM's own errors are numbers that say nothing here.
  const codes = [cause, inner].map((item) => (item as { code?: unknown } | undefined)?.code);
  const code = codes.find((item): item is string => typeof item === 'string') ?? '';
  const { name } = cause as Error;
  if (name === 'AbortError') {
    return new VendorError('transient', `The call to ${host} was stopped before its answer.`, {
      mayHaveActed: true,
      cause,
    });
  }
  const silent = name === 'TimeoutError' || code.includes('TIMEOUT');
  const message = NOT_SENT.has(code)
    ? `${host} cannot be reached (${code}).`
    : silent
      ? `${host} did not answer in time.`
      : `The connection to ${host} broke before its answer was complete${code ? ` (${code})` : ''}.`;
  return new VendorError('transient', message, { mayHaveActed: !NOT_SENT.has(code), cause });
}
