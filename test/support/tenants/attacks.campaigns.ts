import { definitionOf, LONG_AGO, NOW } from './facts.ts';
import { attacksOn } from './functions.ts';

const definition = definitionOf('chase', 'x');
const reason = 'stolen';
const hand = { expected: 1, actor: 'x', now: NOW };
const draft = {
  ...{ title: 'x', entry: { mode: 'from_now' }, open: false, perHour: null, percentPerDay: null, holdoutPercent: 0 },
  ...{ startsAt: null, endsAt: null },
};
const GONE = /no campaign/;
const SEGMENT = /segment/;
const SEQUENCE = /sequence/;

/** Attacks on campaigns: whom they are for, who enters, and what stops them. */
export const CAMPAIGNS = [
  ...attacksOn('campaigns/store.ts', {
    insertCampaign: ({ ids }) => [
      'mine',
      { ...draft, sequenceId: ids.sequence, audience: { segment: ids.segment } },
      'x',
      NOW,
    ],
    updateCampaign: ({ ids }) => [
      ids.draftCampaign,
      { ...draft, sequenceId: ids.sequence, audience: { segment: ids.segment } },
      hand,
    ],
    findCampaign: ({ ids }) => [ids.campaign],
    lockCampaign: { args: ({ ids }) => [ids.campaign], refuses: GONE },
    claimCampaign: ({ ids }) => [ids.campaign],
    listCampaigns: () => [{ limit: 10 }],
    runningCampaigns: () => [],
    setCampaignState: ({ ids }) => [ids.campaign, 'stopped', reason, NOW],
    noteStarted: ({ ids }) => [ids.draftCampaign, { perDay: 1, by: 'x', now: NOW }],
    noteWaits: ({ ids }) => [ids.campaign, reason, NOW],
    noteJoined: ({ ids }) => [ids.campaign, NOW],
    deleteCampaign: ({ ids }) => [ids.campaign],
    countCustomers: () => [],
  }),
  ...attacksOn('campaigns/members.ts', {
    insertMembers: ({ ids, named }) => [ids.campaign, [{ ...named('campaign_member'), customer_id: ids.merged }], NOW],
    countMembers: ({ ids }) => [[ids.campaign]],
    dueMembers: ({ ids }) => [ids.campaign, NOW, 10],
    nextTurn: ({ ids }) => [ids.campaign],
    countTurns: ({ ids }) => [ids.campaign, { hour: LONG_AGO, day: LONG_AGO }],
    waitingMembers: ({ ids }) => [ids.campaign],
    setTurns: ({ ids }) => [ids.campaign, [{ customerId: ids.customer2, at: NOW }], NOW],
    settleTurns: ({ ids }) => [ids.campaign, [{ customerId: ids.customer2, state: 'refused' }], NOW],
    removeWaiting: ({ ids }) => [ids.campaign, { state: 'removed', reason, detail: reason, now: NOW }],
    listMembers: ({ ids }) => [ids.campaign, { limit: 10 }],
    findMember: ({ ids }) => [ids.campaign, ids.customer],
    removeMember: ({ named }) => [named('campaign_member'), { detail: reason, expected: 1, now: NOW }],
    lastPlace: { args: ({ ids }) => [ids.campaign], harmless: 'a number that is the same for an empty list' },
  }),
  ...attacksOn('campaigns/audience.ts', {
    readAudience: { args: ({ ids }) => [{ segment: ids.openSegment }], refuses: SEGMENT },
    peopleOf: { args: ({ ids }) => [{ segment: ids.segment }, NOW], refuses: SEGMENT },
    stillIn: {
      args: ({ ids }) => [ids.segment, [ids.customer2]],
      look: (found: Set<string>) => found.size,
    },
    newcomers: ({ ids }) => [ids.draftCampaign, ids.segment, LONG_AGO],
  }),
  ...attacksOn('campaigns/sends.ts', {
    noteSends: ({ named }) => [
      [{ ...named('action_request'), class: 'transactional', state: 'failed', channel: 'email' }],
      NOW,
    ],
    noteTrouble: ({ ids }) => [ids.sent, 'complaint', NOW],
    lastSendTo: ({ ids }) => [ids.customer, 'email', new Date(LONG_AGO.getTime() + 1000)],
    followCustomers: ({ ids }) => [[ids.customer]],
  }),
  ...attacksOn('campaigns/breaker.ts', {
    tryBreakers: ({ ids }) => [[{ sequence_id: ids.sequence, campaign_id: ids.campaign }], NOW],
    trippedBreakers: () => [],
  }),
  ...attacksOn('campaigns/credit.ts', { creditCustomers: ({ ids }) => [[ids.customer]] }),
  ...attacksOn('campaigns/compare.ts', { compare: ({ ids }) => [{ campaignId: ids.campaign }, [], NOW] }),
  ...attacksOn('campaigns/results.ts', {
    resultsOf: ({ ids }) => [{ sequenceId: ids.sequence }, { splits: [], holdouts: [] }, NOW],
  }),
  ...attacksOn('campaigns/merging.ts', {
    mergeCampaigns: ({ ids }) => [ids.customer, ids.customer2],
    partCampaigns: ({ ids }) => [ids.customer, ids.customer2],
  }),
  ...attacksOn('campaigns/reach.ts', {
    unreachable: {
      args: ({ ids }, { deps }) => [deps, definition, [ids.customer], NOW],
      look: (found: Map<string, string>) => [...found.values()],
    },
  }),
  ...attacksOn('campaigns/eligible.ts', {
    judgeEntrants: ({ ids, named }, { deps }) => [deps, named('campaign', 1), definition, [ids.customer2], NOW],
  }),
  ...attacksOn('campaigns/warnings.ts', {
    warningsOf: {
      args: ({ ids }) => [{ segment: ids.segment }, { ...definition, topic: 'win-back' }],
      harmless: 'the seeded segment asks for no silence',
    },
  }),
  ...attacksOn('campaigns/plan.ts', {
    sequenceOf: { args: ({ named }) => [named('campaign')], refuses: SEQUENCE },
    paceOf: { args: ({ named }) => [named('campaign')], harmless: 'the campaign says it itself' },
    confirmAbove: { args: () => [], harmless: 'of a handful of customers a share is none' },
    planStart: { args: ({ named }, { deps }) => [deps, named('campaign', 1), NOW], refuses: SEQUENCE },
  }),
  ...attacksOn('campaigns/preview.ts', {
    previewOf: { args: ({ named }, { deps }) => [deps, named('campaign', 1), NOW], refuses: SEQUENCE },
  }),
  ...attacksOn('campaigns/start.ts', {
    startCampaign: {
      args: ({ ids }, { deps }) => [deps, ids.draftCampaign, { confirm: 1, expected: 1, actor: 'x' }, NOW],
      refuses: GONE,
    },
  }),
  ...attacksOn('campaigns/manage.ts', {
    campaignNamed: { args: ({ ids }) => [ids.campaign], refuses: GONE },
    createCampaign: {
      args: ({ ids }) => [
        { key: 'mine', title: 'x', sequence: ids.sequence, audience: { segment: ids.openSegment } },
        'x',
        NOW,
      ],
      refuses: SEQUENCE,
    },
    changeCampaign: { args: ({ ids }) => [ids.draftCampaign, { title: 'x' }, hand], refuses: GONE },
    removeCampaign: { args: ({ ids }) => [ids.draftCampaign, hand], refuses: GONE },
  }),
  ...attacksOn('campaigns/halt.ts', {
    note: ({ ids }) => [ids.campaign, 'x', hand, {}],
    pauseCampaign: { args: ({ ids }) => [ids.campaign, reason, hand], refuses: GONE },
    holdCampaign: ({ ids }) => [ids.campaign, reason, hand],
    resumeCampaign: { args: ({ ids }) => [ids.pausedCampaign, hand], refuses: GONE },
    stopCampaign: { args: ({ ids }) => [ids.campaign, reason, hand], refuses: GONE },
  }),
  ...attacksOn('campaigns/undo.ts', {
    undoCampaign: { args: ({ ids }) => [ids.campaign, { reason, endOthers: true }, hand], refuses: GONE },
  }),
  ...attacksOn('campaigns/views.ts', { showCampaigns: ({ named }) => [[named('campaign')]] }),
  ...attacksOn('campaigns/enter.ts', {
    letIn: ({ named }, { deps, start }) => [
      { hash: deps.hash, start },
      { campaign: named('campaign', 1), sequence: named('sequence'), definition },
      [named('campaign_member')],
      NOW,
    ],
  }),
  ...attacksOn('campaigns/tick.ts', {
    tickCampaign: ({ ids }, { deps, start }) => [{ hash: deps.hash, start }, ids.campaign, NOW],
    addPeople: ({ ids, named }, { deps }) => [deps, named('campaign'), definition, [ids.merged], NOW],
  }),
  ...attacksOn('campaigns/turns.ts', {
    turnAnew: ({ named }) => [named('campaign'), NOW],
    usedTurns: { args: ({ ids }) => [ids.campaign, NOW], harmless: 'nobody had their turn today' },
  }),
  ...attacksOn('cli/campaigns.support.ts', {
    idOf: { args: ({ ids }) => [ids.customer], refuses: /no customer/ },
  }),
  ...attacksOn('campaigns/forks.ts', {
    forksOf: { args: ({ ids }) => [ids.sequence], harmless: 'the seeded sequence sends nobody different ways' },
  }),
  ...attacksOn('campaigns/enrol.ts', {
    enrolInCampaign: {
      args: ({ ids }, { deps }) => [
        deps,
        ids.campaign,
        { customers: [ids.customer2], reason, confirm: 1, actor: 'x' },
        NOW,
      ],
      refuses: GONE,
    },
    unenrol: {
      args: ({ ids }, { deps }) => [
        deps,
        { campaignId: ids.campaign, customerId: ids.customer2 },
        { reason, expected: 1, actor: 'x' },
        NOW,
      ],
      refuses: /no customer/,
    },
  }),
];
