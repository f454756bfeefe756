import { CATALOGUE } from '../../../src/triggers/catalogue.ts';
import { NOW } from './facts.ts';
import { attacksOn } from './functions.ts';
import type { Tenant } from './seed.ts';

const TODAY = '2026-03-02';
const env = { now: NOW, zone: 'UTC' };

/** Something about the victim changed, as far as a stranger may say so. */
const changeOf = ({ ids, named }: Tenant, kind: string, entity: string, more: object = {}) => ({
  ...named('change'),
  kind,
  entity_id: entity,
  customer_id: ids.customer,
  op: 'updated',
  fields: [],
  before: {},
  after: {},
  origin: 'live',
  occurred_at: NOW,
  received_at: NOW,
  ...more,
});
const always = (): boolean => true;
const occurrenceOf = ({ ids }: Tenant) => ({
  id: ids.occurrence,
  customer_id: ids.customer,
  subject_id: ids.invoice,
  data: { fact: { kind: 'invoice', field: 'status', operator: 'not_equals', values: ['no such'], lasting: true } },
});

/** Attacks on what looks at changes. */
export const EVENTS = [
  ...attacksOn('triggers/found.ts', {
    rowsOf: ({ ids }) => ['invoice', [ids.invoice]],
    hitsOf: (victim) => [[changeOf(victim, 'invoice', victim.ids.invoice)], 'invoice', always],
    rowsDated: () => ['invoice', { date: 'due_on' }, '2020-01-01', '2030-01-01', env, 'true'],
  }),
  ...attacksOn('triggers/events.ts', {
    asTheyStand: (victim) => [
      [
        changeOf(victim, 'invoice', victim.ids.invoice, {
          customer_id: victim.ids.merged,
          fields: ['customer_id'],
          before: { customer_id: null },
        }),
      ],
      NOW,
    ],
  }),
  ...attacksOn('triggers/issued.ts', { firstOnes: ({ ids }) => [[ids.invoice, ids.paidInvoice]] }),
  ...attacksOn('triggers/quiet.ts', {
    afterQuiet: ({ ids }) => [
      [{ customerId: ids.customer, occurredOn: TODAY, occurredAt: NOW, businessKey: 'x' }],
      3650,
      { ...env, triggerId: ids.trigger },
    ],
  }),
  ...attacksOn('triggers/accounts.ts', {
    accountTurns: (victim) => [
      [
        changeOf(victim, 'contact', victim.ids.customer, {
          fields: ['native_status'],
          before: { native_status: 'a' },
          after: { native_status: 'b' },
        }),
      ],
      { kinds: ['account'], fields: ['native_status'] },
    ],
  }),
  ...attacksOn('triggers/scores.ts', {
    scoreTurns: (victim) => [
      [
        changeOf(victim, 'score', victim.ids.customer, {
          fields: ['vip'],
          before: { vip: false },
          after: { vip: true },
        }),
      ],
      env,
      'vip',
      always,
    ],
  }),
  ...attacksOn('triggers/standing.ts', {
    noLongerSo: { args: (victim) => [[occurrenceOf(victim)]], look: (found) => [...found] },
  }),
  ...attacksOn('sequences/causes.ts', {
    ceasedCauses: {
      args: ({ ids }) => [[{ id: ids.run, customer_id: ids.customer }]],
      look: (found) => [...found],
    },
  }),
];

/** Everything a trigger asks, whatever it finds: changes that touch all fields it may look at, and all its dates. */
export async function askEverything(tx: never, customerId: string): Promise<void> {
  const kinds = ['job', 'deal', 'ticket', 'invoice', 'payment', 'activity', 'subscription', 'survey_response'];
  const fields = [
    'status',
    'native_status',
    'stage',
    'tags',
    'custom',
    'kind',
    'plan',
    'vip',
    'unhappy',
    'band',
    'paid_on',
  ];
  const change = (kind: string, after: object, before: object = {}) => ({
    ...{ id: customerId, kind, entity_id: customerId, customer_id: customerId, op: 'updated', fields, depth: 0 },
    ...{ before, after, origin: 'live', occurred_at: NOW, received_at: NOW },
  });
  const all = [...kinds, 'contact', 'company', 'score', 'segment'].flatMap((kind) =>
    ['completed', 'failed', 'closed', 'won', 'lost', 'open', 'active'].map((status) =>
      change(
        kind,
        { status, stage: 'x', tags: ['x'], vip: true, unhappy: true, band: 'x', plan: 'x', paid_on: TODAY },
        { status: 'draft', tags: ['y'], band: 'y', plan: 'y' },
      ),
    ),
  );
  for (const definition of CATALOGUE) {
    const settings = { ...(definition.defaults as object), tickets: true, stream: 'contacts', pipelines: ['x'] };
    await definition.fromChanges?.(tx, all as never, settings, env);
    for (const whose of [{}, { customerId }])
      await definition.between?.(tx, '2020-01-01', '2030-01-01', settings, { ...env, ...whose });
  }
}
