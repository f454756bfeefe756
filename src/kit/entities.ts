/**
 * The canonical model as data: what every platform's records are mapped onto. The single source for the mapping
 * validator, the bulk statements, the HTTP schemas and the docs; a test compares it with the database.
 */
/** A `birthday` is text: `YYYY-MM-DD`, or `--MM-DD` where the year is not known. */
export type FieldType =
  | 'text'
  | 'date'
  | 'birthday'
  | 'timestamptz'
  | 'numeric'
  | 'integer'
  | 'boolean'
  | 'text[]'
  | 'jsonb';

export interface Field {
  type: FieldType;
  title: string;
  /** A wrong value parks the whole record: acting on the rest would be acting on a wrong fact. */
  critical?: true;
  /** Records are found by it, so no more characters are kept: what is longer is no such thing. */
  longest?: number;
  /** A number in E.164: read by the country of the record, else of the business, whatever the mapping says of it. */
  phone?: true;
  /** The closed list of canonical words; the vendor's own word stays beside it in `native_status`. */
  values?: readonly string[];
}

/** What a record may point at; references are soft because children can arrive before their parents. */
export type Reference = 'customer' | 'company' | 'owner';

export interface EntityDefinition {
  title: string;
  fields: Record<string, Field>;
  references: readonly Reference[];
  required: readonly string[];
}

/** How a database keeps it. */
export const columnType = (type: FieldType): Exclude<FieldType, 'birthday'> => (type === 'birthday' ? 'text' : type);

const text = (title: string): Field => ({ type: 'text', title });
/** Ids, addresses and names that records are found by; indexes of a database hold no more. */
export const LONGEST_KEY = 500;
const key = (title: string): Field => ({ type: 'text', title, longest: LONGEST_KEY });
const keys = (title: string): Field => ({ type: 'text[]', title, longest: LONGEST_KEY });
const status = (title: string, ...values: string[]): Field => ({ type: 'text', title, values, critical: true });
const money = (title: string): Field => ({ type: 'numeric', title, critical: true });
const currency: Field = { type: 'text', title: 'Currency (ISO 4217)', critical: true };
const nativeStatus = text("The vendor's own word for the status");
const day = (title: string): Field => ({ type: 'date', title });
const criticalDay = (title: string): Field => ({ type: 'date', title, critical: true });
const instant = (title: string): Field => ({ type: 'timestamptz', title });
const tags: Field = { type: 'text[]', title: 'Tags' };

const address: Record<string, Field> = {
  address_line: text('Street and number'),
  city: text('City'),
  region: text('State or region'),
  postal_code: text('Postal code'),
  country: text('Country (ISO 3166-1 alpha-2)'),
};

const document: readonly Reference[] = ['customer', 'company', 'owner'];

