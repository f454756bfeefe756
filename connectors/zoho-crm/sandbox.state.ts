import type { Clock } from '../../src/kit/index.ts';
import { type Fields, type ZohoRecord, ZohoTable } from './sandbox.table.ts';

export interface ZohoUser {
  id: string;
  full_name: string;
  first_name: string;
  last_name: string;
  email: string;
  status: 'active' | 'deleted';
}

export interface Stage {
  id: string;
  actual_value: string;
  display_value: string;
  type: 'used' | 'unused';
  forecast_type: string;
  sequence_number: number;
}

export interface Mail {
  id: string;
  module: string;
  record: string;
  to: string;
  subject: string;
  at: number;
}

export interface Channel {
  channel_id: string;
  events: string[];
  token: string;
  notify_url: string;
  expiresAt: number;
}

const OFFSET_MS = -5 * 3_600_000;
/** A moment as the organisation in New York sees it in winter: whole seconds and an offset. */
export const shownTime = (at: number): string => `${new Date(at + OFFSET_MS).toISOString().slice(0, 19)}-05:00`;

const second = (at: number): number => Math.floor(at / 1000) * 1000;

const STAGES: [string, string][] = [
  ['Qualification', 'Open'],
  ['Negotiation', 'Open'],
  ['Closed Won', 'Closed Won'],
  ['Closed Lost', 'Closed Lost'],
];

/** The transitions of the one Blueprint there is, by the state they lead from. */
export const TRANSITIONS: Record<string, { id: string; name: string; to: string }[]> = {
  Scheduled: [{ id: '5725767000009001', name: 'Service completed', to: 'Completed' }],
  Completed: [],
};
/** The field that Blueprint governs. */
export const GOVERNED = 'Service_Status';

/** What the simulated organisation holds. Records change as people and the hub change them. */
export class ZohoOrg {
  readonly users: ZohoUser[] = [];
  readonly mails: Mail[] = [];
  /** Who was put into which cadence and which transitions were made, as `<automation>:<module>:<id>`, oldest first. */
  readonly automated: string[] = [];
  readonly channels = new Map<string, Channel>();
  readonly stages: Stage[] = [];
  /** Custom fields by module. */
  readonly custom = new Map<string, { name: string; label: string; unique: boolean }[]>();
  /** Credits of 24 hours, and those used. */
  credits = { allowed: 50_000, used: 0 };
  /** Milliseconds for which lists and searches do not show a change. */
  lateIndexMs = 0;
  private readonly clock: Clock;
  private readonly tables = new Map<string, ZohoTable>();
  private lastId = 5_725_767_000_000_100_000n;

  constructor(clock: Clock) {
    this.clock = clock;
    this.addUser('Rita', 'Owner', 'rita@business.example');
    for (const [name, forecast] of STAGES) this.addStage(name, forecast);
  }

  now = (): number => this.clock.now().getTime();
  newId = (): string => String(++this.lastId);

  table(module: string): ZohoTable {
    const known = this.tables.get(module) ?? new ZohoTable();
    this.tables.set(module, known);
    return known;
  }

  addUser(first_name: string, last_name: string, email: string): ZohoUser {
    const user: ZohoUser = {
      ...{ id: this.newId(), full_name: `${first_name} ${last_name}`, first_name, last_name, email },
      status: 'active',
    };
    this.users.push(user);
    return user;
  }

  addStage(name: string, forecast_type = 'Open'): Stage {
    const stage: Stage = {
      ...{ id: this.newId(), actual_value: name, display_value: name, type: 'used', forecast_type },
      sequence_number: this.stages.length + 1,
    };
    this.stages.push(stage);
    return stage;
  }

  addField(module: string, name: string, label = name, unique = false): void {
    this.custom.set(module, [...(this.custom.get(module) ?? []), { name, label, unique }]);
  }

  /** @param at when it was made and last changed, in milliseconds; now when absent */
  create(module: string, fields: Fields, at = this.now()): ZohoRecord {
    const record: ZohoRecord = { id: this.newId(), fields: { ...fields }, createdAt: second(at), at: second(at) };
    this.table(module).add(record);
    return record;
  }

  update(module: string, id: string, fields: Fields, at = this.now()): ZohoRecord | undefined {
    const table = this.table(module);
    const record = table.find(id);
    if (!record) return undefined;
    if (this.lateIndexMs > 0) table.keep(record);
    Object.assign(record.fields, fields);
    record.at = second(at);
    table.touched();
    return record;
  }

  remove(module: string, id: string): void {
    const record = this.table(module).find(id);
    if (record) record.deletedAt = this.now();
  }

  /** The newest moment lists show; undefined: all there is. */
  visible = (): number | undefined => (this.lateIndexMs > 0 ? this.now() - this.lateIndexMs : undefined);

  /** The record that holds a value in a unique field. */
  twinOf(module: string, fields: Fields): { field: string; record: ZohoRecord } | undefined {
    for (const { name, unique } of this.custom.get(module) ?? []) {
      if (!unique || fields[name] === undefined) continue;
      const record = this.table(module)
        .live()
        .find((one) => one.fields[name] === fields[name]);
      if (record) return { field: name, record };
    }
    return undefined;
  }

  tag(module: string, id: string, name: string, verb: 'add' | 'remove'): void {
    const before = (this.table(module).find(id)?.fields.Tag ?? []) as { name: string }[];
    const others = before.filter((tag) => tag.name !== name);
    const after = verb === 'add' ? [...others, { id: '9', name, color_code: null }] : others;
    this.update(module, id, { Tag: after });
  }

  send(mail: Omit<Mail, 'id' | 'at'>): Mail {
    const sent = { ...mail, id: `${this.newId()}e`, at: second(this.now()) };
    this.mails.push(sent);
    return sent;
  }

  report(): Record<string, number> {
    const counts = [...this.tables].map(([module, table]) => [module.toLowerCase(), table.live().length] as const);
    const deeds = { emails: this.mails.length, automations: this.automated.length };
    return { ...Object.fromEntries(counts.filter(([, count]) => count > 0)), ...deeds };
  }
}
