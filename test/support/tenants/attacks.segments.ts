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
    nameTaken: ({ ids, named }) => [named('segment', 1).name, ids.segment],
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
    nextLook: () => [NOW],
  }),
  ...attacksOn('segments/manage.ts', {
    listedSegment: { args: ({ ids }) => [ids.timedSegment], refuses: /no segment/ },
    segmentNamed: ({ ids }) => [ids.timedSegment],
    createSegment: ({ ids }) => [{ name: 'x', condition: { segment: ids.timedSegment } }, 'x', NOW],
    changeSegment: {
      args: ({ ids }) => [ids.timedSegment, { settleMinutes: 7 }, { expected: 1, actor: 'x', at: NOW }],
      refuses: /no segment/,
    },
    removeSegment: { args: ({ ids }) => [ids.timedSegment, 'x', NOW], refuses: /no segment/ },
  }),
  ...attacksOn('segments/draft.ts', {
    draftOf: ({ ids }) => [{ name: 'x', condition: { segment: ids.segment } }, ids.timedSegment],
  }),
  ...attacksOn('segments/users.ts', { usersOf: ({ ids }) => [ids.segment] }),
];
