import type { Clock } from '../../src/kit/index.ts';
import { defaultPipelines } from './sandbox.pipelines.ts';
import type { HubSpotRecord, Properties } from './sandbox.record.ts';
import type { SearchBody } from './sandbox.search.ts';
import { type Found, HubSpotTable } from './sandbox.table.ts';

export type { HubSpotRecord, Properties } from './sandbox.record.ts';

export interface Owner {
  id: string;
  email: string;
  firstName: string;
  lastName: string;
  userId: number;
  type: 'PERSON' | 'QUEUE';
  archived: boolean;
  createdAt: string;
  updatedAt: string;
}

/** A contact's place in a sequence, as it is told when asked for. */
export interface Enrolment {
  id: string;
  toEmail: string;
  enrolledAt: string;
  updatedAt: string;
  sequenceId: string;
  sequenceName: string;
  enrolledBy: string;
  enrolledByEmail: string;
}

const EARLY = '2024-01-01T00:00:00.000Z';

/** What the simulated HubSpot account holds. Records change as people and the hub change them. */
export class HubSpotState {
  owners: Owner[] = [];
  pipelines = defaultPipelines();
  readonly enrolments = new Map<string, Enrolment>();
  /** Milliseconds for which search does not show a change. */
  lateIndexMs = 0;
  private readonly clock: Clock;
  private readonly tables = new Map<string, HubSpotTable>();
  private readonly links = new Map<string, Set<string>>();
  private readonly typeOf = new Map<string, string>();
  private readonly custom = new Map<string, { name: string }[]>();
  private readonly groups = new Set<string>();
  private readonly lists = new Map<string, Set<string>>();
  private readonly sends = new Map<string, string>();
  /** Every call that unsubscribed somebody, oldest first. */
  readonly optOuts: { email: string; property: string }[] = [];
  private lastId = 100_000;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  private table(type: string): HubSpotTable {
    const known = this.tables.get(type) ?? new HubSpotTable();
    this.tables.set(type, known);
    return known;
  }

  all(type: string): HubSpotRecord[] {
    return [...this.table(type).rows];
  }

  find(type: string, id: string): HubSpotRecord | undefined {
    return this.tables.get(type)?.find(id);
  }

  /** @param at when it was made and last changed; now when absent */
  create(type: string, properties: Properties, at?: string): HubSpotRecord {
    const id = String(++this.lastId);
    const now = at ?? this.clock.now().toISOString();
    const record: HubSpotRecord = {
      id,
      properties: { ...properties, hs_object_id: id },
      createdAt: now,
      updatedAt: now,
      at: 0,
      archived: false,
    };
    this.stamp(type, record, now, true);
    this.table(type).add(record);
    this.typeOf.set(id, type);
    return record;
  }

  /** @param at when it is changed; now when absent */
  update(type: string, id: string, properties: Properties, at?: string): HubSpotRecord | undefined {
    const record = this.find(type, id);
    if (!record || record.archived) return undefined;
    if (this.lateIndexMs > 0) this.table(type).keep(record);
    Object.assign(record.properties, properties);
    this.stamp(type, record, at ?? this.clock.now().toISOString(), false);
    return record;
  }

  archive(type: string, id: string): void {
    const record = this.find(type, id);
    if (record) this.table(type).archive(record, this.clock.now().toISOString());
  }

  private stamp(type: string, record: HubSpotRecord, now: string, fresh: boolean): void {
    record.updatedAt = now;
    record.at = Date.parse(now);
    this.table(type).touched();
    record.properties[type === 'contacts' ? 'lastmodifieddate' : 'hs_lastmodifieddate'] = now;
    if (fresh) {
      record.properties.createdate = now;
      record.properties.hs_createdate = now;
    }
  }

  attach(type: string, id: string, otherId: string): void {
    const other = this.typeOf.get(otherId);
    if (!other) return;
    this.link(`${type}:${id}:${other}`, otherId);
    this.link(`${other}:${otherId}:${type}`, id);
  }

  private link(key: string, id: string): void {
    this.links.set(key, (this.links.get(key) ?? new Set()).add(id));
  }

  associated(type: string, id: string, other: string): string[] {
    return [...(this.links.get(`${type}:${id}:${other}`) ?? [])];
  }

  page(type: string, limit: number, after: string | undefined, archived: boolean): Found {
    return this.table(type).page(limit, after, archived);
  }

  search(type: string, body: SearchBody): Found & { total: number } {
    return this.table(type).search(
      body,
      this.lateIndexMs > 0 ? this.clock.now().getTime() - this.lateIndexMs : undefined,
    );
  }

