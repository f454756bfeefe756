import {
  defineWebhooks,
  type HookEvent,
  hmacMatches,
  jsonOf,
  type RawHook,
  textAt,
  type Verdict,
} from '../../src/kit/index.ts';
import { bookingId } from './api.ts';

/** Older posts are refused (dossier, Webhooks: the vendor's own sample). */
const MAX_AGE_MS = 180_000;

/** The parts of `t=<unix seconds>,v1=<hex>`: split at commas, then at the first equals sign. */
const partsOf = (header: string): Record<string, string> =>
  Object.fromEntries(
    header.split(',').map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    }),
  );

function verify(hook: RawHook, key: string | undefined, now: Date): Verdict {
  const { t, v1 } = partsOf(hook.headers['calendly-webhook-signature'] ?? '');
  if (!t || !v1 || !key) return { ok: false, reason: 'missing_signature' };
  const signed = Buffer.concat([Buffer.from(`${t}.`), hook.body]);
  if (!hmacMatches('sha256', key, signed, v1, 'hex')) return { ok: false, reason: 'bad_signature' };
  return Math.abs(now.getTime() - Number(t) * 1000) <= MAX_AGE_MS ? { ok: true } : { ok: false, reason: 'stale' };
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  subscribes: true,
  renews: true,
  announces: { bookings: true },
  verify: (hook, secrets, now) => verify(hook, secrets.app.CALENDLY_WEBHOOK_SIGNING_KEY, now),
  events: (hook) => {
    const post = jsonOf(hook);
    const what = textAt(post, 'event') ?? '';
    if (!what.startsWith('invitee')) return [];
    const told = textAt(post, 'created_at') ?? '';
    // A no-show has an address of its own and names the invitee beside it. Both halves of a move are looked at.
    const named = ['payload.invitee', 'payload.uri', 'payload.old_invitee', 'payload.new_invitee'];
    const ids = new Set(named.map((name) => bookingId(textAt(post, name))).filter((id) => id !== undefined));
    const at = new Date(told);
    return [...ids].map(
      (id): HookEvent => ({
        ...{ type: 'record', stream: 'bookings', id, change: 'changed', key: `${what}|${id}|${told}` },
        ...(Number.isNaN(at.getTime()) ? {} : { at }),
      }),
    );
  },
});
