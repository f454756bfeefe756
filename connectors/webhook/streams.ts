import { defineStream, type EntityKind, type Stream, textAt } from '../../src/kit/index.ts';

/** Streams by the word event types begin with. Nothing can be asked for: all of it is pushed. */
export const STREAM_OF: Record<string, string> = {
  company: 'companies',
  contact: 'contacts',
  deal: 'deals',
  ticket: 'tickets',
  invoice: 'invoices',
  payment: 'payments',
  job: 'jobs',
  appointment: 'appointments',
  subscription: 'subscriptions',
  activity: 'activities',
  survey_response: 'survey_responses',
};

const pushed = (name: string, title: string, entity: EntityKind): Stream =>
  defineStream({
    name,
    title,
    entities: [entity],
    feature: 'receive',
    id: (record) => textAt(record, 'id'),
    changedAt: (record) => textAt(record, 'updated_at'),
    deletes: { kind: 'webhook', reason: 'The sender tells of deletions with an event; nothing can be asked for.' },
  });

/** Parents first: what a post brings is stored in this order. */
export const streams: readonly Stream[] = [
  pushed('owners', 'Responsible people, by e-mail address', 'owner'),
  pushed('companies', 'Companies', 'company'),
  pushed('contacts', 'Contacts', 'contact'),
  pushed('deals', 'Deals', 'deal'),
  pushed('tickets', 'Tickets', 'ticket'),
  pushed('invoices', 'Invoices', 'invoice'),
  pushed('payments', 'Payments', 'payment'),
  pushed('jobs', 'Jobs', 'job'),
  pushed('appointments', 'Appointments', 'job'),
  pushed('subscriptions', 'Subscriptions, contracts and warranties', 'subscription'),
  pushed('activities', 'Activities', 'activity'),
  pushed('survey_responses', 'Answers to surveys', 'survey_response'),
];
