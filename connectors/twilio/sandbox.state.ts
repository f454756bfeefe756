import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';

/** A message as the vendor's API shows it. */
export interface TwilioMessage {
  sid: string;
  account_sid: string;
  api_version: string;
  messaging_service_sid: string | null;
  from: string | null;
  to: string;
  body: string;
  num_segments: string;
  num_media: string;
  direction: 'inbound' | 'outbound-api' | 'outbound-reply';
  status: string;
  error_code: number | null;
  error_message: string | null;
  price: string | null;
  price_unit: string;
  date_created: string;
  date_sent: string | null;
  date_updated: string;
  uri: string;
  subresource_uris: Record<string, string>;
}

/** A refusal in the vendor's words. */
export interface Refusal {
  code: number;
  message: string;
}

export const newSid = (prefix: string): string => `${prefix}${randomBytes(16).toString('hex')}`;

/** A moment as the 2010 API writes it: RFC 2822 in GMT, whole seconds. */
export const rfc2822 = (at: Date): string => at.toUTCString().replace('GMT', '+0000');

const BLOCKING = new Set(['STOP', 'UNSUBSCRIBE', 'END', 'QUIT', 'STOPALL', 'REVOKE', 'OPTOUT', 'CANCEL']);
const UNBLOCKING = new Set(['START', 'UNSTOP']);
const DAY_MS = 86_400_000;

/** What the simulated Twilio account holds. */
export class TwilioState {
  readonly accountSid: string;
  accountStatus: 'active' | 'suspended' | 'closed' = 'active';
  /** Milliseconds for which the list does not show a new message yet. */
  lateIndexMs = 0;
  /** Newest first, as the vendor lists them. */
  readonly messages: TwilioMessage[] = [];
  readonly optedOut = new Set<string>();
  readonly senders: readonly string[] = ['+15005550006', '+15005550009'];
  readonly templates = new Map<string, string>();
  readonly service = { sid: newSid('MG'), inbound_request_url: null as string | null, numbers: 1 };
  readonly number = { sid: newSid('PN'), phone_number: '+15005550006', sms_url: '' };
  /** Where callbacks about a message go, by its sid. */
  readonly callbacks = new Map<string, string>();
  private readonly clock: Clock;
  private readonly templated = new Set<string>();
  private readonly lastHeard = new Map<string, number>();

  constructor(clock: Clock, accountSid: string) {
    this.clock = clock;
    this.accountSid = accountSid;
  }

  find(sid: string): TwilioMessage | undefined {
    return this.messages.find((message) => message.sid === sid);
  }

  /** Why a message cannot be taken, or undefined. */
  refusal(form: Record<string, string | undefined>): Refusal | undefined {
    const { To: to = '', From: from, MessagingServiceSid: service, Body: body, ContentSid: content } = form;
    if (!/^(whatsapp:)?\+[1-9]\d{5,14}$/.test(to)) {
      return { code: 21211, message: `The 'To' number ${to} is not a valid phone number.` };
    }
    if (!body && !content) return { code: 21602, message: 'Message body is required.' };
    if ((body ?? '').length > 1600) {
      return { code: 21617, message: 'The concatenated message body exceeds the 1600 character limit.' };
    }
    if (service ? service !== this.service.sid : !this.senders.includes((from ?? '').replace('whatsapp:', ''))) {
      return {
        code: 21606,
        message: `The 'From' phone number provided (${from}) is not a valid message-capable number.`,
      };
    }
    if (service && this.service.numbers === 0) {
      return { code: 21704, message: 'The Messaging Service contains no phone numbers.' };
    }
    if (this.optedOut.has(to)) return { code: 21610, message: 'Attempt to send to unsubscribed recipient' };
    return undefined;
  }

  /** Takes a message the account sends; it waits to be delivered or to fail. */
  send(form: Record<string, string | undefined>): TwilioMessage {
    const service = form.MessagingServiceSid ?? null;
    const message = this.add({
      from: form.From ?? null,
      to: form.To ?? '',
      body: form.Body ?? this.rendered(form.ContentSid ?? '', form.ContentVariables),
      direction: 'outbound-api',
      status: service ? 'accepted' : 'queued',
      messaging_service_sid: service,
    });
    if (form.ContentSid) this.templated.add(message.sid);
    if (form.StatusCallback) this.callbacks.set(message.sid, form.StatusCallback);
    return message;
  }

  private rendered(template: string, variables = '{}'): string {
    const values = JSON.parse(variables) as Record<string, string>;
    return (this.templates.get(template) ?? '').replace(/\{\{(\w+)\}\}/g, (_all, name: string) => values[name] ?? '');
  }

