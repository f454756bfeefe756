import type { SlackMessage } from '../../connectors/slack/sandbox.state.ts';
import type { ReceivedMail } from '../../connectors/smtp/sandbox.mail.ts';
import type { TwilioMessage } from '../../connectors/twilio/sandbox.state.ts';
import { manualClock } from '../../src/base/clock.ts';
import { addDays, instantOf, localDate, weekday } from '../../src/base/time.ts';
import { queuesOf } from './handlers.ts';
import { freePort, HOUR, startTestHub, type TestHub } from './hub.ts';
import { connectVendor, environmentOf, startVendors, type VendorName, type Vendors } from './vendors.ts';

export type Row = Record<string, any>;

/** Where the business and, unless they say otherwise, its customers are. */
export const ZONE = 'America/New_York';

/** A person the story is about, in every system that knows them. */
export interface Customer {
  /** At the hub. */
  id: string;
  name: string;
  email: string;
  phone: string;
  /** In the CRM and in the books, and what they owe there. */
  contact: string;
  account: string;
  invoices: string[];
}

export interface NewCustomer {
  /** Amounts of invoices, one for each. */
  owes?: number[];
  /** The day they fell due; yesterday when absent. */
  due?: string;
  /** Value of HubSpot's time zone property. */
  zone?: string;
  /** Null: nobody knows a number. */
  phone?: string | null;
}