export const ENTITIES = {
  contact: {
    title: 'Contact',
    references: ['company', 'owner'],
    required: [],
    fields: {
      name: key('Full or display name'),
      first_name: text('First name'),
      last_name: text('Last name'),
      email: key('E-mail address'),
      emails: keys('All e-mail addresses'),
      phone: { ...key('Phone (E.164)'), phone: true },
      phones: { ...keys('All phone numbers (E.164)'), phone: true },
      birthday: { type: 'birthday', title: 'Birthday' },
      time_zone: text('Time zone (IANA)'),
      locale: text('Language (BCP 47)'),
      ...address,
      company_name: text('Company name as written on the contact'),
      job_title: text('Job title'),
      status: { type: 'text', title: 'Status', values: ['lead', 'customer', 'inactive', 'other'] },
      native_status: nativeStatus,
      tags,
      email_opt_out: { type: 'boolean', title: 'Opted out of e-mail at the vendor' },
      sms_opt_out: { type: 'boolean', title: 'Opted out of text messages at the vendor' },
      topic_opt_outs: { type: 'text[]', title: 'Topics opted out of at the vendor, as channel:topic' },
      external_ids: keys('Ids of the same person elsewhere, as system:id'),
    },
  },
  company: {
    title: 'Company',
    references: ['owner'],
    required: [],
    fields: {
      name: key('Name'),
      legal_name: text('Legal name'),
      domain: key('Web domain'),
      email: key('E-mail address'),
      phone: { ...key('Phone (E.164)'), phone: true },
      tax_id: key('Tax id'),
      industry: text('Industry'),
      time_zone: text('Time zone (IANA)'),
      ...address,
      status: { type: 'text', title: 'Status', values: ['lead', 'customer', 'inactive', 'other'] },
      native_status: nativeStatus,
      tags,
      external_ids: keys('Ids of the same company elsewhere, as system:id'),
    },
  },
  owner: {
    title: 'Owner',
    references: [],
    required: [],
    fields: {
      name: key('Name'),
      email: key('E-mail address'),
      time_zone: text('Time zone (IANA)'),
      active: { type: 'boolean', title: 'Still works here' },
      native_user_id: text('Id of the log-in user, where it differs from the owner id'),
    },
  },
  pipeline_stage: {
    title: 'Pipeline stage',
    references: [],
    required: ['object', 'stage'],
    fields: {
      object: { type: 'text', title: 'Of what', values: ['deal', 'ticket'], critical: true },
      pipeline: text('Pipeline id'),
      pipeline_label: text('Pipeline'),
      stage: key('Stage id'),
      label: text('Stage'),
      position: { type: 'integer', title: 'Position' },
      outcome: status('What being in it means', 'open', 'won', 'lost', 'closed'),
    },
  },
  deal: {
    title: 'Deal',
    references: document,
    required: [],
    fields: {
      name: key('Name'),
      amount: money('Amount'),
      currency,
      pipeline: text('Pipeline'),
      stage: text('Stage'),
      status: status('Status', 'open', 'won', 'lost'),
      native_status: nativeStatus,
      closes_on: day('Expected or actual close'),
    },
  },
  ticket: {
    title: 'Ticket',
    references: document,
    required: [],
    fields: {
      subject: text('Subject'),
      priority: text('Priority'),
      category: text('Category'),
      pipeline: text('Pipeline'),
      stage: text('Stage'),
      status: status('Status', 'open', 'pending', 'closed'),
      native_status: nativeStatus,
      closed_at: instant('Closed'),
    },
  },
  invoice: {
    title: 'Invoice',
    references: document,
    required: ['status'],
    fields: {
      number: key('Number shown to the customer'),
      status: status('Status', 'draft', 'open', 'partial', 'paid', 'void', 'credited', 'disputed'),
      native_status: nativeStatus,
      issued_on: criticalDay('Issued'),
      due_on: criticalDay('Due'),
      paid_on: day('Balance reached zero'),
      total: money('Total'),
      balance: money('Still open'),
      currency,
      email: text('Billing e-mail address'),
      url: text('Link for the customer'),
      lines: { type: 'jsonb', title: 'Lines: description, quantity, unit_price, amount, service_on' },
    },
  },
  payment: {
    title: 'Payment',
    references: document,
    required: ['status'],
    fields: {
      amount: money('Amount'),
      currency,
      kind: status('Kind', 'payment', 'refund', 'credit'),
      status: status('Status', 'succeeded', 'failed', 'pending', 'void'),
      native_status: nativeStatus,
      paid_on: criticalDay('Paid'),
      method: text('Method'),
      failure_reason: text('Why it failed'),
      invoice_refs: { type: 'text[]', title: 'Invoices it pays' },
      unapplied: { type: 'numeric', title: 'Not yet applied to an invoice' },
    },
  },
  job: {
    title: 'Job',
    references: document,
    required: ['status'],
    fields: {
      title: text('Title'),
      kind: text('Kind of work, such as installation or maintenance'),
      status: status('Status', 'requested', 'scheduled', 'in_progress', 'completed', 'cancelled', 'no_show'),
      native_status: nativeStatus,
      scheduled_at: instant('Scheduled for'),
      completed_on: criticalDay('Completed'),
      amount: money('Amount'),
      currency,
      asset: text('What was worked on'),
    },
  },
  subscription: {
    title: 'Subscription, contract or warranty',
    references: document,
    required: ['status'],
    fields: {
      name: key('Name'),
      kind: text('subscription, contract or warranty'),
      status: status('Status', 'active', 'paused', 'past_due', 'ended', 'cancelled'),
      native_status: nativeStatus,
      started_on: criticalDay('Started'),
      ends_on: criticalDay('Ends'),
      renews_on: criticalDay('Renews'),
      amount: money('Amount per period'),
      currency,
      plan: text('Plan'),
    },
  },
  activity: {
    title: 'Activity',
    references: document,
    required: ['kind', 'occurred_at'],
    fields: {
      kind: status('Kind', 'message', 'email', 'call', 'meeting', 'task', 'note'),
      channel: text('Channel'),
      direction: { type: 'text', title: 'Direction', values: ['in', 'out'] },
      status: text('Status'),
      subject: text('Subject'),
      body: text('Text'),
      occurred_at: { type: 'timestamptz', title: 'When', critical: true },
      automatic: { type: 'boolean', title: 'Sent by a machine (out of office, bounce)' },
      address: key('Address of the other side'),
    },
  },
  survey_response: {
    title: 'Survey response',
    references: document,
    required: ['answered_at'],
    fields: {
      survey: text('Survey'),
      kind: text('nps, csat, stars or custom'),
      score: { type: 'numeric', title: 'Score as given' },
      answers: { type: 'jsonb', title: 'All answers' },
      comment: text('Comment'),
      answered_at: { type: 'timestamptz', title: 'Answered', critical: true },
    },
  },
} as const satisfies Record<string, EntityDefinition>;

export type EntityKind = keyof typeof ENTITIES;

export const ENTITY_KINDS = Object.keys(ENTITIES) as EntityKind[];

export const entityDefinition = (kind: EntityKind): EntityDefinition => ENTITIES[kind];

/** Kinds whose projections of several sources are joined into one golden row. */
export const JOINED_KINDS = ['contact', 'company'] as const satisfies readonly EntityKind[];
export type JoinedKind = (typeof JOINED_KINDS)[number];

export const isJoined = (kind: EntityKind): kind is JoinedKind => kind === 'contact' || kind === 'company';
