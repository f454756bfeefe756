import { createHash, createHmac, type KeyObject, randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto';
import { v7 } from 'uuid';

// Asking the system for sixteen random bytes at a time is most of what an id costs.
const randomness = new Uint8Array(16 * 256);
let used = randomness.length;
const last = { msecs: 0, seq: 0 };

/**
 * A new time-ordered id (UUIDv7), made by the program so that no database function is needed. Ids of one process follow
 * each other also within a millisecond: the counter in them goes on (RFC 9562, section 6.2, method 1).
 */
export function newId(): string {
  if (used === randomness.length) {
    randomFillSync(randomness);
    used = 0;
  }
  const random = randomness.subarray(used, used + 16);
  used += 16;
  const now = Date.now();
  if (now > last.msecs) {
    last.msecs = now;
    // The highest bit is left free, so that there is room to count.
    last.seq = ((random[6]! & 0x7f) << 24) | (random[7]! << 16) | (random[8]! << 8) | random[9]!;
  } else if (last.seq === 0xffffffff) {
    last.msecs += 1;
    last.seq = 0;
  } else last.seq += 1;
  return v7({ msecs: last.msecs, seq: last.seq, random });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const isId = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);

/** An unguessable token, 256 bits, safe in a URL. */
export const newToken = (prefix = ''): string => prefix + randomBytes(32).toString('base64url');

/** Tokens are stored as this hash only; they carry 256 random bits, so a fast hash is enough. */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('base64url');

export const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();

export const hmacSha256 = (key: string | Buffer | KeyObject, data: string | Buffer): Buffer =>
  createHmac('sha256', key).update(data).digest();

/** Compares without telling by its duration where the values differ; false for different lengths. */
export function sameBytes(a: string | Buffer, b: string | Buffer): boolean {
  const left = Buffer.isBuffer(a) ? a : Buffer.from(a);
  const right = Buffer.isBuffer(b) ? b : Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
