import type { SampleCustomer } from '../demo/business.ts';
import { dayOf } from '../demo/business.ts';
import type { Clock } from '../src/kit/index.ts';
import type { Vendors } from '../test/support/vendors.ts';
import type { VendorRecord } from './ledger.ts';

type World = Pick<Vendors, 'hubspot' | 'quickbooks' | 'twilio' | 'slack' | 'smtp'>;

/** HubSpot's objects that people change here, and the property in which each keeps how often it was changed. */
const REVISED: Record<string, string> = {
  contacts: 'jobtitle',
  companies: 'industry',
  deals: 'dealname',
  tickets: 'subject',
};

const revisionIn = (text: string | null | undefined): number => Number(/\brev (\d+)\b/.exec(text ?? '')?.[1] ?? 0);

/** What people do at the vendors, by a repeatable sequence of chances. */
export class People {
  readonly deeds: Record<string, number> = {};
  private readonly world: World;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly customers: readonly SampleCustomer[];
  private readonly merged = new Map<string, string>();
  private readonly heard = new Set<string>();
  private seenTexts = 0;
  private made = 0;

  constructor(world: World, clock: Clock, random: () => number, customers: readonly SampleCustomer[]) {
    this.world = world;
    this.clock = clock;
    this.random = random;
    this.customers = customers;
  }

  /** Does so many things, one after the other. */
  async act(times: number): Promise<void> {
    for (let n = 0; n < times; n++) {
      const deed = this.draw();
      if (await deed.call(this)) this.deeds[deed.name] = (this.deeds[deed.name] ?? 0) + 1;
    }
    await this.carry();
  }

