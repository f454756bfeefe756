import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';
import type { Tenant } from './seed.ts';

const TODAY = '2026-03-02';
const ZONE = 'America/New_York';
const env = { now: NOW, zone: ZONE };
/** A trigger of the victim as an attacker would have to name it. */
const trigger = ({ named, ids }: Tenant, at = 0) => ({
  ...named('trigger', at),
  id: at === 0 ? ids.trigger : ids.paidTrigger,
  settings: at === 0 ? { days: [1, 2, 3, 7] } : {},
  enabled_at: new Date('2026-02-01T09:00:00Z'),
});
const found = ({ ids }: Tenant) => ({
  businessKey: 'b-9',
  subject: { kind: 'invoice', id: ids.invoice, label: 'x' },
  customerId: ids.customer,
  occurredOn: TODAY,
  occurredAt: NOW,
  data: {},
});
const change = ({ named, ids }: Tenant) => ({
  ...named('change'),
  id: ids.change,
  kind: 'invoice',
  entity_id: ids.paidInvoice,
  op: 'updated',
  before: { paid_on: null },
  after: { paid_on: TODAY },
  origin: 'live',
  occurred_at: NOW,
});

/** Attacks on the calendars of customers and on the clock's triggers. */
export const CLOCK = [
  ...attacksOn('model/local-zones.ts', {
    giveZones: {
      args: ({ ids }) => [
        [{ company_id: ids.company, time_zone: null, country: null, region: null, phone: null }],
        'UTC',
      ],
      look: (_nothing, _victim, [rows]) => rows,
    },
    followCompanies: ({ ids }) => [[ids.company, ids.company2], 'UTC'],
    passCalendars: () => ['UTC', NOW],
    localZones: {
      args: ({ ids }) => [[ids.customer, ids.customer2], 'UTC'],
      look: (zones: Map<string, string>) => [...zones],
    },
  }),
  ...attacksOn('model/dates.ts', {
    activeDays: ({ ids }) => [[ids.customer, ids.customer2], ZONE, NOW],
    refreshDates: ({ ids }) => [[ids.customer, ids.customer2], ZONE, NOW],
    settleDates: () => [ZONE, NOW],
  }),
  ...attacksOn('triggers/store.ts', {
    noteProblem: ({ ids }) => [ids.trigger, 'x', NOW],
    findOccurrences: {
      args: ({ ids }) => [ids.trigger, ['b-1', 'b-0']],
      look: (found: Map<string, string>) => [...found],
    },
    changesOfCustomer: ({ ids }) => [ids.customer, new Date(0)],
  }),
  ...attacksOn('triggers/detect.ts', {
    readChanges: (victim, { start }) => [trigger(victim, 1), [change(victim)], env, start],
  }),
  ...attacksOn('triggers/clock.ts', {
    dueNow: (victim) => [trigger(victim), env],
    recordFailure: (victim) => [trigger(victim), found(victim), 'x', NOW],
  }),
  ...attacksOn('triggers/jobs.ts', {
    retryParked: (victim, { start }) => [trigger(victim, 1), env, start],
  }),
  ...attacksOn('triggers/catalogue/reminder-unanswered.ts', {
    answeredOf: ({ ids }) => [
      [{ customer_id: ids.customer, entered_at: new Date(0) }],
      { counts: ['message', 'booking', 'payment', 'survey'] },
    ],
  }),
  ...attacksOn('triggers/trial.ts', {
    tryTrigger: ({ ids }) => [{ name: 'invoice.overdue', settings: { days: [1, 7] } }, ids.customer, 12, NOW],
  }),
  ...attacksOn('sequences/entry.ts', {
    outcomesOf: (victim) => [
      { id: victim.ids.trigger, sequence_id: victim.ids.sequence },
      [{ ...found(victim), businessKey: 'b-1' }],
    ],
  }),
  ...attacksOn('base/attempt.ts', {
    attempt: { args: () => [async () => {}], harmless: 'it does what it is given and nothing else' },
  }),
  ...attacksOn('triggers/parked.ts', {
    parkChange: (victim) => [trigger(victim), change(victim), 'x', NOW],
    parkedChanges: ({ ids }) => [ids.trigger, 10],
    unparkChange: (victim) => [trigger(victim), change(victim), 'x', NOW],
  }),
  ...attacksOn('triggers/analyse.ts', {
    analyse: () => [[{ name: 'invoice.overdue', settings: { days: [1, 7] } }], '2026-02-20', TODAY, NOW],
    analysedTriggers: () => [['invoice.overdue']],
  }),
];
