import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';

export type Fields = Record<string, unknown>;

export interface PdRecord {
  id: number;
  fields: Fields;
  addedAt: number;
  /** Last change, in milliseconds of whole seconds. */
  at: number;
  deletedAt?: number;
}

export interface PdField {
  field_code: string;
  field_name: string;
  field_type: string;
  is_custom_field: boolean;
  is_optional_response_field: boolean;
  options?: { id: number; label: string }[];
}

export interface Hook {
  id: number;
  event_object: string;
  subscription_url: string;
  http_auth_user: string;
  http_auth_password: string;
  is_active: 0 | 1;
}

export interface PdUser {
  id: number;
  name: string;
  email: string;
  active_flag: boolean;
  is_deleted: boolean;
}

export interface PdStage {
  id: number;
  name: string;
  order_nr: number;
  pipeline_id: number;
  is_deleted: boolean;
  deal_probability: number;
}

export const TYPES = ['persons', 'organizations', 'deals', 'activities', 'notes'] as const;
export type Type = (typeof TYPES)[number];

const second = (at: number): number => Math.floor(at / 1000) * 1000;

/** One kind of record, by id and by time. */
export class Table {
  readonly rows: PdRecord[] = [];
  private readonly byId = new Map<number, PdRecord>();
  private byTime: PdRecord[] | undefined;
  private readonly earlier = new WeakMap<PdRecord, PdRecord[]>();

  add(record: PdRecord): void {
    this.rows.push(record);
    this.byId.set(record.id, record);
    this.touched();
  }

  find(id: number): PdRecord | undefined {
    const found = this.byId.get(id);
    return found?.deletedAt === undefined ? found : undefined;
  }

  touched(): void {
    this.byTime = undefined;
  }

  /** Keeps a record as it is, for a list that shows the next change late. */
  keep(record: PdRecord): void {
    const version = { ...record, fields: { ...record.fields } };
    this.earlier.set(record, [...(this.earlier.get(record) ?? []), version]);
  }

  live(): PdRecord[] {
    return this.rows.filter(({ deletedAt }) => deletedAt === undefined);
  }

  /** In the order of ids or of changes. @param visible what changed later is not shown yet; undefined: all is */
  sorted(by: 'id' | 'update_time', visible: number | undefined): readonly PdRecord[] {
    if (visible !== undefined) {
      const seen = this.rows.flatMap((record) => {
        if (record.at <= visible) return [record];
        const before = this.earlier.get(record)?.findLast(({ at }) => at <= visible);
        return before
          ? [{ ...before, ...(record.deletedAt === undefined ? {} : { deletedAt: record.deletedAt }) }]
          : [];
      });
      return by === 'id' ? seen : seen.sort((a, b) => a.at - b.at || a.id - b.id);
    }
    if (by === 'id') return this.rows;
    this.byTime ??= [...this.rows].sort((a, b) => a.at - b.at || a.id - b.id);
    return this.byTime;
  }
}

const native = (field_code: string, field_name: string, field_type: string, options?: PdField['options']): PdField => ({
  ...{ field_code, field_name, field_type, is_custom_field: false, is_optional_response_field: false },
  ...(options ? { options } : {}),
});

/** What the simulated company holds. Records change as people and the hub change them. */
export class PipedriveCompany {
  readonly users: PdUser[] = [];
  readonly pipelines = [{ id: 1, name: 'Sales', order_nr: 1, is_deleted: false, is_deal_probability_enabled: false }];
  readonly stages: PdStage[] = [];
  readonly hooks: Hook[] = [];
  readonly fields: Record<string, PdField[]> = {};
  /** Milliseconds for which lists and searches do not show a change. */
  lateIndexMs = 0;
  /** Tokens of the day, and those spent. */
  tokens = { allowed: 30_000, spent: 0 };
  private readonly clock: Clock;
  private readonly tables = new Map<Type, Table>(TYPES.map((type) => [type, new Table()]));
  private lastId = 1000;

