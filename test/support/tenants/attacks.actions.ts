import { NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

const LATER = new Date(NOW.getTime() + 3_600_000);

/** The request of the victim that is planned, as a row. */
const planned = ({ named }: Tenant) => named('action_request');
const committed = ({ named }: Tenant) => named('action_request', 1);

/** A write into the record of the victim that nobody writes any more. */
const writing = (victim: Tenant) => ({
  ...planned(victim),
  kind: 'update_field',
  connection_id: victim.ids.connection,
  content: { object: 'contact', id: 'c-1', fields: { city: 'x' } },
  depth: 0,
});

const newRequest = ({ ids }: Tenant) => ({
  kind: 'send_email',
  channel: 'email',
  recipient: 'other@example.com',
  class: 'marketing',
  plan: { type: 'direct', input: {} },
  run_id: ids.run,
  step_id: 'friendly',
  visit: 1,
  customer_id: ids.customer,
  created_by: 'x',
});

/** Where an action of the victim's connection would happen. */
function routeOf({ named }: Tenant, deps: Surroundings['deps'], kind: string) {
  const connector = deps.registry.find('hubspot')!;
  return {
    connection: named('connection'),
    connector,
    action: connector.actions.find((action) => action.kind === kind),
  };
}

const choice = { channel: 'email', address: 'ann@example.com', source: 'x', evidence: {}, at: NOW };

/** What opting out needs of other rooms; each of them is attacked by itself. */
const outside = (deps: Surroundings['deps']) => ({
  hash: deps.hash,
  cancelQueued: async () => ({ cancelled: 0, inFlight: 0 }),
  tellPlatforms: async () => {},
});

/** Attacks on consent and on what goes out. */
export const ACTIONS = [
  ...attacksOn('consent/store.ts', {
    lockGuards: ({ ids }) => [[ids.customer]],
    recordConsent: ({ ids }) => [
      {
        customerId: ids.customer,
        channel: 'email',
        topic: '*',
        state: 'denied',
        basis: 'x',
        source: 'x',
        evidence: {},
        at: NOW,
      },
    ],
    consentsOf: ({ ids }) => [[ids.customer]],
    consentHistory: ({ ids }) => [ids.customer],
    suppress: () => [
      {
        channel: 'email',
        addressHash: Buffer.from('hash'),
        scope: 'all',
        reason: 'x',
        source: 'x',
        evidence: {},
        at: NOW,
      },
    ],
    liftSuppression: () => ['email', Buffer.from('hash'), NOW],
    suppressionsOf: () => [[{ channel: 'email', hash: Buffer.from('hash') }]],
    touchesSince: ({ ids }) => [[ids.customer], [ids.company], new Date(0)],
    releaseTouch: ({ ids }) => [ids.committed],
    noteAnswered: () => [{ channel: 'sms', addressHash: Buffer.from('hash'), word: 'help', at: NOW, notSince: NOW }],
    customerOfAddress: () => ['email', 'ann@example.com'],
  }),
  ...attacksOn('consent/optout.ts', {
    optOut: (_victim, { deps }) => [outside(deps), { ...choice, scope: 'all', reason: 'x' }],
    optOutPerson: ({ ids }, { deps }) => [
      outside(deps),
      { ...choice, customerId: ids.customer, class: 'marketing', topic: 'x', reason: 'x', actor: 'x' },
    ],
    optIn: (_victim, { deps }) => [outside(deps), choice],
  }),
  ...attacksOn('actions/store.ts', {
    insertRequest: (victim) => [newRequest(victim), NOW],
    findRequest: ({ ids }) => [ids.planned],
    findRequestByKey: () => ['key-planned'],
    requestOfNative: ({ ids }) => [ids.connection, 'native-sent', ids.sent],
    noteNativeState: ({ ids }) => [ids.sent, { nativeId: 'x', state: 'read', detail: 'x' }, NOW],
    requestsOfEscalation: ({ ids }) => [ids.escalation],
    listRequests: ({ ids }) => [{ customerId: ids.customer, limit: 10 }],
    countRequests: () => [],
    attemptsOf: ({ ids }) => [ids.sending],
  }),
  ...attacksOn('actions/writes.ts', {
    announceWrites: (victim, { deps }) => [deps, [writing(victim)], NOW],
    settleWrites: (victim, { deps }) => [
      deps,
      [{ ...writing(victim), id: victim.ids.sent, state: 'sent' }],
      new Map(),
      NOW,
    ],
    forgetAnnounced: (victim, { deps }) => [deps, [{ ...writing(victim), id: victim.ids.sent }]],
    pingPongs: { args: (victim, { deps }) => [deps, [writing(victim)]], look: (found) => [...found.values()] },
  }),
  ...attacksOn('actions/switches.ts', {
    listKillSwitches: () => [],
    setKillSwitch: () => ['channel:sms', 'x', 'x', NOW],
    clearKillSwitch: () => ['channel:sms', NOW],
  }),
  ...attacksOn('actions/transitions.ts', {
    dueRequests: () => [LATER, 10],
    lockRequests: ({ ids }) => [[ids.planned], LATER],
    nextRequestDue: () => [],
    commitRequests: ({ ids }) => [[{ id: ids.planned, connectionId: ids.connection, content: { text: 'x' } }], NOW],
    postponeRequests: ({ ids }) => [[{ id: ids.planned, reason: 'x', detail: 'x', until: LATER, held: true }], NOW],
    settleRequest: ({ ids }) => [{ id: ids.sending, state: 'sent', reason: null, detail: 'x' }, 'worker', NOW],
    expireSending: () => [NOW],
    unknownRequests: () => [NOW, 10],
    noteStillUnknown: ({ ids }) => [ids.unknown, 'x', NOW, NOW],
    nextLook: () => [],
    countSending: ({ ids }) => [{ customerId: ids.customer }],
    cancelRequests: ({ ids }) => [{ customerId: ids.customer, reason: 'x', detail: 'x' }, NOW],
    unfreeze: ({ ids }) => [[ids.customer], NOW],
    recommit: ({ ids }) => [ids.customer, NOW],
  }),
  ...attacksOn('actions/context.ts', {
    loadPeople: ({ ids }) => [[ids.customer]],
    loadOverdue: ({ ids }) => [[ids.customer], '2026-03-02'],
    loadContexts: {
      args: ({ ids }) => [[ids.customer], NOW],
      look: (contexts, { ids }) => [contexts.people, contexts.overdue, contexts.of(ids.customer)],
    },
  }),
  ...attacksOn('actions/requested.ts', {
    address: {
      args: (victim) => [newRequest(victim)],
      look: (_result, _victim, args) => args[0],
      refuses: /no email address/,
    },
  }),
  ...attacksOn('actions/routing.ts', {
    loadRoutes: {
      args: (_victim, { deps }) => [deps.registry],
      look: (routes, { ids }) => [routes.of('create_task'), routes.byConnection(ids.connection, 'create_task')],
    },
    nativeIdOf: (victim, { deps }) => [routeOf(victim, deps, 'create_task'), 'contact', victim.ids.customer],
    nativeStaffId: (victim, { deps }) => [routeOf(victim, deps, 'create_task'), 'olga@example.com'],
  }),
  ...attacksOn('actions/events.ts', {
    unfreezeListener: ({ named }) => [[named('change')], NOW],
    takeEvent: ({ named, ids }, { deps }) => [
      deps,
      named('connection'),
      { type: 'receipt', key: 'x', nativeId: 'native-sent', requestId: ids.sent, state: 'read' },
      NOW,
    ],
  }),
  ...attacksOn('actions/sendings.ts', {
    beginSending: ({ ids }) => [[ids.committed], { owner: 'x', until: LATER }, NOW],
    handBack: ({ ids }) => [[ids.sending], 'worker', NOW],
    settleSendings: ({ ids }) => [[{ id: ids.sending, state: 'sent', reason: null, detail: 'x' }], 'worker', NOW],
  }),
  ...attacksOn('actions/ending.ts', {
    afterEnds: (victim, { deps }) => [
      deps,
      [{ ...committed(victim), state: 'failed', reason: 'recipient_invalid' }],
      NOW,
    ],
    afterEnd: (victim, { deps }) => [deps, { ...committed(victim), state: 'failed', reason: 'recipient_invalid' }, NOW],
  }),
  ...attacksOn('actions/plan.ts', {
    planNextChannel: (victim, { deps }) => [deps, planned(victim), NOW],
  }),
  ...attacksOn('actions/loaded.ts', {
    loadFacts: {
      args: (victim, { deps }) => [deps, [planned(victim), committed(victim)], NOW],
      look: ({ routes: _routes, contexts, hashOf: _hash, ...facts }, { ids }) => [facts, contexts.of(ids.customer)],
    },
  }),
  ...attacksOn('actions/facts.ts', {
    decideBatch: {
      args: (victim, { deps }) => [deps, [planned(victim)], NOW, new Map()],
      look: (decisions) => decisions.map(({ facts, verdict, content }: any) => [facts, verdict, content]),
    },
  }),
  ...attacksOn('actions/content.ts', {
    buildContent: {
      args: (victim, { deps }) => [
        deps.content,
        {
          request: {
            ...planned(victim),
            kind: 'create_task',
            plan: { type: 'do', input: { title: 'x', dueAt: NOW.toISOString() } },
          },
          route: routeOf(victim, deps, 'create_task'),
          contexts: {
            people: new Map([
              [victim.ids.customer, { id: victim.ids.customer, company_id: null, owner_email: 'olga@example.com' }],
            ]),
            overdue: new Map(),
            today: '2026-03-02',
            of: () => ({}),
          },
          templates: [],
          now: NOW,
        },
      ],
    },
  }),
];
