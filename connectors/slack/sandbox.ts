import { type Clock, hmacSha256, type Sandbox, type SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  type Delivery,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { installMethods, refusal } from './sandbox.methods.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { type SlackMessage, SlackState, type SlackUser } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface SlackSandbox extends Sandbox {
  state: SlackState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  addUser(realName: string, email: string, more?: Partial<SlackUser>): SlackUser;
  /** A person (or an administrator) changes a profile; announced as Slack does. */
  changeUser(id: string, change: Partial<SlackUser>): Promise<Delivery | undefined>;
  /** What the bot wrote to a person. */
  messagesTo(userId: string): SlackMessage[];
  /** A person presses a button under a message; the hub is told. */
  press(messageTs: string, buttonLabel: string, userId: string): Promise<Delivery>;
  /** An administrator removes the app from the workspace. */
  uninstall(): Promise<void>;
  /** Posts an event as Slack wraps and signs it. */
  announce(event: object, more?: object): Promise<Delivery>;
  /** Posts bytes as Slack signs them. `headers` replace its own. */
  deliver(body: string, type: 'json' | 'form', headers?: Record<string, string>): Promise<Delivery>;
}

const signingSecret = ({ app }: Pick<SandboxOptions, 'app'>): string =>
  app.SLACK_SIGNING_SECRET ?? 'slack-signing-secret';

const TYPES = { json: 'application/json', form: 'application/x-www-form-urlencoded' };

/** Starts the simulation of Slack: OAuth page, Web API with scopes and Block Kit limits, events and interactivity. */
export async function start(options: SandboxOptions & { rotation?: boolean }): Promise<SlackSandbox> {
  const { clock } = options;
  const state = new SlackState(clock);
  const created = createSandboxServer('Slack', options);
  const oauth = installAuthorisation(created.app, state, options);

  created.app.post('/api/auth.revoke', async (request) => {
    const grant = oauth.grantOf(request);
    if (!grant) return refusal('invalid_auth');
    grant.revoked = true;
    return { ok: true, revoked: true };
  });
  const callerOf = (authorization: string | undefined): { scopes: readonly string[] } | string => {
    if (!authorization) return 'not_authed';
    if (!state.installed) return 'account_inactive';
    const grant = oauth.grantOf({ headers: { authorization } } as Parameters<SandboxOAuth['grantOf']>[0]);
    return grant ?? (options.rotation ? 'token_expired' : 'invalid_auth');
  };
  installMethods(created.app, state, callerOf, options.limits === false ? () => undefined : createLimiter(clock));

  const url = await created.listen();
  const server: SandboxServer = { ...created, url };
  const sandbox = {
    hosts: { api: `${url}/api`, app: url },
    state,
    server,
    oauth,
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      state.lateIndexMs = milliseconds;
    },
    report: () => state.report(),
    stop: () => server.stop(),
  };
  const running = Object.assign(sandbox, verbs(options, sandbox));
  const trial = trialOf(running, clock, signingSecret(options), options.rotation === true);
  return created.show(Object.assign(running, { fill: () => fill(state), deeds: deedsOf(running), trial }));
}

function installAuthorisation(
  app: SandboxServer['app'],
  state: SlackState,
  options: SandboxOptions & { rotation?: boolean },
): SandboxOAuth {
  return installOAuth(app, {
    clock: options.clock,
    vendor: 'Slack',
    authorizePath: '/oauth/v2/authorize',
    tokenPath: '/api/oauth.v2.access',
    clientId: options.app.SLACK_CLIENT_ID ?? 'slack-app',
    clientSecret: options.app.SLACK_CLIENT_SECRET ?? 'slack-secret',
    clientAuth: 'basic',
    scopeSeparator: ',',
    ...(options.rotation ? { accessTtl: 43_200 } : {}),
    rotates: options.rotation === true,
    account: () => {
      state.installed = true;
      return state.team.id;
    },
    answer: (grant, accessToken) => ({
      ok: true,
      app_id: state.bot.appId,
      authed_user: { id: 'U0ADMIN01' },
      scope: grant.scopes.join(','),
      token_type: 'bot',
      access_token: accessToken,
      bot_user_id: state.bot.userId,
      team: { id: state.team.id, name: state.team.name },
      enterprise: null,
      is_enterprise_install: false,
      ...(options.rotation ? { expires_in: 43_200, refresh_token: grant.refreshToken } : {}),
    }),
    // Refusals, too, come with status 200.
    refuse: (reply, error, description) => {
      const codes: Record<string, string> = {
        invalid_client: 'bad_client_secret',
        invalid_grant: /refresh/.test(description) ? 'invalid_refresh_token' : 'invalid_code',
      };
      return reply.send(refusal(codes[error] ?? 'invalid_arguments'));
    },
  });
}

