import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

/** Attacks on looking ahead, on the shadow and on what staff say in the CRM. */
export const FORECAST = [
  ...attacksOn('sequences/mode.ts', {
    switchMode: ({ ids, named }, { deps }) => [
      deps.ports,
      { ...named('sequence'), id: ids.sequence },
      { mode: 'live', by: 'x', expected: 1 },
      NOW,
    ],
  }),
  ...attacksOn('forecast/shadow.ts', {
    listShadow: ({ ids }) => [{ customerId: ids.customer, limit: 10 }],
    shadowDays: ({ ids }) => [{ sequenceId: ids.sequence, limit: 10 }, 'UTC'],
    countShadowRuns: ({ ids }) => [ids.sequence],
  }),
  ...attacksOn('actions/shadow.ts', { keepInShadow: (_victim, { deps }) => [deps, [], NOW] }),
];
