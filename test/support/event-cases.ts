import { newId } from '../../src/base/ids.ts';
import type { Change } from '../../src/model/types.ts';

/** Of whom a case tells, and when it happens. */
export interface Told {
  /** The contact at the other system; the address is `<contact>@example.com`. */
  contact: string;
  /** The customer it became. */
  customer: string;
  day: string;
  time: string;
}

export type Post = [type: string, data: Record<string, unknown>];

/** How a trigger is made to fire by what another system sends, or by what the hub derives. */
export interface Case {
  settings?: Record<string, unknown>;
  /** One after the other; the last one is the fact. */
  posts?: (told: Told) => Post[];
  /** A change of what is derived of customers. */
  derived?: (told: Told) => Partial<Change>;
}

export const SEGMENT = newId();

const contact = (fields: Record<string, unknown>, told: Told): Post => [
  'contact.upserted',
  { id: told.contact, name: `Name ${told.contact}`, email: `${told.contact}@example.com`, ...fields },
];
/** A record of the customer, in the states given one after the other. */
const states =
  (type: string, ...fields: ((told: Told) => Record<string, unknown>)[]) =>
  (told: Told): Post[] =>
    fields.map((of) => [`${type}.upserted`, { id: `${type}-${told.contact}`, contact_id: told.contact, ...of(told) }]);
const contactStates =
  (...fields: Record<string, unknown>[]) =>
  (told: Told): Post[] =>
    fields.map((one) => contact(one, told));
const always = (fields: Record<string, unknown>) => (): Record<string, unknown> => fields;

const score = (field: string, before: unknown, after: unknown) => (): Partial<Change> => ({
  kind: 'score',
  op: 'updated',
  fields: [field, 'score'],
  before: { [field]: before, score: 39 },
  after: { [field]: after, score: 71 },
});
const segment = (op: 'entered' | 'left') => (): Partial<Change> => ({
  kind: 'segment',
  op,
  fields: [],
  entity_id: SEGMENT,
});
const invoice = ({ day }: Told): Record<string, unknown> => ({
  status: 'open',
  number: 'R-1',
  total: '100.00',
  currency: 'USD',
  issued_on: day,
});
const account = (status: string, more = {}) => always({ kind: 'account', name: 'Account', status, ...more });
const answer =
  (kind: string, scored: number) =>
  ({ time }: Told): Record<string, unknown> => ({ survey: 'After the job', kind, score: scored, answered_at: time });

/** One way to make each trigger that is found in changes fire. */
export const CASES: Record<string, Case> = {
  'job.completed': {
    posts: states('job', always({ title: 'Gutters', status: 'scheduled' }), ({ day }) => ({
      title: 'Gutters',
      status: 'completed',
      completed_on: day,
    })),
  },
  'interest.shown': {
    posts: states('activity', ({ time }) => ({
      kind: 'message',
      channel: 'web form',
      direction: 'in',
      body: 'Can you come by?',
      occurred_at: time,
    })),
  },
  'invoice.issued': {
    posts: states('invoice', (told) => ({ ...invoice(told), status: 'draft' }), invoice),
  },
  'invoice.first_issued': { posts: states('invoice', invoice) },
  'invoice.paid': {
    posts: states('invoice', invoice, (told) => ({
      ...invoice(told),
      status: 'paid',
      balance: '0',
      paid_on: told.day,
    })),
  },
  'payment.failed': {
    posts: states('payment', ({ day }) => ({ amount: '40', currency: 'USD', status: 'declined', paid_on: day })),
  },
  'crm.flag': {
    settings: { kind: 'contact', field: 'custom.account_status', operator: 'equals', to: ['Overdue'] },
    posts: contactStates({ account_status: 'good' }, { account_status: 'OVERDUE' }),
  },
  'tag.added': {
    settings: { tags: ['Maintenance Due'] },
    posts: contactStates({ tags: ['Gold'] }, { tags: ['Gold', 'maintenance due'] }),
  },
  'tag.removed': {
    settings: { tags: ['Maintenance Eligible'] },
    posts: contactStates({ tags: ['maintenance eligible', 'Gold'] }, { tags: ['Gold'] }),
  },
  'deal.stage_changed': {
    settings: { to: ['Installed'] },
    posts: states('deal', always({ name: 'Roof', stage: 'Quoted' }), always({ name: 'Roof', stage: 'installed' })),
  },
  'deal.won': {
    posts: states('deal', always({ name: 'Roof', status: 'open' }), always({ name: 'Roof', status: 'won' })),
  },
  'deal.lost': {
    posts: states('deal', always({ name: 'Roof', status: 'open' }), always({ name: 'Roof', status: 'lost' })),
  },
  'ticket.status_changed': {
    settings: { to: ['on hold'] },
    posts: states(
      'ticket',
      always({ subject: 'Leak', status: 'open' }),
      always({ subject: 'Leak', status: 'on_hold' }),
    ),
  },
  'ticket.closed': {
    posts: states('ticket', always({ subject: 'Leak', status: 'open' }), always({ subject: 'Leak', status: 'solved' })),
  },
  'account.created': { posts: states('subscription', account('active')) },
  'account.approved': { posts: states('subscription', account('pending'), account('approved')) },
  'account.suspended': { posts: contactStates({ account_status: 'Active' }, { account_status: 'Suspended' }) },
  'account.plan_changed': {
    posts: states('subscription', account('active', { plan: 'Basic' }), account('active', { plan: 'Plus' })),
  },
  'account.closed': { posts: states('subscription', account('active'), account('closed')) },
  'account.reactivated': { posts: states('subscription', account('suspended'), account('active')) },
  'order.approved': {
    posts: states('job', always({ kind: 'rental', status: 'new' }), always({ kind: 'rental', status: 'approved' })),
  },
  'order.scheduled': {
    posts: states('job', always({ kind: 'order', status: 'approved' }), always({ kind: 'order', status: 'scheduled' })),
  },
  'score.band_changed': { settings: { direction: 'up' }, derived: score('band', 'at_risk', 'strong') },
  'vip.gained': { derived: score('vip', false, true) },
  'vip.lost': { derived: score('vip', true, false) },
  'customer.unhappy': { posts: states('ticket', always({ subject: 'Complaint: scratched door', status: 'open' })) },
  'survey.completed': { posts: states('survey_response', answer('csat', 4)) },
  'nps.detractor': { posts: states('survey_response', answer('nps', 6)) },
  'nps.promoter': { posts: states('survey_response', answer('nps', 9)) },
  'segment.entered': { settings: { segment: SEGMENT }, derived: segment('entered') },
  'segment.left': { settings: { segment: SEGMENT }, derived: segment('left') },
};
