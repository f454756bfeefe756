import { createSecretKey } from 'node:crypto';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { hmacSha256 } from '../base/ids.ts';
import type { Keyring } from '../base/keyring.ts';
import { findCustomer } from '../model/store.ts';
import type { MessageClass } from '../settings/schema.ts';
import {
  consentsOf,
  customerOfAddress,
  guardOfAddress,
  liftSuppression,
  lockGuards,
  recordConsent,
  suppress,
} from './store.ts';

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
    /** Absent: messages of every class. */
    class?: MessageClass | undefined;
    reason: string;
    at: Date;
  },
) => Promise<{ cancelled: number; inFlight: number }>;

/** Plans that every connected platform that can hold an objection is told of it; the actions room does it. */
export type TellPlatforms = (
  tx: Tx,
  what: {
    customerId: string | undefined;
    channel: string;
    /** Absent: where the person is reached on the channel. */
    address?: string;
    topic: string | undefined;
    /** Connections that know already, because they told us. */
    besides: readonly string[];
    at: Date;
  },
) => Promise<void>;

export interface OptOutDeps {
  hash: AddressHash;
  cancelQueued: CancelQueued;
  tellPlatforms: TellPlatforms;
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
  /** Connections it came from: they are not told again. */
  from?: readonly string[];
  at: Date;
}

/**
 * A person does not want messages on a channel: effective before this transaction ends. Takes the same lock as a send,
 * so nothing committed after it goes out, cancels what is queued, and has the connected platforms told.
 * @returns the person, when the address is known, what came of the messages that were on their way, and whether it was
 * new: an objection that comes back from a platform we told is not
 */
export async function optOut(
  deps: OptOutDeps,
  tx: Tx,
  choice: OptOut,
): Promise<{ customerId: string | undefined; cancelled: number; inFlight: number; news: boolean }> {
  const named = choice.customerId ? (await findCustomer(tx, choice.customerId))?.id : undefined;
  const customerId = named ?? (await customerOfAddress(tx, choice.channel, choice.address));
  const addressHash = deps.hash(tx.tenantId, choice.channel, choice.address);
  await lockGuards(tx, [guardOfAddress(addressHash), ...(customerId ? [customerId] : [])]);
  // A topic is a choice of the person; an address without topic is closed as a whole, also for people we do not know yet.
  const closed = choice.topic ? false : await suppress(tx, { ...choice, addressHash });
  const known = customerId !== undefined && (await isDenied(tx, customerId, choice));
  const news = closed || (customerId !== undefined && !known);
  // What the person said stands as they said it; that a platform knows it too is nothing new.
  if (customerId && (news || choice.source !== 'platform'))
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
  const { cancelled, inFlight } = await deps.cancelQueued(tx, {
    customerId,
    ...(choice.topic ? {} : { address: choice.address }),
    channel: choice.channel,
    topic: choice.topic,
    ...(choice.scope === 'marketing' ? { class: 'marketing' } : {}),
    reason: 'opted_out',
    at: choice.at,
  });
  if (news)
    await deps.tellPlatforms(tx, {
      customerId,
      channel: choice.channel,
      address: choice.address,
      topic: choice.topic,
      besides: choice.from ?? [],
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
  return { customerId, cancelled, inFlight, news };
}

const isDenied = async (
  tx: Tx,
  customerId: string,
  { channel, topic = '*', ...choice }: { channel: string; topic?: string | undefined; class?: MessageClass },
): Promise<boolean> =>
  (await consentsOf(tx, [customerId])).some(
    (row) =>
      row.channel === channel &&
      row.topic === topic &&
      row.class === (choice.class ?? 'marketing') &&
      row.state === 'denied',
  );

/** A choice of a person, not of an address: by topic, or noted by staff. */
export interface PersonOptOut {
  customerId: string;
  channel: string;
  topic: string | undefined;
  class: MessageClass;
  reason: string;
  source: string;
  evidence: Record<string, unknown>;
  actor: string;
  at: Date;
}

/**
 * The same for a choice that is about a person and no address: no address is closed by it.
 * @returns whether something was recorded
 */
export async function optOutPerson(deps: OptOutDeps, tx: Tx, choice: PersonOptOut): Promise<boolean> {
  const { customerId, channel, topic, source, evidence, at } = choice;
  await lockGuards(tx, [customerId]);
  const known = await isDenied(tx, customerId, choice);
  const written = await recordConsent(tx, {
    ...{ customerId, channel, class: choice.class, source, evidence, at },
    topic: topic ?? '*',
    state: 'denied',
    basis: 'objection',
  });
  const queued = { customerId, channel, topic, class: choice.class, reason: 'opted_out', at };
  const { cancelled, inFlight } = await deps.cancelQueued(tx, queued);
  if (!known && choice.class === 'marketing')
    await deps.tellPlatforms(tx, { customerId, channel, topic, besides: [], at });
  await appendEvents(tx, [
    {
      actor: choice.actor,
      action: 'consent.denied',
      subject: { kind: 'channel', id: channel },
      customerId,
      data: { topic: topic ?? '*', class: choice.class, reason: choice.reason, source, evidence, cancelled, inFlight },
      at,
    },
  ]);
  return written;
}

/**
 * The person asks for messages again. What is lifted depends on how they ask: START opens what a STOP closed and nothing
 * else; on their own page they take back what they chose there.
 * @param choice `topic`: one topic only; `lifts`: reasons of suppressions it takes back
 */
export async function optIn(
  deps: Pick<OptOutDeps, 'hash'>,
  tx: Tx,
  choice: {
    channel: string;
    address: string;
    customerId?: string;
    topic?: string;
    source: string;
    evidence: Record<string, unknown>;
    lifts?: readonly string[];
    at: Date;
  },
): Promise<void> {
  const { channel, address, topic, at } = choice;
  const customerId = choice.customerId ?? (await customerOfAddress(tx, channel, address));
  const addressHash = deps.hash(tx.tenantId, channel, address);
  await lockGuards(tx, [guardOfAddress(addressHash), ...(customerId ? [customerId] : [])]);
  const lifted = await liftSuppression(tx, channel, addressHash, at, choice.lifts);
  if (customerId) {
    // Should the person turn out to be two, it is the one with this address who said so.
    const evidence = { ...choice.evidence, addressHash: addressHash.toString('hex') };
    const said = { customerId, channel, basis: 'consent', source: choice.source, evidence, at };
    // Asking for one topic takes back the objection to everything, and says nothing about the other topics.
    if (topic && (await isDenied(tx, customerId, { channel })))
      await recordConsent(tx, { ...said, topic: '*', state: 'per_topic' });
    await recordConsent(tx, { ...said, topic: topic ?? '*', state: 'granted' });
  }
  await appendEvents(tx, [
    {
      actor: 'customer',
      action: 'consent.granted',
      subject: { kind: 'channel', id: channel },
      customerId: customerId ?? null,
      data: { source: choice.source, topic: topic ?? '*', lifted },
      at,
    },
  ]);
}