  constructor(clock: Clock) {
    this.clock = clock;
    this.addUser('Rita Owner', 'rita@business.example');
    for (const name of ['Qualified', 'Proposal made', 'Negotiation']) this.addStage(name);
    for (const kind of ['person', 'organization', 'deal', 'activity'])
      this.fields[`${kind}Fields`] = [
        native('id', 'ID', 'int'),
        native(kind === 'deal' ? 'title' : kind === 'activity' ? 'subject' : 'name', 'Name', 'varchar'),
        native('label_ids', 'Labels', 'set', []),
      ];
  }

  now = (): number => this.clock.now().getTime();
  newId = (): number => ++this.lastId;
  table = (type: Type): Table => this.tables.get(type)!;
  visible = (): number | undefined => (this.lateIndexMs > 0 ? this.now() - this.lateIndexMs : undefined);

  addUser(name: string, email: string): PdUser {
    const user = { id: this.newId(), name, email, active_flag: true, is_deleted: false };
    this.users.push(user);
    return user;
  }

  addStage(name: string): PdStage {
    const order_nr = this.stages.length + 1;
    const stage = { id: this.newId(), name, order_nr, pipeline_id: 1, is_deleted: false, deal_probability: 100 };
    this.stages.push(stage);
    return stage;
  }

  /** A field people add: it is known by 40 letters of its own. @returns them */
  addField(fields: string, name: string, type = 'varchar', labels: readonly string[] = []): string {
    const field_code = randomBytes(20).toString('hex');
    const options = labels.map((label) => ({ id: this.newId(), label }));
    const made = { field_code, field_name: name, field_type: type, is_custom_field: true };
    this.fields[fields]!.push({
      ...made,
      is_optional_response_field: false,
      ...(labels.length > 0 ? { options } : {}),
    });
    return field_code;
  }

  addLabel(fields: string, label: string): number {
    const options = this.fields[fields]!.find(({ field_code }) => field_code === 'label_ids')!.options!;
    const known = options.find((one) => one.label === label);
    if (known) return known.id;
    options.push({ id: this.newId(), label });
    return options.at(-1)!.id;
  }

  /** @param at when it was made and last changed, in milliseconds; now when absent */
  create(type: Type, fields: Fields, at = this.now()): PdRecord {
    const record = { id: this.newId(), fields: { ...fields }, addedAt: second(at), at: second(at) };
    this.table(type).add(record);
    return record;
  }

  update(type: Type, id: number, fields: Fields, at = this.now()): PdRecord | undefined {
    const record = this.table(type).find(id);
    if (!record) return undefined;
    if (this.lateIndexMs > 0) this.table(type).keep(record);
    const custom = {
      ...(record.fields.custom_fields as Fields | undefined),
      ...(fields.custom_fields as Fields | undefined),
    };
    Object.assign(record.fields, fields, Object.keys(custom).length > 0 ? { custom_fields: custom } : {});
    record.at = second(at);
    this.table(type).touched();
    return record;
  }

  remove(type: Type, id: number): void {
    const record = this.table(type).find(id);
    if (!record) return;
    record.deletedAt = this.now();
    if (type === 'deals') record.fields.status = 'deleted';
  }

  /** Two records become one: the losing one is gone, what pointed at it points at the survivor. */
  merge(type: Type, survivor: number, loser: number): void {
    const pointer = type === 'persons' ? 'person_id' : 'org_id';
    for (const other of ['deals', 'activities', 'persons'] as const)
      for (const { id, fields } of this.table(other).live())
        if (fields[pointer] === loser) this.update(other, id, { [pointer]: survivor });
    this.remove(type, loser);
    this.update(type, survivor, {});
  }

  subscribe(hook: Omit<Hook, 'id' | 'is_active'>): Hook {
    const made: Hook = { ...hook, id: this.newId(), is_active: 1 };
    this.hooks.push(made);
    return made;
  }

  newEvent = (): string => randomUUID();

  report(): Record<string, number> {
    return { ...Object.fromEntries(TYPES.map((type) => [type, this.table(type).live().length])), ...this.tokens };
  }
}
