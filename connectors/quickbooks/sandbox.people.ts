import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import type { QuickBooksCompany } from './sandbox.state.ts';
import type { QuickBooksEntity } from './sandbox.store.ts';

/** What people do in the books, told by webhook. */
export interface People {
  /** A person writes down a payment: the invoice's balance falls, and the webhook is about the payment only. */
  pay(invoiceId: string, amount: number, options?: { date?: string; realm?: string }): Promise<QuickBooksEntity>;
  /** The same, and the webhook never comes. */
  payQuietly(invoiceId: string, amount: number, options?: { date?: string; realm?: string }): QuickBooksEntity;
  voidInvoice(id: string): Promise<void>;
  deleteInvoice(id: string): Promise<void>;
  /** A credit memo for a customer, applied to an invoice when one is named. */
  credit(customerId: string, amount: number, invoiceId?: string): Promise<QuickBooksEntity>;
  /** A person changes a record. */
  edit(entity: string, id: string, fields: Record<string, unknown>): Promise<void>;
  mergeCustomers(survivor: string, loser: string): Promise<void>;
}

/** Small books: customers with an invoice each, some of them overdue, one of them paid. */
export function fill(state: QuickBooksCompany, now: Date): void {
  const day = (days: number): string => new Date(now.getTime() + days * 86_400_000).toISOString().slice(0, 10);
  samplePeople().forEach(({ first, last, email, phone, company }, at) => {
    const customer = state.addCustomer({
      DisplayName: `${company} (${first})`,
      GivenName: first,
      FamilyName: last,
      CompanyName: company,
      PrimaryEmailAddr: { Address: email },
      Mobile: { FreeFormNumber: phone },
    });
    const dates = { issued: day(-40), due: day(at % 3 === 0 ? -10 : 20) };
    const invoice = state.addInvoice({ customer: customer.Id, amount: 100 + at * 10, ...dates });
    if (at === 5) state.receive(invoice.Id, 150);
  });
}

const openInvoice = (state: QuickBooksCompany): string =>
  state.all('Invoice').find((invoice) => Number(invoice.Balance) > 0)?.Id ?? '';

const ofInvoice = (
  name: string,
  title: string,
  act: (id: string) => Promise<void>,
  state: QuickBooksCompany,
): Deed => ({
  name,
  title,
  fields: () => ({ invoice: openInvoice(state) }),
  act: async ({ invoice = '' }) => {
    await act(state.get('Invoice', invoice).Id);
    return `${title}: ${invoice}. Done.`;
  },
});

/** What the bookkeeper does. */
export const deedsOf = (sandbox: People & { state: QuickBooksCompany }): Deed[] => {
  const { state } = sandbox;
  return [
    {
      name: 'pay',
      title: 'Write down a payment',
      fields: () => {
        const invoice = openInvoice(state);
        return { invoice, amount: String(state.find('Invoice', invoice)?.Balance ?? '') };
      },
      act: async ({ invoice = '', amount }) => {
        if (!(Number(amount) > 0)) throw new Error(`"${amount}" is no amount.`);
        const { Id } = await sandbox.pay(state.get('Invoice', invoice).Id, Number(amount));
        return `Payment ${Id} of ${amount} for invoice ${invoice} was written down.`;
      },
    },
    {
      name: 'edit-customer',
      title: 'Change a customer',
      fields: () => ({ customer: state.all('Customer')[0]?.Id ?? '', property: 'CompanyName', value: 'Renamed Works' }),
      act: async ({ customer = '', property = '', value }) => {
        await sandbox.edit('Customer', customer, { [property]: value });
        return `${property} of customer ${customer} is now ${value}.`;
      },
    },
    ofInvoice('void-invoice', 'Void an invoice', sandbox.voidInvoice, state),
    ofInvoice('delete-invoice', 'Delete an invoice', sandbox.deleteInvoice, state),
    {
      name: 'merge-customers',
      title: 'Merge two customers',
      fields: () => {
        const [survivor, loser] = state.all('Customer').filter((customer) => customer.Active !== false);
        return { survivor: survivor?.Id ?? '', loser: loser?.Id ?? '' };
      },
      act: async ({ survivor = '', loser = '' }) => {
        if (survivor === loser) throw new Error('A customer cannot be merged with itself.');
        await sandbox.mergeCustomers(state.get('Customer', survivor).Id, state.get('Customer', loser).Id);
        return `Customer ${loser} is part of ${survivor} now.`;
      },
    },
  ];
};
