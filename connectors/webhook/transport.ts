import { Agent, type Dispatcher, request as send } from 'undici';
import {
  bodyOf,
  networkError,
  type PreparedRequest,
  publicAddress,
  type Reply,
  retryAfter,
  type Transport,
  VendorError,
} from '../../src/kit/index.ts';
import { SENT_ID } from './actions.ts';
import { signatureHeader } from './signatures.ts';

/** A receiver has little to say; the rest is not read. */
const MAX_ANSWER = 64 * 1024;
const CONNECT_MS = 10_000;

/** Answers that stand for themselves; every other refusal may be over soon (the receiver is being changed). */
const FINAL = new Set([410, 429]);

/**
 * Posts to addresses that users entered: signed, to the address that was checked, without following anybody anywhere.
 * Whether a receiver acted on a post that broke off does not matter, because it recognises the repetition; so nothing
 * here is ever in doubt, and failures are simply tried again.
 */
export async function webhookTransport(): Promise<Transport> {
  return async (request) => {
    const reply = await post(request);
    if (reply.status < 400 || FINAL.has(reply.status)) return reply;
    const until = retryAfter(reply, attemptTime(request));
    throw new VendorError('transient', `The receiver answered with status ${reply.status}.`, {
      status: reply.status,
      ...(until ? { until } : {}),
    });
  };
}

const attemptTime = (request: PreparedRequest): Date => new Date(Number(request.headers['webhook-timestamp']) * 1000);

async function post(request: PreparedRequest): Promise<Reply> {
  const url = new URL(request.path, request.origin);
  const { type, body = '' } = bodyOf(request);
  const id = request.headers['webhook-id']!;
  const signature = signatureHeader(request.secrets, id, request.headers['webhook-timestamp']!, body);
  const pinned = await checkedAddress(url, request);
  const agent = new Agent({
    connect: {
      timeout: CONNECT_MS,
      lookup: (_host, options, done) =>
        options.all ? done(null, [pinned]) : done(null, pinned.address, pinned.family),
    },
  });
  try {
    const answer = await send(url, {
      method: request.method,
      headers: {
        'content-type': type ?? 'application/json',
        ...request.headers,
        ...(signature ? { 'webhook-signature': signature } : {}),
      },
      body,
      dispatcher: agent,
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(request.timeoutMs ?? CONNECT_MS)]),
    });
    return {
      status: answer.statusCode,
      headers: { ...headersOf(answer), [SENT_ID]: id },
      body: await readAnswer(answer),
    };
  } catch (error) {
    throw unreached(error, url.hostname);
  } finally {
    await agent.destroy();
  }
}

/** The address to connect to. Names are looked up once, and every time anew. */
async function checkedAddress(url: URL, request: PreparedRequest): Promise<{ address: string; family: number }> {
  const own = request.allowedHosts.includes(url.hostname);
  if (url.protocol !== 'https:' && !own)
    throw new VendorError('invalid', `The address must start with https:// (${url.hostname}).`);
  if (url.port !== '' && !own)
    throw new VendorError(
      'invalid',
      `The port ${url.port} is not allowed: use the standard port, or add ${url.hostname} to RAPPORT_ALLOW_PRIVATE.`,
    );
  return publicAddress(url.hostname, request.allowedHosts);
}

const headersOf = (answer: Dispatcher.ResponseData): Record<string, string> =>
  Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), String(value)]));

/** The answer as JSON where it is some; anything else says nothing we could use. */
async function readAnswer(answer: Dispatcher.ResponseData): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > MAX_ANSWER) break;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}

function unreached(error: unknown, host: string): VendorError {
  if ((error as Error).name === 'TimeoutError')
    return new VendorError('transient', `${host} did not answer in time.`, { cause: error });
  const { kind, message } = networkError(error, host);
  return new VendorError(kind, message, { cause: error });
}
