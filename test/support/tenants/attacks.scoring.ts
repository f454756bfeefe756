import { SCORE_SETTINGS } from '../../../src/settings/score.ts';
import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';
import type { Tenant } from './seed.ts';

const TODAY = '2026-03-02';
const settings = SCORE_SETTINGS.score.value;

/** What a stranger takes to be true of the victim's business. */
const context = () => ({
  zone: 'America/New_York',
  currency: 'USD',
  day: TODAY,
  setting: settings,
  sources: ['jobs', 'payments'],
  kept: {},
});

const rules = () => ({ version: 1, formula: 1, settings, sources: ['jobs'], kept: {}, made_on: TODAY });
const yardstick = () => ({ version: 1, kind: 'configured', payers: 0, target: 10_000, quantiles: null });
const versions = () => ({ rules: new Map([[1, rules()]]), yardsticks: new Map([[1, yardstick()]]) });

const row = ({ ids }: Tenant) => ({
  ...{ customer_id: ids.customer, day: TODAY, reason: null, rules: 1, yardstick: 1 },
  ...{ last_job_on: null, spend: 1, jobs: 0, answer: null, answered_on: null, delivered: 0, hits: 0, opens: 0 },
});

const message = ({ ids }: Tenant) => ({ id: ids.sent, customerId: ids.customer, channel: 'email' });

const inbound = ({ ids }: Tenant) => ({
  ...{ kind: 'activity', op: 'created', origin: 'live', customer_id: ids.customer, occurred_at: NOW },
  after: { direction: 'in', channel: 'email' },
});

const standing = {
  ...{ vip: true, vip_by: 'x', vip_at: NOW },
  ...{ cleared_at: null, cleared_by: null, cleared_reason: null },
};

/** Attacks on scores and what they are made of. */
export const SCORING = [
  ...attacksOn('scoring/asof.ts', { scoresAsOf: () => [TODAY, NOW] }),
  ...attacksOn('scoring/context.ts', {
    loadContext: () => [NOW, TODAY],
    loadRules: () => [[1]],
    ensureRules: () => [context(), NOW],
  }),
  ...attacksOn('scoring/engagement.ts', {
    noteSent: (victim) => [[{ ...message(victim), id: victim.ids.planned, tellsDelivery: false }], NOW],
    noteOutcome: (victim) => [message(victim), 'clicked', false, NOW],
    replyListener: (victim) => [[inbound(victim)], NOW],
  }),
  ...attacksOn('scoring/explain.ts', { explainScore: ({ ids }) => [ids.customer] }),
  ...attacksOn('scoring/history.ts', {
    loadVersions: { args: () => [[{ rules: 1, yardstick: 1 }]], look: (found) => [...found.rules.values()] },
    onDays: {
      args: (victim) => [[{ day: TODAY, row: row(victim) }], versions()],
      harmless: 'it computes with what is handed in',
    },
    scoreHistory: ({ ids }) => [ids.customer, '2026-02-01', '2026-02-02'],
  }),
  ...attacksOn('scoring/merging.ts', {
    mergeScores: ({ ids }) => [ids.customer2, ids.customer],
    partScores: ({ ids }) => [ids.customer2, ids.customer],
  }),
  ...attacksOn('scoring/pass.ts', { scorePass: () => [NOW, true] }),
  ...attacksOn('scoring/recompute.ts', {
    recompute: {
      args: () => [
        [
          {
            ...{ day: TODAY, reason: null, lastJobOn: null, spend: 1, jobs: 0, answer: null, answeredOn: null },
            ...{ delivered: 0, hits: 0, opens: 0 },
          },
        ],
        rules(),
        yardstick(),
      ],
      harmless: 'it computes with what is handed in',
    },
  }),
  ...attacksOn('scoring/store.ts', {
    findScore: ({ ids }) => [ids.customer],
    historyRows: ({ ids }) => [ids.customer, '2026-01-01', TODAY],
    listScores: () => [{ best: true, limit: 10 }],
    unhappyOf: { args: ({ ids }) => [[ids.customer]], look: (found) => [...found] },
    passedOn: { args: () => [], harmless: 'it answers a day' },
    findStanding: ({ ids }) => [ids.customer],
    saveStanding: ({ ids }) => [ids.customer, standing, 1],
  }),
  ...attacksOn('scoring/yardstick.ts', {
    measureYardstick: () => [context(), '2026-03-01'],
    frozenYardstick: () => ['2026-02-01'],
    loadYardsticks: { args: () => [[1]], look: (found) => [...found.values()] },
    ensureYardstick: () => [context(), false, NOW],
  }),
];
