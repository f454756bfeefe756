import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { defineWebhooks, jsonOf, type RawHook, textAt, type Verdict } from '../../src/kit/index.ts';
import { publishedKey } from './keys.ts';

/** How far clocks may differ, as Google's own library allows. */
const SKEW_SECONDS = 300;

const ISSUERS = ['https://accounts.google.com', 'accounts.google.com'];

const bad: Verdict = { ok: false, reason: 'bad_signature' };

const part = (text: string | undefined): unknown => {
  try {
    return JSON.parse(Buffer.from(text ?? '', 'base64url').toString());
  } catch {
    return undefined;
  }
};

/** What a token says, when it is signed by a key Google publishes. */
async function claimsOf(token: string, keys: string, now: Date): Promise<unknown> {
  const [head, claims, signature, ...more] = token.split('.');
  if (!signature || more.length > 0 || textAt(part(head), 'alg') !== 'RS256') return undefined;
  const jwk = await publishedKey(keys, textAt(part(head), 'kid') ?? '', now);
  if (!jwk) return undefined;
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const signed = Buffer.from(`${head}.${claims}`);
  return verifySignature('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url')) ? part(claims) : undefined;
}

/** The push of Pub/Sub carries a token of the service account the operator named, for this address. */
async function verify(hook: RawHook, account: string | undefined, keys: string, now: Date): Promise<Verdict> {
  const token = /^Bearer (\S+)$/i.exec(hook.headers.authorization ?? '')?.[1];
  if (!token || !account) return { ok: false, reason: 'missing_signature' };
  const claims = await claimsOf(token, keys, now);
  const address = hook.url.split('?')[0];
  const right =
    ISSUERS.includes(textAt(claims, 'iss') ?? '') &&
    [hook.url, address].includes(textAt(claims, 'aud') ?? '') &&
    textAt(claims, 'email') === account &&
    textAt(claims, 'email_verified') === 'true';
  if (!right) return bad;
  const seconds = now.getTime() / 1000;
  const [from, to] = [Number(textAt(claims, 'iat')), Number(textAt(claims, 'exp'))];
  return from - SKEW_SECONDS <= seconds && seconds <= to + SKEW_SECONDS ? { ok: true } : { ok: false, reason: 'stale' };
}

const messageId = (hook: RawHook): string | undefined => {
  const post = jsonOf(hook);
  return textAt(post, 'message.messageId') ?? textAt(post, 'message.message_id');
};

export const webhooks = defineWebhooks({
  // One address for the whole app: a post says which mailbox moved on.
  scope: 'app',
  subscribes: true,
  renews: true,
  verify: (hook, secrets, now) =>
    verify(hook, secrets.app.GMAIL_PUSH_ACCOUNT, `${secrets.host?.('google') ?? ''}/oauth2/v3/certs`, now),
  answer: () => ({ status: 204 }),
  key: messageId,
  events: (hook) => {
    const told = part(textAt(jsonOf(hook), 'message.data'));
    const account = textAt(told, 'emailAddress')?.toLowerCase();
    const key = messageId(hook);
    if (!account || !key) throw new Error('Google posted something that names no mailbox.');
    // Where it moved on to is no place to begin: what happened since our own place is asked for.
    return [{ type: 'poll', stream: 'messages', account, key }];
  },
});
