import { defineWebhooks, hmacMatches, jsonOf, type RawHook, textAt, type Verdict } from '../../src/kit/index.ts';

/** REPLACE: posts older than this are refused, where the vendor signs the time. */
const MAX_AGE_MS = 300_000;

/** REPLACE: how the vendor signs. Always over the bytes as they came. */
function verify(hook: RawHook, secret: string | undefined, now: Date): Verdict {
  const time = hook.headers['acme-timestamp'];
  const signature = hook.headers['acme-signature'];
  if (!time || !signature || !secret) return { ok: false, reason: 'missing_signature' };
  const signed = Buffer.concat([Buffer.from(`${time}.`), hook.body]);
  if (!hmacMatches('sha256', secret, signed, signature, 'hex')) return { ok: false, reason: 'bad_signature' };
  return Math.abs(now.getTime() - Number(time) * 1000) <= MAX_AGE_MS ? { ok: true } : { ok: false, reason: 'stale' };
}

export const webhooks = defineWebhooks({
  // REPLACE: `app` when all accounts post to one address, with the account in the body.
  scope: 'connection',
  verify: (hook, secrets, now) => verify(hook, secrets.connection.signingSecret, now),
  // REPLACE: what a post tells. A record is a hint and is fetched again, so order and repetition do not matter.
  events: (hook) => {
    const post = jsonOf(hook);
    const id = textAt(post, 'person_id');
    const key = textAt(post, 'event_id');
    if (!id || !key) throw new Error('Acme posted something that names no person.');
    return [{ type: 'record', stream: 'people', id, change: 'changed', key }];
  },
});