  propertiesOf(type: string): {
    name: string;
    label: string;
    type: string;
    fieldType: string;
    groupName: string;
    hubspotDefined: boolean;
    options: unknown[];
    description: string;
  }[] {
    const used = new Set(
      this.table(type)
        .rows.slice(0, 50)
        .flatMap((record) => Object.keys(record.properties)),
    );
    const own = this.custom.get(type) ?? [];
    const base = {
      label: '',
      type: 'string',
      fieldType: 'text',
      groupName: 'information',
      options: [],
      description: '',
    };
    return [
      ...[...used]
        .filter((name) => !own.some((property) => property.name === name))
        .map((name) => ({
          ...base,
          name,
          label: name,
          hubspotDefined: !name.startsWith('custom_') && name !== 'account_status',
        })),
      ...own.map((property) => ({ ...base, ...property, label: property.name, hubspotDefined: false })),
    ];
  }

  addProperty(type: string, property: { name: string }): boolean {
    const own = this.custom.get(type) ?? [];
    if (own.some((known) => known.name === property.name)) return false;
    this.custom.set(type, [...own, property]);
    return true;
  }

  addGroup(type: string, name: string): boolean {
    if (this.groups.has(`${type}:${name}`)) return false;
    this.groups.add(`${type}:${name}`);
    return true;
  }

  addOwner(firstName: string, lastName: string, email: string): Owner {
    const owner: Owner = {
      id: String(500 + this.owners.length),
      email,
      firstName,
      lastName,
      userId: 9000 + this.owners.length,
      type: 'PERSON',
      archived: false,
      createdAt: EARLY,
      updatedAt: EARLY,
    };
    this.owners.push(owner);
    return owner;
  }

  /** Two contacts become one: the losing id is archived, its links go to the survivor. */
  merge(type: string, survivor: string, loser: string): void {
    for (const [key, ids] of [...this.links]) {
      if (!key.startsWith(`${type}:${loser}:`)) continue;
      for (const id of ids) this.attach(type, survivor, id);
    }
    this.archive(type, loser);
    const record = this.find(type, survivor)!;
    if (this.lateIndexMs > 0) this.table(type).keep(record);
    record.properties.hs_merged_object_ids = [record.properties.hs_merged_object_ids, loser].filter(Boolean).join(';');
    this.stamp(type, record, this.clock.now().toISOString(), false);
  }

  changeList(list: string, verb: 'add' | 'remove', ids: readonly string[]): void {
    const members = this.lists.get(list) ?? new Set<string>();
    for (const id of ids) verb === 'add' ? members.add(id) : members.delete(id);
    this.lists.set(list, members);
  }

  isMember(list: string, id: string): boolean {
    return this.lists.get(list)?.has(id) ?? false;
  }

  /** Status ids of the single e-mails that went out, oldest first. */
  singleSends(): string[] {
    return [...this.sends.values()];
  }

  enrol(contactId: string, sequenceId: string, by: { id: string; email: string }): Enrolment | undefined {
    if (this.enrolments.has(contactId)) return undefined;
    const now = this.clock.now().toISOString();
    const made: Enrolment = {
      id: `enr-${contactId}`,
      toEmail: this.find('contacts', contactId)?.properties.email ?? '',
      enrolledAt: now,
      updatedAt: now,
      sequenceId,
      sequenceName: `Sequence ${sequenceId}`,
      enrolledBy: by.id,
      enrolledByEmail: by.email,
    };
    this.enrolments.set(contactId, made);
    return made;
  }

  now(): string {
    return this.clock.now().toISOString();
  }

  /** An address is unsubscribed, from one subscription type or from everything: HubSpot sets it on the contact. */
  unsubscribe(email: string, subscription?: string): { ids: string[]; property: string } {
    const property = subscription ? `hs_email_optout_${subscription}` : 'hs_email_optout';
    this.optOuts.push({ email, property });
    const fresh = this.all('contacts').filter(
      ({ archived, properties }) =>
        !archived && properties.email?.toLowerCase() === email.toLowerCase() && properties[property] !== 'true',
    );
    for (const { id } of fresh) this.update('contacts', id, { [property]: 'true' });
    return { ids: fresh.map(({ id }) => id), property };
  }

  singleSend(message: { to: string; sendId: string }): Record<string, unknown> {
    const known = this.sends.get(message.sendId);
    const statusId = known ?? `status-${this.sends.size + 1}`;
    this.sends.set(message.sendId, statusId);
    return {
      statusId,
      status: 'PENDING',
      sendResult: known ? 'IDEMPOTENT_IGNORE' : 'SENT',
      requestedAt: this.clock.now().toISOString(),
    };
  }

  report(): Record<string, number> {
    const counts = Object.fromEntries(
      [...this.tables]
        .filter(([, { rows }]) => rows.length > 0)
        .map(([type, { rows }]) => [type, rows.filter((record) => !record.archived).length]),
    );
    return {
      ...counts,
      lists: this.lists.size,
      enrolments: this.enrolments.size,
      single_sends: this.sends.size,
      unsubscribed: this.optOuts.length,
    };
  }
}
