import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/kit/index.ts';
import type { SandboxOAuth } from '../../src/kit/sandbox/index.ts';

export const refuse = (reply: FastifyReply, status: number, error: string, description: string, details?: object) =>
  reply.code(status).send({ error, description, ...(details ? { details } : {}) });

interface Window {
  name: string;
  calls: number;
  match: (call: string) => boolean;
  times: number[];
}

/** The vendor's windows of a minute (dossier, Limits), of the smallest plan. */
const windows = (): Window[] => [
  { name: 'account', calls: 200, match: () => true, times: [] },
  { name: 'incremental-exports', calls: 10, match: (call) => call.startsWith('GET /api/v2/incremental/'), times: [] },
  {
    name: 'ticket-updates',
    calls: 100,
    match: (call) => /^(PUT|DELETE|POST) \/api\/v2\/tickets\/\d/.test(call),
    times: [],
  },
];

/** Who asks, and how often: tokens, the scope they have, the limits of a minute. */
export function installGate(
  app: FastifyInstance,
  oauth: () => SandboxOAuth,
  clock: Clock,
  { limits, isSuspended }: { limits: boolean; isSuspended: () => boolean },
): void {
  const known = windows();
  app.addHook('preHandler', async (request, reply) => {
    if (!request.url.startsWith('/api/v2/')) return;
    if (isSuspended()) {
      await reply.code(404).type('text/html').send('<!doctype html><title>Help Center Closed</title>');
      return;
    }
    const grant = oauth().grantOf(request);
    // This one is answered to anybody.
    if (!grant && request.url.startsWith('/api/v2/users/me')) return;
    if (!grant) {
      await refuse(reply, 401, 'invalid_token', 'The access token provided is expired, revoked, malformed or invalid.');
      return;
    }
    const needed = request.method === 'GET' ? 'read' : 'write';
    const own = request.url.startsWith('/api/v2/oauth/tokens/current');
    if (!own && !grant.scopes.includes(needed)) {
      await reply.code(403).send({ error: { title: 'Forbidden', message: 'You do not have access to this page.' } });
      return;
    }
    if (limits) await takeTurn(request, reply, known, clock);
  });
}

async function takeTurn(request: FastifyRequest, reply: FastifyReply, known: Window[], clock: Clock): Promise<void> {
  const now = clock.now().getTime();
  const call = `${request.method} ${request.url.split('?')[0]}`;
  const counting = known.filter(({ match }) => match(call));
  for (const window of counting)
    while (window.times[0] !== undefined && window.times[0] <= now - 60_000) window.times.shift();
  const full = counting.find(({ times, calls }) => times.length >= calls);
  if (full) {
    const wait = Math.ceil((full.times[0]! + 60_000 - now) / 1000);
    await reply.header('retry-after', String(wait));
    await refuse(reply, 429, 'APIRateLimitExceeded', 'Number of allowed API requests per minute exceeded');
    return;
  }
  for (const { times } of counting) times.push(now);
  reply.header('x-rate-limit', '200').header('x-rate-limit-remaining', String(200 - known[0]!.times.length));
}
