import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { Clock, SignedPost } from '../../src/kit/index.ts';

/** A line of one of the lists of addresses SendGrid does not send to. */
export interface Entry {
  created: number;
  email: string;
  reason?: string;
  status?: string;
  ip?: string;
}

export type ListName = 'unsubscribes' | 'spam_reports' | 'bounces';

interface Mail {
  id: string;
  to: string;
  subject: string;
  template: string | undefined;
  args: Record<string, string>;
}

export interface Contact {
  id: string;
  email: string;
  lists: Set<string>;
  fields: Record<string, unknown>;
}

export interface Receiver {
  id: string;
  url: string;
  enabled: boolean;
  [event: string]: unknown;
}

/** A list that shows late what came onto it, where it is told to. */
class Suppressions {
  private readonly entries = new Map<string, { now: Entry; before: Entry | undefined }>();

  put(entry: Entry, keep: boolean): void {
    const known = this.entries.get(entry.email);
    this.entries.set(entry.email, { now: entry, before: keep ? known?.now : undefined });
  }

  remove(email: string): void {
    this.entries.delete(email);
  }

  has(email: string): boolean {
    return this.entries.has(email);
  }

  all(): Entry[] {
    return [...this.entries.values()].map(({ now }) => now);
  }

  /** @param visible Unix seconds later than which nothing is shown; undefined: everything is */
  shown(visible: number | undefined): Entry[] {
    const entries = [...this.entries.values()].flatMap(({ now, before }) => {
      if (visible === undefined || now.created <= visible) return [now];
      return before ? [before] : [];
    });
    return entries.sort((a, b) => a.created - b.created);
  }
}

/** What an account keeps. */
export class SendGridState {
  readonly lists: Record<ListName, Suppressions> = {
    unsubscribes: new Suppressions(),
    spam_reports: new Suppressions(),
    bounces: new Suppressions(),
  };
  readonly groups = new Map<number, Set<string>>([[17, new Set()]]);
  readonly mails: Mail[] = [];
  readonly contacts = new Map<string, Contact>();
  readonly marketingLists = [{ id: 'ca1b2c3d-0000-4000-8000-000000000001', name: 'Newsletter' }];
  readonly fields = [{ id: 'e1_N', name: 'score', field_type: 'Number' }];
  readonly singleSends = new Map<string, { id: string; name: string; status: string; scheduled: number }>();
  readonly receivers: Receiver[] = [];
  /** How many addresses events may be posted to. */
  maxReceivers = 5;
  lateIndexMs = 0;
  readonly verified = 'office@business.example';
  private readonly keys = new Map<string, { privateKey: KeyObject; publicKey: string }>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  now(): Date {
    return this.clock.now();
  }

  /** @param at when it came onto the list; absent: now */
  suppress(list: ListName, email: string, more: Partial<Entry> = {}, at?: Date): Entry {
    const entry = { created: Math.floor((at ?? this.now()).getTime() / 1000), email, ...more };
    this.lists[list].put(entry, this.lateIndexMs > 0);
    return entry;
  }

  contact(email: string): Contact {
    const known = this.contacts.get(email) ?? { id: randomUUID(), email, lists: new Set<string>(), fields: {} };
    this.contacts.set(email, known);
    return known;
  }

  addSingleSend(name: string): string {
    const id = randomUUID();
    this.singleSends.set(id, { id, name, status: 'draft', scheduled: 0 });
    return id;
  }

  /** Switches signing on. @returns the public key as the vendor tells it */
  signingKey(id: string): string {
    const known = this.keys.get(id);
    if (known) return known.publicKey;
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const publicKey = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    this.keys.set(id, { privateKey: pair.privateKey, publicKey });
    return publicKey;
  }

  /** A post to a receiver, signed as its own key does: timestamp and bytes, the final line break included. */
  post(url: string, events: readonly object[]): SignedPost {
    const body = `${JSON.stringify(events)}\r\n`;
    const timestamp = String(Math.floor(this.now().getTime() / 1000));
    const receiver = this.receivers.find((one) => one.url === url);
    const key =
      this.keys.get(receiver?.id ?? '')?.privateKey ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    return {
      ...{ url, body },
      headers: {
        'content-type': 'application/json;charset=utf-8',
        'x-twilio-email-event-webhook-signature': sign('sha256', Buffer.from(timestamp + body), key).toString('base64'),
        'x-twilio-email-event-webhook-timestamp': timestamp,
      },
    };
  }

  /** An event about a mail, as posts have it. */
  event(what: string, mail: Pick<Mail, 'id' | 'to' | 'args'>, more: object = {}): object {
    return {
      ...{ email: mail.to, timestamp: Math.floor(this.now().getTime() / 1000), event: what },
      ...{ sg_event_id: randomUUID(), sg_message_id: `${mail.id}.recvd-5d9c4b7f6-x2x9z-1`, ...mail.args, ...more },
    };
  }

  report(): Record<string, number> {
    return {
      mails_taken: this.mails.length,
      contacts: this.contacts.size,
      unsubscribes: this.lists.unsubscribes.all().length,
      bounces: this.lists.bounces.all().length,
      receivers_of_events: this.receivers.length,
    };
  }
}
