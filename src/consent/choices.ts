import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { findCustomer } from '../model/store.ts';
import type { Language, SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { choiceOf } from './choice.ts';
import { type OptOutDeps, optIn, optOut } from './optout.ts';
import { type Preference, preferencesOf, savePreference } from './preferences.ts';
import { consentsOf, guardOfAddress, lockGuards, suppressionsOf } from './store.ts';
import { textIn } from './texts/index.ts';

/** What a link in a message stands for; the same for ever. */
export interface LinkSubject {
  customerId: string;
  channel: string;
  topic: string;
  address: string;
}

/** A message as the page of reasons tells it. */
export interface Told {
  at: Date;
  channel: string;
  /** Subject, or how the text begins. */
  what: string;
  /** Sentences, in the language of the page. */
  why: string[];
}

const PAGE_CHANNELS = ['email', 'sms', 'whatsapp'] as const;
export type PageChannel = (typeof PAGE_CHANNELS)[number];

/** Reasons of closed addresses a person can take back on their own page. A STOP is taken back where it was written. */
const TAKEN_BACK_HERE = ['unsubscribe_link', 'preferences', 'opted_out_at_platform'];

/** How many messages a person can ask for at most. */
export const RATES = {
  often: undefined,
  weekly: { messages: 1, days: 7 },
  monthly: { messages: 1, days: 30 },
} as const;
export type Rate = keyof typeof RATES;
export const PAUSE_DAYS = 30;

/** One way to reach the person, with what they get there. */
export interface ChannelChoices {
  channel: PageChannel;
  address: string;
  /** Why nothing can be chosen here. */
  closed?: 'stopped' | 'undeliverable';
  topics: { key: string; title: string; on: boolean }[];
}

/** Everything the preferences page shows and changes. */
export interface Choices {
  customerId: string;
  channels: ChannelChoices[];
  wish: Preference | undefined;
  rate: Rate | 'own';
  pausedUntil: Date | undefined;
  /** Titles of what is sent whatever is chosen. */
  always: string[];
}

/** The channels a person can be reached on: those of their addresses, and the one the link came by. */
function addressesOf(
  person: { email: string | null; phone: string | null } | undefined,
  link: LinkSubject,
  offered: readonly string[],
): { channel: PageChannel; address: string }[] {
  return PAGE_CHANNELS.flatMap((channel) => {
    if (channel !== link.channel && !offered.includes(channel)) return [];
    const known = channel === 'email' ? person?.email : person?.phone;
    const address = known ?? (channel === link.channel ? link.address : undefined);
    return address ? [{ channel, address }] : [];
  });
}

interface Standing {
  choices: Choices;
  allowed(channel: ChannelChoices, topic: string): boolean;
}

/**
 * What a person gets now.
 * @param offered channels the business can write on
 */
export async function loadChoices(
  deps: Pick<OptOutDeps, 'hash'>,
  tx: Tx,
  link: LinkSubject,
  offered: readonly string[],
  language: Language,
  now: Date,
): Promise<Choices> {
  return (await standingOf(deps, tx, link, offered, language, now)).choices;
}

async function standingOf(
  deps: Pick<OptOutDeps, 'hash'>,
  tx: Tx,
  link: LinkSubject,
  offered: readonly string[],
  language: Language,
  now: Date,
): Promise<Standing> {
  const person = await findCustomer(tx, link.customerId);
  const customerId = person?.id ?? link.customerId;
  const consents = await consentsOf(tx, [customerId]);
  const { topics } = (await setting(tx, 'topics')) as SettingValue<'topics'>;
  const [wish] = await preferencesOf(tx, [customerId]);
  const ways = addressesOf(person, link, offered);
  const hashes = ways.map(({ channel, address }) => ({ channel, hash: deps.hash(tx.tenantId, channel, address) }));
  const suppressions = await suppressionsOf(tx, hashes);
  const closing = (at: number) =>
    suppressions.find((row) => row.channel === ways[at]!.channel && row.address_hash.equals(hashes[at]!.hash));
  const allowed = (at: number, topic: string): boolean => {
    const row = closing(at);
    return choiceOf({
      ...{ channel: ways[at]!.channel, recipient: ways[at]!.address, topic, class: 'marketing', consents, now },
      suppression: row && { scope: row.scope, reason: row.reason, since: row.created_at },
    }).allowed;
  };
  const shown = topics.filter((topic) => topic.class === 'marketing');
  // A link can be about a topic that is on no list.
  const listed = shown.some(({ key }) => key === link.topic) || link.topic === '*';
  const own = topics.some(({ key }) => key === link.topic);
  const extra = listed || own ? [] : [{ key: link.topic, title: { en: link.topic } }];
  const channels = ways.map((way, at): ChannelChoices => {
    const row = closing(at);
    const stays = row && !TAKEN_BACK_HERE.includes(row.reason);
    return {
      ...way,
      ...(stays ? { closed: row.reason === 'stop_reply' ? ('stopped' as const) : ('undeliverable' as const) } : {}),
      topics: [...shown, ...extra].map(({ key, title }) => ({
        key,
        title: textIn(title, language),
        on: allowed(at, key),
      })),
    };
  });
  const asked = wish?.at_most_messages ?? null;
  const rate = (Object.keys(RATES) as Rate[]).find(
    (name) => (RATES[name]?.messages ?? null) === asked && (RATES[name]?.days ?? null) === (wish?.at_most_days ?? null),
  );
  return {
    choices: {
      ...{ customerId, channels, wish, rate: asked === null ? 'often' : (rate ?? 'own') },
      pausedUntil: wish?.paused_until && wish.paused_until > now ? wish.paused_until : undefined,
      always: topics.filter((topic) => topic.class === 'transactional').map(({ title }) => textIn(title, language)),
    },
    allowed: (channel, topic) => allowed(channels.indexOf(channel), topic),
  };
}

/** What somebody asked for on the page, against what was shown to them: only what differs is a choice. */
export interface Wanted {
  /** By `channel:topic`. */
  topics: ReadonlyMap<string, { was: boolean; now: boolean }>;
  rate?: { was: string; now: Rate };
  pause?: 'begin' | 'end';
  /** Nothing of this any more, on any channel. */
  nothing?: boolean;
}

export interface ChoiceDeps extends OptOutDeps {
  /** Marketing that was let through and has not left yet goes through the gate again. */
  lookAgain: (tx: Tx, customerId: string, at: Date) => Promise<void>;
}

/**
 * Writes down what a person chose on their page, in one transaction under the locks a send takes: what is said there
 * holds before the page says so.
 * @param proof where it came from, kept as evidence
 * @returns whether anything differs from before
 */
export async function applyChoices(
  deps: ChoiceDeps,
  tx: Tx,
  link: LinkSubject,
  offered: readonly string[],
  wanted: Wanted,
  proof: Record<string, unknown>,
  at: Date,
): Promise<boolean> {
  const before = await loadChoices(deps, tx, link, offered, 'en', at);
  const { customerId } = before;
  const guards = before.channels.map(({ channel, address }) =>
    guardOfAddress(deps.hash(tx.tenantId, channel, address)),
  );
  // All at once, in one order: whoever locks one after the other can stand in another's way.
  await lockGuards(tx, [customerId, ...guards]);
  const { channels } = before;
  const said = { customerId, source: 'page', evidence: proof, at };
  if (wanted.nothing) {
    for (const { channel, address } of channels)
      await optOut(deps, tx, { ...said, channel, address, scope: 'marketing', reason: 'preferences' });
    return true;
  }
  let changed = false;
  for (const way of channels)
    if (!way.closed) changed = (await applyTopics(deps, tx, link, offered, way, wanted, said)) || changed;
  return (await applyWishes(deps, tx, before, wanted, said)) || changed;
}

type Said = { customerId: string; source: string; evidence: Record<string, unknown>; at: Date };

async function applyTopics(
  deps: ChoiceDeps,
  tx: Tx,
  link: LinkSubject,
  offered: readonly string[],
  way: ChannelChoices,
  wanted: Wanted,
  said: Said,
): Promise<boolean> {
  const { channel, address, topics } = way;
  const asked = topics.flatMap(({ key }) => {
    const choice = wanted.topics.get(`${channel}:${key}`);
    return choice ? [{ key, ...choice }] : [];
  });
  const off = asked.filter((choice) => choice.was && !choice.now);
  const on = asked.filter((choice) => !choice.was && choice.now);
  if (off.length + on.length === 0) return false;
  const leaving = { ...said, channel, address, scope: 'marketing' as const, reason: 'preferences' };
  // Nothing of a channel is left: that is what its unsubscribe link does.
  if (!asked.some((choice) => choice.now)) {
    await optOut(deps, tx, leaving);
    return true;
  }
  for (const { key } of off) await optOut(deps, tx, { ...leaving, topic: key });
  for (const { key } of on) await optIn(deps, tx, { ...said, channel, address, topic: key, lifts: TAKEN_BACK_HERE });
  // Opening a closed channel for one topic must not open the others they left out.
  const { choices, allowed } = await standingOf(deps, tx, link, offered, 'en', said.at);
  const here = choices.channels.find((candidate) => candidate.channel === channel)!;
  for (const { key } of asked.filter((choice) => !choice.now && !choice.was))
    if (allowed(here, key)) await optOut(deps, tx, { ...leaving, topic: key });
  return true;
}

async function applyWishes(
  deps: ChoiceDeps,
  tx: Tx,
  before: Choices,
  { rate, pause }: Wanted,
  said: Said,
): Promise<boolean> {
  const slower = rate && rate.was !== rate.now;
  if (!slower && !pause) return false;
  const [old] = await preferencesOf(tx, [before.customerId]);
  const most = slower
    ? { at_most_messages: RATES[rate.now]?.messages ?? null, at_most_days: RATES[rate.now]?.days ?? null }
    : { at_most_messages: old?.at_most_messages ?? null, at_most_days: old?.at_most_days ?? null };
  const until = pause === 'begin' ? new Date(said.at.getTime() + PAUSE_DAYS * 86_400_000) : null;
  const saved = await savePreference(tx, {
    customer_id: before.customerId,
    paused_until: pause ? until : (old?.paused_until ?? null),
    ...most,
    ...{ source: said.source, evidence: said.evidence, updated_at: said.at },
  });
  await deps.lookAgain(tx, before.customerId, said.at);
  const told = (row: Preference | undefined) => ({
    pausedUntil: row?.paused_until?.toISOString() ?? null,
    atMost: row?.at_most_messages ? `${row.at_most_messages} in ${row.at_most_days} days` : null,
  });
  await appendEvents(tx, [
    {
      actor: 'customer',
      action: 'preference.changed',
      subject: { kind: 'customer', id: before.customerId },
      customerId: before.customerId,
      data: { before: told(old), after: told(saved) },
      at: said.at,
    },
  ]);
  return true;
}
