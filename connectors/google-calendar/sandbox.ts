import type { Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  type Delivery,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { headersOf } from './sandbox.posts.ts';
import { type Around, installCalendar, installGate, installTasks } from './sandbox.routes.ts';
import { type Channel, GoogleCalendarState } from './sandbox.state.ts';
import { TaskList } from './sandbox.tasks.ts';
import { trialOf } from './sandbox.trial.ts';

export interface GoogleCalendarSandbox extends Sandbox {
  state: GoogleCalendarState;
  tasks: TaskList;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** Boxes somebody leaves empty on the page, as ends of scopes. */
  unticked: string[];
  /** Posts that something changed, to every open channel of a calendar. */
  announce(calendar?: string): Promise<Delivery[]>;
  /** A guest answers an invitation; the channels are told. */
  answer(event: string, email: string, responseStatus: string, comment?: string): Promise<void>;
}

/**
 * Starts the simulation of Google Calendar and Tasks: OAuth pages, events with sync tokens and series, guests, channels
 * that end, tasks. It refuses more than 600 calls a minute.
 */
export async function start(options: SandboxOptions): Promise<GoogleCalendarSandbox> {
  const { clock, app: secrets } = options;
  const state = new GoogleCalendarState(clock);
  const tasks = new TaskList(clock);
  const created = createSandboxServer('Google Calendar', options);
  const { app } = created;
  const unticked: string[] = [];
  const oauth = installOAuth(app, {
    clock,
    vendor: 'Google',
    authorizePath: '/o/oauth2/v2/auth',
    tokenPath: '/token',
    clientId: secrets.GOOGLE_CALENDAR_CLIENT_ID ?? 'google-app',
    clientSecret: secrets.GOOGLE_CALENDAR_CLIENT_SECRET ?? 'google-secret',
    clientAuth: 'post',
    scopeSeparator: ' ',
    accessTtl: 3600,
    rotates: false,
    account: () => state.user.id,
    withheldScopes: () => unticked,
    answer: (grant, access_token, refreshed) => ({
      access_token,
      expires_in: 3599,
      scope: grant.scopes.join(' '),
      token_type: 'Bearer',
      ...(refreshed ? {} : { refresh_token: grant.refreshToken }),
    }),
  });
  // By hand an address can be given before anybody connects: it is watched as if somebody had opened a channel to it.
  if (options.hookUrl) state.watch('primary', { id: 'by-hand', address: options.hookUrl, token: 'by-hand' });
  const post = (channel: Channel, what: 'sync' | 'exists', number: number): Promise<Delivery> =>
    created.post(channel.address, '', headersOf(channel, what, number));
  const around: Around = {
    ...{ clock, oauth, state, tasks, limits: options.limits !== false },
    // It is not waited for: the post may come before the answer does.
    opened: (channel) => void post(channel, 'sync', 1).catch(() => undefined),
  };
  installGate(app, around);
  installCalendar(app, around);
  installTasks(app, around);
  const url = await created.listen();
  const server: SandboxServer = { ...created, url };
  const sandbox = {
    hosts: { api: url, tasks: url, accounts: url, oauth: url },
    ...{ state, tasks, server, oauth, unticked },
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return tasks.lateIndexMs;
    },
    set lateIndexMs(milliseconds: number) {
      tasks.lateIndexMs = milliseconds;
    },
    announce: (calendar = 'primary'): Promise<Delivery[]> =>
      Promise.all(
        state.open(calendar).map((channel) => {
          channel.posts += 1;
          return post(channel, 'exists', channel.posts);
        }),
      ),
    async answer(id: string, email: string, responseStatus: string, comment?: string): Promise<void> {
      const calendar = [...state.calendars.values()].find((one) => one.find(id));
      const attendees = calendar?.find(id)?.attendees;
      if (!calendar || !attendees?.some((guest) => guest.email === email))
        throw new Error(`Nobody of the address ${email} is invited to ${id}.`);
      calendar.change(id, {
        attendees: attendees.map((guest) =>
          guest.email === email ? { ...guest, responseStatus, ...(comment ? { comment } : {}) } : guest,
        ),
      });
      await sandbox.announce(calendar.id);
    },
    report: () => ({
      events: state.primary.living().length,
      tasks: tasks.tasks.length,
      channels: state.open().length,
      invitations: state.invitations.length,
    }),
    stop: () => created.stop(),
  };
  const running = Object.assign(sandbox, {
    fill: () => fill(sandbox),
    deeds: deedsOf(sandbox),
    trial: trialOf(sandbox, clock),
  });
  return created.show(running);
}
