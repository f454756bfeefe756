import {
  defineWebhooks,
  type HookEvent,
  jsonOf,
  listAt,
  type RawHook,
  type Secrets,
  sameBytes,
  textAt,
  type Verdict,
} from '../../src/kit/index.ts';
import { streamOf } from './modules.ts';

/** Zoho signs nothing: it repeats the token the channel was set up with. */
function verify(hook: RawHook, secrets: Secrets): Verdict {
  const token = textAt(jsonOf(hook), 'token');
  if (!token || !secrets.webhookSecret) return { ok: false, reason: 'missing_signature' };
  return sameBytes(token, secrets.webhookSecret) ? { ok: true } : { ok: false, reason: 'bad_signature' };
}

function eventsOf(hook: RawHook, settings: Record<string, unknown>): HookEvent[] {
  const post = jsonOf(hook);
  const module = textAt(post, 'module');
  const operation = textAt(post, 'operation');
  if (!module || !operation) throw new Error('Zoho CRM posts what happened in a module; this names none.');
  const stream = streamOf(module, settings);
  if (!stream) return [];
  const time = textAt(post, 'server_time');
  const at = new Date(Number(time));
  return listAt<unknown>(post, 'ids').map((id) => ({
    type: 'record',
    key: [textAt(post, 'channel_id'), module, operation, id, time].join('|'),
    ...(Number.isNaN(at.getTime()) ? {} : { at }),
    stream,
    id: String(id),
    change: operation === 'delete' ? 'deleted' : 'changed',
  }));
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  secret: true,
  subscribes: true,
  renews: true,
  announces: {
    accounts: true,
    contacts: true,
    leads: true,
    deals: true,
    cases: true,
    invoices: true,
    jobs: true,
    tasks: true,
    events: true,
  },
  verify: (hook, secrets) => verify(hook, secrets.connection),
  kept: (hook) => {
    const post = jsonOf(hook) as Record<string, unknown>;
    return Buffer.from(JSON.stringify({ ...post, token: undefined }));
  },
  events: (hook, connection) => eventsOf(hook, connection?.settings ?? {}),
});
