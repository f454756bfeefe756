import { textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** What can be written: which text of it takes notes and how long that may be, and its page in the app for people. */
export interface Target {
  entity: 'Customer' | 'Invoice';
  stream: string;
  note: { field: string; limit: number };
  page: string;
}

const CUSTOMER: Target = {
  entity: 'Customer',
  stream: 'customers',
  note: { field: 'Notes', limit: 2000 },
  page: 'customerdetail?nameId=',
};
export const INVOICE: Target = {
  entity: 'Invoice',
  stream: 'invoices',
  note: { field: 'PrivateNote', limit: 4000 },
  page: 'invoice?txnId=',
};

const TARGETS: Record<string, Target> = { customer: CUSTOMER, contact: CUSTOMER, company: CUSTOMER, invoice: INVOICE };

/** @throws VendorError `invalid` naming what can be written */
export function targetOf(object: string): Target {
  const target = TARGETS[object];
  if (target) return target;
  const known = Object.keys(TARGETS).join(', ');
  throw new VendorError('invalid', `Fields of "${object}" cannot be written in QuickBooks; those of ${known} can.`);
}

export interface About {
  about: { contact?: string; company?: string; invoice?: string };
}

/**
 * What a note belongs to: the invoice when one is named, else the customer.
 * @throws VendorError `invalid` when neither is named
 */
export function notedOn({ about }: About): { target: Target; id: string } {
  if (about.invoice) return { target: INVOICE, id: about.invoice };
  const customer = about.contact ?? about.company;
  if (customer) return { target: CUSTOMER, id: customer };
  throw new VendorError('invalid', 'A note in QuickBooks needs the customer or the invoice it belongs to.');
}

/**
 * The staff's text with the note under it. A note that is there already, from a try whose answer was lost, is not
 * written again, and staff's own words are never cut to make room.
 * @throws VendorError `invalid` when it does not fit
 */
export function withNote(present: string, note: string, { field, limit }: Target['note']): string {
  if (present.includes(note)) return present;
  const text = present.trimEnd() === '' ? note : `${present.trimEnd()}\n${note}`;
  if (text.length <= limit) return text;
  const sizes = `${present.length.toLocaleString('en')} of ${limit.toLocaleString('en')} characters`;
  const cure = 'Shorten it in QuickBooks, or keep notes in another system';
  throw new VendorError('invalid', `The field ${field} holds ${sizes}, so this note does not fit. ${cure}.`);
}

/** The page of a record in the app. */
export const pageOf = (ctx: VendorContext, target: Target, id: string): string => {
  const app = String(ctx.settings.appUrl ?? 'https://app.qbo.intuit.com');
  return `${app}/app/${target.page}${encodeURIComponent(id)}&companyId=${encodeURIComponent(ctx.account.id)}`;
};

/** The version a record was read in; every write names it, so that nobody else's save is lost. */
export const versionOf = (before: unknown): string | undefined => textAt(before, 'SyncToken');
