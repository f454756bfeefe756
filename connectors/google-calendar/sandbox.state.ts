import { randomUUID } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';
import type { Attendee, Event } from './sandbox.event.ts';
import { instancesOf } from './sandbox.series.ts';

/** An event with the number of its last change, which is what sync tokens count. */
interface Entry {
  event: Event;
  change: number;
}

export interface Channel {
  id: string;
  resourceId: string;
  calendar: string;
  address: string;
  token: string;
  endsAt: Date;
  /** Number of the last post. */
  posts: number;
}

export class NotFound extends Error {}
export class Gone extends Error {}
export class Duplicate extends Error {}

/** A calendar of the simulated account. */
export class SimulatedCalendar {
  readonly entries: Entry[] = [];
  private readonly byId = new Map<string, Entry>();
  private changes = 0;
  /** Tokens of earlier generations are no longer known. */
  generation = 1;

  readonly id: string;
  readonly owner: string;
  private readonly clock: Clock;

  constructor(id: string, owner: string, clock: Clock) {
    this.id = id;
    this.owner = owner;
    this.clock = clock;
  }

  find(id: string): Event | undefined {
    return this.byId.get(id)?.event;
  }

  private stamp(at?: Date): string {
    return (at ?? this.clock.now()).toISOString();
  }

  /** An event as somebody puts it in; ids of removed ones stay taken. @throws Duplicate */
  insert(fields: Record<string, unknown>, at?: Date): Event {
    const id = String(fields.id ?? randomUUID().replaceAll('-', ''));
    if (this.byId.has(id)) throw new Duplicate(id);
    const time = this.stamp(at);
    const event: Event = {
      kind: 'calendar#event',
      etag: '"1"',
      ...fields,
      id,
      status: String(fields.status ?? 'confirmed'),
      htmlLink: `https://www.google.com/calendar/event?eid=${id}`,
      iCalUID: `${id}@google.com`,
      created: time,
      updated: time,
      creator: { email: this.owner, self: true },
      organizer: { email: this.owner, self: true },
      sequence: 0,
      eventType: 'default',
    };
    if (Array.isArray(fields.attendees))
      event.attendees = (fields.attendees as Attendee[]).map((guest) => ({ ...guest, responseStatus: 'needsAction' }));
    const entry = { event, change: ++this.changes };
    this.entries.push(entry);
    this.byId.set(id, entry);
    for (const instance of instancesOf(event)) {
      const one = { event: instance, change: ++this.changes };
      this.entries.push(one);
      this.byId.set(instance.id, one);
    }
    return event;
  }

  /** @throws NotFound, or Gone when it was removed */
  change(id: string, fields: Record<string, unknown>, at?: Date): Event {
    const entry = this.byId.get(id);
    if (!entry) throw new NotFound(id);
    const merged = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        name,
        // Objects are merged, and null takes a member away.
        value !== null && typeof value === 'object' && !Array.isArray(value)
          ? Object.fromEntries(
              Object.entries({ ...(entry.event[name] as object), ...value }).filter(([, item]) => item !== null),
            )
          : value,
      ]),
    );
    entry.change = ++this.changes;
    entry.event = { ...entry.event, ...merged, updated: this.stamp(at), etag: `"${this.changes}"` };
    return entry.event;
  }

  remove(id: string): void {
    if (this.find(id)?.status === 'cancelled') throw new Gone(id);
    this.change(id, { status: 'cancelled' });
  }

  living(): Event[] {
    return this.entries.filter(({ event }) => event.status !== 'cancelled').map(({ event }) => event);
  }

  /** How far a listing that begins now will have told. */
  get now(): number {
    return this.changes;
  }

  /** Events as listed, dates of series one by one: all that are there, in the order they came in. */
  page(offset: number, limit: number): { events: Event[]; next: number | undefined } {
    const events: Event[] = [];
    let at = offset;
    for (; at < this.entries.length && events.length < limit; at++) {
      const { event } = this.entries[at]!;
      if (event.status !== 'cancelled' && !event.recurrence) events.push(event);
    }
    return { events, next: at < this.entries.length ? at : undefined };
  }

  /** Events changed after a number, removed ones as little more than their id. */
  changedAfter(number: number, limit: number): { events: Event[]; next: number | undefined } {
    const later = this.entries
      .filter(({ change, event }) => change > number && !event.recurrence)
      .sort((one, other) => one.change - other.change);
    const events = later
      .slice(0, limit)
      .map(({ event }) =>
        event.status === 'cancelled'
          ? { kind: 'calendar#event', id: event.id, status: 'cancelled', etag: event.etag, updated: event.updated }
          : event,
      ) as Event[];
    return { events, next: later.length > limit ? later[limit - 1]!.change : undefined };
  }
}

/** The account: its calendars and the channels that watch them. */
export class GoogleCalendarState {
  readonly user = { id: '108000000000000000001', email: 'owner@business.example', name: 'Rita Manager' };
  readonly calendars = new Map<string, SimulatedCalendar>();
  readonly channels = new Map<string, Channel>();
  /** Mails that went out to guests, as `event: address`. */
  readonly invitations: string[] = [];
  private readonly used = new Set<string>();

  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.addCalendar('primary');
  }

  addCalendar(id: string): SimulatedCalendar {
    const calendar = new SimulatedCalendar(id, id === 'primary' ? this.user.email : id, this.clock);
    this.calendars.set(id, calendar);
    return calendar;
  }

  get primary(): SimulatedCalendar {
    return this.calendars.get('primary')!;
  }

  /** @throws NotFound */
  calendar(id: string): SimulatedCalendar {
    const found = this.calendars.get(id === this.user.email ? 'primary' : id);
    if (!found) throw new NotFound(id);
    return found;
  }

  /** Sync tokens given so far are forgotten. */
  forgetTokens(): void {
    for (const calendar of this.calendars.values()) calendar.generation += 1;
  }

  /** Opens a channel. @throws Duplicate when one of this id was ever opened */
  watch(calendar: string, { id, address, token }: { id: string; address: string; token: string }): Channel {
    if (this.used.has(id)) throw new Duplicate(id);
    this.used.add(id);
    const endsAt = new Date(this.clock.now().getTime() + 7 * 86_400_000);
    const channel = { id, resourceId: `resource-of-${calendar}`, calendar, address, token, endsAt, posts: 1 };
    this.channels.set(id, channel);
    return channel;
  }

  stop(id: string, resourceId: string): void {
    if (this.channels.get(id)?.resourceId !== resourceId) throw new NotFound(id);
    this.channels.delete(id);
  }

  /** Channels that are open now. */
  open(calendar?: string): Channel[] {
    const now = this.clock.now();
    return [...this.channels.values()].filter(
      (channel) => channel.endsAt > now && (calendar === undefined || channel.calendar === calendar),
    );
  }
}
