import type { Clock } from '../src/kit/index.ts';
import { seededRandom } from '../src/kit/sandbox/index.ts';
import { type SampleCustomer, staffEmail } from './business.ts';
import type { Call } from './owner.ts';
import type { Vendors } from './vendors.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** How somebody who owes money behaves. */
type Manner = 'pays' | 'pays_late' | 'pays_part' | 'answers' | 'stops' | 'promises' | 'breaks' | 'disputes' | 'silent';

const MANNERS: readonly [Manner, number][] = [
  ['pays', 0.26],
  ['pays_late', 0.16],
  ['pays_part', 0.06],
  ['answers', 0.07],
  ['stops', 0.06],
  ['promises', 0.05],
  ['breaks', 0.03],
  ['disputes', 0.04],
  ['silent', 1],
];

/** What people do at a moment of simulated time. */
interface Deed {
  at: number;
  act: () => Promise<void>;
}

/** Counts of what the people of the demo did. */
export type Deeds = Record<string, number>;

/**
 * Plays everybody around the business: customers who get mails and texts and pay, answer, opt out, promise or dispute,
 * and staff who press the button under a chat message, or do not.
 */
export class People {
  readonly deeds: Deeds = {};
  private readonly agenda: Deed[] = [];
  private readonly random = seededRandom(11);
  private readonly byAddress = new Map<string, SampleCustomer>();
  private readonly manners = new Map<SampleCustomer, Manner>();
  private readonly heard = new Map<SampleCustomer, number>();
  private readonly seen = { mails: 0, texts: 0, chats: 0 };
  private readonly vendors: Vendors;
  private readonly clock: Clock;
  private readonly call: Call;

  constructor(vendors: Vendors, clock: Clock, call: Call, customers: readonly SampleCustomer[]) {
    this.vendors = vendors;
    this.clock = clock;
    this.call = call;
    for (const customer of customers)
      for (const address of [customer.email, customer.phone]) this.byAddress.set(address, customer);
  }

  /** When somebody does something next. */
  next(): Date | undefined {
    const first = Math.min(...this.agenda.map((deed) => deed.at));
    return Number.isFinite(first) ? new Date(first) : undefined;
  }

  /** Does what is due, in order. */
  async act(): Promise<void> {
    const now = this.clock.now().getTime();
    const due = this.agenda.filter((deed) => deed.at <= now).sort((a, b) => a.at - b.at);
    for (const deed of due) {
      this.agenda.splice(this.agenda.indexOf(deed), 1);
      await deed.act();
    }
  }

  /** Looks at what arrived and decides what to do about it. */
  async look(): Promise<void> {
    const { smtp, twilio } = this.vendors;
    const mails = smtp.mails();
    for (const mail of mails.slice(this.seen.mails)) this.reached(mail.envelope.to[0] ?? '', 'email');
    this.seen.mails = mails.length;
    const texts = twilio.state.messages.filter((message) => message.direction === 'outbound-api').reverse();
    for (const text of texts.slice(this.seen.texts)) {
      await twilio.deliver(text.sid);
      this.reached(text.to, 'sms');
    }
    this.seen.texts = texts.length;
    this.lookAtChat();
  }

  private later(milliseconds: number, what: string, act: () => Promise<void>): void {
    this.agenda.push({
      at: this.clock.now().getTime() + milliseconds,
      act: async () => {
        this.deeds[what] = (this.deeds[what] ?? 0) + 1;
        await act();
      },
    });
  }

  private mannerOf(customer: SampleCustomer): Manner {
    const known = this.manners.get(customer);
    if (known) return known;
    let left = this.random();
    const manner = MANNERS.find(([, share]) => {
      left -= share;
      return left < 0;
    })![0];
    this.manners.set(customer, manner);
    return manner;
  }

