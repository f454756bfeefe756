import { newId } from '../../../src/base/ids.ts';
import { sourceFor } from './attacks.model.ts';
import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

const DECISION = { by: 'x', reason: 'x' };
const context = {
  now: NOW,
  origin: 'replay',
  zone: 'America/New_York',
  sourceOf: () => ({ connector: 'hubspot', category: 'crm' }),
};

/** Attacks on who is who, and on what is known of our own writes. */
export const IDENTITY = [
  ...attacksOn('model/homes.ts', {
    keepHomes: ({ ids }) => ['contact', [{ streamId: ids.stream, remoteId: 'c-1', entityId: ids.customer }]],
    membersOf: ({ ids }) => ['contact', ids.customer],
    idsOf: ({ ids }) => [ids.customer],
    livingId: ({ ids }) => [ids.merged],
    idsUnder: { args: ({ ids }) => [ids.customer, [ids.customer]], look: (under) => [...under] },
    holdRecords: { args: ({ ids }) => ['contact', [ids.customer]], harmless: 'it only locks' },
  }),
  ...attacksOn('model/strays.ts', { adoptStrays: () => ['contact', context] }),
  ...attacksOn('model/not-same.ts', {
    loadApart: {
      args: ({ ids }) => ['contact', [ids.customer]],
      look: (apart, { ids }) => [...(apart.between(ids.customer, ids.customer2) ?? [])],
    },
    keepApart: ({ ids }) => [
      'contact',
      { these: [ids.customer], those: [ids.customer2], keys: ['x'] },
      { reason: 'x', by: 'x', at: NOW },
    ],
    forgetApart: ({ ids }) => ['contact', [ids.customer], [ids.customer2]],
    bequeathKeys: ({ ids }) => ['contact', [{ entityId: ids.customer2, key: 'email:shared@example.com' }]],
  }),
  ...attacksOn('model/unmerge.ts', {
    undoMerge: { args: ({ ids }) => [ids.mergeEvent, DECISION, context], refuses: /There is no merge/ },
    splitRecords: {
      args: ({ ids }) => ['contact', ids.customer, [{ streamId: ids.stream, remoteId: 'c-3' }], DECISION, context],
      refuses: /Some of these records are not of this customer/,
    },
  }),
  ...attacksOn('model/returning.ts', {
    returnReferences: ({ ids }) => ['contact', ids.merged, ids.customer, context],
  }),
  ...attacksOn('model/merging.ts', {
    mergeByHand: {
      args: ({ ids }) => ['contact', [ids.customer, ids.customer2], DECISION, context],
      refuses: /There is no customer/,
    },
    listSuggestions: ({ ids }) => [{ entityId: ids.customer, limit: 10 }],
    acceptSuggestion: { args: ({ ids }) => [ids.suggestion, 'x', context], refuses: /There is no suggestion/ },
    refuseSuggestion: { args: ({ ids }) => [ids.suggestion, DECISION, NOW], refuses: /There is no suggestion/ },
  }),
  ...attacksOn('model/identity.store.ts', { identityFacts: ({ ids }) => ['contact', ids.customer] }),
  ...attacksOn('sync/identity.ts', {
    changingIn: {
      args: (_victim, { deps }) => [deps, async () => ({ changes: [] })],
      harmless: 'it does what it is given and nothing else',
    },
    tellChanges: ({ named }, { deps }) => [deps, [{ ...named('change'), id: newId() }], NOW],
    followVendorUnmerge: (victim, { deps }) => [deps, sourceFor(victim, deps), 'contacts', ['c-1']],
  }),
  ...attacksOn('sync/dates.ts', {
    setDateIn: {
      args: ({ ids }, { deps }) => [
        deps,
        ids.customer,
        { kind: 'birthday', value: '1980-04-19', source: 'staff', by: 'x' },
      ],
      refuses: /no customer/,
    },
  }),
  ...attacksOn('sync/ledger.ts', {
    anyWrites: { args: () => [], harmless: 'both have written something' },
    noteWrites: ({ ids }) => [
      [
        {
          connectionId: ids.connection,
          object: 'x',
          remoteId: 'x',
          field: 'x',
          value: 'x',
          requestId: newId(),
          depth: 1,
        },
      ],
      7,
      NOW,
    ],
    noteAnswered: ({ ids }) => [ids.sent, [{ remoteId: 'c-1', field: 'email', value: 'x' }], NOW],
    forgetWrites: ({ ids }) => [ids.sent],
    writesInto: ({ ids }) => [ids.connection, 'contacts', ['c-1'], NOW],
    writesBeside: { args: ({ ids }) => [ids.stream, ['c-3'], new Date(0)], look: (found) => [...found] },
    noteSeen: ({ named }) => [[{ row: named('write_ledger') }], NOW],
  }),
  ...attacksOn('sync/breaker.ts', {
    countFlip: ({ named }) => [named('write_ledger'), NOW],
    listBreakers: () => [{ limit: 10 }],
    trippedAt: ({ ids }) => [[{ connectionId: ids.connection, object: 'contacts', remoteId: 'c-1', field: 'city' }]],
    resetBreaker: ({ ids }) => [ids.breaker, 'x', NOW],
  }),
  ...attacksOn('sync/echo.ts', {
    recogniseEchoes: {
      args: (victim, { deps }) => [
        sourceFor(victim, deps),
        'contacts',
        victim.ids.stream,
        [{ record: { id: 'c-1', raw: { id: 'c-1', properties: { email: 'ann@example.com' } } } }],
        NOW,
      ],
      look: (found) => [...found],
    },
  }),
];
