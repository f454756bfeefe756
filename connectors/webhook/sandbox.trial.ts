import type { Clock, StreamTrial, Trial } from '../../src/kit/index.ts';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { ReceivedPost } from './sandbox.people.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';
import { STREAM_OF } from './streams.ts';

interface System {
  server: SandboxServer;
  secret: string;
  hookUrl: string | undefined;
  received: Map<string, ReceivedPost>;
}

/** The reference implementation of the signature. */
type Signer = new (secret: string) => { sign(id: string, at: Date, body: string): string };
type Data = Record<string, unknown>;

/** What a record of each stream has to say beside its name. */
const NEEDED: Record<string, Data> = {
  invoices: { status: 'open', total: '10.00', currency: 'USD' },
  jobs: { status: 'scheduled' },
  appointments: { status: 'scheduled' },
  subscriptions: { status: 'active' },
  activities: { kind: 'note' },
};
const NAMED: Record<string, string> = {
  tickets: 'subject',
  invoices: 'number',
  payments: 'method',
  jobs: 'title',
  appointments: 'title',
  activities: 'body',
  survey_responses: 'comment',
};

/** The other system's side of the cases every connector is tried with: it keeps records and posts them whole. */
export function trialOf(sandbox: System, clock: Clock, Webhook: Signer): Trial {
  const kept = new Map<string, Map<string, Data>>();
  const streams = Object.values(STREAM_OF).map((name): [string, StreamTrial] => {
    const records = new Map<string, Data>();
    kept.set(name, records);
    return [name, streamTrial(name, records, clock)];
  });
  const gone = new Map<string, Data>();
  return {
    streams: Object.fromEntries(streams),
    hook: ({ stream, id, change, event }, at) => {
      const word = Object.keys(STREAM_OF).find((known) => STREAM_OF[known] === stream);
      const data = kept.get(stream)?.get(id) ?? gone.get(event) ?? { id, updated_at: clock.now().toISOString() };
      gone.set(event, data);
      const type = `${word}.${change === 'changed' ? 'upserted' : 'deleted'}`;
      const body = JSON.stringify({ type, timestamp: data.updated_at, data });
      return {
        url: sandbox.hookUrl!,
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': event,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
          'webhook-signature': new Webhook(sandbox.secret).sign(event, at, body),
        },
      };
    },
    calls: () =>
      sandbox.server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(sandbox),
    refusals: refusalsOf(clock),
  };
}

function streamTrial(name: string, records: Map<string, Data>, clock: Clock): StreamTrial {
  const field = NAMED[name] ?? 'name';
  let made = 0;
  return {
    create: (count, at = clock.now()) =>
      Array.from({ length: count }, () => {
        const id = `${name}-${++made}`;
        records.set(id, { id, updated_at: at.toISOString(), [field]: `Number ${made}`, ...NEEDED[name] });
        return id;
      }),
    change: (id, mark, at = clock.now()) =>
      void records.set(id, { ...records.get(id), [field]: mark, updated_at: at.toISOString() }),
    remove: (id) => void records.delete(id),
    ids: () => [...records.keys()],
    announced: true,
    // Nothing can be asked for.
    listed: /^LIST nothing$/,
    field,
    records: () => [],
  };
}
