import { definitionOf, NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

const LATER = new Date('2026-06-01T00:00:00Z');

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
  ...attacksOn('actions/control.places.ts', {
    placesOf: ({ ids }) => [ids.customer, undefined],
    acknowledgeWords: ({ ids }, { deps }) => {
      const at = { connectionId: ids.connection, connection: 'hubspot', remoteId: 'c-1' };
      const place = { ...at, words: ['x'], tags: [], custom: { rapport: 'x' } };
      const said = { customerId: ids.customer, field: 'rapport', places: [place], words: ['x'], change: 'c' };
      return [deps, said, NOW];
    },
  }),
  ...attacksOn('actions/account.ts', {
    accountOf: ({ ids }) => [{ customerId: ids.customer, at: LATER, zone: 'UTC' }],
    notStarted: ({ ids }) => [{ customerId: ids.customer, at: LATER, zone: 'UTC' }],
  }),
  ...attacksOn('actions/playbooks.ts', {
    missingOf: {
      args: (_victim, { deps }) => [
        deps,
        { steps: [{ id: 'say', message: { channels: ['sms'], template: 'x' } }], triggers: [] },
      ],
      harmless: 'it tells what nobody has, in general words',
    },
  }),
  ...attacksOn('actions/facts.ts', {
    decideLoaded: {
      args: (_victim, { deps }) => [deps, { now: NOW }, [], new Map()],
      harmless: 'it looks at nothing but what was loaded',
    },
  }),
  ...attacksOn('actions/wishes.ts', {
    requestsOf: (victim) => {
      const definition = definitionOf('chase', 'x');
      return [[{ run: victim.named('run'), definition, step: definition.steps[0], due: NOW }], NOW];
    },
  }),
  ...attacksOn('forecast/arrivals.ts', { outlook: () => [NOW, LATER, undefined] }),
  ...attacksOn('forecast/waiting.ts', { membersWaiting: ({ ids }) => [LATER, ids.customer2] }),
  ...attacksOn('forecast/load.ts', {
    loadWorld: {
      args: ({ ids }, { deps }) => [deps, { now: NOW, customers: [ids.customer] }],
      look: ({ travellers }) => [...travellers.values()].map(({ run }: { run: unknown }) => run),
    },
  }),
  ...attacksOn('actions/progress.ts', {
    planProgress: ({ ids }, { deps }) => [deps, NOW, [ids.customer]],
  }),
  ...attacksOn('actions/vip.ts', {
    markVip: {
      args: ({ ids }) => [{ kind: 'create_task', customer_id: ids.customer }, { title: 'x' }],
      harmless: 'nobody switched it on',
    },
  }),
  ...attacksOn('actions/shadow.ts', {
    keepInShadow: ({ ids, named }, { deps }) => {
      const verdict = { kind: 'skip', reason: 'shadow', detail: 'x' };
      return [
        deps,
        [{ request: { ...named('action_request'), id: ids.planned }, verdict, content: { text: 'x' } }],
        NOW,
      ];
    },
  }),
];
