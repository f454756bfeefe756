import {
  type ActionDefinition,
  type ActionInput,
  type ActionMeta,
  at,
  defineAction,
  type Receipt,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { blocksOf } from './blocks.ts';

/** Under this name our id is kept with a message, where people do not see it. */
const METADATA = 'rapport_action';

const isPerson = (target: string): boolean => /^[UW][A-Z0-9]+$/.test(target);

/** @throws VendorError `invalid` for a name: names change, ids do not, and updates take ids only */
function checkTarget(target: string): string {
  if (isPerson(target) || /^[CDG][A-Z0-9]+$/.test(target)) return target;
  throw new VendorError(
    'invalid',
    `"${target}" is not the id of a Slack channel (C…) or person (U…). Open the details of the channel in Slack and copy its id.`,
  );
}

/** Channel and time of a message, which together are its id. The time is text: as a number it loses digits. */
function splitId(nativeId: string): { channel: string; ts: string } {
  const [channel, ts] = nativeId.split(':');
  if (!channel || !ts) throw new VendorError('invalid', `"${nativeId}" is not a message in Slack (channel:time).`);
  return { channel, ts };
}

function receiptOf(ctx: VendorContext, channel: string, ts: string, state: string): Receipt {
  return { nativeId: `${channel}:${ts}`, ...(ctx.account.url ? { url: ctx.account.url } : {}), state };
}

const epoch = (time: number): string => String(Math.floor(time / 1000));

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const PAGES = 3;

/** Refusals that mean: what is in this channel is not ours to see. */
const NOT_SHOWN = new Set(['missing_scope', 'not_in_channel', 'channel_not_found', 'is_archived']);

/**
 * Looks for a message that carries our id among those of the time it would have been posted. Where history cannot be
 * read there is nothing to find: the message is then posted again, because it is for staff, and a second one is the
 * lesser harm than a customer nobody was told about.
 */
async function find(
  ctx: VendorContext,
  input: ActionInput<'send_chat'>,
  meta: ActionMeta,
): Promise<Receipt | undefined> {
  if (input.replaces !== undefined || !ctx.features.includes('replies')) return undefined;
  try {
    const channel = isPerson(input.target) ? await directChannel(ctx, input.target) : input.target;
    let cursor: string | undefined;
    for (let page = 0; page < PAGES; page++) {
      const { body } = await ctx.call({
        method: 'GET',
        path: '/conversations.history',
        query: {
          channel,
          oldest: epoch(meta.firstTriedAt.getTime() - HOUR_MS),
          // A later try than the first may be the one that got through: up to now, not only around the first.
          latest: epoch(ctx.now.getTime() + 3 * MINUTE_MS),
          inclusive: true,
          include_all_metadata: true,
          limit: 200,
          cursor,
        },
      });
      // A list that is not there proves nothing, an empty one does.
      const messages = at(body, 'messages');
      if (!Array.isArray(messages))
        throw new VendorError('malformed', "Slack's history of the channel holds no messages.");
      const ours = messages.find(
        (message) =>
          textAt(message, 'metadata.event_type') === METADATA &&
          textAt(message, 'metadata.event_payload.id') === meta.requestId,
      );
      const ts = textAt(ours, 'ts');
      if (ts) return receiptOf(ctx, channel, ts, 'posted');
      cursor = textAt(body, 'response_metadata.next_cursor') || undefined;
      if (!cursor) return undefined;
    }
    return undefined;
  } catch (error) {
    if (error instanceof VendorError && NOT_SHOWN.has(error.code ?? '')) return undefined;
    throw error;
  }
}

/** The conversation between the bot and a person: always the same one. */
async function directChannel(ctx: VendorContext, user: string): Promise<string> {
  const { body } = await ctx.call({ method: 'POST', path: '/conversations.open', json: { users: user }, safe: true });
  const channel = textAt(body, 'channel.id');
  if (!channel) throw new VendorError('malformed', 'Slack opened a conversation and did not say which.');
  return channel;
}

const sendChat = defineAction<'send_chat'>({
  kind: 'send_chat',
  title: 'Message to a channel or a person',
  feature: 'chat',
  idempotency: { kind: 'marker', settleSeconds: 30, find },
  request: (_ctx, input, meta) => {
    const content = blocksOf(input);
    // Previews of CRM links would show what is behind them to the whole channel.
    const quiet = { unfurl_links: false, unfurl_media: false };
    return input.replaces === undefined
      ? {
          method: 'POST',
          path: '/chat.postMessage',
          json: {
            channel: checkTarget(input.target),
            ...content,
            ...quiet,
            metadata: { event_type: METADATA, event_payload: { id: meta.requestId } },
          },
        }
      : { method: 'POST', path: '/chat.update', json: { ...splitId(input.replaces), ...content } };
  },
  receipt: (reply, ctx, input) => {
    const channel = textAt(reply.body, 'channel');
    const ts = at(reply.body, 'ts');
    if (!channel || typeof ts !== 'string') {
      throw new VendorError('malformed', 'Slack took the message and did not say where it is.', { mayHaveActed: true });
    }
    return receiptOf(ctx, channel, ts, input.replaces === undefined ? 'posted' : 'updated');
  },
});

export const actions: readonly ActionDefinition[] = [sendChat];
