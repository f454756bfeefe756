import {
  defineWebhooks,
  type HookEvent,
  hmacMatches,
  jsonOf,
  listAt,
  type RawHook,
  type Secrets,
  sameBytes,
  textAt,
  type Verdict,
} from '../../src/kit/index.ts';
import { meaningOf } from './codes.ts';
import { messageOf } from './streams.ts';

const asked = (hook: RawHook, name: string): string => new URL(hook.url).searchParams.get(`hub.${name}`) ?? '';

/** Meta asks whether the address is ours before it posts there. */
const isHandshake = (hook: RawHook): boolean => hook.method === 'GET' && asked(hook, 'mode') === 'subscribe';

function verify(hook: RawHook, { appSecret, webhookSecret }: Secrets): Verdict {
  if (isHandshake(hook)) {
    const good = webhookSecret !== undefined && sameBytes(asked(hook, 'verify_token'), webhookSecret);
    return good ? { ok: true } : { ok: false, reason: 'bad_signature', status: 403 };
  }
  const signature = hook.headers['x-hub-signature-256'];
  if (!signature?.startsWith('sha256=') || !appSecret) return { ok: false, reason: 'missing_signature' };
  const good = hmacMatches('sha256', appSecret, hook.body, signature.slice('sha256='.length), 'hex');
  return good ? { ok: true } : { ok: false, reason: 'bad_signature' };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A number as it is written everywhere else. */
const numberOf = (digits: string | undefined): string | undefined =>
  digits && /^\+?\d{5,15}$/.test(digits) ? `+${digits.replace(/^\+/, '')}` : undefined;

/** How a message of ours went on. */
function readStatus(status: unknown): HookEvent[] {
  const id = textAt(status, 'id');
  const state = textAt(status, 'status');
  if (!id || !state) return [];
  const ours = textAt(status, 'biz_opaque_callback_data') ?? '';
  const named = UUID.test(ours) ? { requestId: ours } : {};
  const event: HookEvent = { type: 'receipt', nativeId: id, ...named, state, key: `${id}|${state}` };
  if (['delivered', 'read', 'played'].includes(state)) return [{ ...event, outcome: 'delivered' }];
  if (state !== 'failed') return [event];
  const code = textAt(status, 'errors[0].code') ?? '';
  const sentence =
    meaningOf(code)?.message ?? textAt(status, 'errors[0].error_data.details') ?? textAt(status, 'errors[0].title');
  const detail = [sentence ?? 'WhatsApp gives no reason.', code && `(${code})`].filter(Boolean).join(' ');
  const kind = meaningOf(code)?.kind;
  const failed: HookEvent = {
    ...event,
    outcome: kind === 'recipient_invalid' ? 'invalid_recipient' : 'failed',
    detail,
  };
  const address = numberOf(textAt(status, 'recipient_id'));
  if (kind !== 'recipient_opted_out' || !address) return [failed];
  // Who stopped marketing still gets what they asked for.
  const choice = { channel: 'whatsapp', address, scope: 'marketing', evidence: detail } as const;
  return [failed, { type: 'opt_out', ...choice, key: `${id}|opt_out` }];
}

/** WhatsApp's own switch for marketing messages. */
function readPreference(preference: unknown): HookEvent[] {
  const address = numberOf(textAt(preference, 'wa_id'));
  const value = textAt(preference, 'value');
  if (!address || textAt(preference, 'category') !== 'marketing_messages') return [];
  if (value !== 'stop' && value !== 'resume') return [];
  const moment = textAt(preference, 'timestamp') ?? '';
  const evidence = `${textAt(preference, 'detail') ?? `Marketing messages: ${value}`} (WhatsApp, ${moment})`;
  const base = { channel: 'whatsapp', address, evidence, key: `${address}|${value}|${moment}` };
  return [{ type: value === 'stop' ? 'opt_out' : 'opt_in', scope: 'marketing', ...base }];
}

function readMessage(message: unknown, value: unknown): HookEvent[] {
  const id = textAt(message, 'id');
  // A number that changed and what cannot be shown are nothing somebody said.
  if (!id || ['system', 'unsupported'].includes(textAt(message, 'type') ?? '')) return [];
  const record = messageOf(message, value);
  return [{ type: 'record', stream: 'messages', id, change: 'changed', record, key: `${id}|message` }];
}

function readChange(change: unknown, number: unknown): HookEvent[] {
  const value = (change as { value?: unknown } | null)?.value;
  // One app has many numbers, of other businesses too.
  if (textAt(value, 'metadata.phone_number_id') !== number) return [];
  return [
    ...listAt(value, 'statuses').flatMap(readStatus),
    ...listAt(value, 'messages').flatMap((message) => readMessage(message, value)),
    ...listAt(value, 'user_preferences').flatMap(readPreference),
  ];
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  secret: true,
  subscribes: true,
  verify: (hook, secrets) => verify(hook, secrets.connection),
  handshake: (hook) =>
    isHandshake(hook) ? { status: 200, type: 'text/plain', body: asked(hook, 'challenge') } : undefined,
  events: (hook, connection) => {
    const body = jsonOf(hook);
    if (textAt(body, 'object') !== 'whatsapp_business_account')
      throw new Error('Meta posted something that is not about a WhatsApp account.');
    const changes = listAt(body, 'entry').flatMap((entry) => listAt(entry, 'changes'));
    return changes.flatMap((change) => readChange(change, connection?.settings.phoneNumberId));
  },
});
