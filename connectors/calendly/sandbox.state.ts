import { createHash } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';

/** The vendor's own addresses: they name resources, wherever the calls go. */
const API = 'https://api.calendly.com';

export type Invitee = Record<string, unknown> & { uri: string; event: string; name: string; status: string };
export type Booked = Record<string, unknown> & { uri: string; status: string; start_time: string };

export interface Subscription {
  uri: string;
  callback_url: string;
  state: 'active' | 'disabled';
  events: string[];
  scope: string;
  organization: string;
  user: string | null;
}

const tail = (uri: string): string => uri.split('/').at(-1)!;

/** One organisation: its members, event types, bookings, links and webhooks. */
export class Organisation {
  readonly clock: Clock;
  readonly uri = `${API}/organizations/AAORG00000000001`;
  readonly members: Record<string, unknown>[] = [];
  readonly eventTypes: Record<string, unknown>[] = [];
  readonly events = new Map<string, Booked>();
  readonly invitees = new Map<string, Invitee>();
  readonly links: string[] = [];
  readonly subscriptions = new Map<string, Subscription>();
  #made = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.addMember('Owen Owner', 'owner');
    this.eventTypes.push(this.#eventType('Maintenance visit'));
  }

  now(): string {
    return this.clock.now().toISOString().replace('Z', '000Z');
  }

  id(): string {
    return createHash('sha256')
      .update(`calendly${++this.#made}`)
      .digest('hex')
      .slice(0, 32);
  }

  /** The person who connects. */
  get me(): Record<string, unknown> {
    return (this.members[0]!.user as Record<string, unknown>) ?? {};
  }

  addMember(name: string, role = 'user'): string {
    const id = this.id();
    const slug = name.toLowerCase().replaceAll(' ', '-');
    const times = { created_at: this.now(), updated_at: this.now() };
    const user = {
      ...{ uri: `${API}/users/${id}`, name, slug, email: `${slug}@business.example`, timezone: 'America/New_York' },
      ...{ scheduling_url: `https://calendly.com/${slug}`, avatar_url: null, ...times },
    };
    this.members.push({
      ...{ uri: `${API}/organization_memberships/${this.id()}`, role, user, organization: this.uri, ...times },
    });
    return id;
  }

  #eventType(name: string): Record<string, unknown> {
    const slug = name.toLowerCase().replaceAll(' ', '-');
    return {
      ...{ uri: `${API}/event_types/${this.id()}`, name, active: true, booking_method: 'instant', slug },
      ...{ scheduling_url: `https://calendly.com/owen-owner/${slug}`, duration: 30, kind: 'solo', pooling_type: null },
      ...{ type: 'StandardEventType', color: '#fff200', created_at: this.now(), updated_at: this.now() },
      ...{ internal_note: null, description_plain: null, description_html: null, secret: false, deleted_at: null },
      ...{ kind_description: 'One-on-One', admin_managed: false, custom_questions: [] },
      profile: { type: 'User', name: 'Owen Owner', owner: this.me.uri },
    };
  }

  /** Somebody books. @param given of the invitee @param startsAt ISO 8601 */
  book(given: Record<string, unknown>, startsAt: Date, at = this.now()): Invitee {
    const id = this.id();
    const times = { created_at: at, updated_at: at };
    const event: Booked = {
      ...{ uri: `${API}/scheduled_events/${id}`, name: 'Maintenance visit', status: 'active' },
      start_time: startsAt.toISOString().replace('Z', '000Z'),
      end_time: new Date(startsAt.getTime() + 1_800_000).toISOString().replace('Z', '000Z'),
      ...{ event_type: this.eventTypes[0]!.uri, location: { type: 'physical', location: "At the customer's" } },
      ...{ invitees_counter: { total: 1, active: 1, limit: 1 }, ...times, event_guests: [], calendar_event: null },
      event_memberships: [{ user: this.me.uri }],
    };
    this.events.set(id, event);
    return this.invite(event, given, at);
  }

  /** Somebody joins an event. */
  invite(event: Booked, given: Record<string, unknown>, at = this.now()): Invitee {
    const id = this.id();
    const none = { utm_campaign: null, utm_source: null, utm_medium: null, utm_content: null, utm_term: null };
    const invitee: Invitee = {
      ...{ uri: `${event.uri}/invitees/${id}`, event: event.uri, status: 'active', name: `Invitee ${id.slice(0, 6)}` },
      ...{
        email: `invitee-${id.slice(0, 8)}@example.com`,
        first_name: null,
        last_name: null,
        timezone: 'America/New_York',
      },
      ...{ questions_and_answers: [], text_reminder_number: null, created_at: at, updated_at: at },
      ...{ rescheduled: false, old_invitee: null, new_invitee: null, routing_form_submission: null, payment: null },
      ...{ cancel_url: `https://calendly.com/cancellations/${id}`, no_show: null, reconfirmation: null },
      ...{ reschedule_url: `https://calendly.com/reschedulings/${id}`, ...given },
      tracking: { ...none, salesforce_uuid: null, ...(given.tracking as object | undefined) },
    };
    this.invitees.set(`${tail(event.uri)}/${id}`, invitee);
    return invitee;
  }

  eventOf = (invitee: Invitee): Booked => this.events.get(tail(invitee.event))!;

  /** `<event>/<invitee>` */
  keyOf = (invitee: Invitee): string => `${tail(invitee.event)}/${tail(invitee.uri)}`;

  touch(invitee: Invitee, change: Record<string, unknown>, at = this.now()): Invitee {
    return Object.assign(invitee, change, { updated_at: at });
  }

  cancel(invitee: Invitee, by: 'host' | 'invitee'): void {
    const cancellation = { canceled_by: String(invitee.name), reason: null, canceler_type: by };
    this.touch(invitee, { status: 'canceled', cancellation });
    const event = this.eventOf(invitee);
    const others = [...this.invitees.values()].filter((one) => one.event === event.uri && one.status === 'active');
    if (others.length === 0) Object.assign(event, { status: 'canceled', cancellation, updated_at: this.now() });
  }

  /** The booking goes on as a new one at another time. */
  move(invitee: Invitee, startsAt: Date): Invitee {
    const { name, email, tracking, text_reminder_number } = invitee;
    const next = this.book({ name, email, tracking, text_reminder_number, old_invitee: invitee.uri }, startsAt);
    this.cancel(invitee, 'invitee');
    this.touch(invitee, { rescheduled: true, new_invitee: next.uri });
    return next;
  }
}
