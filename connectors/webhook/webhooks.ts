import {
  at,
  defineWebhooks,
  type HookAnswer,
  type HookEvent,
  type RawHook,
  sha256,
  textAt,
} from '../../src/kit/index.ts';
import { CLOSING, Complaint, emailOf, type Item, momentOf, phoneOf, readPost } from './payload.ts';
import { headerOf, verifyPost } from './signatures.ts';

type RecordEvent = Extract<HookEvent, { type: 'record' }>;

/** Identifies the post: its id, or its bytes where the sender gives none. */
const postKey = (hook: RawHook): string => headerOf(hook, 'id') ?? sha256(hook.body).toString('base64');

const challengeOf = (hook: RawHook): string | undefined =>
  new URL(hook.url).searchParams.get('challenge')?.slice(0, 500);

const when = (time: string | undefined): { at?: Date } => {
  const date = new Date(time ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? {} : { at: date };
};

function recordEvent(item: Item, key: string): RecordEvent {
  const base = {
    type: 'record' as const,
    stream: item.stream!,
    id: textAt(item.data, 'id')!,
    key,
    ...when(momentOf(item)),
  };
  if (item.kind === 'delete') return { ...base, change: 'deleted' };
  return { ...base, change: 'changed', record: { updated_at: momentOf(item), ...(item.data as object) } };
}

/**
 * Records a record implies: the colleague it names by e-mail address, and the customer where it gives an address or
 * number instead of an id. They hold nothing else, so they never say less than what is known already.
 */
function implied(item: Item, key: string): RecordEvent[] {
  if (item.kind === 'delete') return [];
  const owner = emailOf(at(item.data, 'owner_email'));
  const named =
    item.stream === 'contacts' || item.stream === 'companies' || textAt(item.data, 'contact_id') !== undefined;
  const email = named ? undefined : emailOf(at(item.data, 'email'));
  const phone = named || email ? undefined : phoneOf(at(item.data, 'phone'));
  const bare = (stream: string, id: string, record: object): RecordEvent => ({
    type: 'record',
    stream,
    id,
    change: 'changed',
    key: `${key}|${stream}`,
    record: { id, ...record },
  });
  return [
    ...(owner ? [bare('owners', owner, { email: owner })] : []),
    ...(email ? [bare('contacts', `mailto:${email}`, { email })] : []),
    ...(phone ? [bare('contacts', `tel:${phone}`, { phone })] : []),
  ];
}

/** Of several states of one record in a post only the newest counts. */
function newestOnly(events: readonly RecordEvent[]): RecordEvent[] {
  const newest = new Map<string, RecordEvent>();
  for (const event of events) {
    const name = `${event.stream}/${event.id}`;
    const known = newest.get(name);
    if (!known || (event.at?.getTime() ?? 0) >= (known.at?.getTime() ?? 0)) newest.set(name, event);
  }
  return [...newest.values()];
}

/** What somebody did with a message. Opens and clicks are no answers and no choices. */
function engagement(item: Item, key: string): HookEvent[] {
  const { data } = item;
  const kind = textAt(data, 'kind')!;
  const occurred = textAt(data, 'occurred_at') ?? momentOf(item);
  const email = emailOf(at(data, 'email'));
  const phone = phoneOf(at(data, 'phone'));
  const channel = textAt(data, 'channel') ?? (email ? 'email' : 'sms');
  if (CLOSING.includes(kind)) {
    const topic = textAt(data, 'topic');
    const evidence = textAt(data, 'evidence') ?? textAt(data, 'text') ?? `${kind}, told by webhook`;
    const address = (channel === 'email' ? email : phone) ?? email ?? phone!;
    return [{ type: 'opt_out', key, ...when(occurred), channel, address, evidence, ...(topic ? { topic } : {}) }];
  }
  if (kind !== 'replied' && kind !== 'call_answered') return [];
  const what = kind === 'call_answered' ? 'call' : channel === 'email' ? 'email' : 'message';
  const id = textAt(data, 'id') ?? key;
  const activity = {
    ...(data as object),
    id,
    updated_at: occurred,
    occurred_at: occurred,
    kind: what,
    channel,
    direction: what === 'call' ? 'out' : 'in',
    status: kind,
  };
  const record: Item = { type: item.type, kind: 'upsert', stream: 'activities', timestamp: occurred, data: activity };
  return [recordEvent(record, key), ...implied(record, key)];
}

/** The other side tells what became of something we posted. */
function result({ data, timestamp }: Item, key: string): HookEvent[] {
  const id = textAt(data, 'action_id')!;
  const failed = textAt(data, 'status') === 'failed';
  const detail = textAt(data, 'error') ?? textAt(data, 'external_id');
  return [
    {
      type: 'receipt',
      key,
      ...when(timestamp),
      nativeId: id.startsWith('msg_') ? id : `msg_${id.replaceAll('-', '')}`,
      state: failed ? 'failed' : 'done',
      outcome: failed ? 'failed' : 'delivered',
      ...(detail ? { detail } : {}),
    },
  ];
}

function eventsOf(hook: RawHook): HookEvent[] {
  const post = postKey(hook);
  const records: RecordEvent[] = [];
  const others: HookEvent[] = [];
  for (const [index, item] of readPost(hook).entries()) {
    const key = `${post}#${index}`;
    if (item.kind === 'upsert' || item.kind === 'delete') records.push(recordEvent(item, key), ...implied(item, key));
    else if (item.kind === 'engagement') others.push(...engagement(item, key));
    else if (item.kind === 'result') others.push(...result(item, key));
  }
  return [...newestOnly(records), ...others];
}

/** Whoever wrote the sender reads this: what is wrong with the post, before anything of it is kept. */
function complaint(hook: RawHook): HookAnswer | undefined {
  try {
    readPost(hook);
    return undefined;
  } catch (error) {
    if (!(error instanceof Complaint)) throw error;
    return { status: 400, type: 'text/plain; charset=utf-8', body: error.message };
  }
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  verify: (hook, secrets, now) => {
    if (hook.method === 'POST') return verifyPost(hook, secrets.connection, now);
    return challengeOf(hook) === undefined ? { ok: false, reason: 'malformed', status: 405 } : { ok: true };
  },
  handshake: (hook) =>
    hook.method === 'POST'
      ? complaint(hook)
      : { status: 200, type: 'text/plain; charset=utf-8', body: challengeOf(hook) ?? '' },
  key: (hook) => headerOf(hook, 'id'),
  events: eventsOf,
});
