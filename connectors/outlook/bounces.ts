import { listAt, textAt, type VendorContext } from '../../src/kit/index.ts';
import { graph, MARK, quoted, step } from './graph.ts';
import { isBounce } from './records.ts';

/**
 * Adds to reports of undelivered mail which of our messages each is about: the report stands in the same conversation,
 * and names recipient and reason in its MIME form (dossier, Opt-out and engagement: Bounce).
 */
export const withBounces = (ctx: VendorContext, records: unknown[]): Promise<unknown[]> =>
  Promise.all(records.map((record) => (isBounce(record) ? withOriginal(ctx, record) : record)));

async function withOriginal(ctx: VendorContext, record: unknown): Promise<unknown> {
  const conversation = textAt(record, 'conversationId');
  if (!conversation) return record;
  const query = {
    $filter: `conversationId eq ${quoted(conversation)}`,
    $select: 'id,toRecipients,isDraft',
    $expand: `singleValueExtendedProperties($filter=id eq '${MARK}')`,
  };
  const { body } = await ctx.call(graph({ method: 'GET', path: '/me/messages', query }));
  const ours = listAt(body, 'value').find((message) => requestOf(message) !== undefined);
  const nativeId = textAt(ours, 'id');
  if (!nativeId) return record;
  const path = `/me/messages/${step(textAt(record, 'id')!)}/$value`;
  const mime = String((await ctx.call(graph({ method: 'GET', path, expect: 'text' }))).body);
  const status = /^Status:\s*(\d\.\d{1,3}\.\d{1,3})/im.exec(mime)?.[1] ?? '';
  // Of a delay nobody is told: it may yet arrive.
  if (/^Action:\s*delayed/im.test(mime) || status.startsWith('4.')) return record;
  const recipient = /^Final-Recipient:\s*rfc822;\s*(\S+)/im.exec(mime)?.[1];
  const text = `Could not be delivered${recipient ? ` to ${recipient}` : ''}${status ? ` (${status})` : ''}.`;
  return { ...(record as object), bounce: { nativeId, requestId: requestOf(ours), status, text } };
}

const requestOf = (message: unknown): string | undefined => {
  const marks = listAt(message, 'singleValueExtendedProperties');
  return textAt(
    marks.find((mark) => textAt(mark, 'id') === MARK),
    'value',
  );
};
