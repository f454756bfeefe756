import type { Deed } from '../../src/kit/index.ts';
import { samplePeople } from '../../src/kit/sandbox/index.ts';
import type { ShopState, Type } from './sandbox.state.ts';
import type { Node } from './sandbox.table.ts';

interface Shop {
  state: ShopState;
  tell(topic: string, body: object): Promise<void>;
}

const address = (email: string) => ({
  ...{ emailAddress: email, marketingState: 'SUBSCRIBED', marketingOptInLevel: 'SINGLE_OPT_IN', validFormat: true },
  ...{ marketingUpdatedAt: null, marketingUnsubscribeUrl: 'https://green-lane.myshopify.com/account/unsubscribe' },
});

const phone = (number: string) => ({
  phoneNumber: number,
  smsMarketingConsent: { state: 'NEVER_SUBSCRIBED', updatedAt: null },
  whatsAppMarketingConsent: { state: 'NEVER_SUBSCRIBED', updatedAt: null },
});

/** What is told of a person who buys something. */
export const person = (first: string, last: string, email: string, number: string) => ({
  ...{ firstName: first, lastName: last, numberOfOrders: '1', state: 'ENABLED' },
  ...{ defaultEmailAddress: address(email), defaultPhoneNumber: phone(number) },
});

/** The bytes a post has of a record, in the form of the older API. */
export const posted = (node: Node, more: object = {}) => ({
  id: Number(node.id.split('/').at(-1)),
  admin_graphql_api_id: node.id,
  updated_at: node.updatedAt,
  ...more,
});

const PRICE = { shopMoney: { amount: '120.00', currencyCode: 'USD' } };

/** A small shop: customers, each with an order, some of them services, and some that are paid. */
export function fill(state: ShopState): void {
  samplePeople().forEach(({ first, last, email, phone: number }, at) => {
    const customer = state.create('Customer', person(first, last, email, number));
    const order = state.create('Order', {
      customer: { legacyResourceId: customer.legacyResourceId },
      email,
      tags: at % 3 === 0 ? ['Service'] : [],
      lineItems: [{ title: 'Hedge trimming', quantity: 1, originalUnitPriceSet: PRICE }],
    });
    if (at % 2 === 0) payAll(state, order);
  });
}

function payAll(state: ShopState, order: Node): string {
  const id = state.pay(order.id.split('/').at(-1)!, {});
  const nothing = { shopMoney: { amount: '0.00', currencyCode: 'USD' } };
  state.change('Order', order.id, { displayFinancialStatus: 'PAID', totalOutstandingSet: nothing });
  return id;
}

/** The record a form names. @throws Error when it is not there */
function named(state: ShopState, type: Type, id: string | undefined): Node {
  const found = state.find(type, id ?? '');
  if (!found) throw new Error(`There is no ${type} ${id}.`);
  return found;
}

const firstOf = (state: ShopState, type: Type, holds: (node: Node) => boolean = () => true): string =>
  String(state.tables[type].all().find(holds)?.legacyResourceId ?? '');

/** What staff and customers do. */
export const deedsOf = ({ state, tell }: Shop): Deed[] => {
  const change = async (type: Type, topic: string, id: string | undefined, fields: object): Promise<void> => {
    const { id: known } = named(state, type, id);
    state.change(type, known, { ...fields });
    await tell(topic, posted(named(state, type, id)));
  };
  return [
    {
      name: 'fulfil-order',
      title: 'Fulfil an order',
      fields: () => ({ order: firstOf(state, 'Order', (one) => one.displayFulfillmentStatus === 'UNFULFILLED') }),
      act: async ({ order }) => {
        const createdAt = state.now().toISOString();
        const done = { displayFulfillmentStatus: 'FULFILLED', fulfillments: [{ createdAt, status: 'SUCCESS' }] };
        await change('Order', 'orders/fulfilled', order, done);
        return `Order ${order} is fulfilled.`;
      },
    },
    {
      name: 'pay-order',
      title: 'Pay an order',
      fields: () => ({ order: firstOf(state, 'Order', (one) => one.displayFinancialStatus === 'PENDING') }),
      act: async ({ order }) => {
        const id = payAll(state, named(state, 'Order', order));
        await tell('order_transactions/create', { id: Number(id), order_id: Number(order), kind: 'sale' });
        await tell('orders/paid', posted(named(state, 'Order', order)));
        return `Order ${order} is paid.`;
      },
    },
    {
      name: 'tag-customer',
      title: 'Tag a customer',
      fields: () => ({ customer: firstOf(state, 'Customer'), tag: 'vip' }),
      act: async ({ customer, tag }) => {
        const tags = [...(named(state, 'Customer', customer).tags as string[]), tag];
        await change('Customer', 'customers/update', customer, { tags });
        return `Customer ${customer} has the tag ${tag}.`;
      },
    },
    {
      name: 'unsubscribe',
      title: 'A customer unsubscribes from e-mail',
      fields: () => ({ customer: firstOf(state, 'Customer') }),
      act: async ({ customer }) => {
        const before = named(state, 'Customer', customer).defaultEmailAddress as object;
        const defaultEmailAddress = { ...before, marketingState: 'UNSUBSCRIBED' };
        await change('Customer', 'customers_email_marketing_consent/update', customer, { defaultEmailAddress });
        return `Customer ${customer} is unsubscribed.`;
      },
    },
    {
      name: 'delete-customer',
      title: 'Delete a customer',
      fields: () => ({ customer: firstOf(state, 'Customer') }),
      act: async ({ customer }) => {
        const gone = named(state, 'Customer', customer);
        state.remove('Customer', customer!);
        await tell('customers/delete', posted(gone));
        return `Customer ${customer} was deleted.`;
      },
    },
  ];
};
