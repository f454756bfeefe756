import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';

export type Status = 'subscribed' | 'unsubscribed' | 'cleaned' | 'pending' | 'transactional' | 'archived';

export interface Member {
  id: string;
  email_address: string;
  unique_email_id: string;
  contact_id: string;
  full_name: string;
  web_id: number;
  email_type: string;
  status: Status;
  unsubscribe_reason?: string;
  merge_fields: Record<string, unknown>;
  interests: Record<string, boolean>;
  stats: { avg_open_rate: number; avg_click_rate: number };
  timestamp_signup: string;
  timestamp_opt: string;
  member_rating: number;
  last_changed: string;
  language: string;
  vip: boolean;
  location: { timezone: string; country_code: string };
  source: string;
  tags_count: number;
  tags: { id: number; name: string }[];
  list_id: string;
}

export interface MergeField {
  merge_id: number;
  tag: string;
  name: string;
  type: string;
  required: boolean;
  options: { choices?: string[]; date_format?: string };
  list_id: string;
}

export interface Webhook {
  id: string;
  url: string;
  events: Record<string, boolean>;
  sources: Record<string, boolean>;
  list_id: string;
  /** Told once, when it is made. */
  secret: string;
}

export interface MemberEvent {
  name: string;
  occurred_at: string;
  properties: Record<string, string>;
  /** The simulation's own note of when it came. */
  at: number;
}

export interface Note {
  id: number;
  note: string;
  created_at: string;
  at: number;
}

export const hashOf = (email: string): string => createHash('md5').update(email.toLowerCase()).digest('hex');

/** A moment as Mailchimp writes it. */
export const written = (at: Date): string => `${at.toISOString().slice(0, 19)}+00:00`;

let webIds = 1000;

/** What is asked of a list of members. */
export interface Wanted {
  status?: string | undefined;
  since?: string | undefined;
  before?: string | undefined;
  byChange: boolean;
}

/** One audience. Its list is as fast at the end of a hundred thousand members as at the beginning. */
export class Audience {
  readonly members = new Map<string, Member>();
  readonly tags = new Map<string, number>();
  readonly webhooks: Webhook[] = [];
  readonly events = new Map<string, MemberEvent[]>();
  readonly notes = new Map<string, Note[]>();
  /** Addresses that were deleted for ever: they cannot come back by the API. */
  readonly forgotten = new Set<string>();
  readonly mergeFields: MergeField[] = [];
  private readonly clock: Clock;
  private byChange: Member[] | undefined;
  /** What members were before changes that the index may not have seen. */
  private readonly earlier = new Map<string, Member[]>();
  readonly id: string;
  readonly name: string;
  readonly created: string;

  constructor(clock: Clock, id: string, name: string) {
    this.clock = clock;
    this.id = id;
    this.name = name;
    this.created = written(clock.now());
    for (const [tag, label, type] of [
      ['FNAME', 'First Name', 'text'],
      ['LNAME', 'Last Name', 'text'],
      ['ADDRESS', 'Address', 'address'],
      ['PHONE', 'Phone Number', 'phone'],
      ['BIRTHDAY', 'Birthday', 'birthday'],
    ] as const)
      this.addField(tag, label, type);
  }

  addField(tag: string, name = tag, type = 'text', choices?: string[]): MergeField {
    const options = choices ? { choices } : type === 'birthday' ? { date_format: 'MM/DD' } : {};
    const made = { merge_id: this.mergeFields.length + 1, tag, name, type, required: false, options, list_id: this.id };
    this.mergeFields.push(made);
    return made;
  }

  /** @param at when it was made and last changed; now when absent */
  add(email: string, fields: Record<string, unknown> = {}, status: Status = 'subscribed', at?: Date): Member {
    const time = written(at ?? this.clock.now());
    const id = hashOf(email);
    const member: Member = {
      id,
      email_address: email,
      unique_email_id: id.slice(0, 10),
      contact_id: hashOf(`contact ${this.id} ${email}`),
      full_name: `${fields.FNAME ?? ''} ${fields.LNAME ?? ''}`.trim(),
      web_id: ++webIds,
      email_type: 'html',
      status,
      merge_fields: { FNAME: '', LNAME: '', ADDRESS: '', PHONE: '', BIRTHDAY: '', ...fields },
      interests: { '9143cf3bd1': true },
      stats: { avg_open_rate: 0, avg_click_rate: 0 },
      timestamp_signup: time,
      timestamp_opt: time,
      member_rating: 2,
      last_changed: time,
      language: 'en',
      vip: false,
      location: { timezone: '', country_code: '' },
      source: 'Admin Add',
      tags_count: 0,
      tags: [],
      list_id: this.id,
    };
    this.members.set(id, member);
    this.byChange = undefined;
    return member;
  }

