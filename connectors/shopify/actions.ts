import { Type } from 'typebox';
import {
  type ActionDefinition,
  type ActionInput,
  at,
  type Connector,
  defineAction,
  listAt,
  type Receipt,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { type Channel, consentRequest, STATE_FIELDS } from './consent.ts';
import { ask, gid, numberOf } from './documents.ts';
import { fieldsRequest, nativeFields } from './fields.ts';
import { noteLine, targetOf, urlOf } from './targets.ts';

const wrote = (nativeId: string, url: string | undefined, state: string): Receipt => ({
  nativeId,
  ...(url ? { url } : {}),
  state,
});

const tag = (verb: 'add' | 'remove') =>
  defineAction<'add_tag' | 'remove_tag'>({
    kind: verb === 'add' ? 'add_tag' : 'remove_tag',
    title: verb === 'add' ? 'Tag a customer, order or draft' : 'Take a tag off',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'A tag is there or not.' },
    request: (_ctx, input) => {
      const mutation = verb === 'add' ? 'tagsAdd' : 'tagsRemove';
      const name = verb === 'add' ? 'AddTag' : 'RemoveTag';
      return ask(
        `mutation ${name}($id: ID!, $tags: [String!]!) { ${mutation}(id: $id, tags: $tags) { node { id } userErrors { field message } } }`,
        { id: targetOf(input.about).gid, tags: [input.tag] },
        false,
      );
    },
    receipt: (_reply, ctx, input) => {
      const target = targetOf(input.about);
      return wrote(`${target.id}:${input.tag}`, urlOf(ctx, target), verb === 'add' ? 'added' : 'removed');
    },
    writes: (input) => {
      const { stream, id } = targetOf(input.about);
      return [{ stream, id, [verb === 'add' ? 'adds' : 'removes']: { tags: input.tag } }];
    },
  });

/** The note of a record as it is now. */
async function noteOf(ctx: VendorContext, input: ActionInput<'add_note'>): Promise<string> {
  const { type, gid: id } = targetOf(input.about, 'note');
  const { body } = await ctx.call(ask(`query Note($id: ID!) { node(id: $id) { ... on ${type} { id note } } }`, { id }));
  if (textAt(body, 'data.node.id') === undefined)
    throw new VendorError('not_found', 'Shopify does not know what the note is to be written on.');
  return textAt(body, 'data.node.note') ?? '';
}

/** The schedule a reminder is about: the earliest that is not paid. @throws VendorError when nothing is open */
async function dueOf(ctx: VendorContext, input: ActionInput<'send_invoice_reminder'>): Promise<{ schedule?: string }> {
  const query =
    'query Due($id: ID!) { order(id: $id) { id totalOutstandingSet { shopMoney { amount } } paymentTerms { paymentSchedules(first: 25) { nodes { id dueAt completedAt } } } } }';
  const { body } = await ctx.call(ask(query, { id: gid('Order', input.invoice) }));
  if (textAt(body, 'data.order.id') === undefined)
    throw new VendorError('not_found', `Shopify knows no order ${input.invoice}.`);
  if (Number(textAt(body, 'data.order.totalOutstandingSet.shopMoney.amount')) <= 0)
    throw new VendorError('invalid', 'Nothing of this order is open, so nobody is reminded.');
  const open = listAt(body, 'data.order.paymentTerms.paymentSchedules.nodes')
    .filter((schedule) => !textAt(schedule, 'completedAt'))
    .sort((a, b) => (textAt(a, 'dueAt') ?? '').localeCompare(textAt(b, 'dueAt') ?? ''));
  const schedule = textAt(open[0], 'id');
  return schedule ? { schedule } : {};
}

/** The customer of an objection; where the hub does not know who it is there, Shopify is asked by the address. */
async function objector(ctx: VendorContext, input: ActionInput<'record_opt_out'>): Promise<{ id: string }> {
  if (input.contact) return { id: gid('Customer', input.contact) };
  const identifier = input.channel === 'email' ? { emailAddress: input.address } : { phoneNumber: input.address };
  const query =
    'query WhoIs($identifier: CustomerIdentifierInput!) { customerByIdentifier(identifier: $identifier) { id } }';
  const { body } = await ctx.call(ask(query, { identifier }));
  const id = textAt(body, 'data.customerByIdentifier.id');
  if (id === undefined) throw new VendorError('not_found', `Shopify knows no customer with ${input.address}.`);
  return { id };
}

const idBefore = (before: unknown): string => textAt(before, 'id') ?? '';

