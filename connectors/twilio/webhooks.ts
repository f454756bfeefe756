import {
  defineWebhooks,
  formOf,
  type HookEvent,
  hmacMatches,
  type RawHook,
  type Secrets,
  sameBytes,
  sha256,
  textAt,
  type Verdict,
} from '../../src/kit/index.ts';
import { meaningOf } from './codes.ts';

const ADDRESS = /^(https?):\/\/((?:[^/?#@]*@)?)(\[[^\]]*\]|[^/?#:]*)(?::(\d+))?([^#]*)/;

/** The query as form encoding writes it (spaces as +), which is how older parts of Twilio sign. */
function withFormQuery(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url : `${url.slice(0, at)}?${new URLSearchParams(url.slice(at + 1))}`;
}

/** The forms in which Twilio may have written the address it signed: with port and without, twice encoded. */
function signedForms(url: string): string[] {
  const match = ADDRESS.exec(url);
  if (!match) return [url];
  const [, scheme, user, host, port, rest] = match;
  const plain = `${scheme}://${user}${host}`;
  const forms = [`${plain}${rest}`, `${plain}:${port ?? (scheme === 'https' ? '443' : '80')}${rest}`];
  return [...new Set([...forms, ...forms.map(withFormQuery)])];
}

/** Every parameter by name, name and value without separators; of a repeated one each value once. */
function signedParameters(form: URLSearchParams): string {
  const names = [...new Set(form.keys())].sort();
  return names.flatMap((name) => [...new Set(form.getAll(name))].sort().map((value) => `${name}${value}`)).join('');
}

/** What follows the address in the signed text, or undefined when the body is not covered by any signature. */
function signedBody(hook: RawHook): string | undefined {
  const bodyHash = new URL(hook.url).searchParams.get('bodySHA256');
  if (bodyHash !== null) return sameBytes(sha256(hook.body).toString('hex'), bodyHash.toLowerCase()) ? '' : undefined;
  if (hook.body.length === 0) return '';
  const isForm = hook.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
  return isForm ? signedParameters(formOf(hook)) : undefined;
}

function verify(hook: RawHook, secrets: Secrets): Verdict {
  const signature = hook.headers['x-twilio-signature'];
  // During a rotation Twilio signs with either token; an API key never signs.
  const tokens = [secrets.authToken, secrets.authTokenSecondary].filter((token) => token !== undefined && token !== '');
  if (!signature || tokens.length === 0) return { ok: false, reason: 'missing_signature' };
  const rest = signedBody(hook);
  const good =
    rest !== undefined &&
    signedForms(hook.url).some((url) =>
      tokens.some((token) => hmacMatches('sha1', token!, `${url}${rest}`, signature, 'base64')),
    );
  return good ? { ok: true } : { ok: false, reason: 'bad_signature' };
}

/** Numbers may be set to call by GET: then everything is in the query. */
const parametersOf = (hook: RawHook): URLSearchParams =>
  hook.method === 'POST' ? formOf(hook) : new URL(hook.url).searchParams;

const stateOf = (post: URLSearchParams): string => post.get('MessageStatus') ?? post.get('SmsStatus') ?? 'received';
const isInbound = (post: URLSearchParams): boolean => ['received', 'receiving'].includes(stateOf(post));

const OPT_OUT_WORDS = new Set(['STOP', 'UNSUBSCRIBE', 'END', 'QUIT', 'STOPALL', 'REVOKE', 'OPTOUT', 'CANCEL']);
const OPT_IN_WORDS = new Set(['START', 'UNSTOP']);

/** A choice the person made: as Twilio understood it, else by the words it understands. */
function choiceOf(post: URLSearchParams): 'opt_out' | 'opt_in' | undefined {
  const word = post.get('OptOutType') || (post.get('Body') ?? '').trim().toUpperCase();
  if (OPT_OUT_WORDS.has(word)) return 'opt_out';
  return OPT_IN_WORDS.has(word) ? 'opt_in' : undefined;
}

function readInbound(post: URLSearchParams, sid: string): HookEvent[] {
  const from = post.get('From') ?? '';
  const choice = choiceOf(post);
  // The message itself is fetched: the post lacks its times, and two shapes of one record would look like a change.
  const message: HookEvent = { type: 'record', stream: 'messages', id: sid, change: 'changed', key: `${sid}|message` };
  if (!choice) return [message];
  return [
    {
      type: choice,
      channel: from.startsWith('whatsapp:') ? 'whatsapp' : 'sms',
      address: from.replace(/^[a-z]+:/, ''),
      evidence: `${post.get('Body') ?? ''} (message ${sid})`,
      key: `${sid}|choice`,
    },
    message,
  ];
}

const OUTCOMES = {
  recipient_opted_out: 'opted_out',
  recipient_invalid: 'invalid_recipient',
} as const;

function readStatus(hook: RawHook, post: URLSearchParams, sid: string): HookEvent[] {
  const state = stateOf(post);
  const code = post.get('ErrorCode') ?? '';
  // The callback's address names our request: the id of a message whose answer got lost is not known here.
  const requestId = new URL(hook.url).searchParams.get('request');
  const named = requestId ? { requestId } : {};
  const event: HookEvent = { type: 'receipt', nativeId: sid, ...named, state, key: `${sid}|${state}` };
  if (state === 'delivered' || state === 'read') return [{ ...event, outcome: 'delivered' }];
  if (state !== 'failed' && state !== 'undelivered') return [event];
  const meaning = meaningOf(code);
  const sentence = meaning?.message ?? post.get('ErrorMessage') ?? post.get('ChannelStatusMessage');
  const outcome = (OUTCOMES as Record<string, (typeof OUTCOMES)[keyof typeof OUTCOMES]>)[meaning?.kind ?? ''];
  const detail = [sentence || 'Twilio gives no reason.', code && `(${code})`].filter(Boolean).join(' ');
  return [{ ...event, outcome: outcome ?? 'failed', detail }];
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  // Ours are followed by another address, and nobody announces them.
  announces: { messages: (message) => textAt(message, 'direction') === 'inbound' },
  subscribes: true,
  verify: (hook, secrets) => verify(hook, secrets.connection),
  answer: (hook) =>
    isInbound(parametersOf(hook)) ? { status: 200, type: 'text/xml', body: '<Response/>' } : { status: 204 },
  key: (hook) => {
    const post = parametersOf(hook);
    const sid = post.get('MessageSid');
    return sid ? `${sid}|${stateOf(post)}` : undefined;
  },
  events: (hook) => {
    const post = parametersOf(hook);
    const sid = post.get('MessageSid');
    if (!sid)
      throw new Error('Twilio posted something that is not about a message; only messages are understood here.');
    return isInbound(post) ? readInbound(post, sid) : readStatus(hook, post, sid);
  },
});
