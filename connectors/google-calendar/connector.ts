import { defineConnector, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { actions } from './actions.ts';
import { prepareChannels, releaseChannels } from './channels.ts';
import { codeOf, ERROR_RULES, messageOf } from './errors.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

const SCOPE = 'https://www.googleapis.com/auth';

/** The zone of the user's calendar; without it dates are read in that of the business. */
async function zoneOf(ctx: VendorContext): Promise<string | undefined> {
  try {
    const { body } = await ctx.call({ method: 'GET', path: '/calendar/v3/users/me/settings/timezone' });
    return textAt(body, 'value');
  } catch (error) {
    // Somebody who did not tick that box is connected all the same.
    if (error instanceof VendorError && error.kind === 'forbidden') return undefined;
    throw error;
  }
}

export default defineConnector({
  id: 'google-calendar',
  name: 'Google Calendar',
  category: 'other',
  api: { version: 'v3' },
  hosts: {
    api: 'https://www.googleapis.com',
    tasks: 'https://tasks.googleapis.com',
    accounts: 'https://accounts.google.com',
    oauth: 'https://oauth2.googleapis.com',
  },
  auth: {
    kind: 'oauth2',
    app: { clientId: 'GOOGLE_CALENDAR_CLIENT_ID', clientSecret: 'GOOGLE_CALENDAR_CLIENT_SECRET' },
    // Without these two a second consent brings no refresh token.
    authorize: {
      host: 'accounts',
      path: '/o/oauth2/v2/auth',
      query: { access_type: 'offline', prompt: 'consent', include_granted_scopes: true },
    },
    token: { host: 'oauth', path: '/token' },
    // Nothing is given back when somebody disconnects: it would end every connection of this person (see QUIRKS.md).
    clientAuth: 'post',
    pkce: true,
    scopeSeparator: ' ',
    rotates: false,
    accessTtl: 3600,
    features: {
      calendar: {
        title: 'Read and write events',
        scopes: [
          'openid',
          `${SCOPE}/userinfo.email`,
          `${SCOPE}/calendar.events`,
          `${SCOPE}/calendar.settings.readonly`,
        ],
      },
      tasks: { title: 'Read and create tasks', scopes: [`${SCOPE}/tasks`] },
    },
  },
  account: async (ctx) => {
    const { body } = await ctx.call({ method: 'GET', path: '/oauth2/v2/userinfo' });
    const id = textAt(body, 'id');
    if (!id) throw new VendorError('malformed', 'Google does not say whose calendar this is.');
    const timeZone = await zoneOf(ctx);
    return {
      id,
      name: textAt(body, 'email') ?? textAt(body, 'name') ?? `Google ${id}`,
      url: 'https://calendar.google.com/calendar',
      ...(timeZone ? { timeZone } : {}),
    };
  },
  prepare: prepareChannels,
  release: releaseChannels,
  limits: [
    // What is saved up goes on top of what flows: 480 and 120 stay within the 600 of a user in any minute.
    { name: 'user', scope: 'account', calls: 480, seconds: 60, burst: 120 },
    // The same of all users of our registration: 10,000 a minute.
    { name: 'project', scope: 'app', calls: 8000, seconds: 60, burst: 2000 },
    // A courtesy quota of the tasks, which Google counts in Pacific time.
    {
      name: 'tasks',
      scope: 'app',
      calls: 50_000,
      seconds: 86_400,
      quota: { every: 'day', zone: 'America/Los_Angeles' },
      match: (spec) => spec.host === 'tasks',
    },
  ],
  errors: { code: codeOf, message: messageOf, rules: ERROR_RULES },
  transport: async () => (await import('./transport.ts')).googleTransport(),
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'The settings of the connection say which calendars are read (calendars, a list of their ids; the own one when empty) and which is written to (calendar).',
    'Guests are invited by mail unless sendUpdates says none or externalOnly.',
    'While the app at Google is in testing, Google ends every connection after seven days.',
  ],
});
