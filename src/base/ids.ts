import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { v7 } from 'uuid';

/** A new time-ordered id (UUIDv7), made by the program so that no database function is needed. */
export const newId = (): string => v7();

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const isId = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);

/** An unguessable token, 256 bits, safe in a URL. */
export const newToken = (prefix = ''): string => prefix + randomBytes(32).toString('base64url');

/** Tokens are stored as this hash only; they carry 256 random bits, so a fast hash is enough. */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('base64url');

export const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();

export const hmacSha256 = (key: string | Buffer, data: string | Buffer): Buffer =>
  createHmac('sha256', key).update(data).digest();

/** Compares without telling by its duration where the values differ; false for different lengths. */
export function sameBytes(a: string | Buffer, b: string | Buffer): boolean {
  const left = Buffer.isBuffer(a) ? a : Buffer.from(a);
  const right = Buffer.isBuffer(b) ? b : Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
