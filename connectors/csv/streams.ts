import { defineStream, type EntityKind, type Stream } from '../../src/kit/index.ts';

const KINDS: readonly { name: string; title: string; entity: EntityKind; after: string[] }[] = [
  { name: 'owners', title: 'Owners', entity: 'owner', after: [] },
  { name: 'companies', title: 'Companies', entity: 'company', after: ['owners'] },
  { name: 'contacts', title: 'Contacts', entity: 'contact', after: ['companies'] },
  { name: 'deals', title: 'Deals', entity: 'deal', after: ['contacts'] },
  { name: 'tickets', title: 'Tickets', entity: 'ticket', after: ['contacts'] },
  { name: 'invoices', title: 'Invoices', entity: 'invoice', after: ['contacts'] },
  { name: 'payments', title: 'Payments', entity: 'payment', after: ['contacts'] },
  { name: 'jobs', title: 'Jobs', entity: 'job', after: ['contacts'] },
  { name: 'subscriptions', title: 'Subscriptions', entity: 'subscription', after: ['contacts'] },
  { name: 'activities', title: 'Activities', entity: 'activity', after: ['contacts'] },
  { name: 'survey_responses', title: 'Survey responses', entity: 'survey_response', after: ['contacts'] },
];

/** What a file can hold. Nothing is asked for: records come when a person imports a file, and its mapping gives the ids. */
export const streams: readonly Stream[] = KINDS.map(({ name, title, entity, after }) =>
  defineStream({
    name,
    title,
    entities: [entity],
    after,
    // A row has no id of its own; which columns make one is said by the mapping of the file.
    id: () => undefined,
    deletes: {
      kind: 'none',
      reason: 'A file says what is in it, not what was left out: exports of a part or of a month are the usual ones.',
    },
  }),
);
