import type { Clock } from '../../src/kit/index.ts';
import { Audience, type Member, written } from './sandbox.audience.ts';

export interface Activity {
  action: 'open' | 'click' | 'bounce';
  timestamp: string;
  type?: 'hard' | 'soft';
  url?: string;
  ip?: string;
}

export interface Campaign {
  id: string;
  campaign_title: string;
  subject_line: string;
  list_id: string;
  send_time: string;
  emails: Map<string, { email_id: string; email_address: string; activity: Activity[] }>;
}

/** Something that was started for somebody. */
export interface Start {
  what: string;
  email: string;
}

export const LIST = 'a6b5da1054';

/** What the simulated Mailchimp account holds. */
export class MailchimpState {
  /** Milliseconds for which lists do not show a change. */
  lateIndexMs = 0;
  readonly audiences: Audience[] = [];
  readonly campaigns: Campaign[] = [];
  readonly started: Start[] = [];
  /** Every tag call, oldest first, with whether it kept automations quiet. */
  readonly tagged: { tag: string; member: string; active: boolean; quiet: boolean }[] = [];
  /** Steps that run; another one answers that there is nothing to start. */
  readonly steps = new Set(['12/34']);
  private readonly clock: Clock;
  private lastNote = 0;

  constructor(clock: Clock) {
    this.clock = clock;
    this.addAudience(LIST, 'Customers');
  }

  addAudience(id: string, name: string): Audience {
    const made = new Audience(this.clock, id, name);
    this.audiences.push(made);
    return made;
  }

  get audience(): Audience {
    return this.audiences[0]!;
  }

  /** Moment up to which an index knows everything; undefined: it is not late. */
  get visible(): number | undefined {
    return this.lateIndexMs > 0 ? this.clock.now().getTime() - this.lateIndexMs : undefined;
  }

  send(title: string, to: readonly Member[], at: Date = this.clock.now(), list = LIST): Campaign {
    const made: Campaign = {
      id: `c${String(this.campaigns.length + 1).padStart(9, '0')}`,
      campaign_title: title,
      subject_line: `About ${title}`,
      list_id: list,
      send_time: written(at),
      emails: new Map(
        to.map(({ id, email_address }) => [id, { email_id: id, email_address, activity: [] as Activity[] }]),
      ),
    };
    this.campaigns.push(made);
    return made;
  }

  /** The account's time, in milliseconds. */
  now(): number {
    return this.clock.now().getTime();
  }

  addNote(audience: Audience, { id: email_id }: Pick<Member, 'id'>, note: string): object {
    const now = this.clock.now();
    const made = { id: ++this.lastNote, note, created_at: written(now), at: now.getTime() };
    audience.notes.set(email_id, [...(audience.notes.get(email_id) ?? []), made]);
    return { id: made.id, note, created_at: made.created_at, created_by: 'Rapport', list_id: audience.id, email_id };
  }

  /** Somebody opens, clicks, or cannot be reached. */
  act(
    campaign: Campaign,
    member: Pick<Member, 'id'>,
    activity: Omit<Activity, 'timestamp'>,
    at = this.clock.now(),
  ): void {
    campaign.emails.get(member.id)!.activity.push({ ...activity, timestamp: written(at) });
  }

  report(): Record<string, number> {
    const members = this.audiences.flatMap((audience) => [...audience.members.values()]);
    const count = (...statuses: string[]): number => members.filter(({ status }) => statuses.includes(status)).length;
    return {
      subscribed: count('subscribed'),
      unsubscribed: count('unsubscribed'),
      cleaned: count('cleaned'),
      archived: count('archived'),
      campaigns: this.campaigns.length,
      journeys_started: this.started.length,
      events: this.audiences.reduce((sum, { events }) => sum + [...events.values()].flat().length, 0),
    };
  }
}
