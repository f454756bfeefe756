import { NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

const LATER = new Date(NOW.getTime() + 3_600_000);

const parted = ({ ids }: Tenant) => ({
  ...{ kind: 'contact', from: ids.customer, revived: ids.customer2, ids: [ids.customer2], kept: undefined },
  ...{ documents: [], keys: { stays: [], goes: [] } },
});

const wish = ({ ids }: Tenant) => ({
  ...{ customer_id: ids.customer, paused_until: LATER, at_most_messages: 9, at_most_days: 9 },
  ...{ source: 'x', evidence: {}, updated_at: NOW },
});

const link = ({ ids }: Tenant) => ({
  ...{ customerId: ids.customer, channel: 'email', topic: '*', address: 'ann@example.com' },
});

const written = (text: string) => ({
  ...{ channel: 'whatsapp', address: '+14155550101', text, connection: undefined, at: NOW },
});

/** What choosing needs of other rooms; each of them is attacked by itself. */
const outside = (deps: Surroundings['deps']) => ({
  hash: deps.hash,
  cancelQueued: async () => ({ cancelled: 0, inFlight: 0 }),
  tellPlatforms: async () => {},
});

/** Attacks on what people ask for beside consent, and on what is told of it. */
export const CONSENT = [
  ...attacksOn('consent/preferences.ts', {
    preferencesOf: ({ ids }) => [[ids.customer]],
    savePreference: (victim) => [wish(victim)],
    mergePreferences: ({ ids }) => [ids.customer2, ids.customer, NOW],
    partPreferences: (victim) => [parted(victim), NOW],
  }),
  ...attacksOn('consent/merging.ts', {
    mergeConsents: ({ ids }) => [ids.customer2, ids.customer, NOW],
  }),
  ...attacksOn('consent/households.ts', {
    householdsOf: { args: ({ ids }) => [[ids.customer]], look: ({ everybody, guards }) => [everybody, guards] },
  }),
  ...attacksOn('consent/choices.ts', {
    loadChoices: (victim, { deps }) => [deps, link(victim), ['email', 'sms'], 'en', NOW],
    applyChoices: (victim, { deps }) => [
      { ...outside(deps), lookAgain: async () => {} },
      link(victim),
      ['email'],
      { topics: new Map(), nothing: true },
      {},
      NOW,
    ],
  }),
  ...attacksOn('actions/why.ts', {
    messagesTo: (victim) => [link(victim), 'en', 'UTC'],
  }),
  ...attacksOn('actions/footer.ts', {
    withFooter: () => ['text', { unsubscribe: 'u', preferences: 'p', why: 'w' }, 'en'],
  }),
  ...attacksOn('actions/replies.ts', {
    takeStop: (_victim, { deps }) => [deps, written('STOP'), { source: 'x', evidence: {} }],
    takeStart: (_victim, { deps }) => [deps, written('START'), { source: 'x', evidence: {} }],
    takeHelp: (_victim, { deps }) => [deps, written('HELP')],
  }),
  ...attacksOn('actions/standing.ts', {
    standingOf: ({ ids }, { deps }) => [deps, ids.customer, NOW],
  }),
  ...attacksOn('actions/optouts.ts', {
    passedOn: ({ ids }) => [ids.customer],
    channelsOf: {
      args: (_victim, { deps }) => [deps],
      harmless: 'the platform of the facts carries no messages',
    },
  }),
];
