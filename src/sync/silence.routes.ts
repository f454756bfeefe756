import { Type } from 'typebox';
import { notFound } from '../base/errors.ts';
import { findConnection } from '../connections/store.ts';
import { connectorOf, webhookUrl } from '../connections/vendors.ts';
import type { App } from '../http/app.ts';
import { caller, IdParams } from '../http/helpers.ts';
import type { SyncDeps } from './deps.ts';
import { postsOf, refusals, watched } from './silence.ts';

const Moment = Type.Union([Type.String({ format: 'date-time' }), Type.Null()]);

/** Whether the webhooks of a connection arrive. */
export function silenceRoutes(app: App, deps: SyncDeps): void {
  app.get(
    '/v1/connections/:id/webhooks',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['connections'],
        summary:
          'Whether webhooks arrive: how many came, how many were refused, and what polls found that none announced',
        params: IdParams,
        response: {
          200: Type.Object({
            listens: Type.Boolean(),
            address: Type.Union([Type.String(), Type.Null()], { description: 'To be entered at the platform' }),
            subscribes: Type.Boolean({ description: 'POST .../prepare enters it there' }),
            announces: Type.Array(Type.String(), { description: 'Streams whose changes should be announced' }),
            lastPostAt: Moment,
            postsInWeek: Type.Integer(),
            refusedToday: Type.Record(Type.String(), Type.Integer(), {
              description: 'Posts to this platform that were refused today (UTC), over all its connections, by reason',
            }),
            missed: Type.Array(
              Type.Object({ stream: Type.String(), changes: Type.Integer(), since: Moment, silentSince: Moment }),
            ),
            sentence: Type.Union([Type.String(), Type.Null()], { description: 'What is wrong, in words' }),
          }),
        },
      },
    },
    async (request) => {
      const { tenantId } = caller(request);
      return deps.db.tenant(tenantId, async (tx) => {
        const row = await findConnection(tx, request.params.id);
        if (!row) throw notFound('connection', request.params.id);
        const connector = connectorOf(deps.registry, row.connector);
        const now = deps.clock.now();
        const { week, last } = await postsOf(tx, row.id, now);
        return {
          listens: connector.webhooks !== undefined,
          address: webhookUrl(deps.config, connector, row.id),
          subscribes: connector.webhooks?.subscribes ?? false,
          announces: Object.keys(connector.webhooks?.announces ?? {}),
          lastPostAt: last?.toISOString() ?? null,
          postsInWeek: week,
          refusedToday: await refusals(tx, connector, now),
          missed: (await watched(tx, row.id))
            .filter((watch) => watch.missed > 0)
            .map((watch) => ({
              stream: watch.stream,
              changes: watch.missed,
              since: watch.missed_since?.toISOString() ?? null,
              silentSince: watch.alarm_since?.toISOString() ?? null,
            })),
          sentence: row.silent,
        };
      });
    },
  );
}
