import { randomUUID } from 'node:crypto';
import {
  defineWebhooks,
  type HookEvent,
  jsonOf,
  listAt,
  type RawHook,
  sameBytes,
  textAt,
  type Verdict,
} from '../../src/kit/index.ts';

const STREAMS: Record<string, string> = {
  contact: 'contacts',
  event: 'events',
  message: 'messages',
  todotask: 'tasks',
};

/** Longest answer to the question whether we are there. */
const MOST = 2000;

const tokenOf = (hook: RawHook): string | undefined =>
  new URL(hook.url).searchParams.get('validationToken') ?? undefined;

/** Nothing is signed: each notification repeats the secret we gave with its subscription, and each has to. */
function verify(hook: RawHook, secret: string | undefined): Verdict {
  // Asks whether we are there, and is told nothing but its own words.
  if (tokenOf(hook) !== undefined && hook.body.toString('utf8').trim() === '') return { ok: true };
  const notes = listAt(jsonOf(hook), 'value');
  if (notes.length === 0) return { ok: false, reason: 'malformed' };
  if (!secret) return { ok: false, reason: 'missing_signature' };
  const good = notes.every((note) => sameBytes(secret, textAt(note, 'clientState') ?? ''));
  return good ? { ok: true } : { ok: false, reason: 'bad_signature' };
}

/** What the end of a subscription asks of us (dossier, Webhooks: Lifecycle events). */
function ofLife(life: string): HookEvent[] {
  // Each of these counts, however often the same words come.
  const key = (what: string): string => `${what}|${randomUUID()}`;
  if (life === 'missed') return [{ type: 'poll', key: key('missed') }];
  const renew: HookEvent = { type: 'renew', key: key(life) };
  return life === 'subscriptionRemoved' ? [renew, { type: 'poll', key: key('removed') }] : [renew];
}

function read(note: unknown): HookEvent[] {
  const life = textAt(note, 'lifecycleEvent');
  if (life) return ofLife(life);
  const data = (note as { resourceData?: Record<string, unknown> }).resourceData ?? {};
  const id = typeof data.id === 'string' ? data.id : '';
  const kind = String(data['@odata.type'] ?? '')
    .split('.')
    .at(-1)!
    .toLowerCase();
  const stream = STREAMS[kind];
  if (!stream || id === '') return [];
  const what = textAt(note, 'changeType') ?? '';
  const key = [textAt(note, 'subscriptionId'), id, what, String(data['@odata.etag'] ?? '')].join('|');
  const change = what === 'deleted' ? ('deleted' as const) : ('changed' as const);
  const record: HookEvent = { type: 'record', key, stream, id, change };
  // A change of a series is told of its head only; its appointments are in the next reading.
  return stream === 'events' ? [record, { type: 'poll', key: `${key}|series`, stream }] : [record];
}

/** The post without the secrets it showed. */
function kept(hook: RawHook): Buffer {
  const post = jsonOf(hook) as { value: Record<string, unknown>[] };
  const value = post.value.map(({ clientState: _secret, ...note }) => note);
  return Buffer.from(JSON.stringify({ ...post, value }));
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  secret: true,
  subscribes: true,
  renews: true,
  announces: { contacts: true, events: true, messages: true, tasks: true },
  verify: (hook, secrets) => verify(hook, secrets.connection.webhookSecret),
  handshake: (hook) => {
    const token = tokenOf(hook);
    if (token === undefined) return undefined;
    return token.length > MOST ? { status: 400 } : { status: 200, type: 'text/plain', body: token };
  },
  answer: () => ({ status: 202 }),
  kept,
  key: (hook) =>
    listAt(jsonOf(hook), 'value').some((note) => textAt(note, 'lifecycleEvent')) ? randomUUID() : undefined,
  events: (hook) => listAt(jsonOf(hook), 'value').flatMap(read),
});
