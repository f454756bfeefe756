import { createHmac } from 'node:crypto';
import { sameBytes } from '../base/ids.ts';

export { hmacSha256, sameBytes, sha256 } from '../base/ids.ts';

/**
 * Compares a vendor's signature with the HMAC of the bytes it covers, in constant time.
 * @param encoding how the vendor writes it
 */
export function hmacMatches(
  algorithm: 'sha1' | 'sha256',
  key: string | Buffer,
  data: string | Buffer,
  signature: string | undefined,
  encoding: 'hex' | 'base64',
): boolean {
  if (!signature) return false;
  return sameBytes(createHmac(algorithm, key).update(data).digest(encoding), signature);
}
