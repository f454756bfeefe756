import { definitionOf, NOW } from './facts.ts';
import { attacksOn, type Surroundings } from './functions.ts';
import type { Tenant } from './seed.ts';

const definition = definitionOf('chase', 'x');
const TODAY = '2026-03-02';
const NOBODY = '0197a000-0000-7000-8000-00000000000f';

const ports = (_victim: Tenant, { deps }: Surroundings) => deps.ports;
const run = (victim: Tenant) => ({
  ...victim.named('run'),
  ...{ visit: 1, tries: 0, depth: 0, zone: 'UTC', wake_at: NOW, entered_at: NOW, until_at: null, resumed_at: null },
});
const journey = (victim: Tenant) => ({ run: run(victim), definition });
const wish = (victim: Tenant, step: unknown = definition.steps[0]) => ({ ...journey(victim), step, due: NOW });
const waitFor = { id: 'friendly', wait: { until_date: { field: 'customer.created_at' } } };

/** Attacks on what moves enrolments on. */
export const ENGINE = [
  ...attacksOn('sequences/store.ts', { sequencesOf: ({ ids }) => [[ids.sequence]] }),
  ...attacksOn('sequences/way.ts', {
    noteSteps: ({ ids }) => [
      [
        {
          ...{ run_id: ids.run, step_id: 'friendly', visit: 1, entered_at: NOW },
          ...{ left_at: NOW, outcome: 'stolen', detail: null },
        },
      ],
    ],
    leaveSteps: ({ named }) => [[named('run')], 'x', null, NOW],
    leaveStep: ({ named }) => [named('run'), 'x', null, NOW],
    visitsOf: ({ named }) => [[named('run')]],
    outcomesOfSteps: ({ ids }) => [[{ runId: ids.run, stepId: 'people' }]],
    stepsOfRun: ({ ids }) => [ids.run],
  }),
  ...attacksOn('sequences/causes.ts', {
    causesOf: ({ ids }) => [[{ id: ids.run, cause: { occurrence: ids.occurrence } }]],
  }),
  ...attacksOn('sequences/conditions.ts', {
    thoseWho: ({ ids }) => [{ field: 'customer.email', empty: false }, [ids.customer], NOW],
  }),
  ...attacksOn('sequences/starting.ts', { zonesOfCustomers: ({ ids }) => [[ids.customer]] }),
  ...attacksOn('sequences/waiting.ts', { beginWaits: (victim) => [[wish(victim, waitFor)], NOW] }),
  ...attacksOn('sequences/endings.ts', {
    endRuns: (victim, around) => [ports(victim, around), [victim.named('run')], 'invoices_settled', NOW],
  }),
  ...attacksOn('sequences/batches.ts', {
    moveBatch: (victim, around) => [ports(victim, around), [{ ...run(victim), waiting_for: 'time' }], NOW],
  }),
  ...attacksOn('sequences/listening.ts', {
    taskDone: {
      args: (victim, around) => [
        ports(victim, around),
        { customerId: victim.ids.customer, runId: victim.ids.run, stepId: 'people' },
        NOW,
      ],
      harmless: 'no enrolment of the facts waits for a task',
    },
  }),
  ...attacksOn('sequences/runs.ts', { runsInSequence: ({ ids }) => [ids.sequence, 7, false] }),
  ...attacksOn('sequences/binding.ts', { bindTriggers: ({ named }) => [named('sequence'), [], 'x', NOW] }),
  ...attacksOn('sequences/removing.ts', {
    removeSequence: (victim, around) => [
      ports(victim, around),
      victim.named('sequence'),
      { runs: 'stop', by: 'x', expected: 1 },
      NOW,
    ],
  }),
  ...attacksOn('sequences/publish.ts', {
    previewPublish: {
      args: ({ named }) => [named('sequence'), { steps: {}, dates: 'keep' }, NOW],
      refuses: /has no version 1/,
    },
    publishSequence: ({ named }) => [
      named('sequence'),
      { running: 'finish', steps: {}, dates: 'keep', by: 'x', expected: 1 },
      NOW,
    ],
    undoPublish: ({ named }) => [
      { ...named('sequence'), published: { id: NOBODY, from: 1, to: 2 } },
      { by: 'x', expected: 1 },
      NOW,
    ],
  }),
  ...attacksOn('actions/wishes.ts', { planWishes: (victim, { deps }) => [deps, [wish(victim)], NOW] }),
  ...attacksOn('actions/planned.ts', {
    insertRequests: ({ ids }) => [
      [
        {
          ...{ kind: 'send_email', channel: 'email', recipient: 'x@example.com', class: 'marketing', created_by: 'x' },
          ...{ plan: { type: 'message', template: 'chase', then: [] }, run_id: ids.run, step_id: 'friendly', visit: 9 },
          customer_id: ids.customer,
        },
      ],
      NOW,
    ],
  }),
  ...attacksOn('actions/channels.ts', {
    wakeDispatch: { args: (_victim, { deps }) => [deps], harmless: 'it puts a job of the own tenant' },
  }),
  ...attacksOn('actions/reach.ts', {
    reachableNow: {
      args: ({ ids }, { deps }) => [
        deps,
        [{ customerId: ids.customer, channels: ['email'], class: 'transactional', topic: 'invoices' }],
        NOW,
      ],
      harmless: 'the platform of the facts carries no messages',
    },
  }),
  ...attacksOn('actions/tasks.ts', {
    tasksDone: ({ ids }) => [[{ runId: ids.run, stepId: 'people' }]],
    stepOfRequest: ({ ids }) => [{ run_id: null, step_id: 'people', escalation_id: ids.escalation }],
  }),
  ...attacksOn('actions/objections.ts', {
    endObjecting: {
      args: ({ ids }, { deps }) => [deps, ids.customer, NOW],
      harmless: 'the platform of the facts carries no messages',
    },
  }),
  ...attacksOn('actions/notices.ts', {
    noticeContent: {
      args: ({ ids, named }) => [
        {
          request: named('action_request'),
          route: { connection: { id: ids.connection } },
          contexts: { today: TODAY, of: () => ({}) },
        },
        { type: 'notice', what: 'task', staffId: ids.staff, title: 'x' },
        {},
      ],
      refuses: /does not exist any more/,
    },
  }),
];