  /**
   * Takes a message a person sends. To a text message with nothing but STOP or START Twilio reacts and replies itself;
   * on WhatsApp it does not.
   */
  receive(from: string, to: string, body: string): TwilioMessage {
    this.lastHeard.set(from, this.clock.now().getTime());
    const message = this.add({ from, to, body, direction: 'inbound', status: 'received', sent: true });
    const word = body.trim().toUpperCase();
    if (from.startsWith('whatsapp:') || (!BLOCKING.has(word) && !UNBLOCKING.has(word))) return message;
    if (BLOCKING.has(word)) this.optedOut.add(from);
    else this.optedOut.delete(from);
    const answer = BLOCKING.has(word) ? 'You have successfully been unsubscribed.' : 'You have been re-subscribed.';
    this.add({ from: to, to: from, body: answer, direction: 'outbound-reply', status: 'delivered', sent: true });
    return message;
  }

  /** Whether WhatsApp lets free text through: the person wrote within 24 hours. */
  isWindowOpen(message: TwilioMessage): boolean {
    const heard = this.lastHeard.get(message.to) ?? 0;
    if (!message.to.startsWith('whatsapp:') || this.templated.has(message.sid)) return true;
    return this.clock.now().getTime() - heard < DAY_MS;
  }

  /** Moves a message on; the first state beyond the queue sets its time of sending. */
  advance(message: TwilioMessage, status: string, error?: Refusal): void {
    const now = rfc2822(this.clock.now());
    message.status = status;
    message.date_updated = now;
    message.date_sent ??= now;
    message.from ??= message.to.startsWith('whatsapp:') ? `whatsapp:${this.senders[1]}` : this.number.phone_number;
    message.price = '-0.00790';
    message.error_code = error?.code ?? null;
    message.error_message = error?.message ?? null;
  }

  private add(
    made: Pick<TwilioMessage, 'from' | 'to' | 'body' | 'direction' | 'status'> & {
      messaging_service_sid?: string | null;
      sent?: boolean;
    },
  ): TwilioMessage {
    const { sent, ...rest } = made;
    const sid = newSid('SM');
    const now = rfc2822(this.clock.now());
    const uri = `/2010-04-01/Accounts/${this.accountSid}/Messages/${sid}`;
    const message: TwilioMessage = {
      sid,
      account_sid: this.accountSid,
      api_version: '2010-04-01',
      messaging_service_sid: null,
      num_segments: String(Math.max(1, Math.ceil(rest.body.length / 153))),
      num_media: '0',
      error_code: null,
      error_message: null,
      price: null,
      price_unit: 'USD',
      date_created: now,
      date_sent: sent ? now : null,
      date_updated: now,
      uri: `${uri}.json`,
      subresource_uris: { media: `${uri}/Media.json`, feedback: `${uri}/Feedback.json` },
      ...rest,
    };
    this.messages.unshift(message);
    return message;
  }

  /** One page of the list, by the vendor's filters; the token names the last message of the page before. */
  page(query: Record<string, string | undefined>): { messages: TwilioMessage[]; next: string | undefined } {
    const size = Math.min(1000, Number(query.PageSize ?? 50));
    const since = query['DateSent>'] === undefined ? undefined : Date.parse(query['DateSent>']);
    const visible = this.clock.now().getTime() - this.lateIndexMs;
    const found = this.messages.filter(
      (message) =>
        (this.lateIndexMs === 0 || Date.parse(message.date_created) <= visible) &&
        (query.To === undefined || message.to === query.To) &&
        (query.From === undefined || message.from === query.From) &&
        // A filter by time of sending leaves out what was not sent yet.
        (since === undefined || (message.date_sent !== null && Date.parse(message.date_sent) >= since)),
    );
    const after = query.PageToken ? found.findIndex((message) => `PA${message.sid}` === query.PageToken) + 1 : 0;
    const messages = found.slice(after, after + size);
    return { messages, next: after + size < found.length ? `PA${messages.at(-1)?.sid}` : undefined };
  }

  report(): Record<string, number> {
    const count = (test: (message: TwilioMessage) => boolean): number => this.messages.filter(test).length;
    const out = (message: TwilioMessage): boolean => message.direction === 'outbound-api';
    return {
      messages_in: count((message) => message.direction === 'inbound'),
      sms_out: count((message) => out(message) && !message.to.startsWith('whatsapp:')),
      whatsapp_out: count((message) => out(message) && message.to.startsWith('whatsapp:')),
      delivered: count((message) => out(message) && ['delivered', 'read'].includes(message.status)),
      failed: count((message) => out(message) && ['failed', 'undelivered'].includes(message.status)),
      opted_out: this.optedOut.size,
    };
  }
}
