import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { hmacSha256, type RawHook, type Secrets, sameBytes, type Verdict } from '../../src/kit/index.ts';

/** Posts further away than this, older or newer, are refused. */
const MAX_SKEW_MS = 300_000;

// What stands before the bare bytes of an ed25519 key in the encodings the runtime reads.
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const SEED_BYTES = 32;

export type Key = { kind: 'shared'; bytes: Buffer } | { kind: 'private' | 'public'; key: KeyObject };

/**
 * A key as people paste it. What stands after the prefix is base64 of the key; the text itself is not.
 * @throws when the prefix is unknown or nothing stands behind it
 */
export function readKey(text: string): Key {
  const [, prefix, rest = ''] = /^(whsec|whsk|whpk)_(.*)$/.exec(text) ?? [];
  const bytes = Buffer.from(rest, 'base64');
  if (prefix === 'whsec' && bytes.length > 0) return { kind: 'shared', bytes };
  if (prefix === 'whpk' && bytes.length === SEED_BYTES) {
    return { kind: 'public', key: createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' }) };
  }
  if (prefix === 'whsk' && bytes.length >= SEED_BYTES) {
    const seed = Buffer.concat([PKCS8, bytes.subarray(0, SEED_BYTES)]);
    return { kind: 'private', key: createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' }) };
  }
  throw new Error('A webhook secret starts with whsec_, whsk_ or whpk_, followed by the key in base64.');
}

const contentOf = (id: string, timestamp: string, body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${id}.${timestamp}.`), Buffer.from(body)]);

/** One entry of the signature header, or undefined for a public key, which signs nothing. */
export function signatureOf(key: Key, id: string, timestamp: string, body: string | Buffer): string | undefined {
  const content = contentOf(id, timestamp, body);
  if (key.kind === 'shared') return `v1,${hmacSha256(key.bytes, content).toString('base64')}`;
  return key.kind === 'private' ? `v1a,${sign(null, content, key.key).toString('base64')}` : undefined;
}

/** The signature header of our posts: one entry per secret, so that the receiver can change over in its own time. */
export function signatureHeader(secrets: Secrets, id: string, timestamp: string, body: string | Buffer): string {
  return [secrets.signingKey, secrets.secret, secrets.secondarySecret]
    .flatMap((secret) => (secret ? (signatureOf(readKey(secret), id, timestamp, body) ?? []) : []))
    .join(' ');
}

function matches(key: Key, entry: string, hook: RawHook, id: string, timestamp: string): boolean {
  const comma = entry.indexOf(',');
  const [version, signature] = [entry.slice(0, comma), entry.slice(comma + 1)];
  if (version === 'v1' && key.kind === 'shared') return sameBytes(entry, signatureOf(key, id, timestamp, hook.body)!);
  if (version !== 'v1a' || key.kind !== 'public') return false;
  return verify(null, contentOf(id, timestamp, hook.body), key.key, Buffer.from(signature, 'base64'));
}

/** Header of a post under its standard name, or the one Svix gives it. */
export const headerOf = (hook: RawHook, name: 'id' | 'timestamp' | 'signature'): string | undefined =>
  hook.headers[`webhook-${name}`] ?? hook.headers[`svix-${name}`];

/** Whether a post comes from the other side: signed with one of the secrets, or with the token where one was agreed. */
export function verifyPost(hook: RawHook, secrets: Secrets, now: Date): Verdict {
  const [id, timestamp, signature] = [headerOf(hook, 'id'), headerOf(hook, 'timestamp'), headerOf(hook, 'signature')];
  if (signature === undefined) return verifyToken(hook, secrets.bearerToken);
  if (!id || !timestamp) return { ok: false, reason: 'missing_signature' };
  // A dot in the id would allow moving bytes between id and body.
  if (!/^\d{1,12}$/.test(timestamp) || id.includes('.')) return { ok: false, reason: 'malformed', status: 400 };
  if (Math.abs(now.getTime() - Number(timestamp) * 1000) > MAX_SKEW_MS) return { ok: false, reason: 'stale' };
  const keys = [secrets.secret, secrets.secondarySecret].flatMap((secret) => (secret ? [readKey(secret)] : []));
  const valid = signature.split(' ').some((entry) => keys.some((key) => matches(key, entry, hook, id, timestamp)));
  return valid ? { ok: true } : { ok: false, reason: 'bad_signature' };
}

function verifyToken(hook: RawHook, token: string | undefined): Verdict {
  const given = hook.headers.authorization;
  if (!token || !given) return { ok: false, reason: 'missing_signature' };
  return sameBytes(given, `Bearer ${token}`) ? { ok: true } : { ok: false, reason: 'bad_signature' };
}
