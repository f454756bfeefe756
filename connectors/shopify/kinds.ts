import type { EntityKind } from '../../src/kit/index.ts';
import { type Kind, MONEY } from './documents.ts';

/** A kind of record that is read as it stands, one for one. */
export interface ReadKind extends Kind {
  name: string;
  title: string;
  entities: readonly EntityKind[];
  feature: string;
  after: readonly string[];
  /** Whether it has a count with a search, under this name. */
  count?: string;
  /** Owner type of its metafield definitions. */
  owner?: string;
}

export const CUSTOMERS: ReadKind = {
  ...{ name: 'customers', title: 'Customers', type: 'Customer', list: 'customers' },
  ...{ entities: ['contact'], feature: 'read', after: ['companies'], searched: true, metafields: true },
  ...{ count: 'customersCount', owner: 'CUSTOMER' },
  fields:
    'id legacyResourceId displayName firstName lastName createdAt updatedAt state tags note locale numberOfOrders defaultEmailAddress { emailAddress marketingState marketingUpdatedAt marketingUnsubscribeUrl validFormat } defaultPhoneNumber { phoneNumber smsMarketingConsent { state updatedAt } whatsAppMarketingConsent { state updatedAt } } defaultAddress { address1 address2 city provinceCode zip countryCodeV2 company phone timeZone }',
  parts: {
    amountSpent: 'amountSpent { amount currencyCode }',
    lastOrder: 'lastOrder { legacyResourceId processedAt }',
    statistics: 'statistics { predictedSpendTier rfmGroup }',
    taxExempt: 'taxExempt',
    verifiedEmail: 'verifiedEmail',
    dataSaleOptOut: 'dataSaleOptOut',
  },
  withFeature: { companies: 'companyContactProfiles { company { id } }' },
};

export const ORDERS: ReadKind = {
  ...{ name: 'orders', title: 'Orders', type: 'Order', list: 'orders' },
  ...{ entities: ['invoice', 'job'], feature: 'read', after: ['customers', 'staff'], searched: true, metafields: true },
  ...{ count: 'ordersCount', owner: 'ORDER' },
  fields: `id legacyResourceId name createdAt processedAt updatedAt cancelledAt closedAt test tags note email displayFinancialStatus displayFulfillmentStatus statusPageUrl customer { legacyResourceId } currentTotalPriceSet ${MONEY} totalOutstandingSet ${MONEY} paymentTerms { paymentTermsName paymentTermsType overdue paymentSchedules(first: 5) { nodes { id dueAt issuedAt completedAt } } } fulfillments(first: 5) { createdAt status }`,
  parts: {
    lineItems: `lineItems(first: 5) { nodes { title quantity originalUnitPriceSet ${MONEY} } }`,
    customAttributes: 'customAttributes { key value }',
    poNumber: 'poNumber',
    phone: 'phone',
    cancelReason: 'cancelReason',
    sourceName: 'sourceName',
    shippingAddress: 'shippingAddress { address1 address2 city provinceCode zip countryCodeV2 phone }',
    totalReceivedSet: `totalReceivedSet ${MONEY}`,
    totalRefundedSet: `totalRefundedSet ${MONEY}`,
  },
  withFeature: { staff: 'staffMember { id }' },
};

export const DRAFT_ORDERS: ReadKind = {
  ...{ name: 'draft_orders', title: 'Draft orders', type: 'DraftOrder', list: 'draftOrders' },
  ...{
    entities: ['deal'],
    feature: 'read',
    after: ['customers'],
    searched: true,
    metafields: true,
    owner: 'DRAFTORDER',
  },
  fields: `id legacyResourceId name createdAt updatedAt completedAt status invoiceSentAt invoiceUrl note2 tags totalPriceSet ${MONEY} customer { legacyResourceId } order { legacyResourceId }`,
  parts: { poNumber: 'poNumber', customAttributes: 'customAttributes { key value }' },
};

export const COMPANIES: ReadKind = {
  ...{ name: 'companies', title: 'Companies', type: 'Company', list: 'companies' },
  ...{ entities: ['company'], feature: 'companies', after: [], searched: true, metafields: true, owner: 'COMPANY' },
  fields: 'id name externalId note createdAt updatedAt customerSince',
  parts: {
    totalSpent: 'totalSpent { amount currencyCode }',
    mainContact: 'mainContact { customer { legacyResourceId } }',
  },
};

export const CONTRACTS: ReadKind = {
  ...{ name: 'subscriptions', title: 'Subscription contracts', type: 'SubscriptionContract' },
  ...{ list: 'subscriptionContracts', entities: ['subscription'], feature: 'subscriptions', after: ['customers'] },
  fields:
    'id status createdAt updatedAt nextBillingDate lastPaymentStatus lastBillingAttemptErrorType currencyCode note customer { legacyResourceId } billingPolicy { interval intervalCount } lines(first: 3) { nodes { title quantity currentPrice { amount currencyCode } } }',
};

/** What is asked of each payment and refund of an order. */
export const TRANSACTION = `id kind status test createdAt processedAt gateway formattedGateway errorCode amountSet ${MONEY}`;

/** What a payment says of its order. */
export const ITS_ORDER = 'legacyResourceId name updatedAt customer { legacyResourceId }';

export const STAFF = 'id name firstName lastName email active exists isShopOwner';
