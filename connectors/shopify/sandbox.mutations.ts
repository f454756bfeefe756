import type { Roots } from './sandbox.graph.ts';
import type { ShopState, Type } from './sandbox.state.ts';
import type { Node } from './sandbox.table.ts';

interface UserError {
  field: string[] | null;
  message: string;
  code?: string | null;
}

const refused = (field: string, message: string, code: string | null = null) => ({
  userErrors: [{ field: [field], message, code } satisfies UserError],
});
const done = (more: object = {}) => ({ ...more, userErrors: [] });

type Fields = Record<string, unknown>;

interface MetafieldInput {
  ownerId: string;
  namespace: string;
  key: string;
  type?: string;
  value: string;
}

const withoutId = ({ id: _id, ...rest }: Fields): Fields => rest;

/** Tags are told apart without case, and kept as they were written first. */
function tagged(before: string[], tags: string[], verb: 'add' | 'remove'): string[] {
  const is = (one: string) => (other: string) => one.toLowerCase() === other.toLowerCase();
  if (verb === 'remove') return before.filter((tag) => !tags.some(is(tag)));
  return [...before, ...tags.filter((tag) => !before.some(is(tag)))];
}

/** What apps can do in the shop. What cannot be done is told in the answer, with status 200. */
export function mutations(state: ShopState, find: (id: unknown) => Node | null): Roots {
  const change = (id: string, fields: Fields): boolean => state.change(id.split('/')[3] as Type, id, fields);
  const tags = (verb: 'add' | 'remove') => (given: Fields) => {
    const node = find(given.id);
    if (!node) return { node: null, ...refused('id', 'Resource does not exist') };
    const list = given.tags as string[];
    if (list.some((tag) => tag.length > 255))
      return { node: null, ...refused('tags', 'Tag is too long (maximum is 255 characters)') };
    change(node.id, { tags: tagged(node.tags as string[], list, verb) });
    return done({ node: find(given.id) });
  };
  const update =
    (type: 'customer' | 'order') =>
    ({ input }: Fields) => {
      const { id } = input as { id: string };
      const node = find(id);
      const thing = type === 'customer' ? 'Customer' : 'Order';
      if (!node) return { [type]: null, ...refused('id', `${thing} does not exist`) };
      const { whatsAppMarketingConsent, ...fields } = withoutId(input as Fields);
      const consent = whatsAppMarketingConsent as Fields | undefined;
      const phone = (node.defaultPhoneNumber ?? {}) as Fields;
      const more = consent ? { defaultPhoneNumber: { ...phone, whatsAppMarketingConsent: consent } } : {};
      change(id, { ...fields, ...more });
      if ('note' in fields) state.notes.push(node.legacyResourceId as string);
      return done({ [type]: find(id) });
    };
  const consent =
    (holder: 'defaultEmailAddress' | 'defaultPhoneNumber', name: string) =>
    ({ input }: Fields) => {
      const { customerId, [name]: wanted } = input as { customerId: string } & Record<string, Fields>;
      const node = find(customerId);
      if (!node) return { customer: null, ...refused('customerId', 'Customer not found', 'INVALID') };
      if (!node[holder]) return { customer: null, ...refused(name, 'The customer has no such address', 'INVALID') };
      const { marketingState, consentUpdatedAt = null } = wanted!;
      const told =
        holder === 'defaultEmailAddress'
          ? { marketingState, marketingUpdatedAt: consentUpdatedAt }
          : { smsMarketingConsent: { state: marketingState, updatedAt: consentUpdatedAt } };
      change(customerId, { [holder]: { ...(node[holder] as Fields), ...told } });
      return done({ customer: find(customerId) });
    };
  return {
    tagsAdd: tags('add'),
    tagsRemove: tags('remove'),
    customerUpdate: update('customer'),
    orderUpdate: update('order'),
    customerEmailMarketingConsentUpdate: consent('defaultEmailAddress', 'emailMarketingConsent'),
    customerSmsMarketingConsentUpdate: consent('defaultPhoneNumber', 'smsMarketingConsent'),
    metafieldsSet: ({ metafields }) => {
      const inputs = metafields as MetafieldInput[];
      const lost = inputs.findIndex(({ ownerId }) => !find(ownerId));
      // All or nothing.
      if (lost >= 0) return { metafields: null, ...refused('metafields', 'Owner does not exist', 'INVALID') };
      for (const { ownerId, namespace, key, value } of inputs) {
        const before = find(ownerId)!.metafields as MetafieldInput[];
        const others = before.filter((one) => one.namespace !== namespace || one.key !== key);
        change(ownerId, { metafields: [...others, { namespace, key, value }] });
      }
      return done({ metafields: [] });
    },
    metafieldsDelete: ({ metafields }) => {
      for (const { ownerId, namespace, key } of metafields as MetafieldInput[]) {
        const before = (find(ownerId)?.metafields ?? []) as MetafieldInput[];
        change(ownerId, { metafields: before.filter((one) => one.namespace !== namespace || one.key !== key) });
      }
      return done();
    },
    flowTriggerReceive: ({ handle, payload }) => {
      if (handle === 'no-such-trigger')
        return refused('handle', 'Errors validating schema: the trigger does not exist');
      state.flows.push({ handle: String(handle), payload: payload as Record<string, unknown> });
      return done();
    },
    paymentReminderSend: ({ paymentScheduleId: id }) => {
      const due = (one: Node) =>
        (one.paymentTerms as { paymentSchedules: { id: string }[] } | null)?.paymentSchedules.some(
          (each) => each.id === id,
        );
      const order = state.tables.Order.all().find(due);
      if (!order)
        return {
          success: false,
          ...refused('paymentScheduleId', 'Unsuccessful', 'PAYMENT_REMINDER_SEND_UNSUCCESSFUL'),
        };
      state.reminders.push(order.legacyResourceId as string);
      return done({ success: true });
    },
    orderInvoiceSend: ({ id }) => {
      const order = find(id);
      if (!order) return { order: null, ...refused('id', 'Order not found') };
      state.reminders.push(order.legacyResourceId as string);
      return done({ order });
    },
    webhookSubscriptionCreate: ({ topic, webhookSubscription }) => {
      const { uri } = webhookSubscription as { uri: string };
      if (state.subscriptions.some((one) => one.topic === topic && one.uri === uri))
        return {
          webhookSubscription: null,
          ...refused('webhookSubscription', 'Address for this topic has already been taken'),
        };
      state.subscriptions.push({ topic: String(topic), uri });
      return done({ webhookSubscription: null });
    },
  };
}
