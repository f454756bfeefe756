import { type ActionDefinition, defineAction, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { mailFrom, mailReceipt, mailSent } from './mail.ts';
import { contactByEmail } from './people.ts';
import { crm } from './version.ts';

export const sendEmail: ActionDefinition = defineAction<'send_email'>({
  kind: 'send_email',
  title: 'E-mail from the contact at Zoho CRM',
  feature: 'email',
  idempotency: {
    kind: 'marker',
    settleSeconds: 60,
    find: async (ctx, input, meta) => mailSent(ctx, 'Contacts', await contactByEmail(ctx, input.to), input, meta),
  },
  before: async (ctx, input) => ({ contact: await contactByEmail(ctx, input.to) }),
  request: (ctx, input, meta) =>
    mailFrom(ctx, 'Contacts', textAt(meta.before, 'contact') ?? '', {
      to: input.to,
      toName: input.toName,
      subject: input.subject,
      content: input.html ?? input.text,
      format: input.html ? 'html' : 'text',
    }),
  receipt: mailReceipt,
});

interface Invoice {
  number: string;
  to: string;
}

/** Number of an invoice and the address it goes to: the one given, else that of its contact. */
async function invoiceOf(ctx: VendorContext, input: { invoice: string; to?: string }): Promise<Invoice> {
  const path = crm(`Invoices/${encodeURIComponent(input.invoice)}`);
  const { body } = await ctx.call({ method: 'GET', path, query: { fields: 'Invoice_Number,Subject,Contact_Name' } });
  const number = textAt(body, 'data[0].Invoice_Number') ?? textAt(body, 'data[0].Subject') ?? input.invoice;
  if (input.to) return { number, to: input.to };
  const contact = textAt(body, 'data[0].Contact_Name.id');
  const found = contact
    ? await ctx.call({ method: 'GET', path: crm(`Contacts/${contact}`), query: { fields: 'Email' } })
    : undefined;
  const to = textAt(found?.body, 'data[0].Email');
  if (!to) throw new VendorError('recipient_invalid', `The invoice ${number} has no contact with an e-mail address.`);
  return { number, to };
}

const subjectOf = (ctx: VendorContext, number: string): string =>
  String(ctx.settings.reminderSubject ?? 'Reminder: invoice {number}').replaceAll('{number}', number);

export const invoiceReminder: ActionDefinition = defineAction<'send_invoice_reminder'>({
  kind: 'send_invoice_reminder',
  title: 'Reminder by e-mail from the invoice',
  feature: 'email',
  idempotency: {
    kind: 'marker',
    settleSeconds: 60,
    find: async (ctx, input, meta) => {
      const { number, to } = await invoiceOf(ctx, input);
      return mailSent(ctx, 'Invoices', input.invoice, { to, subject: subjectOf(ctx, number) }, meta);
    },
  },
  before: invoiceOf,
  request: (ctx, input, meta) => {
    const { number, to } = (meta.before ?? { number: input.invoice, to: input.to ?? '' }) as Invoice;
    const { reminderTemplate: template, reminderText } = ctx.settings;
    return mailFrom(ctx, 'Invoices', input.invoice, {
      to,
      subject: subjectOf(ctx, number),
      content: String(reminderText ?? 'Our invoice {number} is still open.').replaceAll('{number}', number),
      format: 'text',
      ...(typeof template === 'string' ? { template } : {}),
    });
  },
  receipt: mailReceipt,
});