function verbs(
  { clock, app }: SandboxOptions,
  sandbox: Pick<SlackSandbox, 'state' | 'server' | 'oauth' | 'hookUrl'>,
): Omit<SlackSandbox, keyof Sandbox | 'state' | 'server' | 'oauth'> {
  const { state, server, oauth } = sandbox;
  const secret = signingSecret({ app });
  let events = 0;
  const epoch = (): number => Math.floor(clock.now().getTime() / 1000);

  const deliver: SlackSandbox['deliver'] = (body, type, headers = {}) => {
    const timestamp = headers['x-slack-request-timestamp'] ?? String(epoch());
    const signature = `v0=${hmacSha256(secret, `v0:${timestamp}:${body}`).toString('hex')}`;
    return server.post(sandbox.hookUrl!, body, {
      'content-type': TYPES[type],
      'x-slack-request-timestamp': timestamp,
      'x-slack-signature': signature,
      ...headers,
    });
  };
  const announce: SlackSandbox['announce'] = (event, more = {}) => {
    events += 1;
    const authorization = {
      enterprise_id: null,
      team_id: state.team.id,
      user_id: state.bot.userId,
      is_bot: true,
      is_enterprise_install: false,
    };
    const envelope = {
      token: 'unused',
      team_id: state.team.id,
      api_app_id: state.bot.appId,
      event: { event_ts: `${epoch()}.000100`, ...event },
      type: 'event_callback',
      event_id: `Ev0SIM${String(events).padStart(5, '0')}`,
      event_time: epoch(),
      authorizations: [authorization],
      is_ext_shared_channel: false,
      authed_users: [state.bot.userId],
      ...more,
    };
    return deliver(JSON.stringify(envelope), 'json');
  };
  return {
    deliver,
    announce,
    addUser: (realName, email, more) => state.addUser(realName, email, more),
    changeUser: async (id, change) => {
      const user = state.changeUser(id, change);
      return sandbox.hookUrl ? announce({ type: 'user_change', user, cache_ts: epoch() }) : undefined;
    },
    messagesTo: (userId) => {
      const channel = [...state.channels.values()].find((one) => one.user === userId);
      return state.messages.filter((message) => message.channel === channel?.id && message.bot_id !== undefined);
    },
    press: (messageTs, buttonLabel, userId) =>
      deliver(
        new URLSearchParams({
          payload: JSON.stringify(pressOf(state, clock, messageTs, buttonLabel, userId)),
        }).toString(),
        'form',
      ),
    uninstall: async () => {
      state.installed = false;
      oauth.revokeAll();
      if (!sandbox.hookUrl) return;
      // The two arrive in any order.
      await announce({ type: 'tokens_revoked', tokens: { oauth: [], bot: [state.bot.userId] } });
      await announce({ type: 'app_uninstalled' });
    },
  };
}

/** What Slack posts when somebody presses a button, be it a link or not. */
function pressOf(state: SlackState, clock: Clock, messageTs: string, buttonLabel: string, userId: string): object {
  const message = state.messages.find((one) => one.ts === messageTs);
  const user = state.users.get(userId);
  const found = (message?.blocks ?? [])
    .flatMap((block) => block.elements ?? [])
    .find((element) => element.text?.text === buttonLabel);
  if (!message || !user || !found)
    throw new Error(`There is no button "${buttonLabel}" under message ${messageTs}, or no such person.`);
  const seconds = clock.now().getTime() / 1000;
  return {
    type: 'block_actions',
    user: { id: user.id, username: user.name, name: user.name, team_id: user.team_id },
    api_app_id: state.bot.appId,
    token: 'unused',
    container: { type: 'message', message_ts: message.ts, channel_id: message.channel, is_ephemeral: false },
    trigger_id: `${Math.floor(seconds)}.${state.messages.length}.sim`,
    team: { id: state.team.id, domain: 'simulated' },
    enterprise: null,
    is_enterprise_install: false,
    channel: { id: message.channel, name: state.channels.get(message.channel)?.name ?? 'directmessage' },
    message,
    response_url: 'https://hooks.slack.com/actions/simulated',
    actions: [{ block_id: 'b1', ...found, action_ts: seconds.toFixed(6) }],
  };
}

const PER_MINUTE: Record<string, number> = {
  'users.list': 20,
  'users.info': 100,
  'chat.update': 50,
  'conversations.open': 50,
  'conversations.history': 50,
};
/** One message per second and channel, and somewhat more for a moment. */
const POSTS = { calls: 10, milliseconds: 5_000 };

/** Sliding windows: posting per channel, other methods per minute. Answers the seconds to wait. */
function createLimiter(clock: Clock): (method: string, channel: string) => number | undefined {
  const times = new Map<string, number[]>();
  return (method, channel) => {
    const posting = method === 'chat.postMessage';
    const window = posting ? POSTS : { calls: PER_MINUTE[method] ?? Number.POSITIVE_INFINITY, milliseconds: 60_000 };
    const key = posting ? `${method} ${channel}` : method;
    const now = clock.now().getTime();
    const recent = (times.get(key) ?? []).filter((time) => time > now - window.milliseconds);
    times.set(key, recent);
    if (recent.length >= window.calls) return posting ? 1 : 30;
    recent.push(now);
    return undefined;
  };
}
