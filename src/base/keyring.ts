import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { MasterKey } from './config.ts';

/** Seals and opens secrets at rest, and derives keys for keyed hashes. */
export interface Keyring {
  /** Encrypts under a fresh data key that is itself encrypted under the current master key. `context` is bound to it. */
  seal(plain: string, context: string): Buffer;
  /** @throws when the key is unknown, the context differs or a bit was changed */
  open(sealed: Buffer, context: string): string;
  /** A key for `purpose`, the same for ever (from one root, so that rotation does not change hashes). */
  derive(purpose: string): Buffer;
  currentKeyId: string;
}

const NONCE = 12;
const TAG = 16;
const VERSION = 1;

/** Keys this process has sealed something with. */
const sealing = new Set<string>();
export const hasSealed = (id: string): boolean => sealing.has(id);

/** Name of the master key a value was sealed with; empty for what is no sealed value. */
export function keyIdOf(sealed: Buffer): string {
  const length = sealed[1] ?? 0;
  return sealed[0] === VERSION && sealed.length > 2 + length ? sealed.subarray(2, 2 + length).toString() : '';
}

function encrypt(key: Buffer, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, context: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE)).setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE, sealed.length - TAG)), decipher.final()]);
}

/**
 * Layout of a sealed value: version, length and name of the master key, the encrypted data key, the encrypted text.
 * @param keys the current key first; older ones only open
 * @param root what keys are derived from; the oldest master key when absent
 */
export function createKeyring(keys: readonly MasterKey[], root?: Buffer): Keyring {
  const current = keys[0];
  const oldest = keys.at(-1);
  if (!current || !oldest) throw new Error('A keyring needs at least one master key.');
  const byId = new Map(keys.map((key) => [key.id, key.key]));
  return {
    currentKeyId: current.id,
    seal(plain, context) {
      sealing.add(current.id);
      const dataKey = randomBytes(32);
      const id = Buffer.from(current.id);
      const wrapped = encrypt(current.key, dataKey, context);
      return Buffer.concat([
        Buffer.from([VERSION, id.length]),
        id,
        wrapped,
        encrypt(dataKey, Buffer.from(plain), context),
      ]);
    },
    open(sealed, context) {
      const idLength = sealed[1] ?? 0;
      const id = sealed.subarray(2, 2 + idLength).toString();
      const master = byId.get(id);
      if (sealed[0] !== VERSION || !master) {
        throw new Error(
          `A stored secret was sealed with key "${id}", which is not in RAPPORT_KEYS (${[...byId.keys()].join(', ')}). Add that key again.`,
        );
      }
      const wrappedEnd = 2 + idLength + NONCE + 32 + TAG;
      try {
        const dataKey = decrypt(master, sealed.subarray(2 + idLength, wrappedEnd), context);
        return decrypt(dataKey, sealed.subarray(wrappedEnd), context).toString();
      } catch (cause) {
        throw new Error(
          `A stored secret does not open with key "${id}": the key in RAPPORT_KEYS is not the one it was sealed with.`,
          {
            cause,
          },
        );
      }
    },
    derive: (purpose) => Buffer.from(hkdfSync('sha256', root ?? oldest.key, '', `rapport:${purpose}`, 32)),
  };
}
