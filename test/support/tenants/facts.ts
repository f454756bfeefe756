import { newId } from '../../../src/base/ids.ts';
import type { Row } from './catalog.ts';

/** The moment of every attack; what is seeded lies before it and is due. */
export const NOW = new Date('2026-03-02T15:00:00Z');
/** When things began that are long over by now. */
export const LONG_AGO = new Date('2026-02-01T09:00:00Z');

/** Every id that more than one row of a tenant refers to. */
export const newIds = () => {
  const names = [
    'user',
    'colleague',
    'customer',
    'customer2',
    'merged',
    'company',
    'company2',
    'owner',
    'connection',
    'stream',
    'invoice',
    'paidInvoice',
    'payment',
    'sequence',
    'trigger',
    'paidTrigger',
    'run',
    'pausedRun',
    'planned',
    'committed',
    'sending',
    'unknown',
    'sent',
    'escalation',
    'staff',
    'deputy',
    'apiKey',
    'importRun',
    'hold',
    'parked',
    'change',
    'occurrence',
    'event',
    'goneOwner',
    'pass',
    'heldBatch',
    'doneBatch',
    'confirmedBatch',
    'remapRun',
    'drift',
    'mergeEvent',
    'suggestion',
    'breaker',
    'segment',
    'openSegment',
    'erasure',
    'campaign',
    'draftCampaign',
    'pausedCampaign',
    'survey',
    'unasked',
    'invitation',
    'startedInvitation',
  ] as const;
  return Object.fromEntries(names.map((name) => [name, newId()])) as Record<(typeof names)[number], string>;
};

export type Ids = ReturnType<typeof newIds>;

/** What tells one tenant's facts from another's, besides the ids. */
export interface Flavour {
  /** Stands in every text of this tenant that no other has. */
  mark: string;
  zone: string;
  /** When its work was due. */
  due: Date;
  /** Days after which an overdue invoice counts. */
  days: number[];
}

/** Rows by table, as far as somebody thought of them. */
export type Facts = Record<string, Row[]>;

/** A definition that every room can work with. */
export const definitionOf = (key: string, title: string) => ({
  key,
  title,
  class: 'transactional' as const,
  topic: 'invoices',
  triggers: [{ name: 'invoice.overdue', settings: { days: [1, 7] } }],
  per: 'customer' as const,
  again: { policy: 'after_days' as const, days: 14 },
  exits: ['invoices_settled' as const, 'answered' as const, 'customer_gone' as const],
  respects_holds: true,
  needs_fresh_billing: false,
  steps: [
    { id: 'friendly', message: { channels: ['email' as const, 'sms' as const], template: 'chase' } },
    {
      id: 'people',
      escalate: {
        to: [{ who: 'owner' as const }, { who: 'admin' as const }],
        working_hours: 4,
        task: { title: 'Call {{ customer.name }}' },
      },
    },
  ],
});
