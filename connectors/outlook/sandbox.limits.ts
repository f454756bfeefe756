import type { FastifyReply } from 'fastify';
import type { Clock } from '../../src/kit/index.ts';

/** A refusal in Graph's form. */
export const problem = (reply: FastifyReply, status: number, code: string, message: string): FastifyReply =>
  reply.code(status).send({
    error: {
      ...{ code, message },
      innerError: {
        date: '2026-03-02T15:00:00Z',
        'request-id': '00000000-0000-0000-0000-000000000000',
        'client-request-id': '00000000-0000-0000-0000-000000000000',
      },
    },
  });

/** As Exchange counts: 10,000 requests in ten minutes, and four of one mailbox at once. */
export function createLimiter(clock: Clock): { begin: (reply: FastifyReply) => number | undefined } {
  const times: number[] = [];
  let busy = 0;
  return {
    begin(reply) {
      const now = clock.now().getTime();
      while (times[0] !== undefined && times[0] <= now - 600_000) times.shift();
      if (times.length >= 10_000) return Math.ceil((times[0]! + 600_000 - now) / 1000);
      if (busy >= 4) return 1;
      busy += 1;
      times.push(now);
      reply.raw.once('close', () => {
        busy -= 1;
      });
      return undefined;
    },
  };
}
