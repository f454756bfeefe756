import { createSecretKey } from 'node:crypto';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { hmacSha256 } from '../base/ids.ts';
import type { Keyring } from '../base/keyring.ts';
import { findCustomer } from '../model/store.ts';
import { customerOfAddress, guardOfAddress, liftSuppression, lockGuards, recordConsent, suppress } from './store.ts';

/** Suppressions hold a keyed hash of the address: it can be checked, but not read back. */
export type AddressHash = (tenantId: string, channel: string, address: string) => Buffer;

export function addressHasher(keyring: Keyring): AddressHash {
  // As a key object: made of bytes for each address it would cost more than the hash.
  const key = createSecretKey(keyring.derive('suppression'));
  // A number is the same number for text messages and WhatsApp, but a choice on one is not a choice on the other.
  return (tenantId, channel, address) => hmacSha256(key, `${tenantId} ${channel} ${address.trim().toLowerCase()}`);
}

/** The same with a memory, for work on a few hundred addresses that asks several times for each. */
export function remembering(hash: AddressHash): AddressHash {
  const known = new Map<string, Buffer>();
  return (tenantId, channel, address) => {
    const key = `${tenantId} ${channel} ${address}`;
    const hashed = known.get(key) ?? hash(tenantId, channel, address);
    known.set(key, hashed);
    return hashed;
  };
}

/**
 * Cancels what is queued for a person, and for an address whoever else has it; the actions room does it, in the
 * transaction of the opt-out.
 * @returns how much, and how much a platform has in hand already
 */
export type CancelQueued = (
  tx: Tx,
  what: {
    customerId: string | undefined;
    address?: string;
    channel: string | undefined;
    topic: string | undefined;
    marketingOnly: boolean;
    reason: string;
    at: Date;
  },
) => Promise<{ cancelled: number; inFlight: number }>;

export interface OptOutDeps {
  hash: AddressHash;
  cancelQueued: CancelQueued;
}

export interface OptOut {
  channel: string;
  address: string;
  /** The person, where more than the address says who it is: they may have another address by now. */
  customerId?: string;
  /** All messages on the channel (a STOP to a carrier), or marketing only (an unsubscribe link). */
  scope: 'all' | 'marketing';
  topic?: string | undefined;
  reason: string;
  source: string;
  evidence: Record<string, unknown>;
  at: Date;
}

/**
 * A person does not want messages on a channel: effective before this transaction ends. Takes the same lock as a send,
 * so nothing committed after it goes out, and cancels what is queued.
 * @returns the person, when the address is known, and what came of the messages that were on their way
 */
export async function optOut(
  deps: OptOutDeps,
  tx: Tx,
  choice: OptOut,
): Promise<{ customerId: string | undefined; cancelled: number; inFlight: number }> {
  const named = choice.customerId ? (await findCustomer(tx, choice.customerId))?.id : undefined;
  const customerId = named ?? (await customerOfAddress(tx, choice.channel, choice.address));
  const addressHash = deps.hash(tx.tenantId, choice.channel, choice.address);
  await lockGuards(tx, [guardOfAddress(addressHash), ...(customerId ? [customerId] : [])]);
  // A topic is a choice of the person; an address without topic is closed as a whole, also for people we do not know yet.
  if (!choice.topic) await suppress(tx, { ...choice, addressHash });
  if (customerId) {
    await recordConsent(tx, {
      customerId,
      channel: choice.channel,
      topic: choice.topic ?? '*',
      state: 'denied',
      basis: 'objection',
      source: choice.source,
      evidence: choice.evidence,
      at: choice.at,
    });
  }
  const { cancelled, inFlight } = await deps.cancelQueued(tx, {
    customerId,
    ...(choice.topic ? {} : { address: choice.address }),
    channel: choice.channel,
    topic: choice.topic,
    marketingOnly: choice.scope === 'marketing',
    reason: 'opted_out',
    at: choice.at,
  });
  await appendEvents(tx, [
    {
      actor: 'customer',
      action: 'consent.denied',
      subject: { kind: 'channel', id: choice.channel },
      customerId: customerId ?? null,
      data: {
        scope: choice.scope,
        topic: choice.topic ?? '*',
        reason: choice.reason,
        source: choice.source,
        cancelled,
        // A call that is being made cannot be taken back.
        inFlight,
      },
      at: choice.at,
    },
  ]);
  return { customerId, cancelled, inFlight };
}

/** The person asks for messages again (START). Only what a STOP closed is opened. */
export async function optIn(
  deps: OptOutDeps,
  tx: Tx,
  choice: { channel: string; address: string; source: string; evidence: Record<string, unknown>; at: Date },
): Promise<void> {
  const customerId = await customerOfAddress(tx, choice.channel, choice.address);
  if (customerId) await lockGuards(tx, [customerId]);
  const lifted = await liftSuppression(
    tx,
    choice.channel,
    deps.hash(tx.tenantId, choice.channel, choice.address),
    choice.at,
  );
  if (customerId) {
    await recordConsent(tx, {
      customerId,
      channel: choice.channel,
      topic: '*',
      state: 'granted',
      basis: 'consent',
      source: choice.source,
      // Should the person turn out to be two, it is the one with this address who said so.
      evidence: {
        ...choice.evidence,
        addressHash: deps.hash(tx.tenantId, choice.channel, choice.address).toString('hex'),
      },
      at: choice.at,
    });
  }
  await appendEvents(tx, [
    {
      actor: 'customer',
      action: 'consent.granted',
      subject: { kind: 'channel', id: choice.channel },
      customerId: customerId ?? null,
      data: { source: choice.source, lifted },
      at: choice.at,
    },
  ]);
}
