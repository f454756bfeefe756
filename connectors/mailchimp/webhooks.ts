import {
  defineWebhooks,
  formOf,
  type HookEvent,
  hmacMatches,
  type RawHook,
  sameBytes,
  type Verdict,
} from '../../src/kit/index.ts';
import { memberIdOf } from './api.ts';

/** Older posts are refused where they are signed with a time (dossier, Webhooks). */
const MAX_AGE_MS = 300_000;

const secretIn = (hook: RawHook): string => new URL(hook.url).searchParams.get('secret') ?? '';

/** `t=<seconds>,v1=<hex>` over the time, a dot and the bytes. */
function verifySignature(hook: RawHook, key: string, now: Date): Verdict {
  const header = hook.headers['x-mailchimp-signature'];
  if (!header) return { ok: false, reason: 'missing_signature' };
  const parts = new Map(header.split(',').map((part) => part.split('=', 2) as [string, string]));
  const time = parts.get('t') ?? '';
  const signed = Buffer.concat([Buffer.from(`${time}.`), hook.body]);
  if (!hmacMatches('sha256', key, signed, parts.get('v1'), 'hex')) return { ok: false, reason: 'bad_signature' };
  return Math.abs(now.getTime() - Number(time) * 1000) <= MAX_AGE_MS ? { ok: true } : { ok: false, reason: 'stale' };
}

/** The vendor's time without a zone, taken for UTC: a hint, as the dossier says. */
function timeOf(fired: string | null): { at?: Date } {
  const at = new Date(`${(fired ?? '').replace(' ', 'T')}Z`);
  return Number.isNaN(at.getTime()) ? {} : { at };
}

/** Why somebody is to be written to no more, where the post says that they are not. */
function objection(type: string, form: URLSearchParams): string | undefined {
  const reason = form.get('data[reason]') ?? '';
  // Somebody else took the member off the audience: that says nothing about what they want.
  if (type === 'unsubscribe' && form.get('data[action]') === 'delete') return undefined;
  if (type === 'unsubscribe') return reason === 'abuse' ? 'reported as spam at Mailchimp' : 'unsubscribed at Mailchimp';
  if (type !== 'cleaned') return undefined;
  return reason === 'abuse'
    ? 'cleaned by Mailchimp after a report as spam'
    : 'cleaned by Mailchimp: the address bounces';
}

const CHANGES = ['subscribe', 'unsubscribe', 'profile', 'cleaned', 'sms_subscribe', 'sms_unsubscribe', 'upsms'];

function eventsOf(hook: RawHook): HookEvent[] {
  const form = formOf(hook);
  const type = form.get('type');
  if (!type) throw new Error('Mailchimp posts a form that says its type; this is none.');
  const email = form.get('data[email]') ?? '';
  const said = ['type', 'fired_at', 'data[list_id]', 'data[email]', 'data[new_email]'].map((name) => form.get(name));
  // Nothing identifies an event: these together do.
  const key = said.join('|');
  const base = { ...timeOf(form.get('fired_at')) };
  if (type === 'upemail') {
    const [from, into] = ['data[old_email]', 'data[new_email]'].map((name) => memberIdOf(form.get(name) ?? ''));
    return [{ ...base, key, type: 'record', stream: 'members', id: from!, change: 'merged', into: into! }];
  }
  if (!CHANGES.includes(type) || email === '') return [];
  const gone = form.get('data[action]') === 'delete' ? 'deleted' : 'changed';
  const evidence = objection(type, form);
  return [
    { ...base, key, type: 'record', stream: 'members', id: memberIdOf(email), change: gone },
    ...(evidence
      ? [{ ...base, key: `${key}|opt_out`, type: 'opt_out' as const, channel: 'email', address: email, evidence }]
      : []),
  ];
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  secret: true,
  subscribes: true,
  verify: (hook, { connection }, now) => {
    // The vendor looks whether somebody is there before it takes the address.
    if (hook.method !== 'POST') return { ok: true };
    const { webhookSecret, signingSecret } = connection;
    if (!webhookSecret || !sameBytes(secretIn(hook), webhookSecret)) return { ok: false, reason: 'missing_signature' };
    return signingSecret ? verifySignature(hook, signingSecret, now) : { ok: true };
  },
  handshake: (hook) => (hook.method === 'POST' ? undefined : { status: 200 }),
  events: eventsOf,
});
