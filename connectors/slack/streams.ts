import { at, defineStream, type Stream, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

// Slackbot is a program although its record does not say so.
const SLACKBOT = 'USLACKBOT';

/** People have a mail box and a conscience; bots, workflows and Slackbot get no tasks. */
const isPerson = (user: unknown): boolean => at(user, 'is_bot') !== true && textAt(user, 'id') !== SLACKBOT;

const GONE = new Set(['user_not_found', 'users_not_found', 'user_not_visible']);

/** One person by id, or undefined when Slack does not know (or show) them any more. */
async function person(ctx: VendorContext, id: string): Promise<unknown> {
  try {
    const { body } = await ctx.call({ method: 'GET', path: '/users.info', query: { user: id } });
    const user = at(body, 'user');
    return isPerson(user) ? user : undefined;
  } catch (error) {
    if (error instanceof VendorError && GONE.has(error.code ?? '')) return undefined;
    throw error;
  }
}

const users = defineStream({
  name: 'users',
  title: 'People in the workspace',
  entities: ['owner'],
  feature: 'people',
  every: 3600,
  list: (ctx, position) => ({
    method: 'GET',
    path: '/users.list',
    query: {
      limit: position.limit,
      cursor: position.token,
      // An app that is installed for a whole organisation has to say which workspace it means.
      team_id: textAt(ctx.settings, 'teamId'),
    },
  }),
  // The cursor at the end is an empty text.
  paging: {
    kind: 'token',
    size: 200,
    next: (reply) => textAt(reply.body, 'response_metadata.next_cursor') || undefined,
  },
  records: (reply) => {
    const members = at(reply.body, 'members');
    if (!Array.isArray(members)) throw new VendorError('malformed', "Slack's list of users holds no members.");
    return members.filter(isPerson);
  },
  id: (user) => textAt(user, 'id'),
  changedAt: (user) => {
    const seconds = Number(at(user, 'updated'));
    return seconds > 0 ? new Date(seconds * 1000).toISOString() : undefined;
  },
  deletes: { kind: 'flag', isDeleted: (user) => at(user, 'deleted') === true },
  fetchByIds: {
    max: 20,
    fetch: async (ctx, ids) => {
      const found: unknown[] = [];
      for (const id of ids) {
        const user = await person(ctx, id);
        if (user !== undefined) found.push(user);
      }
      return found;
    },
  },
});

export const streams: readonly Stream[] = [users];
