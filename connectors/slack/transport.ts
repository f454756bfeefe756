import {
  networkError,
  type PreparedRequest,
  parseBody,
  type Reply,
  readBytes,
  type Transport,
  VendorError,
} from '../../src/kit/index.ts';

const TIMEOUT_MS = 30_000;

const silent = (): void => {};

/** The hub logs for itself, without what the client would write to the console. */
const NO_LOGGER = {
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  setLevel: silent,
  getLevel: () => 'error' as never,
  setName: silent,
};

/** Slack's methods take named arguments, wherever a request carries them. */
const argumentsOf = (request: PreparedRequest): Record<string, unknown> => ({
  ...request.query,
  ...request.form,
  ...(request.json as Record<string, unknown> | undefined),
});

/**
 * Slack's own client as the transport. Its half hour of retries is off, and so is its waiting at a limit: the hub's one
 * policy decides. The client turns refusals into exceptions; the answer as it came is what the error table reads.
 */
export async function slackTransport(): Promise<Transport> {
  const { webApi } = await import('@slack/bolt');
  return async (request) => {
    const seen: { reply?: Reply } = {};
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(request.timeoutMs ?? TIMEOUT_MS)]);
    const client = new webApi.WebClient(request.headers.authorization?.replace(/^Bearer /, ''), {
      slackApiUrl: `${request.origin}/`,
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      logger: NO_LOGGER,
      fetch: async (url, init) => {
        const answer = await fetch(url, { ...init, signal });
        const raw = await readBytes(answer.body, answer.status);
        // Checked here, because the client passes off an answer that is no JSON as a refusal.
        const body = parseBody(raw, answer.status, 'json');
        seen.reply = { status: answer.status, headers: Object.fromEntries(answer.headers), body };
        return new Response(raw, { status: answer.status, headers: answer.headers });
      },
    });
    try {
      await client.apiCall(request.path.slice(1), argumentsOf(request));
    } catch (error) {
      if (!seen.reply) throw unanswered(error, new URL(request.origin).host);
    }
    return seen.reply!;
  };
}

/** What kept the answer away, out of the wrapping the client puts around it. */
function unanswered(error: unknown, host: string): VendorError {
  const cause = (error as { original?: unknown }).original ?? error;
  if ((cause as Error).name !== 'TimeoutError') return networkError(cause, host);
  return new VendorError('transient', `${host} did not answer in time.`, { mayHaveActed: true, cause });
}
