import { randomBytes } from 'node:crypto';
import { type Sandbox, type SandboxOptions, textAt } from '../../src/kit/index.ts';
import { createSandboxServer, type Delivery, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { deedsOf, type ReceivedPost } from './sandbox.people.ts';
import { trialOf } from './sandbox.trial.ts';

export type { ReceivedPost } from './sandbox.people.ts';

export interface WebhookSandbox extends Sandbox {
  server: SandboxServer;
  /** Shared with the hub: signs what the sender sends, checks what the receiver gets. */
  secret: string;
  /** Address of the connection at the hub; known once it is connected. */
  hookUrl: string | undefined;
  /** Posts taken, by webhook-id. */
  received: Map<string, ReceivedPost>;
  /** What the receiver answers; a JSON object with external_id and url where it keeps something. */
  answer: Record<string, unknown>;
  /** Sends an event as another system would. */
  send(type: string, data: unknown, options?: SendOptions): Promise<Delivery>;
  /** The other side tells what became of one of our posts. */
  tellResult(post: ReceivedPost, status: 'done' | 'failed', more?: Record<string, unknown>): Promise<Delivery>;
}

interface SendOptions {
  /** webhook-id; a new one when absent. */
  id?: string;
  /** Time of the attempt; now when absent. */
  at?: Date;
  /** Time of the event; now when absent. */
  timestamp?: string;
  secret?: string;
  /** Headers in place of the signed ones. */
  headers?: Record<string, string>;
}

const TOLERANCE_MS = 300_000;

/** Starts the simulation of a system that speaks Standard Webhooks: a receiver that checks, and a sender that signs. */
export async function start(options: SandboxOptions & { secret?: string }): Promise<WebhookSandbox> {
  const { clock } = options;
  // The reference implementation, so that ours is never measured by itself.
  const { Webhook } = await import('standardwebhooks');
  const received = new Map<string, ReceivedPost>();
  const counts = { posts: 0, refused: 0, sent: 0 };
  const report = (): Record<string, number> => ({ ...counts, events: received.size });
  const created = createSandboxServer('Another system', options);
  const raws = new WeakMap<object, Buffer>();
  created.app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    raws.set(request, body as Buffer);
    done(null, JSON.parse(String(body)));
  });

  const sandbox = {
    secret: options.secret ?? `whsec_${randomBytes(32).toString('base64')}`,
    hookUrl: options.hookUrl,
    answer: {} as Record<string, unknown>,
  };

  /** Recomputed instead of asked for a verdict: the package's own tolerance looks at another clock. */
  const isOurs = (id: string, timestamp: string, signatures: string, body: Buffer): boolean => {
    const expected = new Webhook(sandbox.secret).sign(id, new Date(Number(timestamp) * 1000), body);
    return (
      Math.abs(clock.now().getTime() - Number(timestamp) * 1000) <= TOLERANCE_MS &&
      signatures.split(' ').includes(expected)
    );
  };

  created.app.post('/*', async (request, reply) => {
    const header = (name: string): string => String(request.headers[`webhook-${name}`] ?? '');
    const body = raws.get(request) ?? Buffer.alloc(0);
    counts.posts += 1;
    if (!isOurs(header('id'), header('timestamp'), header('signature'), body)) {
      counts.refused += 1;
      return reply.code(401).send({ error: 'The signature does not match.' });
    }
    const known = received.get(header('id'));
    if (known) known.times += 1;
    else {
      const { type, timestamp, data } = request.body as ReceivedPost;
      received.set(header('id'), { id: header('id'), type, timestamp, data, times: 1 });
    }
    return sandbox.answer;
  });

  const url = await created.listen();
  const server: SandboxServer = { ...created, url };

  const send: WebhookSandbox['send'] = (type, data, how = {}) => {
    if (!sandbox.hookUrl)
      throw new Error('The simulation does not know where to post: set hookUrl to the address of the connection.');
    counts.sent += 1;
    const id = how.id ?? `msg_sim${counts.sent}${randomBytes(6).toString('hex')}`;
    const at = how.at ?? clock.now();
    const body = JSON.stringify({ type, timestamp: how.timestamp ?? clock.now().toISOString(), data });
    const signature = new Webhook(how.secret ?? sandbox.secret).sign(id, at, body);
    const signed = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': signature,
    };
    return server.post(sandbox.hookUrl, body, { 'content-type': 'application/json', ...(how.headers ?? signed) });
  };

  const running = Object.assign(sandbox, {
    hosts: { target: url },
    server,
    received,
    report,
    send,
    tellResult: (post: ReceivedPost, status: 'done' | 'failed', more: Record<string, unknown> = {}) =>
      send('action.result', { action_id: textAt(post, 'id'), status, ...more }),
    stop: () => server.stop(),
  });
  return created.show(
    Object.assign(running, {
      credentials: { secret: sandbox.secret, target: `${url}/events` },
      deeds: deedsOf(running),
      trial: trialOf(running, clock, Webhook),
    }),
  );
}
