import { textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { gid, numberOf } from './documents.ts';

/** Something at Shopify that an action writes on. */
export interface Target {
  /** Its number. */
  id: string;
  gid: string;
  type: string;
  stream: string;
  /** Its part of an address in the admin. */
  page: string;
  /** What writes its own fields; empty: no app may. */
  mutation: string;
  argument: string;
}

type Shape = Omit<Target, 'id' | 'gid'>;

const CUSTOMER: Shape = {
  ...{ type: 'Customer', stream: 'customers', page: 'customers' },
  ...{ mutation: 'customerUpdate', argument: 'CustomerInput' },
};
const ORDER: Shape = {
  ...{ type: 'Order', stream: 'orders', page: 'orders' },
  ...{ mutation: 'orderUpdate', argument: 'OrderInput' },
};
const DRAFT: Shape = {
  ...{ type: 'DraftOrder', stream: 'draft_orders', page: 'draft_orders' },
  ...{ mutation: '', argument: '' },
};
const COMPANY: Shape = {
  ...{ type: 'Company', stream: 'companies', page: 'companies' },
  ...{ mutation: '', argument: '' },
};

/** Kinds of records by the words of actions, and by those of the model: an order is an invoice and a job. */
const SHAPES: Record<string, Shape> = {
  ...{ invoice: ORDER, order: ORDER, job: ORDER, orders: ORDER },
  ...{ deal: DRAFT, draft_order: DRAFT, draft_orders: DRAFT },
  ...{ contact: CUSTOMER, customer: CUSTOMER, customers: CUSTOMER },
  ...{ company: COMPANY, companies: COMPANY },
};

/** What an action can be about, most particular first: a tag on an order says more than one on its customer. */
const ORDERED = ['invoice', 'order', 'job', 'orders', 'deal', 'draft_order', 'draft_orders', 'contact', 'customer'];

/**
 * The record an action is about.
 * @param what whose note is to be written: drafts and companies have none an app may write
 * @throws VendorError `invalid` when nothing of it is a record of Shopify
 */
export function targetOf(about: Record<string, string | undefined>, what?: 'note'): Target {
  const kinds = [...ORDERED, ...Object.keys(SHAPES).filter((kind) => !ORDERED.includes(kind))];
  const kind = kinds.find((name) => about[name] !== undefined && (what !== 'note' || SHAPES[name]!.mutation !== ''));
  if (kind === undefined)
    throw new VendorError(
      'invalid',
      what === 'note'
        ? 'Shopify keeps notes of ours on customers and orders only, and this is about neither.'
        : 'This is about no customer, order or draft at Shopify.',
    );
  const shape = SHAPES[kind]!;
  const id = numberOf(about[kind])!;
  return { ...shape, id, gid: gid(shape.type, id) };
}

/** Where staff see the record. */
export const urlOf = (ctx: VendorContext, { page, id }: Target): string | undefined => {
  const url = textAt(ctx.account, 'url');
  return url && `${url}/${page}/${id}`;
};

/** A line of a note, dated in the shop's own time: by its moment an earlier try of the same line is known. */
export function noteLine(ctx: VendorContext, text: string, when: Date): string {
  const zone = ctx.account.timeZone ?? 'UTC';
  const written = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(when);
  return `[${written}] ${text}`;
}
