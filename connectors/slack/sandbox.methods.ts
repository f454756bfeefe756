import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { invalidBlocks } from './sandbox.blocks.ts';
import type { Block, SlackChannel, SlackMessage, SlackState, SlackUser } from './sandbox.state.ts';

type Arguments = Record<string, unknown>;
export type Answer = Record<string, unknown> & { ok: boolean };

/** What a method may know of the call. */
interface Call {
  state: SlackState;
  args: Arguments;
  scopes: readonly string[];
}

export const refusal = (error: string, more: object = {}): Answer => ({ ok: false, error, ...more });

const missing = (call: Call, needed: string): Answer =>
  refusal('missing_scope', { needed, provided: call.scopes.join(',') });

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;

const flag = (value: unknown): boolean => value === true || value === 'true' || value === '1';

/** In forms lists and objects travel as JSON text. */
function structured(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return Number.NaN;
  }
}

/** A page of a list; the cursor is the offset, wrapped so that nobody counts on it. */
function pageOf<Item>(all: readonly Item[], args: Arguments, most: number): { items: Item[]; next: string } {
  const start = args.cursor ? Number(Buffer.from(String(args.cursor), 'base64').toString().slice(7)) : 0;
  const end = start + Math.min(most, Number(args.limit ?? 100));
  return {
    items: all.slice(start, end),
    next: end < all.length ? Buffer.from(`offset:${end}`).toString('base64') : '',
  };
}

/** Without the e-mail scope the address is left out. */
const shown = (call: Call, user: SlackUser): object => {
  const { email, ...profile } = user.profile;
  return { ...user, profile: email && call.scopes.includes('users:read.email') ? { ...profile, email } : profile };
};

/** The conversation a message goes to, or why it does not. */
function destination(call: Call): SlackChannel | string {
  const { state, scopes } = call;
  const id = text(call.args.channel) ?? '';
  if (/^[UW]/.test(id)) {
    const user = state.users.get(id);
    if (!user) return 'channel_not_found';
    if (user.deleted) return 'user_disabled';
    return user.is_bot ? 'cannot_dm_bot' : state.openIm(id);
  }
  const channel = state.channels.get(id);
  if (!channel || (channel.is_private && !channel.is_member)) return 'channel_not_found';
  if (channel.is_archived) return 'is_archived';
  return channel.is_member || scopes.includes('chat:write.public') ? channel : 'not_in_channel';
}

type Content = Pick<SlackMessage, 'text' | 'blocks' | 'metadata'>;

/** What a message says, checked as the vendor checks it. */
function contentOf(args: Arguments): Content | Answer {
  const body = text(args.text) ?? '';
  const blocks = args.blocks === undefined ? [] : structured(args.blocks);
  if (!Array.isArray(blocks)) return refusal('invalid_blocks_format');
  if (body === '' && blocks.length === 0) return refusal('no_text');
  if (body.length > 40_000) return refusal('msg_too_long');
  const problems = invalidBlocks(blocks as Block[]);
  if (problems.length > 0)
    return refusal('invalid_blocks', {
      response_metadata: { messages: problems.map((problem) => `[ERROR] ${problem}`) },
    });
  const metadata = args.metadata === undefined ? undefined : (structured(args.metadata) as SlackMessage['metadata']);
  if (
    metadata !== undefined &&
    (typeof metadata?.event_type !== 'string' || typeof metadata.event_payload !== 'object')
  )
    return refusal('invalid_arguments');
  return { text: body, blocks: blocks as Block[], ...(metadata ? { metadata } : {}) };
}

const isRefusal = (value: Content | Answer): value is Answer => 'ok' in value;

const HISTORY_SCOPES: Record<string, string> = { C: 'channels:history', G: 'groups:history', D: 'im:history' };