  /** A message arrived. What happens depends on the person, and on how often they were written to. */
  private reached(address: string, channel: 'email' | 'sms'): void {
    const customer = this.byAddress.get(address);
    if (!customer) return;
    const times = (this.heard.get(customer) ?? 0) + 1;
    this.heard.set(customer, times);
    const delay = (0.3 + this.random() * 3) * DAY;
    switch (this.mannerOf(customer)) {
      case 'pays':
        if (times === 1) this.later(delay, 'customers paid everything', () => this.pay(customer, 1));
        return;
      case 'pays_late':
        if (times === 2) this.later(delay, 'customers paid everything', () => this.pay(customer, 1));
        return;
      case 'pays_part':
        if (times === 1) this.later(delay, 'customers paid a part', () => this.pay(customer, 0.4));
        if (times === 3) this.later(delay, 'customers paid everything', () => this.pay(customer, 1));
        return;
      case 'answers':
        if (channel === 'sms')
          this.later(HOUR, 'customers answered', () => this.text(customer, 'We pay on Friday, sorry.'));
        return;
      case 'stops':
        if (channel === 'sms') this.later(60_000, 'customers sent STOP', () => this.text(customer, 'STOP'));
        return;
      case 'promises':
      case 'breaks':
        if (times === 1) this.later(delay, 'promises to pay', () => this.promise(customer));
        return;
      case 'disputes':
        if (times === 1) this.later(delay, 'disputes', () => this.dispute(customer));
        return;
      case 'silent':
        return;
    }
  }

  /** Pays a share of each open invoice, in the bookkeeping program, which tells the hub by webhook. */
  private async pay(customer: SampleCustomer, share: number): Promise<void> {
    const { quickbooks } = this.vendors;
    const numbers = new Set(customer.invoices.map((invoice) => invoice.number));
    const today = this.clock.now().toISOString().slice(0, 10);
    const open = quickbooks.state
      .all('Invoice')
      .filter((invoice) => numbers.has(String(invoice.DocNumber)) && Number(invoice.Balance) > 0)
      .filter((invoice) => String(invoice.DueDate) < today);
    for (const invoice of open)
      await quickbooks.pay(invoice.Id, Math.round(Number(invoice.Balance) * share * 100) / 100);
  }

  private async text(customer: SampleCustomer, words: string): Promise<void> {
    await this.vendors.twilio.reply(customer.phone, words);
  }

  private async idOf(customer: SampleCustomer): Promise<string> {
    const { items } = await this.call('GET', `/v1/customers?search=${encodeURIComponent(customer.email)}`);
    if (!items[0]) throw new Error(`The hub does not know ${customer.email}.`);
    return items[0].id;
  }

  /** The customer phones: whoever takes the call writes the promise down. */
  private async promise(customer: SampleCustomer): Promise<void> {
    const promisedOn = new Date(this.clock.now().getTime() + 5 * DAY).toISOString().slice(0, 10);
    await this.call('POST', `/v1/customers/${await this.idOf(customer)}/promises`, { promisedOn, note: 'By phone' });
    if (this.mannerOf(customer) === 'promises') this.later(4 * DAY, 'promises kept', () => this.pay(customer, 1));
  }

  private async dispute(customer: SampleCustomer): Promise<void> {
    const id = await this.idOf(customer);
    const hold = await this.call('POST', `/v1/customers/${id}/disputes`, { note: 'The amount is wrong, they say' });
    this.later(9 * DAY, 'disputes settled', async () => {
      await this.call(
        'POST',
        `/v1/holds/${hold.id}/close`,
        { outcome: 'The invoice was right' },
        { 'if-match': `"${hold.version}"` },
      );
      await this.pay(customer, 1);
    });
  }

  /** New chat messages: most people press the button in an hour or three, some never do and the next one is asked. */
  private lookAtChat(): void {
    const { slack } = this.vendors;
    const asked = slack.state.messages.filter((message) => message.bot_id !== undefined);
    for (const message of asked.slice(this.seen.chats)) {
      const channel = slack.state.channels.get(message.channel);
      const user = slack.state.users.get(channel?.user ?? '');
      if (!user || this.random() > (user.profile.email === staffEmail(5) ? 1 : 0.65)) continue;
      this.later((0.5 + this.random() * 2) * HOUR, 'buttons pressed', async () => {
        const still = message.blocks.some((block) =>
          block.elements?.some((element) => element.text?.text === 'I have it'),
        );
        if (still) await slack.press(message.ts, 'I have it', user.id);
      });
    }
    this.seen.chats = asked.length;
  }
}