export const actions: readonly ActionDefinition[] = [
  tag('add'),
  tag('remove'),
  defineAction<'add_note'>({
    kind: 'add_note',
    title: 'Line in the note of a customer or order',
    feature: 'write',
    idempotency: {
      kind: 'marker',
      // Read by id, which shows what was written at once.
      settleSeconds: 0,
      find: async (ctx, input, meta) => {
        const target = targetOf(input.about, 'note');
        const written = (await noteOf(ctx, input)).includes(noteLine(ctx, input.body, meta.firstTriedAt));
        return written ? wrote(target.id, urlOf(ctx, target), 'written') : undefined;
      },
    },
    before: noteOf,
    request: (ctx, input, meta) => {
      const { mutation, argument, gid: id } = targetOf(input.about, 'note');
      const line = noteLine(ctx, input.body, meta.firstTriedAt);
      const earlier = typeof meta.before === 'string' && meta.before !== '' ? `${meta.before}\n` : '';
      return ask(
        `mutation AddNote($input: ${argument}!) { ${mutation}(input: $input) { userErrors { field message } } }`,
        { input: { id, note: `${earlier}${line}` } },
        false,
      );
    },
    receipt: (_reply, ctx, input) => {
      const target = targetOf(input.about, 'note');
      return wrote(target.id, urlOf(ctx, target), 'written');
    },
  }),
  defineAction<'update_field', { types?: Record<string, string> }>({
    kind: 'update_field',
    title: 'Write metafields and fields',
    feature: 'write',
    extra: Type.Object({ types: Type.Optional(Type.Record(Type.String(), Type.String())) }),
    idempotency: { kind: 'natural', note: 'Setting a field to the same value twice is the same as once.' },
    request: (_ctx, input) => fieldsRequest(input),
    receipt: (_reply, ctx, input) => {
      const target = targetOf({ [input.object]: input.id });
      return wrote(target.id, urlOf(ctx, target), 'written');
    },
    writes: (input) => {
      const { stream, id } = targetOf({ [input.object]: input.id });
      return [{ stream, id, fields: nativeFields(input) }];
    },
  }),
  defineAction<'enrol_in_automation', { properties?: Record<string, unknown> }>({
    kind: 'enrol_in_automation',
    title: "Start the shop's Flow by our trigger",
    feature: 'write',
    extra: Type.Object({ properties: Type.Optional(Type.Record(Type.String(), Type.Unknown())) }),
    idempotency: { kind: 'none', reason: 'Flow takes no key and tells nobody what was started' },
    request: (_ctx, input) => {
      // Flow declares references as whole numbers (dossier, Actions).
      const ids = Object.entries({ customer_id: input.about.contact, order_id: input.about.invoice });
      const known = ids.filter(([, id]) => id !== undefined).map(([name, id]) => [name, Number(numberOf(id))]);
      return ask(
        'mutation StartFlow($handle: String!, $payload: JSON!) { flowTriggerReceive(handle: $handle, payload: $payload) { userErrors { field message } } }',
        { handle: input.automation, payload: { ...Object.fromEntries(known), ...input.properties } },
        false,
      );
    },
    receipt: (_reply, _ctx, input) =>
      wrote(`${input.automation}:${numberOf(input.about.contact ?? input.about.invoice) ?? ''}`, undefined, 'started'),
  }),
  defineAction<'send_invoice_reminder'>({
    kind: 'send_invoice_reminder',
    title: "Shopify's own reminder, or the invoice where there are no payment terms",
    feature: 'write',
    idempotency: { kind: 'none', reason: 'Shopify sends again each time and shows no list of what it sent' },
    before: dueOf,
    request: (_ctx, input, meta) => {
      const schedule = textAt(meta.before, 'schedule');
      if (schedule !== undefined)
        return ask(
          'mutation Remind($id: ID!) { paymentReminderSend(paymentScheduleId: $id) { success userErrors { code field message } } }',
          { id: schedule },
          false,
        );
      return ask(
        'mutation Remind($id: ID!, $email: EmailInput) { orderInvoiceSend(id: $id, email: $email) { userErrors { code field message } } }',
        { id: gid('Order', input.invoice), ...(input.to ? { email: { to: input.to } } : {}) },
        false,
      );
    },
    receipt: (reply, ctx, input) => {
      if (at(reply.body, 'data.paymentReminderSend.success') === false)
        throw new VendorError('invalid', 'Shopify did not send the reminder and gives no reason.');
      return wrote(`reminder:${numberOf(input.invoice)}`, urlOf(ctx, targetOf({ invoice: input.invoice })), 'sent');
    },
  }),
  defineAction<'record_opt_out'>({
    kind: 'record_opt_out',
    title: 'Unsubscribe at Shopify',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'A customer is unsubscribed or not.' },
    before: objector,
    // A preview asks nobody who it is.
    request: (ctx, input, meta) =>
      consentRequest(input.channel as Channel, textAt(meta.before, 'id') ?? input.address, ctx.now),
    receipt: (_reply, _ctx, input, meta) =>
      wrote(`${input.channel}:${numberOf(idBefore(meta.before))}`, undefined, 'unsubscribed'),
    writes: (input) =>
      input.contact
        ? [{ stream: 'customers', id: input.contact, fields: { [STATE_FIELDS[input.channel]]: 'UNSUBSCRIBED' } }]
        : [],
  }),
];

const holding = {
  kind: 'record_opt_out',
  // Shopify knows no topics: one of many would stop everything there.
  input: ({ channel, address, contact, topic }) =>
    topic === undefined ? { channel, address, ...(contact ? { contact } : {}) } : undefined,
} satisfies NonNullable<Connector['optOut']>['email'];

export const optOut: NonNullable<Connector['optOut']> = { email: holding, sms: holding, whatsapp: holding };
