import type { Clock } from '../../src/kit/index.ts';

export type Entry = Record<string, unknown> & { id: number; created_at: string; updated_at: string };
export type Kind = 'users' | 'organizations' | 'tickets';

/** A change of a ticket with what came with it, as audits and the export of events show it. */
export interface Audit {
  id: number;
  ticket_id: number;
  author_id: number;
  created_at: string;
  comment?: { id: number; body: string; public: boolean };
  custom: Record<string, unknown>;
}

export interface Webhook extends Record<string, unknown> {
  id: string;
  endpoint: string;
  status: string;
  subscriptions: string[];
  secret: string;
}

const HOUR_MS = 3_600_000;

/** What an account keeps: everything in the order it was made. */
export class ZendeskState {
  readonly tables: Record<Kind, Map<number, Entry>> = {
    users: new Map(),
    organizations: new Map(),
    tickets: new Map(),
  };
  readonly ratings: Entry[] = [];
  readonly audits: Audit[] = [];
  readonly fields: Record<'ticket' | 'user' | 'organization', Entry[]> = { ticket: [], user: [], organization: [] };
  readonly statuses: Entry[] = [];
  readonly webhooks = new Map<string, Webhook>();
  /** Answers repeated to whoever asks with the same key. */
  private readonly answered = new Map<string, { body: string; ticket: number; at: number }>();
  lateIndexMs = 0;
  /** Who connected. */
  readonly admin: number;
  private last = 360_000_000_000;

  readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    const owner = { name: 'Maya Brandt', email: 'maya@business.example', role: 'admin' };
    this.admin = this.add('users', owner, new Date(clock.now().getTime() - 1000 * HOUR_MS)).id;
    for (const [category, label] of [
      ['new', 'New'],
      ['open', 'Open'],
      ['pending', 'Pending'],
      ['hold', 'On-hold'],
      ['solved', 'Solved'],
    ] as const)
      this.addStatus(category, label);
    for (const [type, title] of [
      ['subject', 'Subject'],
      ['status', 'Status'],
      ['priority', 'Priority'],
    ] as const)
      this.addField('ticket', { type, title, removable: false });
  }

  now = (at: Date = this.clock.now()): string => `${at.toISOString().slice(0, 19)}Z`;

  /** Larger than 32 bits, as the vendor's are. */
  newId = (): number => ++this.last;

  private stamped(fields: Record<string, unknown>, at?: Date): Entry {
    return { id: this.newId(), created_at: this.now(at), updated_at: this.now(at), ...fields };
  }

  add(kind: Kind, fields: Record<string, unknown>, at?: Date): Entry {
    const entry = this.stamped({ ...DEFAULTS[kind], ...fields }, at);
    if (kind === 'tickets')
      Object.assign(entry, this.ofStatus(entry), { generated_timestamp: seconds(entry.updated_at) });
    this.tables[kind].set(entry.id, entry);
    return entry;
  }

  /** A status of the account's own comes with the vendor's, and the other way round. */
  private ofStatus({ status, custom_status_id: own }: Record<string, unknown>): Record<string, unknown> {
    const named = this.statuses.find(({ id }) => id === own);
    const kept = named ?? this.statuses.find(({ status_category: category }) => category === status);
    return { status: named?.status_category ?? status, custom_status_id: kept?.id ?? null };
  }

  change(kind: Kind, id: number, fields: Record<string, unknown>, at?: Date): Entry {
    const entry = this.tables[kind].get(id);
    if (!entry) throw new Error(`There is no ${kind.slice(0, -1)} ${id}.`);
    Object.assign(entry, fields, { updated_at: this.now(at) });
    if (kind === 'tickets') {
      const named = 'custom_status_id' in fields ? entry : { status: entry.status };
      if ('status' in fields || 'custom_status_id' in fields) Object.assign(entry, this.ofStatus(named));
      entry.generated_timestamp = seconds(entry.updated_at);
    }
    return entry;
  }

  isGone(kind: Kind, entry: Entry): boolean {
    if (kind === 'users') return entry.active === false;
    return kind === 'tickets' ? entry.status === 'deleted' : entry.deleted_at !== undefined;
  }

  remove(kind: Kind, id: number, at?: Date): void {
    const gone = {
      users: { active: false },
      tickets: { status: 'deleted' },
      organizations: { deleted_at: this.now(at) },
    };
    const entry = this.tables[kind].get(id)!;
    Object.assign(entry, gone[kind], { updated_at: this.now(at) });
    if (kind === 'tickets') entry.generated_timestamp = seconds(entry.updated_at);
  }

  live = (kind: Kind): Entry[] => [...this.tables[kind].values()].filter((entry) => !this.isGone(kind, entry));

  addRating(fields: Record<string, unknown>, at?: Date): Entry {
    const rating = this.stamped({ assignee_id: this.admin, group_id: 1, comment: 'Thank you', ...fields }, at);
    this.ratings.push(rating);
    return rating;
  }

  addStatus(category: string, label: string): Entry {
    const status = this.stamped({ status_category: category, agent_label: label, end_user_label: label, active: true });
    this.statuses.push(status);
    return status;
  }

  addField(of: 'ticket' | 'user' | 'organization', fields: Record<string, unknown>): Entry {
    const field = this.stamped({ type: 'text', active: true, ...fields });
    this.fields[of].push(field);
    return field;
  }

  /** A change of a ticket by somebody, with a comment where there is one. */
  audit(
    ticket: number,
    by: number,
    more: Partial<Pick<Audit, 'custom'>> & { comment?: { body: string; public: boolean } },
  ): Audit {
    const { comment, custom = {} } = more;
    const audit: Audit = {
      id: this.newId(),
      ticket_id: ticket,
      author_id: by,
      created_at: this.now(),
      custom,
      ...(comment ? { comment: { id: this.newId(), ...comment } } : {}),
    };
    this.audits.push(audit);
    return audit;
  }

  /** The ticket an earlier question with this key made, or that the key belonged to another question. */
  repeated(key: string, body: string): number | 'other' | undefined {
    const known = this.answered.get(key);
    if (!known || known.at < this.clock.now().getTime() - 2 * HOUR_MS) return undefined;
    return known.body === body ? known.ticket : 'other';
  }

  remember(key: string, body: string, ticket: number): void {
    this.answered.set(key, { body, ticket, at: this.clock.now().getTime() });
  }

  report(): Record<string, number> {
    const live = this.live('users');
    return {
      end_users: live.filter(({ role }) => role === 'end-user').length,
      agents: live.filter(({ role }) => role !== 'end-user').length,
      organizations: this.live('organizations').length,
      tickets: this.live('tickets').length,
      solved: this.live('tickets').filter(({ status }) => status === 'solved').length,
      comments: this.audits.filter(({ comment }) => comment).length,
      ratings: this.ratings.length,
      webhooks: this.webhooks.size,
    };
  }
}

export const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);

const DEFAULTS: Record<Kind, Record<string, unknown>> = {
  users: {
    role: 'end-user',
    active: true,
    suspended: false,
    verified: true,
    phone: null,
    external_id: null,
    organization_id: null,
    locale: 'en-US',
    time_zone: 'Eastern Time (US & Canada)',
    iana_time_zone: 'America/New_York',
    notes: '',
    details: '',
    tags: [],
    user_fields: {},
  },
  organizations: { external_id: null, domain_names: [], details: '', notes: '', tags: [], organization_fields: {} },
  tickets: {
    status: 'new',
    priority: null,
    type: null,
    due_at: null,
    external_id: null,
    requester_id: null,
    submitter_id: null,
    assignee_id: null,
    group_id: null,
    organization_id: null,
    brand_id: 1,
    tags: [],
    custom_fields: [],
    via: { channel: 'web' },
  },
};
