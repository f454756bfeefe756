import {
  type ActionDefinition,
  type Connector,
  defineAction,
  type OptOutHolding,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';

/** Name under which the transport hands back the id a post went out with. */
export const SENT_ID = 'x-sent-webhook-id';

const TIMEOUT_MS = 15_000;

/** Between two tries, as the Standard Webhooks specification recommends: three days in all, for receivers that are down. */
const RETRIES = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
const TYPE = /^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$/;

function targetOf(ctx: VendorContext): URL {
  const target = textAt(ctx.settings, 'target');
  if (!target) throw new VendorError('invalid', 'This connection has no address to post to. Enter one as "target".');
  return new URL(target);
}

/** @throws VendorError when the type is none, or one the receiver did not ask for */
function checkType(ctx: VendorContext, type: string): void {
  if (!TYPE.test(type)) throw new VendorError('invalid', `"${type}" is not an event type such as invoice.overdue.`);
  const wanted = ctx.settings.eventTypes as string[] | undefined;
  const fits = (pattern: string): boolean =>
    pattern === type || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1)));
  if (wanted && !wanted.some(fits)) {
    throw new VendorError(
      'invalid',
      `The receiver does not take "${type}"; it takes ${wanted.join(', ')} (eventTypes).`,
    );
  }
}

const webAddress = (text: string | undefined): string | undefined =>
  text && /^https?:\/\/\S{1,2000}$/.test(text) ? text : undefined;

export const actions: readonly ActionDefinition[] = [
  defineAction<'post_webhook'>({
    kind: 'post_webhook',
    title: 'Post an event, signed',
    feature: 'send',
    idempotency: {
      kind: 'vendor_key',
      note: 'The receiver recognises a repetition by its webhook-id, which stays the same.',
    },
    retries: RETRIES,
    request: (ctx, input, meta) => {
      const target = targetOf(ctx);
      checkType(ctx, input.type);
      return {
        method: 'POST',
        host: 'target',
        path: `${target.pathname}${target.search}`,
        headers: {
          'webhook-id': `msg_${meta.requestId.replaceAll('-', '')}`,
          // Of this try; the time of the event stands in the body. The transport signs both.
          'webhook-timestamp': String(Math.floor(ctx.now.getTime() / 1000)),
        },
        json: { type: input.type, timestamp: meta.firstTriedAt.toISOString(), data: input.data ?? null },
        expect: 'none',
        timeoutMs: TIMEOUT_MS,
      };
    },
    receipt: (reply) => {
      const external = textAt(reply.body, 'external_id');
      const url = webAddress(textAt(reply.body, 'url'));
      // Results are told under the id of our post, so that one is the native id; theirs is shown beside it.
      return {
        nativeId: reply.headers[SENT_ID] ?? '',
        state: external ? `accepted as ${external}` : 'accepted',
        ...(url ? { url } : {}),
      };
    },
  }),
];

/** Whoever takes our posts is told of objections, unless they asked for other types only. */
const told: OptOutHolding = {
  kind: 'post_webhook',
  input: ({ at, ...choice }, settings) => {
    const wanted = settings.eventTypes as string[] | undefined;
    const asked = !wanted || wanted.some((type) => ['customer.opted_out', 'customer.*'].includes(type));
    if (!asked || !textAt(settings, 'target')) return undefined;
    return { type: 'customer.opted_out', data: { ...choice, occurred_at: at.toISOString() } };
  },
};

export const optOut: NonNullable<Connector['optOut']> = { email: told, sms: told, whatsapp: told };
