import { type Clock, hmacSha256, listAt, type SignedPost, type Trial, type TrialEvent } from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { SlackState, SlackUser } from './sandbox.state.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Workspace {
  state: SlackState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  hookUrl?: string | undefined;
}

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);

/** Slack's side of the cases every connector is tried with. */
export function trialOf(workspace: Workspace, clock: Clock, secret: string, rotation: boolean): Trial {
  const { state, server, oauth } = workspace;
  const isPerson = (user: SlackUser): boolean => !user.is_bot && user.id !== 'USLACKBOT';
  let made = 0;
  return {
    streams: {
      users: {
        create: (count, at) =>
          Array.from({ length: count }, () => {
            made += 1;
            const updated = seconds(at ?? clock.now());
            return state.addUser(`Person ${made}`, `person${made}@business.example`, { updated }).id;
          }),
        change: (id, mark, at) => {
          const profile = { ...state.users.get(id)!.profile, real_name: mark };
          state.changeUser(id, { profile, ...(at ? { updated: seconds(at) } : {}) });
        },
        // People are switched off, never taken away.
        remove: (id) => void state.changeUser(id, { deleted: true }),
        ids: () => [...state.users.values()].filter((user) => isPerson(user) && !user.deleted).map(({ id }) => id),
        announced: true,
        // Every method takes either.
        listed: /^(GET|POST) \/api\/users\.list$/,
        field: 'profile.real_name',
        records: (body) => listAt<SlackUser>(body, 'members').filter(isPerson),
      },
    },
    hook: hooksOf(workspace, secret),
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
    actions: actionsOf(state),
    refusals: refusalsOf(clock),
    grants: grantsOf(oauth, rotation),
  };
}

/** Whatever happened to a person, Slack says that they changed. */
function hooksOf(workspace: Workspace, secret: string): (event: TrialEvent, at: Date) => SignedPost {
  const known = new Map<string, number>();
  return ({ id, event }, at) => {
    const { state } = workspace;
    const moment = known.get(event) ?? seconds(at);
    known.set(event, moment);
    const body = JSON.stringify({
      token: 'unused',
      team_id: state.team.id,
      api_app_id: state.bot.appId,
      event: { type: 'user_change', user: state.users.get(id), cache_ts: moment, event_ts: `${moment}.000100` },
      type: 'event_callback',
      event_id: event,
      event_time: moment,
      authorizations: [
        {
          enterprise_id: null,
          team_id: state.team.id,
          user_id: state.bot.userId,
          is_bot: true,
          is_enterprise_install: false,
        },
      ],
      is_ext_shared_channel: false,
      authed_users: [state.bot.userId],
    });
    const timestamp = String(seconds(at));
    const signature = `v0=${hmacSha256(secret, `v0:${timestamp}:${body}`).toString('hex')}`;
    return {
      url: workspace.hookUrl!,
      body,
      headers: {
        'content-type': 'application/json',
        'x-slack-request-timestamp': timestamp,
        'x-slack-signature': signature,
      },
    };
  };
}