const METHODS: Record<string, { scope?: string; run: (call: Call) => Answer }> = {
  'auth.test': {
    run: ({ state }) => ({
      ok: true,
      url: state.team.url,
      team: state.team.name,
      user: 'rapport',
      team_id: state.team.id,
      user_id: state.bot.userId,
      bot_id: state.bot.botId,
      is_enterprise_install: false,
    }),
  },
  'users.list': {
    scope: 'users:read',
    run: (call) => {
      const { items, next } = pageOf([...call.state.users.values()], call.args, 999);
      return {
        ok: true,
        members: items.map((user) => shown(call, user)),
        cache_ts: 0,
        response_metadata: { next_cursor: next },
      };
    },
  },
  'users.info': {
    scope: 'users:read',
    run: (call) => {
      const user = call.state.users.get(text(call.args.user) ?? '');
      return user ? { ok: true, user: shown(call, user) } : refusal('user_not_found');
    },
  },
  'users.lookupByEmail': {
    scope: 'users:read.email',
    run: (call) => {
      const email = (text(call.args.email) ?? '').toLowerCase();
      const user = [...call.state.users.values()].find(
        (one) => one.profile.email?.toLowerCase() === email && !one.deleted,
      );
      return user ? { ok: true, user: shown(call, user) } : refusal('users_not_found');
    },
  },
  'conversations.open': {
    scope: 'im:write',
    run: ({ state, args }) => {
      const user = state.users.get(text(args.users) ?? '');
      if (!user) return refusal('user_not_found');
      return user.deleted ? refusal('user_disabled') : { ok: true, channel: { id: state.openIm(user.id).id } };
    },
  },
  'conversations.list': {
    scope: 'channels:read',
    run: ({ state, args }) => {
      const visible = [...state.channels.values()].filter(
        (channel) => !channel.is_im && (!channel.is_private || channel.is_member),
      );
      const { items, next } = pageOf(
        flag(args.exclude_archived) ? visible.filter((channel) => !channel.is_archived) : visible,
        args,
        1000,
      );
      return { ok: true, channels: items, response_metadata: { next_cursor: next } };
    },
  },
  'conversations.history': {
    run: (call) => {
      const { state, args } = call;
      const channel = state.channels.get(text(args.channel) ?? '');
      const needed = HISTORY_SCOPES[text(args.channel)?.[0] ?? '']!;
      if (!call.scopes.includes(needed)) return missing(call, needed);
      if (!channel || (channel.is_private && !channel.is_member)) return refusal('channel_not_found');
      if (!channel.is_member) return refusal('not_in_channel');
      const found = state.history(channel.id, text(args.oldest), text(args.latest), flag(args.inclusive));
      const { items, next } = pageOf(found, args, 1000);
      const messages = items.map(({ channel: _channel, metadata, ...message }) =>
        metadata && flag(args.include_all_metadata) ? { ...message, metadata } : message,
      );
      return {
        ok: true,
        messages,
        has_more: next !== '',
        pin_count: 0,
        channel_actions_ts: null,
        channel_actions_count: 0,
        response_metadata: { next_cursor: next },
      };
    },
  },
  'chat.postMessage': {
    scope: 'chat:write',
    run: (call) => {
      const channel = destination(call);
      if (typeof channel === 'string') return refusal(channel);
      const content = contentOf(call.args);
      if (isRefusal(content)) return content;
      const { channel: id, ...message } = call.state.post(channel.id, content);
      return { ok: true, channel: id, ts: message.ts, message };
    },
  },
  'chat.update': {
    scope: 'chat:write',
    run: ({ state, args }) => {
      const message = state.find(text(args.channel) ?? '', text(args.ts) ?? '');
      if (!state.channels.has(text(args.channel) ?? '')) return refusal('channel_not_found');
      if (!message) return refusal('message_not_found');
      if (message.bot_id === undefined) return refusal('cant_update_message');
      const content = contentOf(args);
      if (isRefusal(content)) return content;
      state.update(message, { text: content.text, blocks: content.blocks });
      const { channel, ...shown } = message;
      return { ok: true, channel, ts: message.ts, text: message.text, message: shown };
    },
  },
};

/** Adds the Web API: one address per method, status 200 for nearly everything. */
export function installMethods(
  app: SandboxServer['app'],
  state: SlackState,
  callerOf: (authorization: string | undefined) => { scopes: readonly string[] } | string,
  limit: (method: string, channel: string) => number | undefined,
): void {
  app.route<{ Params: { method: string } }>({
    method: ['GET', 'POST'],
    url: '/api/:method',
    handler: async (request, reply) => {
      const { method } = request.params;
      const known = METHODS[method];
      if (!known) return refusal('unknown_method', { req_method: method });
      const caller = callerOf(request.headers.authorization);
      if (typeof caller === 'string') return refusal(caller);
      reply.header('x-oauth-scopes', caller.scopes.join(','));
      const args = { ...(request.query as Arguments), ...(request.body as Arguments | undefined) };
      const call: Call = { state, args, scopes: caller.scopes };
      if (known.scope && !caller.scopes.includes(known.scope)) return missing(call, known.scope);
      const wait = limit(method, text(args.channel) ?? '');
      if (wait !== undefined) return reply.code(429).header('retry-after', String(wait)).send(refusal('ratelimited'));
      return known.run(call);
    },
  });
}
