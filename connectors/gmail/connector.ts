import { defineConnector, textAt, VendorError } from '../../src/kit/index.ts';
import { actions } from './actions.ts';
import { codeOf, ERROR_RULES, messageOf } from './errors.ts';
import { prepareMailbox } from './mailbox.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

const SCOPE = 'https://www.googleapis.com/auth';

export default defineConnector({
  id: 'gmail',
  name: 'Gmail',
  category: 'email',
  api: { version: 'v1' },
  hosts: {
    api: 'https://gmail.googleapis.com',
    google: 'https://www.googleapis.com',
    accounts: 'https://accounts.google.com',
    oauth: 'https://oauth2.googleapis.com',
  },
  auth: {
    kind: 'oauth2',
    app: { clientId: 'GMAIL_CLIENT_ID', clientSecret: 'GMAIL_CLIENT_SECRET' },
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
      send: { title: 'Send mail', scopes: ['openid', `${SCOPE}/userinfo.email`, `${SCOPE}/gmail.send`] },
      // Google wants a yearly security assessment of public apps that ask for this.
      replies: { title: 'Read answers and bounces', scopes: [`${SCOPE}/gmail.readonly`] },
    },
  },
  // Only for being told at once: without them the mailbox is asked every few minutes.
  optionalSecrets: ['GMAIL_PUBSUB_TOPIC', 'GMAIL_PUSH_ACCOUNT'],
  account: async (ctx) => {
    const { body } = await ctx.call({ method: 'GET', host: 'google', path: '/oauth2/v2/userinfo' });
    const [id, email] = [textAt(body, 'id'), textAt(body, 'email')];
    if (!id || !email) throw new VendorError('malformed', 'Google does not say whose mailbox this is.');
    // Posts name the mailbox by its address, which can change; the id does not.
    return { id, name: email, url: 'https://mail.google.com/', alsoKnownAs: [email.toLowerCase()], extra: { email } };
  },
  prepare: prepareMailbox,
  limits: [
    // 6,000 units a user in any minute: a send costs 100 of them, a message 20, anything else 5 at most.
    { name: 'sends', scope: 'account', calls: 16, seconds: 60, burst: 4, match: (spec) => spec.path.endsWith('/send') },
    {
      name: 'messages',
      scope: 'account',
      calls: 130,
      seconds: 60,
      burst: 40,
      match: (spec) => /\/messages\/[^/]+$/.test(spec.path) && !spec.path.endsWith('/send'),
    },
    {
      name: 'others',
      scope: 'account',
      calls: 60,
      seconds: 60,
      burst: 20,
      match: (spec) => !/\/messages\/[^/]+$/.test(spec.path),
    },
    // Workspace takes 2,000 a day, and beyond them blocks the person at the keyboard, too: 70 % of it.
    {
      name: 'mails of a day',
      scope: 'account',
      calls: 1000,
      seconds: 86_400,
      burst: 400,
      match: (spec) => spec.path.endsWith('/send'),
    },
  ],
  errors: { code: codeOf, message: messageOf, rules: ERROR_RULES },
  transport: async () => (await import('./transport.ts')).googleTransport(),
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Mail goes out as the mailbox that was connected, or as its alias in the setting fromAddress; it appears among its sent mail.',
    'Only answers to our own mail and bounces are read, nothing else of the mailbox, unless the setting read says all.',
    'To be told of answers at once, a topic of Google Pub/Sub in the project of the app is needed (GMAIL_PUBSUB_TOPIC) with a push subscription to the address shown here (GMAIL_PUSH_ACCOUNT is the service account it signs with).',
    'Google ends the connection when the password of the mailbox is changed.',
  ],
});
