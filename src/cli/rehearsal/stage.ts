import { randomUUID } from 'node:crypto';
import { ACTION_KINDS, type ActionKind, type Connector, defineAction } from '../../kit/index.ts';

/** With this the stage is told of facts; it means something to the stage only. */
export const STAGE_TOKEN = 'rehearsal-token-of-no-value';

/** Records as they were told so far, by kind and id (`invoice a`). */
export type StageRecords = Map<string, Record<string, unknown>>;

/**
 * A platform that exists for rehearsals only: it takes records as the generic webhook does, can do everything, does it at
 * once, and shows the invoices it was told of to whoever asks.
 * @param webhook the connector of the generic webhook
 */
export function stageConnector(webhook: Connector, records: StageRecords): Connector {
  const { optOut: _optOut, ...rest } = webhook;
  return {
    ...rest,
    name: 'Rehearsal',
    category: 'crm',
    limits: [],
    // Before a reminder goes out the invoices are read again; everything else is told.
    streams: webhook.streams.map((stream) =>
      stream.name === 'invoices'
        ? {
            ...stream,
            fetchByIds: {
              max: 100,
              fetch: async (_ctx, ids) => ids.flatMap((id) => records.get(`invoice ${id}`) ?? []),
            },
          }
        : stream,
    ),
    actions: ACTION_KINDS.filter((kind) => kind !== 'post_webhook' && kind !== 'record_opt_out').map(actionOf),
    transport: async () => async () => ({ status: 200, headers: {}, body: { id: randomUUID() } }),
  };
}

const actionOf = (kind: ActionKind) =>
  defineAction({
    kind,
    title: kind.replaceAll('_', ' '),
    idempotency: { kind: 'natural', note: 'Nothing is kept.' },
    request: (_ctx, input) => ({ method: 'POST', host: 'target', path: `/${kind}`, json: input }),
    receipt: (reply) => ({ nativeId: (reply.body as { id: string }).id }),
  });