/** A business with its systems, all of them simulated, and a hub that follows up for it. */
export interface Story extends TestHub {
  port: number;
  /** Registrations and hosts of the simulations, for a second hub. */
  env: Record<string, string>;
  vendors: Vendors;
  /** Connections by platform. */
  connections: Record<VendorName, Row>;
  /** A customer in every system, known to the hub. */
  customer(more?: NewCustomer): Promise<Customer>;
  /** A customer who owes, and got the first reminder of the chase just now, on a Monday at eleven. */
  chased(more?: NewCustomer): Promise<Customer>;
  /** A customer who answered to none of the reminders, on a Wednesday at five past eight: staff are told just now. */
  escalated(more?: NewCustomer): Promise<Customer>;
  invoice(customer: Customer, amount: number, due: string): Promise<string>;
  /** Money comes in; the books tell by webhook. */
  pay(customer: Customer, amount: number, invoice?: string): Promise<void>;
  /** The customer writes a text message. */
  write(customer: Customer, text: string): Promise<void>;
  /** Somebody presses the button under what they were told about a customer. */
  press(email: string, about: Customer): Promise<void>;
  mailsTo(customer: Customer): ReceivedMail[];
  textsTo(customer: Customer): TwilioMessage[];
  /** Tasks in the CRM that belong to the customer. */
  tasksFor(customer: Customer): Row[];
  /** What a member of staff was told about a customer. */
  chatsTo(email: string, about: Customer): SlackMessage[];
  explain(customer: Customer): Promise<Row>;
  enrolment(customer: Customer): Promise<Row>;
  /** Actions of a customer, oldest first. */
  actions(customer: Customer): Promise<Row[]>;
  action(id: string): Promise<Row>;
  audit(customer: Customer): Promise<Row[]>;
  /** Asks for an action; it is not waited for. */
  plan(kind: string, input: Row, more?: Row): Promise<Row>;
  must(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Row>;
  /** Header that names the version of what is there. */
  version(path: string): Promise<Record<string, string>>;
  /** Rows of the business, by a statement whose $1 is the tenant. */
  rows(sql: string, ...values: unknown[]): Promise<Row[]>;
  set(key: string, value: Row): Promise<void>;
  /** Installs a playbook and switches it on. */
  playbook(key: string): Promise<void>;
  /** Moves the clock to a wall-clock time some days after the present one, and lets the hub work. */
  until(days: number, time: string, zone?: string): Promise<void>;
  end(): Promise<void>;
}

export interface StoryOptions {
  at?: string;
  vendors?: readonly VendorName[];
  /** Roles of the hub; what is left out is done by the test, by hand. */
  roles?: string;
  /** How the hub comes to rest, when the test works on its queues itself. */
  settle?: (hub: TestHub) => Promise<void>;
  /** Staff who are in the CRM and the chat; the first one looks after the customers. */
  staff?: readonly string[];
  /** Whether messages may go out at any hour, for stories that are not about quiet hours. */
  alwaysOpen?: boolean;
}

export const staffEmail = (name: string): string => `${name.split(' ')[0]!.toLowerCase()}@business.example`;

/** Opens the business: starts the simulations asked for and a hub, and connects them. */
export async function beginStory(options: StoryOptions = {}): Promise<Story> {
  // A Monday, nine in the morning in New York.
  const at = options.at ?? '2026-03-02T14:00:00Z';
  const names = options.vendors ?? ['hubspot', 'quickbooks', 'twilio', 'slack', 'smtp'];
  const port = await freePort();
  let hub: TestHub | undefined;
  // The simulations read the hub's clock, so that all live in the same moment.
  const clock = { now: () => hub?.clock.now() ?? new Date(at), sleep: manualClock(at).sleep };
  const vendors = await startVendors(names, clock, port);
  for (const name of options.staff ?? ['Rita Manager']) {
    const [first, last] = name.split(' ') as [string, string];
    vendors.hubspot?.state.addOwner(first, last, staffEmail(name));
    vendors.slack?.addUser(name, staffEmail(name));
  }
  const env = environmentOf(vendors);
  const roles = options.roles ? { roles: options.roles } : {};
  hub = await startTestHub({ at, port, env, connectors: [...names], zone: ZONE, ...roles });
  const story = tell(hub, { port, env, vendors }, options);
  const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
  if (options.alwaysOpen) await story.set('quietHours', { default: always, channels: {}, regions: false });
  for (const name of names) story.connections[name] = await connectVendor(hub, name, vendors);
  await story.settle();
  // Webhooks tell of changes: reading everything again at each step of the clock would only take time.
  await story.set('sync', { pollSeconds: 86_400 });
  await story.rows("update stream set next_due_at = '2100-01-01' where tenant_id = $1 and phase = 'incremental'");
  return story;
}

type World = Pick<Story, 'port' | 'env' | 'vendors'>;

function tell(hub: TestHub, world: World, options: StoryOptions): Story {
  const rest = options.settle ?? (options.roles === undefined ? hub.settle : settlePart);
  const settle = (): Promise<void> => rest(hub);
  const asking = askingOf(hub);
  const seeing = seeingOf(world.vendors);
  return {
    ...{ ...hub, ...world, ...asking, ...seeing, settle },
    ...doingOf(hub, world.vendors, asking, seeing, settle),
    connections: {} as Story['connections'],
    async playbook(key) {
      const path = `/v1/sequences/${key}`;
      await asking.must('POST', `/v1/playbooks/${key}/install`);
      await asking.must('POST', `${path}/switch`, { on: true }, await asking.version(path));
      await settle();
    },
    async until(days, time, zone = ZONE) {
      hub.clock.set(instantOf(addDays(localDate(hub.clock.now(), zone), days), time, zone));
      await settle();
    },
    async end() {
      await hub.stop();
      for (const vendor of Object.values(world.vendors)) await vendor.stop();
    },
  };
}

type Asking = Pick<
  Story,
  'must' | 'version' | 'explain' | 'enrolment' | 'actions' | 'action' | 'audit' | 'plan' | 'rows' | 'set'
>;

/** What the hub is asked. */
function askingOf({ api, hub, tenantId }: TestHub): Asking {
  const must: Story['must'] = async (method, path, body, headers) => {
    const answer = await api(method, path, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const version: Story['version'] = async (path) => ({ 'if-match': (await api('GET', path)).headers.get('etag')! });
  const oldestFirst = async (path: string): Promise<Row[]> => (await must('GET', `${path}&limit=200`)).items.reverse();
  return {
    must,
    version,
    explain: ({ id }) => must('GET', `/v1/customers/${id}/explain`),
    enrolment: async ({ id }) => (await must('GET', `/v1/enrolments?customerId=${id}`)).items[0],
    actions: ({ id }) => oldestFirst(`/v1/actions?customerId=${id}`),
    action: (id) => must('GET', `/v1/actions/${id}`),
    audit: ({ id }) => oldestFirst(`/v1/audit?customerId=${id}`),
    plan: (kind, input, more = {}) => must('POST', '/v1/actions', { kind, input, ...more }),
    rows: async (sql, ...values) =>
      (await hub.db.tenant(tenantId, (tx) => tx.query<Row>(sql, [tenantId, ...values]))).rows,
    set: async (key, value) =>
      void (await must('PUT', `/v1/settings/${key}`, value, await version(`/v1/settings/${key}`))),
  };
}

type Seeing = Pick<Story, 'mailsTo' | 'textsTo' | 'tasksFor' | 'chatsTo'>;

const userOf = ({ slack }: Vendors, email: string) =>
  [...slack.state.users.values()].find(({ profile }) => profile.email === email);

/** What is seen at the platforms. */
const seeingOf = (vendors: Vendors): Seeing => ({
  mailsTo: ({ email }) => vendors.smtp.mails().filter(({ envelope }) => envelope.to.includes(email)),
  textsTo: ({ phone }) =>
    vendors.twilio.state.messages.filter(({ to, direction }) => to === phone && direction === 'outbound-api').reverse(),
  tasksFor: ({ contact }) => {
    const { state } = vendors.hubspot;
    const ids = state.associated('contacts', contact, 'tasks');
    return state.all('tasks').filter(({ id }) => ids.includes(id));
  },
  chatsTo: (email, about) =>
    vendors.slack.messagesTo(userOf(vendors, email)?.id ?? '').filter(({ text }) => text.includes(about.name)),
});

type Doing = Pick<Story, 'customer' | 'chased' | 'escalated' | 'invoice' | 'pay' | 'write' | 'press'>;

/** What customers and staff do. */
function doingOf(
  hub: TestHub,
  vendors: Vendors,
  { must }: Asking,
  { chatsTo }: Seeing,
  settle: () => Promise<void>,
): Doing {
  const { quickbooks: books, twilio, slack } = vendors;
  const { clock } = hub;
  const today = (): string => localDate(clock.now(), ZONE);
  let people = 0;
  const doing: Doing = {
    async customer({ owes = [], due = addDays(today(), -1), ...more } = {}) {
      const person = await makePerson(vendors, ++people, more);
      await settle();
      const [found] = (await must('GET', `/v1/customers?search=${encodeURIComponent(person.email)}`)).items;
      const customer: Customer = { ...person, id: found.id, invoices: [] };
      for (const amount of owes) await doing.invoice(customer, amount, due);
      return customer;
    },
    async chased(more = {}) {
      const monday = instantOf(addDays(today(), (8 - weekday(today())) % 7), '09:30', ZONE);
      clock.set(monday < clock.now() ? instantOf(addDays(today(), 7), '09:30', ZONE) : monday);
      await settle();
      const customer = await doing.customer({ owes: [100], ...more });
      // What is due by date is looked for once an hour.
      clock.advance(1.5 * HOUR);
      await settle();
      return customer;
    },
    async escalated(more = {}) {
      const customer = await doing.chased(more);
      // The second reminder on day 6, the third on day 13, and three days of silence.
      for (const days of [6, 7, 3]) {
        clock.set(instantOf(addDays(today(), days), '08:05', ZONE));
        await settle();
      }
      return customer;
    },
    async invoice(customer, amount, due) {
      const made = books.state.addInvoice({ customer: customer.account, amount, due, issued: '2026-02-01' });
      await books.announce([{ entity: 'Invoice', operation: 'created', id: made.Id }]);
      await settle();
      customer.invoices.push(made.Id);
      return made.Id;
    },
    async pay(customer, amount, invoice = customer.invoices[0]!) {
      await books.pay(invoice, amount);
      await settle();
    },
    async write(customer, text) {
      await twilio.reply(customer.phone, text);
      await settle();
    },
    async press(email, about) {
      const message = chatsTo(email, about).at(-1);
      if (!message) throw new Error(`${email} was told nothing about ${about.name}.`);
      await slack.press(message.ts, 'I have it', userOf(vendors, email)!.id);
      await settle();
    },
  };
  return doing;
}

/** A person in the CRM and, where there are books, in them; both tell of it. */
async function makePerson(
  { hubspot: crm, quickbooks: books }: Vendors,
  n: number,
  { zone = 'america_slash_new_york', phone: given }: NewCustomer,
): Promise<Omit<Customer, 'id' | 'invoices'>> {
  const [firstname, lastname, email] = ['Ann', `Miller-${n}`, `ann${n}@customer${n}.example`];
  const phone = given ?? `+1212555${String(1000 + n)}`;
  const contact = crm.state.create('contacts', {
    ...{ firstname, lastname, email, hs_timezone: zone },
    ...(given === null ? {} : { mobilephone: phone }),
    ...(crm.state.owners[0] ? { hubspot_owner_id: crm.state.owners[0].id } : {}),
  });
  await crm.change('contacts', contact.id, { lifecyclestage: 'customer' });
  const names = { GivenName: firstname, FamilyName: lastname, PrimaryEmailAddr: { Address: email } };
  const account = books?.state.addCustomer(names).Id ?? '';
  if (books) await books.announce([{ entity: 'Customer', operation: 'created', id: account }]);
  return { name: `${firstname} ${lastname}`, email, phone, contact: contact.id, account };
}

/** Like settling, for a hub that does not work on every queue: what is left to others stays there. */
async function settlePart({ hub }: TestHub): Promise<void> {
  const worked = new Set(queuesOf(hub).flatMap(({ name, role }) => (hub.config.roles.includes(role) ? name : [])));
  const busy = async (): Promise<boolean> => Object.keys(await hub.queue.pending()).some((name) => worked.has(name));
  for (let round = 0; round < 50; round++) {
    const woken = await hub.sweep();
    while (await busy()) await new Promise((resolve) => setTimeout(resolve, 5));
    if (woken === 0) return;
  }
  throw new Error('The hub does not come to rest.');
}
