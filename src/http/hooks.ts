import { Problem } from '../base/errors.ts';
import { isId } from '../base/ids.ts';
import type { Metrics } from '../base/metrics.ts';
import type { SyncDeps } from '../sync/deps.ts';
import { receiveHook } from '../sync/inbox.ts';
import type { App } from './app.ts';

/** Where vendors post. Bodies stay bytes: signatures are over bytes, not over what a parser made of them. */
export async function hookRoutes(parent: App, deps: SyncDeps & { metrics: Metrics }): Promise<void> {
  await parent.register(async (scope) => {
    const app = scope as unknown as App;
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 1024 * 1024 }, (_request, body, done) =>
      done(null, body),
    );
    for (const url of ['/hooks/:connector', '/hooks/:connector/:connectionId']) {
      app.route<{ Params: { connector: string; connectionId?: string } }>({
        method: ['POST', 'GET', 'HEAD'],
        url,
        schema: { hide: true },
        handler: async (request, reply) => {
          const { connector, connectionId } = request.params;
          if (!deps.registry.find(connector)?.webhooks)
            throw new Problem(404, 'not_found', `There is no webhook address for "${connector}".`);
          // Anybody may post here: what cannot be an id is not looked for.
          if (connectionId !== undefined && !isId(connectionId))
            throw new Problem(404, 'not_found', 'There is no webhook address like this.');
          const headers = Object.fromEntries(
            Object.entries(request.headers).map(([name, value]) => [
              name,
              Array.isArray(value) ? value.join(', ') : String(value ?? ''),
            ]),
          );
          // The public address is configuration: what a proxy shows us is not what the vendor signed.
          const hook = {
            method: request.method,
            url: `${deps.config.publicUrl}${request.url}`,
            headers,
            body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
          };
          const { answer, refused } = await receiveHook(deps, connector, connectionId, hook);
          deps.metrics.hooks.inc({ connector, outcome: refused ?? 'taken' });
          return reply
            .code(answer.status)
            .header('content-type', answer.type ?? 'text/plain; charset=utf-8')
            .send(answer.body ?? '');
        },
      });
    }
  });
}
