import { newId } from '../../../src/base/ids.ts';
import { shippedPlaybooks } from '../../../src/sequences/playbooks.ts';
import { definitionOf, NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

const TODAY = '2026-03-02';
const definition = definitionOf('chase', 'x');

const edited = (key: string, template = 'chase') => ({
  ...definitionOf(key, 'x'),
  steps: [{ id: 'friendly', message: { channels: ['email'], template } }],
});

/** Something that happened to the victim's customer. */
const candidate = ({ ids }: Tenant) => ({
  businessKey: 'b-2',
  subject: { kind: 'invoice', id: ids.invoice, label: 'x' },
  customerId: ids.customer,
  occurredOn: TODAY,
  occurredAt: NOW,
  data: {},
  outcome: 'new',
});

const ports = (_victim: Tenant, { deps }: Surroundings) => deps.ports;
const newRun = ({ ids }: Tenant) => ({
  sequence_id: ids.sequence,
  version: 1,
  customer_id: ids.customer,
  business_key: 'other',
  ordinal: 7,
  step_id: 'friendly',
  start_on: TODAY,
  zone: 'UTC',
  cause: {},
  depth: 0,
});

/** The victim's customer becomes two. */
const parted = ({ ids }: Tenant) => ({
  kind: 'contact',
  from: ids.customer,
  revived: ids.merged,
  ids: [ids.merged],
  kept: { run: [{ id: ids.run, ordinal: 1 }], action_request: [ids.planned], touch: [], occurrence: [ids.occurrence] },
  documents: [ids.invoice],
  keys: { stays: ['email:ann@example.com'], goes: ['phone:+14155550101'] },
});

/** Attacks on triggers, sequences and the people behind them. */
export const SEQUENCES = [
  ...attacksOn('triggers/store.ts', {
    listTriggers: () => [true],
    findTrigger: ({ ids }) => [ids.trigger],
    triggersOfSequence: ({ ids }) => [ids.sequence],
    insertTrigger: ({ ids }) => [
      { name: 'manual', title: 'x', settings: {}, sequence_id: ids.sequence, enabled: true },
      NOW,
    ],
    updateTrigger: ({ ids }) => [
      ids.trigger,
      { title: 'x', settings: {}, sequenceId: null, enabled: false, expected: 1, now: NOW },
    ],
    deleteTrigger: ({ ids }) => [ids.trigger],
    noteChecked: ({ ids }) => [ids.trigger, TODAY],
    insertOccurrences: (victim) => [{ id: victim.ids.trigger, name: 'invoice.overdue' }, [candidate(victim)], NOW],
    settleOccurrences: ({ ids }) => [[{ id: ids.occurrence, outcome: 'x', runId: ids.run }]],
    listOccurrences: ({ ids }) => [{ customerId: ids.customer, limit: 10 }],
    countOccurrences: () => [],
    takeChanges: () => [10],
  }),
  ...attacksOn('triggers/detect.ts', {
    detectFromChanges: (_victim, { start }) => [NOW, start],
    fire: (victim, { start }) => [victim.named('trigger'), [candidate(victim)], NOW, start],
  }),
  ...attacksOn('sequences/simulate.ts', {
    detectAsOf: () => [TODAY, 3, NOW],
    simulate: () => ['2026-02-20', TODAY, NOW],
  }),
  ...attacksOn('sequences/store.ts', {
    findSequence: ({ ids }) => [ids.sequence],
    listSequences: () => [],
    insertSequence: () => [{ key: 'new', title: 'x', playbook: null, definition, by: 'x', now: NOW }],
    addVersion: ({ ids }) => [ids.sequence, { definition, by: 'x', expected: 1, now: NOW }],
    setSequenceState: ({ ids }) => [ids.sequence, { state: 'paused', activeVersion: 1, expected: 1, now: NOW }],
    loadDefinition: { args: ({ ids }) => [ids.sequence, 1], refuses: /has no version 1/ },
    putTemplate: () => [
      { key: 'chase', channel: 'email', locale: 'en', subject: 's', body: 'b', native: null },
      'x',
      NOW,
    ],
    listTemplates: () => ['chase'],
  }),
  ...attacksOn('sequences/playbooks.ts', {
    installPlaybook: () => ['overdue-chase', 'x', NOW],
    putPlaybook: () => ['overdue-chase', shippedPlaybooks().get('overdue-chase')!, 'x', NOW],
    createSequence: () => [edited('other'), 'x', NOW],
    checkDefinition: { args: () => [edited('other', 'private')], refuses: /private/ },
    editSequence: ({ named }) => [named('sequence'), edited('chase'), 'x', 1, NOW],
    switchSequence: ({ named }) => [named('sequence'), false, 'x', 1, NOW],
  }),
  ...attacksOn('sequences/routes.ts', {
    toSequence: { args: ({ named }) => [named('sequence')], refuses: /has no version/ },
  }),
  ...attacksOn('sequences/runs.ts', {
    insertRuns: (victim) => [[newRun(victim)], NOW],
    runsOfSequence: ({ ids }) => [ids.sequence, [ids.customer]],
    lockRuns: ({ ids }) => [[ids.run]],
    lockRun: ({ ids }) => [ids.run],
    claimDueRuns: () => [NOW, 10],
    nextWake: () => [],
    saveRuns: ({ named }) => [[{ ...named('run'), state: 'done', visit: 1, tries: 0 }], NOW],
    exitRuns: ({ ids }) => [[ids.run], 'x', NOW],
    runningRuns: ({ ids }) => [[ids.customer]],
    findRun: ({ ids }) => [ids.run],
    listRuns: ({ ids }) => [{ sequenceId: ids.sequence, limit: 10 }],
    countRuns: () => [],
  }),
  ...attacksOn('sequences/engine.ts', {
    startRuns: (victim, around) => [
      ports(victim, around),
      victim.named('trigger'),
      [{ ...victim.named('occurrence'), customer_id: victim.ids.customer2 }],
      NOW,
    ],
    proceed: (victim, around) => [
      ports(victim, around),
      [{ run: { ...victim.named('run'), waiting_for: null }, definition }],
      NOW,
    ],
    actionsEnded: (victim, around) => [
      ports(victim, around),
      [{ runId: victim.ids.run, stepId: 'friendly', visit: 1, outcome: 'sent', detail: null }],
      NOW,
    ],
    goOn: (victim, around) => [ports(victim, around), [{ run: victim.named('run'), definition, outcome: 'sent' }], NOW],
  }),
  ...attacksOn('sequences/escalations.ts', {
    nextLevel: ({ ids }) => [definition.steps[1]!.escalate, 0, ids.customer, NOW],
    openEscalation: ({ named }) => [{ ...named('run'), id: newId() }, definition.steps[1], NOW],
    tellAudit: ({ named }) => [named('escalation'), 'x', NOW],
    claimDueEscalations: () => [NOW, 10],
    nextEscalation: () => [],
    closeEscalations: ({ ids }) => [[ids.run], 'x', NOW],
    findEscalation: ({ ids }) => [ids.escalation],
    listEscalations: ({ ids }) => [{ customerId: ids.customer, limit: 10 }],
  }),
  ...attacksOn('sequences/escalating.ts', {
    escalateFurther: (victim, around) => [ports(victim, around), victim.named('escalation'), NOW],
    acknowledge: (victim, around) => [ports(victim, around), victim.ids.escalation, 'x', NOW],
  }),
  ...attacksOn('sequences/exits.ts', {
    settledCustomers: ({ ids }) => [[ids.customer], NOW],
  }),
  ...attacksOn('sequences/holds.ts', {
    openHold: ({ ids }) => [{ customerId: ids.customer, kind: 'dispute', owner: 'x', by: 'x' }, NOW],
    closeHold: ({ ids }) => [ids.hold, { outcome: 'x', by: 'x', expected: 1, now: NOW }],
    findHold: ({ ids }) => [ids.hold],
    openHolds: ({ ids }) => [[ids.customer], TODAY],
    listHolds: ({ ids }) => [{ customerId: ids.customer, openOnly: true, limit: 10 }],
  }),
  ...attacksOn('sequences/manual.ts', {
    enrolByHand: ({ named, ids }, { start }) => [
      named('sequence'),
      { customers: [ids.customer, 'ann@example.com'], reason: 'x', actor: 'x' },
      start,
      NOW,
    ],
    pauseRun: ({ ids }) => [ids.run, 'x', 1, NOW],
    resumeRun: ({ ids }) => [ids.pausedRun, 'x', 1, NOW],
    stopRun: (victim, around) => [ports(victim, around), victim.ids.run, 'x', 'x', 1, NOW],
  }),
  ...attacksOn('sequences/merging.ts', {
    mergeRuns: (victim, around) => [ports(victim, around), victim.ids.customer, victim.ids.customer2, NOW],
  }),
  ...attacksOn('sequences/companies.ts', {
    mergeCompanies: ({ ids }) => [ids.company2, ids.company],
    partCompanies: ({ ids }) => [
      { kind: 'company', from: ids.company, revived: ids.company2, kept: { touch: [ids.committed] } },
    ],
  }),
  ...attacksOn('sequences/parting.ts', { partRuns: (victim) => [parted(victim), NOW] }),
  ...attacksOn('consent/parting.ts', {
    partConsents: (victim, { deps }) => [deps.hash, parted(victim), NOW],
  }),
  ...attacksOn('sequences/staff.ts', {
    listStaff: () => [],
    findStaff: ({ ids }) => [ids.staff],
    addStaff: () => [{ email: 'new@example.com', name: 'x' }, NOW],
    updateStaff: ({ ids, named }) => [ids.staff, { ...named('staff'), name: 'x', expected: 1, now: NOW }],
    staffFromOwners: ({ ids, named }) => [[{ ...named('change'), kind: 'owner', entity_id: ids.goneOwner }], NOW],
    personFor: ({ ids }) => ['deputy', undefined, ids.customer, TODAY],
  }),
];