  private draw(): () => Promise<boolean> {
    const choices: [number, () => Promise<boolean>][] = [
      [34, this.changeRecord],
      [10, this.addContact],
      [3, this.deleteContact],
      [3, this.mergeContacts],
      [10, this.fallDue],
      [12, this.pay],
      [6, this.editInBooks],
      [2, this.voidInvoice],
      [5, this.stop],
      [5, this.answer],
      [6, this.finishTask],
      [4, this.pressButton],
    ];
    let left = this.random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, act] of choices) {
      left -= weight;
      if (left < 0) return act;
    }
    return this.changeRecord;
  }

  private one<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  private live(type: string): { id: string; properties: Record<string, string | null | undefined> }[] {
    return this.world.hubspot.state.all(type).filter((record) => !record.archived && !this.ours(record.properties));
  }

  private ours(properties: Record<string, unknown>): boolean {
    return properties.rapport_action_id !== undefined;
  }

  private async changeRecord(): Promise<boolean> {
    const type = this.one(Object.keys(REVISED))!;
    const record = this.one(this.live(type));
    if (!record) return false;
    const property = REVISED[type]!;
    const before = record.properties[property] ?? '';
    // A customer's title also says whose it is: of several joined contacts one decides.
    const base = type === 'contacts' ? `of ${record.id}` : before.replace(/ ?rev \d+$/, '');
    const text = `${base} rev ${revisionIn(before) + 1}`.trim();
    await this.world.hubspot.change(type, record.id, { [property]: text });
    return true;
  }

  private async addContact(): Promise<boolean> {
    const n = ++this.made;
    const { state } = this.world.hubspot;
    const { id } = state.create('contacts', {
      firstname: 'Nora',
      lastname: `New-${n}`,
      email: `nora${n}@newcomer${n}.example`,
      lifecyclestage: 'customer',
    });
    await this.world.hubspot.tell('creation', 'contacts', id);
    return true;
  }

  /** Those who were added here: the customers who owe money stay. */
  private newcomers(): { id: string }[] {
    return this.live('contacts').filter(({ properties }) => /@newcomer\d+\./.test(properties.email ?? ''));
  }

  private async deleteContact(): Promise<boolean> {
    const record = this.one(this.newcomers());
    if (!record) return false;
    this.world.hubspot.state.archive('contacts', record.id);
    await this.world.hubspot.tell('deletion', 'contacts', record.id);
    return true;
  }

  private async mergeContacts(): Promise<boolean> {
    const newcomers = this.newcomers();
    const loser = this.one(newcomers);
    const survivor = this.one(newcomers.filter((record) => record !== loser));
    if (!survivor || !loser) return false;
    this.world.hubspot.state.merge('contacts', survivor.id, loser.id);
    this.merged.set(loser.id, survivor.id);
    const more = { primaryObjectId: Number(survivor.id), mergedObjectIds: [Number(loser.id)] };
    await this.world.hubspot.tell('merge', 'contacts', survivor.id, more);
    return true;
  }

  private openInvoices(): { Id: string; Balance: unknown }[] {
    return this.world.quickbooks.state.all('Invoice').filter((invoice) => Number(invoice.Balance) > 0) as never;
  }

  /** A new invoice whose last day was yesterday. */
  private async fallDue(): Promise<boolean> {
    const { quickbooks } = this.world;
    const customer = this.one(quickbooks.state.all('Customer').filter((record) => record.Active !== false));
    if (!customer) return false;
    const invoice = quickbooks.state.addInvoice({
      customer: customer.Id,
      amount: 50 + Math.floor(this.random() * 900),
      issued: dayOf(this.clock.now(), -31),
      due: dayOf(this.clock.now(), -1),
    });
    await quickbooks.announce([{ entity: 'Invoice', operation: 'created', id: invoice.Id }]);
    return true;
  }

  private async pay(): Promise<boolean> {
    const invoice = this.one(this.openInvoices());
    if (!invoice) return false;
    const share = this.random() < 0.3 ? 0.4 : 1;
    const amount = Math.round(Number(invoice.Balance) * share * 100) / 100;
    if (amount <= 0) return false;
    await this.world.quickbooks.pay(invoice.Id, amount);
    return true;
  }

  private async editInBooks(): Promise<boolean> {
    const { quickbooks } = this.world;
    const customer = this.one(quickbooks.state.all('Customer').filter((record) => record.Active !== false));
    if (!customer) return false;
    await quickbooks.edit('Customer', customer.Id, { Notes: `rev ${revisionIn(String(customer.Notes ?? '')) + 1}` });
    return true;
  }

  private async voidInvoice(): Promise<boolean> {
    const invoice = this.one(this.openInvoices());
    if (!invoice) return false;
    await this.world.quickbooks.voidInvoice(invoice.Id);
    return true;
  }

  /** Somebody who got a message has enough of them; now and then somebody who got none. */
  private async stop(): Promise<boolean> {
    const phones = this.heard.size > 0 ? [...this.heard] : this.customers.map((customer) => customer.phone);
    const phone = this.one(phones);
    if (!phone || this.world.twilio.state.optedOut.has(phone)) return false;
    await this.world.twilio.reply(phone, 'STOP');
    return true;
  }

  private async answer(): Promise<boolean> {
    const phone = this.one([...this.heard]);
    if (!phone) return false;
    await this.world.twilio.reply(phone, 'We pay on Friday, sorry.');
    return true;
  }

  private async finishTask(): Promise<boolean> {
    const open = this.world.hubspot.state
      .all('tasks')
      .filter((task) => !task.archived && task.properties.hs_task_status !== 'COMPLETED');
    const task = this.one(open);
    if (!task) return false;
    await this.world.hubspot.change('tasks', task.id, { hs_task_status: 'COMPLETED' });
    return true;
  }

  private async pressButton(): Promise<boolean> {
    const { slack } = this.world;
    const asking = slack.state.messages.filter((message) =>
      message.blocks.some((block) => block.elements?.some((element) => element.text?.text === 'I have it')),
    );
    const message = this.one(asking.slice(-20));
    const user = message && slack.state.channels.get(message.channel)?.user;
    if (!message || !user) return false;
    await slack.press(message.ts, 'I have it', user);
    return true;
  }

  /** Text messages reach people. */
  private async carry(): Promise<void> {
    const { twilio } = this.world;
    const out = twilio.state.messages.filter((message) => message.direction === 'outbound-api').reverse();
    for (const message of out.slice(this.seenTexts)) {
      this.heard.add(message.to);
      await twilio.deliver(message.sid);
    }
    this.seenTexts = out.length;
  }

  /** Every record as the vendors have it now. */
  records(): VendorRecord[] {
    const { hubspot, quickbooks } = this.world;
    const crm = Object.entries(REVISED).flatMap(([stream, property]) =>
      hubspot.state.all(stream).map((record): VendorRecord => {
        const into = this.merged.get(record.id) ?? null;
        const text = String(record.properties[property] ?? '');
        return {
          vendor: 'hubspot',
          stream,
          id: record.id,
          state: into ? 'merged' : record.archived ? 'gone' : 'live',
          into,
          revision: revisionIn(text),
          fields: { [`properties.${property}`]: text },
        };
      }),
    );
    const streams = { Customer: 'customers', Invoice: 'invoices', Payment: 'payments' };
    const books = Object.entries(streams).flatMap(([entity, stream]) =>
      quickbooks.state.all(entity).map(
        (record): VendorRecord => ({
          vendor: 'quickbooks',
          stream,
          id: record.Id,
          state: record.Active === false ? 'gone' : 'live',
          into: null,
          revision: Number(record.SyncToken),
          fields: { SyncToken: String(record.SyncToken) },
        }),
      ),
    );
    return [...crm, ...books];
  }
}
