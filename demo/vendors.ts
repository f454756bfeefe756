import type { HubSpotSandbox } from '../connectors/hubspot/sandbox.ts';
import type { QuickBooksSandbox } from '../connectors/quickbooks/sandbox.ts';
import type { SlackSandbox } from '../connectors/slack/sandbox.ts';
import type { SmtpSandbox } from '../connectors/smtp/sandbox.ts';
import type { TwilioSandbox } from '../connectors/twilio/sandbox.ts';
import type { Clock } from '../src/kit/index.ts';
import { dayOf, MANAGERS, type SampleCustomer, STAFF, staffEmail } from './business.ts';

/** The simulated vendors, each a server of its own on this machine. */
export interface Vendors {
  hubspot: HubSpotSandbox;
  quickbooks: QuickBooksSandbox;
  twilio: TwilioSandbox;
  slack: SlackSandbox;
  smtp: SmtpSandbox;
  /** What the hub must know: our registrations at the vendors and where the simulations listen. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** Registrations as an operator would put them into the environment; they mean something to the simulations only. */
const APP = {
  HUBSPOT_CLIENT_ID: 'demo-hubspot',
  HUBSPOT_CLIENT_SECRET: 'demo-hubspot-secret',
  QUICKBOOKS_CLIENT_ID: 'demo-quickbooks',
  QUICKBOOKS_CLIENT_SECRET: 'demo-quickbooks-secret',
  QUICKBOOKS_WEBHOOK_VERIFIER: 'demo-quickbooks-verifier',
  SLACK_CLIENT_ID: 'demo-slack',
  SLACK_CLIENT_SECRET: 'demo-slack-secret',
  SLACK_SIGNING_SECRET: 'demo-slack-signing',
};

/** Starts all simulations. @param hub address under which they reach the hub with their webhooks */
export async function startVendors(clock: Clock, hub: string): Promise<Vendors> {
  const options = (name: string) => ({ clock, app: APP, hookUrl: `${hub}/hooks/${name}`, journal: 0 });
  const [hubspot, quickbooks, twilio, slack, smtp] = await Promise.all([
    import('../connectors/hubspot/sandbox.ts').then(({ start }) => start(options('hubspot'))),
    import('../connectors/quickbooks/sandbox.ts').then(({ start }) => start(options('quickbooks'))),
    // Its address for replies is entered by the hub when it connects.
    import('../connectors/twilio/sandbox.ts').then(({ start }) => start({ clock, app: APP, journal: 0 })),
    import('../connectors/slack/sandbox.ts').then(({ start }) => start(options('slack'))),
    import('../connectors/smtp/sandbox.ts').then(({ start }) => start({ clock, app: APP })),
  ]);
  const hosts = { hubspot: hubspot.hosts, quickbooks: quickbooks.hosts, twilio: twilio.hosts, slack: slack.hosts };
  const env: Record<string, string> = { ...APP };
  for (const [name, own] of Object.entries(hosts))
    for (const [host, url] of Object.entries(own)) env[`${name}_HOST_${host}`.toUpperCase()] = url;
  return {
    ...{ hubspot, quickbooks, twilio, slack, smtp, env },
    stop: async () => {
      await Promise.all([hubspot, quickbooks, twilio, slack, smtp].map((vendor) => vendor.stop()));
    },
  };
}

/** Fills the vendors with the sample business, each with its part. */
export function fillVendors(vendors: Vendors, customers: readonly SampleCustomer[], start: Date): void {
  const { hubspot, quickbooks, slack } = vendors;
  const owners = STAFF.slice(0, MANAGERS).map(({ first, last }, at) =>
    hubspot.state.addOwner(first, last, staffEmail(at)),
  );
  STAFF.forEach(({ first, last }, at) => void slack.addUser(`${first} ${last}`, staffEmail(at)));
  for (const customer of customers) {
    if (customer.known.hubspot) fillHubSpot(hubspot, customer, owners[customer.owner]!.id, start);
    if (customer.known.quickbooks) fillQuickBooks(quickbooks, customer, start);
  }
}

function fillHubSpot({ state }: HubSpotSandbox, customer: SampleCustomer, owner: string, start: Date): void {
  const made = new Date(start.getTime() - 200 * 86_400_000).toISOString();
  const place = { city: customer.city, state: customer.state, country: 'United States' };
  const company = state.create(
    'companies',
    { name: customer.company, domain: customer.email.split('@')[1]!, ...place, hubspot_owner_id: owner },
    made,
  );
  const contact = state.create(
    'contacts',
    {
      firstname: customer.first,
      lastname: customer.last,
      email: customer.email,
      mobilephone: customer.phone,
      company: customer.company,
      lifecyclestage: 'customer',
      hs_timezone: customer.zone.toLowerCase().replace('/', '_slash_'),
      hubspot_owner_id: owner,
      ...place,
    },
    made,
  );
  state.attach('contacts', contact.id, company.id);
  if (customer.deal) {
    const { name, amount, stage } = customer.deal;
    const closed = {
      hs_is_closed: String(stage.startsWith('closed')),
      hs_is_closed_won: String(stage === 'closedwon'),
    };
    const deal = state.create(
      'deals',
      {
        dealname: `${name} ${customer.company}`,
        amount: amount.toFixed(2),
        dealstage: stage,
        pipeline: 'default',
        closedate: `${dayOf(start, 40)}T00:00:00Z`,
        hubspot_owner_id: owner,
        ...closed,
      },
      made,
    );
    state.attach('deals', deal.id, contact.id);
    state.attach('deals', deal.id, company.id);
  }
  if (customer.ticket) {
    const ticket = state.create(
      'tickets',
      { subject: customer.ticket.subject, hs_pipeline: '0', hs_pipeline_stage: customer.ticket.stage },
      made,
    );
    state.attach('tickets', ticket.id, contact.id);
  }
}

function fillQuickBooks({ state }: QuickBooksSandbox, customer: SampleCustomer, start: Date): void {
  const made = new Date(start.getTime() - 200 * 86_400_000);
  const entity = state.addCustomer(
    {
      DisplayName: customer.company,
      GivenName: customer.first,
      FamilyName: customer.last,
      CompanyName: customer.company,
      ...(customer.billingEmail ? { PrimaryEmailAddr: { Address: customer.billingEmail } } : {}),
      Mobile: { FreeFormNumber: customer.phone },
      BillAddr: { City: customer.city, CountrySubDivisionCode: customer.state, Country: 'USA' },
    },
    made,
  );
  for (const invoice of customer.invoices) {
    const { Id } = state.addInvoice(
      {
        customer: entity.Id,
        number: invoice.number,
        amount: invoice.amount,
        issued: dayOf(start, invoice.issuedDay),
        due: dayOf(start, invoice.dueDay),
      },
      new Date(start.getTime() + Math.min(invoice.issuedDay, -1) * 86_400_000),
    );
    if (invoice.paidDay !== undefined) state.receive(Id, invoice.amount, dayOf(start, invoice.paidDay));
  }
}
