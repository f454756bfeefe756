import { Type } from 'typebox';
import type { Config } from '../base/config.ts';
import type { Database } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import { sameBytes } from '../base/ids.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Queue } from '../base/queue.ts';
import type { App } from './app.ts';

/** A database behind a broken network is silent instead of refusing; whoever asks does not wait for ever. */
const PATIENCE_MS = 2_000;

const late = (): Promise<never> =>
  new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`No answer within ${PATIENCE_MS} ms.`)), PATIENCE_MS).unref();
  });

/** Liveness, readiness, metrics. */
export function systemRoutes(
  app: App,
  deps: { config: Config; db: Database; queue: Queue; metrics: Metrics; stopping: () => boolean },
): void {
  app.get(
    '/health',
    {
      schema: {
        tags: ['system'],
        summary: 'The process answers',
        response: { 200: Type.Object({ ok: Type.Boolean() }) },
      },
    },
    async () => ({ ok: true }),
  );

  const Check = Type.Object({
    ok: Type.Boolean(),
    database: Type.String(),
    queue: Type.String(),
    roles: Type.Array(Type.String()),
  });
  app.get(
    '/ready',
    {
      schema: {
        tags: ['system'],
        summary: 'It can work: database and queue answer',
        response: { 200: Check, 503: Check },
      },
    },
    async (request, reply) => {
      // Why something does not answer is for the log: anybody may ask here.
      const ask = (work: () => Promise<unknown>): Promise<string> =>
        Promise.race([work(), late()]).then(
          () => 'ok',
          (error: unknown) => {
            request.log.warn({ err: error }, 'not ready');
            return 'does not answer';
          },
        );
      const database = await ask(() => deps.db.statement('select 1'));
      const queue = deps.stopping() ? 'stopping' : await ask(() => deps.queue.pending());
      const ok = database === 'ok' && queue === 'ok';
      return reply.code(ok ? 200 : 503).send({ ok, database, queue, roles: [...deps.config.roles] });
    },
  );

  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    const { metricsToken } = deps.config;
    const local = request.ip === '127.0.0.1' || request.ip === '::1' || request.ip === '::ffff:127.0.0.1';
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (metricsToken ? !given || !sameBytes(given, metricsToken) : !local) {
      throw new Problem(401, 'unauthenticated', 'Metrics are for this machine, or for whoever has the METRICS_TOKEN.', {
        fix: 'Set METRICS_TOKEN and send it as Authorization: Bearer.',
      });
    }
    return reply.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics());
  });
}
