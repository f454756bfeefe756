import { at, type EntityKind, type Stream, textAt, type VendorContext } from '../../src/kit/index.ts';
import { safeName } from './api.ts';

/** A kind of object that is read as a stream. */
export interface ObjectType {
  name: string;
  title: string;
  /** The object's API name, or the setting of the connection that names it, with what stands there otherwise. */
  object: string | { setting: string; default: string };
  entities: EntityKind[];
  feature: string;
  after?: string[];
  every?: number;
  /** Records that became part of another one name it in `MasterRecordId`. */
  merges?: true;
  /** Rows of another object that belong to the record, for the paths that begin with the relation's name. */
  children?: { relation: string; select: string };
  /** Editions and licences differ in whether they have it: where it is missing there is nothing to read. */
  optional?: true;
  /** Nothing is ever deleted of it, for a reason. */
  stays?: string;
  /** What a record tells about something we made. */
  follows?: Stream['follows'];
}

const closedAs =
  (word: string): NonNullable<Stream['follows']> =>
  (record) => {
    const status = textAt(record, 'Status');
    const nativeId = textAt(record, 'Id');
    // Each organisation has words of its own for it; whether it is over is said beside them.
    const isClosed = at(record, 'IsClosed') === true;
    if (nativeId === undefined || status === undefined) return undefined;
    return { nativeId, state: isClosed ? word : status, ...(isClosed ? { detail: status } : {}) };
  };

const HOUR = 3600;

/** What is read, parents first. The fields are those the mapping names. */
export const OBJECTS: readonly ObjectType[] = [
  {
    name: 'users',
    title: 'Users',
    object: 'User',
    entities: ['owner'],
    feature: 'read',
    every: HOUR,
    stays: 'Users of Salesforce are deactivated, never deleted; who is inactive is read as such.',
  },
  {
    name: 'accounts',
    title: 'Accounts',
    object: 'Account',
    entities: ['company'],
    feature: 'read',
    after: ['users'],
    merges: true,
  },
  {
    name: 'contacts',
    title: 'Contacts',
    object: 'Contact',
    entities: ['contact'],
    feature: 'read',
    after: ['users', 'accounts'],
    merges: true,
  },
  {
    name: 'leads',
    title: 'Leads',
    object: 'Lead',
    entities: ['contact'],
    feature: 'leads',
    optional: true,
    after: ['users', 'contacts'],
    merges: true,
  },
  {
    name: 'opportunities',
    title: 'Opportunities',
    object: 'Opportunity',
    entities: ['deal'],
    feature: 'read',
    after: ['accounts', 'contacts', 'deal_stages'],
    children: {
      relation: 'OpportunityContactRoles',
      select: 'SELECT ContactId, IsPrimary FROM OpportunityContactRoles ORDER BY IsPrimary DESC, Id LIMIT 1',
    },
  },
  {
    name: 'cases',
    title: 'Cases',
    object: 'Case',
    entities: ['ticket'],
    feature: 'read',
    after: ['accounts', 'contacts', 'ticket_stages'],
    merges: true,
    follows: closedAs('Closed'),
  },
  {
    name: 'tasks',
    title: 'Tasks',
    object: 'Task',
    entities: ['activity'],
    feature: 'activities',
    after: ['contacts', 'accounts'],
    follows: closedAs('Completed'),
  },
  {
    name: 'events',
    title: 'Events',
    object: 'Event',
    entities: ['activity'],
    feature: 'activities',
    after: ['contacts', 'accounts'],
  },
  {
    name: 'emails',
    title: 'E-mail messages',
    object: 'EmailMessage',
    entities: ['activity'],
    feature: 'emails',
    optional: true,
    after: ['contacts', 'cases'],
  },
  {
    name: 'jobs',
    title: 'Jobs',
    object: { setting: 'jobObject', default: 'WorkOrder' },
    entities: ['job'],
    feature: 'jobs',
    after: ['contacts', 'accounts'],
  },
  {
    name: 'subscriptions',
    title: 'Contracts',
    object: { setting: 'subscriptionObject', default: 'Contract' },
    entities: ['subscription'],
    feature: 'subscriptions',
    after: ['contacts', 'accounts'],
  },
  {
    name: 'invoices',
    title: 'Invoices',
    object: { setting: 'invoiceObject', default: 'Invoice__c' },
    entities: ['invoice'],
    feature: 'invoices',
    after: ['contacts', 'accounts'],
  },
];

/**
 * The object a stream reads for this connection.
 * @throws VendorError `invalid` when the setting holds no name
 */
export function objectOf({ object }: Pick<ObjectType, 'object'>, ctx: Pick<VendorContext, 'settings'>): string {
  if (typeof object === 'string') return object;
  return safeName(String(ctx.settings[object.setting] || object.default), 'an object');
}

/** Objects by the canonical name an action or setting uses. */
const KINDS: Record<string, string> = {
  contact: 'contacts',
  company: 'accounts',
  deal: 'opportunities',
  ticket: 'cases',
  lead: 'leads',
  job: 'jobs',
  subscription: 'subscriptions',
  invoice: 'invoices',
};

/** The stream of a kind of record, by its canonical name, the name of the stream or that of the object. */
export const typeOf = (kind: string): ObjectType | undefined =>
  OBJECTS.find(({ name, object }) => name === (KINDS[kind] ?? kind) || object === kind);
