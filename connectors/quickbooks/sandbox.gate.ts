import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../src/kit/index.ts';
import type { SandboxOAuth } from '../../src/kit/sandbox/index.ts';
import { asXml, fault, gatewayFault } from './sandbox.faults.ts';

/** Sliding windows per company, as the vendor counts them. @returns whether this call is one too many */
function createLimiter(clock: Clock): (realm: string) => boolean {
  const calls = new Map<string, number[]>();
  return (realm) => {
    const now = clock.now().getTime();
    const times = calls.get(realm) ?? [];
    calls.set(realm, times);
    while (times[0] !== undefined && times[0] <= now - 60_000) times.shift();
    const lastSecond = times.filter((time) => time > now - 1000).length;
    if (times.length >= 500 || lastSecond >= 10) return true;
    times.push(now);
    return false;
  };
}

export interface GateOptions {
  clock: Clock;
  oauth: SandboxOAuth;
  /** Whether it refuses what comes too fast. */
  limits: boolean;
  /** Number under which the vendor's support finds the call. */
  trace: () => string;
}

/** What every call below a company goes through: a living token, of this company, not too fast, asking for JSON. */
export function installGate(app: FastifyInstance, { clock, oauth, limits, trace }: GateOptions): void {
  const tooFast = limits ? createLimiter(clock) : () => false;
  app.addHook('preHandler', async (request, reply) => {
    if (!request.url.startsWith('/v3/')) return;
    reply.header('intuit_tid', trace());
    const { realm = '' } = request.params as { realm?: string };
    const grant = oauth.grantOf(request);
    const refuse = (status: number, type: string, code: string, message: string, detail: string) =>
      reply.code(status).send(fault(clock, type, code, message, detail));
    if (!grant) await reply.code(401).send(gatewayFault);
    else if (grant.account !== realm) {
      await refuse(403, 'AuthorizationFault', '003100', 'ApplicationAuthorizationFailed', `No access to ${realm}`);
    } else if (tooFast(realm)) {
      await refuse(429, 'SERVICE', '003001', 'ThrottleExceeded', 'message=ThrottleExceeded; statusCode=429');
    } else if (!(request.headers.accept ?? '').includes('application/json')) await asXml(reply);
  });
}

/** Giving a token back ends its grant. */
export function installRevocation(app: FastifyInstance, revoked: string[], client: string): void {
  app.post('/v2/oauth2/tokens/revoke', async (request, reply) => {
    if (request.headers.authorization !== client) return reply.code(401).send({ error: 'invalid_client' });
    revoked.push((request.body as { token: string }).token);
    return reply.code(200).send();
  });
}
