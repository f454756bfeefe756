import type { Clock } from '../../src/kit/index.ts';
import { type Node, Table } from './sandbox.table.ts';

export type Type = 'Customer' | 'Order' | 'Company' | 'DraftOrder' | 'StaffMember' | 'SubscriptionContract';

export interface Subscription {
  topic: string;
  uri: string;
}

interface Definition {
  name: string;
  namespace: string;
  key: string;
  ownerType: string;
  type: { name: string };
}

const money = (amount: string) => ({ shopMoney: { amount, currencyCode: 'USD' } });

/** What a customer has whom nobody gave anything else. */
const customer = (fields: Record<string, unknown>) => ({
  ...{ displayName: [fields.firstName, fields.lastName].filter(Boolean).join(' '), firstName: null, lastName: null },
  ...{ state: 'DISABLED', tags: [], note: null, locale: 'en', numberOfOrders: '0', defaultEmailAddress: null },
  ...{ defaultPhoneNumber: null, defaultAddress: null, companyContactProfiles: [], metafields: [], lastOrder: null },
  ...{ amountSpent: { amount: '0.0', currencyCode: 'USD' }, verifiedEmail: false, taxExempt: false },
  dataSaleOptOut: false,
});

const order = (number: number) => ({
  ...{
    name: `#${1000 + number}`,
    cancelledAt: null,
    cancelReason: null,
    closedAt: null,
    test: false,
    tags: [],
    note: null,
  },
  ...{ email: null, phone: null, poNumber: null, sourceName: 'web', displayFinancialStatus: 'PENDING' },
  ...{ displayFulfillmentStatus: 'UNFULFILLED', customer: null, paymentTerms: null, fulfillments: [], lineItems: [] },
  ...{ customAttributes: [], shippingAddress: null, staffMember: null, metafields: [], transactions: [] },
  ...{ currentTotalPriceSet: money('120.00'), totalOutstandingSet: money('120.00') },
  ...{ totalReceivedSet: money('0.00'), totalRefundedSet: money('0.00') },
  statusPageUrl: `https://green-lane.myshopify.com/1/orders/${number}/status`,
});

const draft = (number: number) => ({
  ...{ name: `#D${number}`, completedAt: null, status: 'OPEN', invoiceSentAt: null, invoiceUrl: null, note2: null },
  ...{ tags: [], totalPriceSet: money('80.00'), customer: null, order: null, poNumber: null, customAttributes: [] },
  metafields: [],
});

const company = {
  externalId: null,
  note: null,
  mainContact: null,
  metafields: [],
  totalSpent: { amount: '0.0', currencyCode: 'USD' },
};

const staff = {
  firstName: 'Maya',
  lastName: 'Brandt',
  active: true,
  exists: true,
  isShopOwner: false,
  email: 'maya@business.example',
};

const contract = {
  ...{ status: 'ACTIVE', nextBillingDate: null, lastPaymentStatus: 'SUCCEEDED', lastBillingAttemptErrorType: null },
  ...{ currencyCode: 'USD', note: null, customer: null, billingPolicy: { interval: 'MONTH', intervalCount: 1 } },
  lines: [{ title: 'Hedge care', quantity: 1, currentPrice: { amount: '30.00', currencyCode: 'USD' } }],
};

/** What a shop keeps. */
export class ShopState {
  readonly shop = {
    ...{ __typename: 'Shop', id: 'gid://shopify/Shop/548380009', name: 'Green Lane Garden Supplies' },
    ...{ myshopifyDomain: 'green-lane.myshopify.com', ianaTimezone: 'America/New_York', currencyCode: 'USD' },
    plan: { publicDisplayName: 'Basic' },
  };
  readonly tables: Record<Type, Table> = {
    ...{ Customer: new Table(), Order: new Table(), Company: new Table(), DraftOrder: new Table() },
    ...{ StaffMember: new Table(), SubscriptionContract: new Table() },
  };
  readonly subscriptions: Subscription[] = [];
  readonly definitions: Definition[] = [];
  /** What was done once each time somebody asked for it. */
  readonly flows: { handle: string; payload: Record<string, unknown> }[] = [];
  readonly reminders: string[] = [];
  readonly notes: string[] = [];
  lateIndexMs = 0;
  /** Records one query lists at most. */
  cap = 25_000;
  private numbers = 1000;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  now(): Date {
    return this.clock.now();
  }

  private time(at: Date | undefined): { iso: string; ms: number } {
    const ms = Math.floor((at ?? this.now()).getTime() / 1000) * 1000;
    return { iso: `${new Date(ms).toISOString().slice(0, 19)}Z`, ms };
  }

  /** @param at the time of its last change; absent: now */
  create(type: Type, fields: Record<string, unknown>, at?: Date): Node {
    const number = ++this.numbers;
    const { iso, ms } = this.time(at);
    const usual: Record<Type, () => object> = {
      Customer: () => customer(fields),
      Order: () => order(number),
      Company: () => ({ ...company, customerSince: iso }),
      DraftOrder: () => draft(number),
      StaffMember: () => staff,
      SubscriptionContract: () => contract,
    };
    const node: Node = {
      ...{ __typename: type, id: `gid://shopify/${type}/${number}`, legacyResourceId: String(number) },
      ...{ createdAt: iso, processedAt: iso, updatedAt: iso },
      ...usual[type](),
      ...fields,
    };
    this.tables[type].put(node, ms);
    return node;
  }

  find(type: Type, id: string): Node | undefined {
    return this.tables[type].find(id.startsWith('gid://') ? id : `gid://shopify/${type}/${id}`);
  }

  /** @returns whether there is such a record */
  change(type: Type, id: string, fields: Record<string, unknown>, at?: Date): boolean {
    const { iso, ms } = this.time(at);
    const known = id.startsWith('gid://') ? id : `gid://shopify/${type}/${id}`;
    return this.tables[type].change(known, { ...fields, updatedAt: iso }, ms, this.lateIndexMs > 0);
  }

  remove(type: Type, id: string): void {
    this.tables[type].remove(`gid://shopify/${type}/${id}`);
  }

  /** A payment or refund of an order: it changes the order. */
  pay(orderId: string, fields: Record<string, unknown>, at?: Date): string {
    const number = ++this.numbers;
    const { iso } = this.time(at);
    const transaction = {
      ...{ __typename: 'OrderTransaction', id: `gid://shopify/OrderTransaction/${number}`, kind: 'SALE' },
      ...{ status: 'SUCCESS', test: false, createdAt: iso, processedAt: iso, gateway: 'manual' },
      ...{ formattedGateway: 'Manual', errorCode: null, amountSet: money('120.00') },
      ...fields,
    };
    const before = this.find('Order', orderId)!.transactions as object[];
    this.change('Order', orderId, { transactions: [...before, transaction] }, at);
    return String(number);
  }

  /** The order a transaction belongs to, and the transaction. */
  transaction(id: string): { order: Node; transaction: Record<string, unknown> } | undefined {
    for (const one of this.tables.Order.all()) {
      const transaction = (one.transactions as Record<string, unknown>[]).find((each) => each.id === id);
      if (transaction) return { order: one, transaction };
    }
    return undefined;
  }

  report(): Record<string, number> {
    return {
      customers: this.tables.Customer.all().length,
      orders: this.tables.Order.all().length,
      draft_orders: this.tables.DraftOrder.all().length,
      subscriptions_to_webhooks: this.subscriptions.length,
      flows_started: this.flows.length,
      reminders_sent: this.reminders.length,
    };
  }
}
