import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

/** Everybody with an address; and whatever else a condition can look into. */
const SOMEBODY = { field: 'customer.email', empty: false };
const ANYWHERE = (segment: string) => ({
  any: [
    SOMEBODY,
    { exists: 'invoice', where: { field: 'invoice.status', is: 'open' } },
    { count: 'job', at_least: 1 },
    { sum: 'payment.amount', above: 0 },
    { latest: 'activity.channel', is: 'email' },
    { field: 'company.domain', is: 'acme.example' },
    { field: 'owner.email', is: 'olga@example.com' },
    { field: 'score.value', at_least: 0 },
    { consent: 'email', is: 'granted' },
    { days_since: ['purchase', 'job', 'answer'], at_least: 1 },
    { not: { field: 'customer.custom.note', contains: 'x' } },
    ...(segment === '' ? [] : [{ segment }]),
  ],
});

/** Attacks on conditions: whatever one asks, only one's own customers answer. */
export const CONDITIONS = [
  ...attacksOn('segments/store.ts', {
    segmentNames: { args: () => [], look: (names) => [...names] },
  }),
  ...attacksOn('conditions/custom.ts', {
    loadCatalogue: { args: () => [], look: ({ custom }) => [...custom.values()] },
  }),
  ...attacksOn('conditions/trial.ts', {
    tryCondition: {
      args: () => [{ custom: new Map() }, { condition: SOMEBODY }, undefined, NOW],
      look: ({ sample }) => [...sample],
    },
  }),
  ...attacksOn('conditions/store.ts', {
    zonesInUse: () => [],
    conditionEnv: () => [NOW],
    matching: ({ ids }) => [ANYWHERE(''), { now: NOW, customerIds: [ids.customer, ids.customer2], limit: 10 }],
    sampleOf: () => [ANYWHERE(''), { now: NOW, limit: 10 }],
    judge: {
      args: ({ ids }) => [SOMEBODY, { now: NOW, customerId: ids.customer }],
    },
    countMatching: () => [ANYWHERE(''), { now: NOW }],
  }),
];