  /** Members are asked for by hash, address or contact id. */
  find(key: string): Member | undefined {
    const direct = this.members.get(key) ?? (key.includes('@') ? this.members.get(hashOf(key)) : undefined);
    return direct ?? [...this.members.values()].find(({ contact_id }) => contact_id === key);
  }

  /** Changes a member. @param late whether an index is late at the moment, so that what was is still shown */
  change(member: Member, changes: Partial<Member>, at?: Date, late = false): Member {
    if (late) this.earlier.set(member.id, [...(this.earlier.get(member.id) ?? []), structuredClone(member)]);
    Object.assign(member, changes, { last_changed: written(at ?? this.clock.now()) });
    const { FNAME, LNAME } = member.merge_fields;
    member.full_name = `${FNAME ?? ''} ${LNAME ?? ''}`.trim();
    member.tags_count = member.tags.length;
    this.byChange = undefined;
    return member;
  }

  /** Another address is another hash; the contact is the same. */
  readdress(member: Member, email: string): Member {
    this.members.delete(member.id);
    member.id = hashOf(email);
    member.email_address = email;
    this.members.set(member.id, member);
    return this.change(member, {});
  }

  remove(member: Member): void {
    this.members.delete(member.id);
    this.forgotten.add(member.id);
    this.byChange = undefined;
  }

  tag(member: Member, name: string, active: boolean, late = false): void {
    const key = [...this.tags.keys()].find((known) => known.toLowerCase() === name.toLowerCase()) ?? name;
    const id = this.tags.get(key) ?? this.tags.size + 1;
    this.tags.set(key, id);
    const others = member.tags.filter((tag) => tag.id !== id);
    this.change(member, { tags: active ? [...others, { id, name: key }] : others }, undefined, late);
  }

  /** @param visible changes later than this (milliseconds) are not in the index yet; undefined: all are */
  list(wanted: Wanted, visible: number | undefined): Member[] {
    this.byChange ??= [...this.members.values()].sort((a, b) =>
      a.last_changed < b.last_changed ? -1 : a.last_changed > b.last_changed ? 1 : 0,
    );
    const sorted = wanted.byChange ? this.byChange : [...this.members.values()];
    const shown = visible === undefined ? sorted : this.indexed(sorted, visible, wanted.byChange);
    const { since, before, status } = wanted;
    // Times of one form compare as texts.
    const from = since && wanted.byChange ? firstAfter(shown, since) : 0;
    const found: Member[] = [];
    for (let at = from; at < shown.length; at++) {
      const member = shown[at]!;
      if (status ? member.status !== status : member.status === 'archived') continue;
      if (since && member.last_changed <= since) continue;
      if (before && member.last_changed >= before) continue;
      found.push(member);
    }
    return found;
  }

  private indexed(members: readonly Member[], visible: number, byChange: boolean): Member[] {
    const shown = members.flatMap((member) => {
      if (Date.parse(member.last_changed) <= visible) return [member];
      const before = this.earlier.get(member.id)?.findLast((version) => Date.parse(version.last_changed) <= visible);
      return before ? [before] : [];
    });
    return byChange ? shown.sort((a, b) => (a.last_changed < b.last_changed ? -1 : 1)) : shown;
  }

  listen(url: string, events: Record<string, boolean>, sources: Record<string, boolean>): Webhook {
    const made = { id: randomBytes(5).toString('hex'), url, events, sources, list_id: this.id };
    const webhook = { ...made, secret: randomBytes(24).toString('hex') };
    this.webhooks.push(webhook);
    return webhook;
  }
}

/** Where those begin that changed after a moment. */
function firstAfter(members: readonly Member[], since: string): number {
  let [low, high] = [0, members.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (members[middle]!.last_changed > since) high = middle;
    else low = middle + 1;
  }
  return low;
}
