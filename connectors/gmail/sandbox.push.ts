import { createSign, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { SignedPost } from '../../src/kit/index.ts';

/** One pair for all simulations of a process: making one takes a while. */
let pair: { privateKey: KeyObject; publicKey: KeyObject } | undefined;
const keys = (): NonNullable<typeof pair> => {
  pair ??= generateKeyPairSync('rsa', { modulusLength: 2048 });
  return pair;
};

const KEY_ID = 'simulated-key-1';

/** Keys as Google publishes them. */
export const publishedKeys = (): { keys: JsonWebKey[] } => ({
  keys: [{ ...keys().publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256', use: 'sig' } as JsonWebKey],
});

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token of Google's. @param key another one than Google's, for forgeries */
export function tokenOf(claims: object, key: KeyObject = keys().privateKey): string {
  const signed = `${encoded({ alg: 'RS256', kid: KEY_ID, typ: 'JWT' })}.${encoded(claims)}`;
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key).toString('base64url')}`;
}

export interface Pushed {
  url: string;
  account: string;
  emailAddress: string;
  historyId: string;
  messageId: string;
  at: Date;
}

export const claimsOf = ({ url, account, at }: Pick<Pushed, 'url' | 'account' | 'at'>) => ({
  aud: url,
  azp: '113774264463038321964',
  email: account,
  email_verified: true,
  exp: Math.floor(at.getTime() / 1000) + 3600,
  iat: Math.floor(at.getTime() / 1000),
  iss: 'https://accounts.google.com',
  sub: '113774264463038321964',
});

/** A push of Pub/Sub that says that a mailbox moved on. */
export function pushOf(pushed: Pushed, token = tokenOf(claimsOf(pushed))): SignedPost {
  const { url, emailAddress, historyId, messageId, at } = pushed;
  const data = Buffer.from(JSON.stringify({ emailAddress, historyId: Number(historyId) })).toString('base64');
  const publishTime = at.toISOString();
  const message = { data, messageId, message_id: messageId, publishTime, publish_time: publishTime };
  return {
    url,
    body: JSON.stringify({ message, subscription: 'projects/business/subscriptions/gmail' }),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  };
}
