import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

const draft = { name: 'Mine', condition: { field: 'customer.city', is: 'Bonn' }, settleMinutes: 0, timed: false };
const how = { now: NOW, zone: 'UTC', currency: 'USD', silent: false };

/** Attacks on segments: who is in them, and who is told. */
export const SEGMENTS = [
  ...attacksOn('segments/store.ts', {
    allSegments: () => [],
    findSegment: ({ ids }) => [ids.segment],
    segmentOfTrigger: ({ ids }) => [ids.trigger],
    insertSegment: ({ ids }) => [{ ...draft, triggerId: ids.trigger }, 'x', NOW],
    updateSegment: ({ ids }) => [ids.segment, { ...draft, anew: true, expected: 1, now: NOW }],
    deleteSegment: ({ ids }) => [ids.segment],
    nameTaken: { args: ({ ids }) => ['Owes', ids.segment], harmless: 'names are not known to an attacker' },
    noteEvaluated: ({ ids }) => [ids.segment, { problem: 'x', whole: true, grown: 0, now: NOW }],
    noteSwept: ({ ids }) => [ids.segment, NOW],
    membersOf: ({ ids }) => [ids.segment, { limit: 10 }],
    membershipsOf: ({ ids }) => [ids.customer2],
  }),
  ...attacksOn('segments/membership.ts', {
    evaluate: ({ ids, named }) => [
      { ...named('segment'), id: ids.segment, condition: draft.condition, settle_minutes: 0 },
      { kind: 'customers', depths: new Map([[ids.customer2, 0]]) },
      how,
    ],
    mergeMembers: ({ ids }) => [ids.customer, ids.customer2],
    partMembers: ({ ids }) => [ids.customer2, ids.customer, NOW],
  }),
  ...attacksOn('segments/evaluate.ts', {
    evaluateWhole: () => [NOW],
    evaluateChanged: () => [NOW],
    evaluateTurned: () => [NOW],
    evaluateScored: { args: () => [NOW], harmless: 'nothing was computed anew' },
    nextLook: () => [NOW],
  }),
  ...attacksOn('segments/manage.ts', {
    listedSegment: { args: ({ ids }) => [ids.openSegment], refuses: /no segment/ },
    segmentNamed: ({ ids }) => [ids.openSegment],
    createSegment: {
      args: ({ ids }) => [{ name: 'x', condition: { segment: ids.openSegment } }, 'x', NOW],
      refuses: /no segment/,
    },
    changeSegment: {
      args: ({ ids }) => [ids.openSegment, { settleMinutes: 7 }, { expected: 1, actor: 'x', at: NOW }],
      refuses: /no segment/,
    },
    removeSegment: { args: ({ ids }) => [ids.openSegment, 'x', NOW], refuses: /no segment/ },
  }),
  ...attacksOn('segments/own.ts', {
    keepOwnSegment: ({ ids }) => [
      { id: ids.trigger, title: 'x', settings: { condition: draft.condition, settleMinutes: 9 } },
      { by: 'x', now: NOW },
    ],
    dropOwnSegment: ({ ids }) => [ids.trigger],
    enteredBetween: ({ ids }) => [
      ids.segment,
      { from: '2026-01-01', to: '2026-03-02', zone: 'UTC', customerId: undefined },
    ],
  }),
  ...attacksOn('triggers/keep.ts', {
    keepTrigger: {
      args: ({ ids }) => [ids.trigger, { by: 'x', now: NOW }],
      harmless: 'a trigger of invoices keeps nothing beside its row',
    },
    dropTrigger: { args: ({ ids }) => [ids.trigger], harmless: 'a trigger of invoices keeps nothing beside its row' },
  }),
  ...attacksOn('segments/draft.ts', {
    draftOf: {
      args: ({ ids }) => [{ name: 'x', condition: { segment: ids.openSegment } }],
      refuses: /no segment/,
    },
  }),
  ...attacksOn('segments/users.ts', { usersOf: ({ ids }) => [ids.segment] }),
];
