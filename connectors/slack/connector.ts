import { type Budget, defineConnector, textAt } from '../../src/kit/index.ts';
import { actions } from './actions.ts';
import { errors } from './errors.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

/** Slack counts each method by itself, per workspace. */
const perMinute = (method: string, calls: number): Budget => ({
  name: method,
  scope: 'account',
  calls,
  seconds: 60,
  burst: Math.ceil(calls / 4),
  match: (spec) => spec.path === `/${method}`,
});

export default defineConnector({
  id: 'slack',
  name: 'Slack',
  category: 'chat',
  hosts: { api: 'https://slack.com/api', app: 'https://slack.com' },
  auth: {
    kind: 'oauth2',
    app: { clientId: 'SLACK_CLIENT_ID', clientSecret: 'SLACK_CLIENT_SECRET' },
    authorize: { host: 'app', path: '/oauth/v2/authorize' },
    token: { host: 'api', path: '/oauth.v2.access' },
    // Takes the token back from whoever holds it: one app has one bot token per workspace.
    revoke: () => ({ method: 'POST', path: '/auth.revoke' }),
    clientAuth: 'basic',
    // Switching PKCE on turns the app into a public client for good.
    pkce: false,
    scopeSeparator: ',',
    // Only where the app switched token rotation on: the answer then holds a refresh token that works once.
    rotates: true,
    keep: ['bot_user_id', 'app_id'],
    features: {
      chat: {
        title: 'Post messages to channels and people, and update them',
        scopes: ['chat:write', 'chat:write.public', 'im:write'],
      },
      people: { title: 'Find staff by e-mail address', scopes: ['users:read', 'users:read.email'] },
      channels: { title: 'Choose a channel by name', scopes: ['channels:read', 'groups:read'] },
      replies: {
        title: 'Find our own message again after a lost answer (reads channels the bot is in)',
        scopes: ['channels:history', 'groups:history', 'im:history'],
      },
    },
  },
  appSecrets: ['SLACK_SIGNING_SECRET'],
  account: async (ctx) => {
    const { body } = await ctx.call({ method: 'POST', path: '/auth.test', safe: true });
    const team = textAt(body, 'team_id') ?? '';
    const orgWide = textAt(body, 'is_enterprise_install') === 'true';
    const url = textAt(body, 'url');
    return {
      // What events name: the workspace, or the organisation when the app was installed for all of it.
      id: (orgWide ? textAt(body, 'enterprise_id') : team) ?? team,
      name: textAt(body, 'team') ?? team,
      ...(url ? { url } : {}),
      extra: { team, orgWide, botUserId: textAt(body, 'user_id') },
    };
  },
  limits: [
    // About one message per second and channel, bursts tolerated. A budget knows accounts, not channels, so one fast
    // channel slows the others: a few messages at once, then one per second over the whole workspace.
    {
      name: 'posting',
      scope: 'account',
      calls: 1,
      seconds: 1,
      burst: 5,
      match: (spec) => spec.path === '/chat.postMessage',
    },
    perMinute('chat.update', 50),
    perMinute('conversations.open', 50),
    perMinute('conversations.history', 50),
    perMinute('users.list', 20),
    perMinute('users.info', 100),
  ],
  errors,
  transport: async () => (await import('./transport.ts')).slackTransport(),
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Request URLs are set once in the settings of the Slack app: events, interactivity and commands all go to the hook address of this hub.',
    'A private channel is reachable after somebody invited the bot there; give channels by their id (C…), not by name.',
    'Everybody in the workspace becomes known as staff, found by e-mail address; bots do not.',
  ],
});
