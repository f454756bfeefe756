import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';
import { bounceMail, headerIn, type Part, plainMail, takeApart } from './sandbox.mail.ts';

export interface Message {
  id: string;
  threadId: string;
  labelIds: string[];
  historyId: string;
  internalDate: string;
  payload: Part;
  raw: string;
}

interface HistoryRecord {
  id: number;
  what: 'messagesAdded' | 'labelsAdded';
  message: Message;
  labels: string[];
}

export interface SendAs {
  sendAsEmail: string;
  displayName: string;
  isPrimary?: boolean;
  isDefault?: boolean;
  verificationStatus?: string;
}

export class NotFound extends Error {}
export class Refused extends Error {}

const header = (message: Message, name: string): string => headerIn(message.payload.headers, name) ?? '';

const addressIn = (value: string): string => (/<([^<>]+)>/.exec(value)?.[1] ?? value).trim().toLowerCase();

/** The mailbox of the simulated account, with the history of what came in. */
export class Mailbox {
  readonly user = { id: '109000000000000000009', email: 'office@business.example', name: 'The Office' };
  readonly messages: Message[] = [];
  readonly sendAs: SendAs[] = [
    { sendAsEmail: 'office@business.example', displayName: 'The Office', isPrimary: true, isDefault: true },
    { sendAsEmail: 'service@business.example', displayName: 'Service', verificationStatus: 'accepted' },
    { sendAsEmail: 'new@business.example', displayName: 'New', verificationStatus: 'pending' },
  ];
  watch: { topicName: string; endsAt: Date } | undefined;
  lateIndexMs = 0;
  /** Gmail gives sent mail a Message-ID of its own. */
  rewritesIds = false;
  private readonly history: HistoryRecord[] = [];
  private readonly byId = new Map<string, Message>();
  private last = 1000;
  /** History before this is forgotten. */
  private oldest = 1000;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get historyId(): string {
    return String(this.last);
  }

  find(id: string): Message | undefined {
    return this.byId.get(id);
  }

  private add(raw: string, labelIds: string[], threadId?: string, at?: Date): Message {
    const id = randomBytes(8).toString('hex');
    this.last += 3;
    const message: Message = {
      id,
      threadId: threadId ?? id,
      labelIds,
      historyId: String(this.last),
      internalDate: String((at ?? this.clock.now()).getTime()),
      payload: takeApart(raw),
      raw,
    };
    this.messages.push(message);
    this.byId.set(id, message);
    this.history.push({ id: this.last, what: 'messagesAdded', message, labels: [] });
    return message;
  }

  /** Tells of new mail from now on. @returns when that ends */
  watchFor(topicName: string): Date {
    const endsAt = new Date(this.clock.now().getTime() + 7 * 86_400_000);
    this.watch = { topicName, endsAt };
    return endsAt;
  }

  /** Takes a mail to send. @throws Refused */
  send(raw: string, threadId?: string): Message {
    const { headers } = takeApart(raw);
    const to = headerIn(headers, 'To');
    if (!to) throw new Refused('Recipient address required');
    if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(addressIn(to))) throw new Refused('Invalid To header');
    const alias = this.sendAs.find(({ sendAsEmail }) => sendAsEmail === addressIn(headerIn(headers, 'From') ?? ''));
    const known = alias?.isPrimary || alias?.verificationStatus === 'accepted';
    const from = known ? raw : raw.replace(/^From: .*$/m, `From: ${this.user.email}\r`);
    const own = this.rewritesIds
      ? from.replace(/^Message-ID: .*$/m, `Message-ID: <CA${randomBytes(6).toString('hex')}@mail.gmail.com>\r`)
      : from;
    const joins = threadId !== undefined && this.messages.some((message) => message.threadId === threadId);
    return this.add(own, ['SENT'], joins && headerIn(headers, 'In-Reply-To') ? threadId : undefined);
  }

  /** Somebody answers a mail. @param answered its Message-ID */
  receive(
    from: string,
    subject: string,
    text: string,
    answered?: string,
    more: Record<string, string> = {},
    at?: Date,
  ): Message {
    const thread = this.messages.find(
      (message) => answered !== undefined && header(message, 'Message-ID') === answered,
    );
    const raw = plainMail(
      {
        From: from,
        To: this.user.email,
        Subject: subject,
        'Message-ID': `<${randomBytes(8).toString('hex')}@mail.example>`,
        ...(answered ? { 'In-Reply-To': answered, References: answered } : {}),
        ...more,
      },
      text,
    );
    return this.add(raw, ['INBOX', 'UNREAD'], thread?.threadId, at);
  }

  /** A mail that was sent comes back. */
  bounce(id: string, status: string, reason: string): Message {
    const sent = this.find(id)!;
    const of = { to: addressIn(header(sent, 'To')), from: this.user.email, raw: sent.raw };
    return this.add(bounceMail(of, status, reason), ['INBOX', 'UNREAD'], sent.threadId);
  }

  label(id: string, label: string): void {
    const message = this.find(id)!;
    message.labelIds = [...message.labelIds, label];
    this.last += 2;
    message.historyId = String(this.last);
    this.history.push({ id: this.last, what: 'labelsAdded', message, labels: [label] });
  }

  /** What happened so far is forgotten. */
  forgetHistory(): void {
    this.oldest = this.last + 1;
    this.last += 2;
  }

  /** @throws NotFound when it begins before what is known */
  since(start: number, offset: number, limit: number): { records: HistoryRecord[]; next: number | undefined } {
    if (start < this.oldest) throw new NotFound(String(start));
    const all = this.history.filter(({ id, message }) => id > start && message.labelIds.includes('INBOX'));
    return {
      records: all.slice(offset, offset + limit),
      next: all.length > offset + limit ? offset + limit : undefined,
    };
  }

  /** Messages found by Gmail's search, newest first. What is sent shows there after a while. */
  search(q: string, labels: readonly string[]): Message[] {
    const words = q.split(' ').filter(Boolean);
    const visible = this.clock.now().getTime() - this.lateIndexMs;
    const holds = (message: Message, word: string): boolean => {
      const [name, ...rest] = word.split(':');
      const value = rest.join(':');
      const isShown = Number(message.internalDate) <= visible;
      switch (name) {
        case 'after':
          return Number(message.internalDate) >= Number(value) * 1000;
        case 'in':
          return isShown && message.labelIds.includes(value.toUpperCase());
        case 'to':
          return addressIn(header(message, 'To')) === value.toLowerCase();
        case 'rfc822msgid':
          return isShown && header(message, 'Message-ID') === value;
        default:
          throw new Refused(`The simulation does not search for ${word}.`);
      }
    };
    return this.messages
      .filter((message) => labels.every((label) => message.labelIds.includes(label)))
      .filter((message) => words.every((word) => holds(message, word)))
      .reverse();
  }
}
