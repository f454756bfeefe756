import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';
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
  ...attacksOn('actions/standing.ts', {
    standingOf: ({ ids }, { deps }) => [deps, ids.customer, NOW],
  }),
  ...attacksOn('actions/optouts.ts', {
    passedOn: ({ ids }) => [ids.customer],
  }),
];
