import {
  type ActionDefinition,
  type ActionMeta,
  defineAction,
  type Idempotency,
  type Receipt,
  type Reply,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { companyCall, readOne } from './api.ts';
import { fieldsToWrite } from './fields.ts';
import { type About, INVOICE, notedOn, pageOf, type Target, targetOf, versionOf, withNote } from './targets.ts';

/** One id per action: the vendor repeats its first answer instead of acting twice. At most 50 characters. */
const requestId = (meta: ActionMeta): string => meta.requestId.replaceAll('-', '');

const receiptOf = (ctx: VendorContext, target: Target, id: string, state: string): Receipt => ({
  nativeId: id,
  url: pageOf(ctx, target, id),
  state,
});

/** The record as it is now: a write must name the version it is about. */
async function read(ctx: VendorContext, target: Target, id: string): Promise<Record<string, unknown>> {
  const record = await readOne(ctx, target.entity, id);
  if (versionOf(record) === undefined) {
    throw new VendorError('malformed', `QuickBooks answered without the version of the ${target.entity} ${id}.`);
  }
  return record;
}

/**
 * Changes the named fields only; without `sparse` everything left out would be emptied. The version is part of the
 * request's id: a try after somebody else's save is another request, not the repetition of a refusal.
 */
function write(
  ctx: VendorContext,
  target: Target,
  id: string,
  fields: Record<string, unknown>,
  meta: ActionMeta,
): RequestSpec {
  const version = versionOf(meta.before);
  return companyCall(ctx.account.id, 'POST', `/${target.entity.toLowerCase()}`, {
    query: { requestid: `${requestId(meta)}v${version ?? 0}` },
    json: { Id: id, SyncToken: version, sparse: true, ...fields },
  });
}

const written =
  <Input>(state: string, targetFor: (input: Input) => Target) =>
  (reply: Reply, ctx: VendorContext, input: Input): Receipt => {
    const target = targetFor(input);
    return receiptOf(ctx, target, textAt(reply.body, `${target.entity}.Id`) ?? '', state);
  };

/** The day of the first try where the company is, so that a later try writes the same words. */
function dayOf(ctx: VendorContext, meta: ActionMeta): string {
  const zone = ctx.account.timeZone ?? 'UTC';
  return new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(meta.firstTriedAt);
}

/** Times of delivery are shown in whole seconds by the vendor's own clock. */
const CLOCKS_MS = 2_000;

/** A mail that left since the first try: ours whose answer was lost, or one by hand that makes ours one too many. */
const mailedSince: Idempotency<{ invoice: string }> = {
  kind: 'marker',
  settleSeconds: 20,
  find: async (ctx, input, meta) => {
    const invoice = await readOne(ctx, 'Invoice', input.invoice);
    const delivered = Date.parse(textAt(invoice, 'DeliveryInfo.DeliveryTime') ?? '');
    if (!(delivered >= meta.firstTriedAt.getTime() - CLOCKS_MS)) return undefined;
    return receiptOf(ctx, INVOICE, input.invoice, textAt(invoice, 'EmailStatus') ?? 'sent');
  },
};

/** What can be done in a company. */
export const actions: readonly ActionDefinition[] = [
  defineAction<'send_invoice_reminder'>({
    kind: 'send_invoice_reminder',
    title: 'Send the invoice by e-mail again',
    feature: 'write',
    idempotency: mailedSince,
    // A JSON type or any byte of a body is refused. Without an address it goes to the one on the invoice.
    request: (ctx, input, meta) =>
      companyCall(ctx.account.id, 'POST', `/invoice/${encodeURIComponent(input.invoice)}/send`, {
        query: { sendTo: input.to, requestid: requestId(meta) },
        bytes: { type: 'application/octet-stream', data: Buffer.alloc(0) },
      }),
    receipt: (reply, ctx, input) =>
      receiptOf(ctx, INVOICE, input.invoice, textAt(reply.body, 'Invoice.EmailStatus') ?? 'sent'),
  }),
  defineAction<'add_note'>({
    kind: 'add_note',
    title: 'Note on the customer or, for staff only, on the invoice',
    feature: 'write',
    idempotency: {
      kind: 'natural',
      note: 'The text is read first; a note that stands in it already is not added again.',
    },
    before: (ctx, input) => {
      const { target, id } = notedOn(input);
      return read(ctx, target, id);
    },
    request: (ctx, input, meta) => {
      const { target, id } = notedOn(input);
      const { field } = target.note;
      const note = `${dayOf(ctx, meta)}: ${input.body.trim()}`;
      const text = withNote(textAt(meta.before, field) ?? '', note, target.note);
      return write(ctx, target, id, { [field]: text }, meta);
    },
    receipt: written('noted', (input: About) => notedOn(input).target),
  }),
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write fields of a customer or invoice',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'The same fields get the same values; every write names the version read.' },
    before: (ctx, input) => read(ctx, targetOf(input.object), input.id),
    request: (ctx, input, meta) =>
      write(ctx, targetOf(input.object), input.id, fieldsToWrite(ctx, input.fields, meta.before), meta),
    receipt: written('written', (input: { object: string }) => targetOf(input.object)),
    writes: (input) => [{ stream: targetOf(input.object).stream, id: input.id, fields: input.fields }],
  }),
];
