import { defineConnector, listAt, textAt, type VendorContext } from '../../src/kit/index.ts';
import { actions } from './actions.ts';
import { cloudOf } from './clouds.ts';
import { graph, VERSION } from './graph.ts';
import { streams } from './streams.ts';
import { release, subscribe } from './subscriptions.ts';
import { webhooks } from './webhooks.ts';
import { zoneOf } from './zones.ts';

/** The built-in list of tasks, which is where new ones go. */
async function builtInList(ctx: VendorContext): Promise<string | undefined> {
  const { body } = await ctx.call(graph({ method: 'GET', path: '/me/todo/lists' }));
  const lists = listAt(body, 'value');
  return textAt(lists.find((list) => textAt(list, 'wellknownListName') === 'defaultList') ?? lists[0], 'id');
}

export default defineConnector({
  id: 'outlook',
  name: 'Outlook / Microsoft 365',
  category: 'email',
  api: { version: VERSION },
  hosts: { api: 'https://graph.microsoft.com', login: 'https://login.microsoftonline.com/common' },
  hostOf: cloudOf,
  auth: {
    kind: 'oauth2',
    app: { clientId: 'OUTLOOK_CLIENT_ID', clientSecret: 'OUTLOOK_CLIENT_SECRET' },
    authorize: {
      host: 'login',
      path: '/oauth2/v2.0/authorize',
      query: { response_mode: 'query', prompt: 'select_account' },
    },
    token: { host: 'login', path: '/oauth2/v2.0/token' },
    clientAuth: 'post',
    pkce: true,
    scopeSeparator: ' ',
    // Every refresh brings a new one; only the newest is kept (dossier, Auth: Lifetimes).
    rotates: true,
    busyErrors: ['temporarily_unavailable', 'server_error'],
    features: {
      read: {
        title: 'Read contacts and the time zone of the mailbox',
        scopes: ['offline_access', 'User.Read', 'Contacts.Read', 'MailboxSettings.Read'],
      },
      calendar: { title: 'Read appointments and enter them', scopes: ['Calendars.ReadWrite'] },
      replies: { title: 'Read replies in the inbox', scopes: ['Mail.Read'] },
      email: { title: 'Send e-mail from the mailbox', scopes: ['Mail.ReadWrite', 'Mail.Send'] },
      tasks: { title: 'Read and create tasks in To Do', scopes: ['Tasks.ReadWrite'] },
      write: { title: 'Write contacts and their categories', scopes: ['Contacts.ReadWrite'] },
      shared: { title: 'Send as a shared mailbox', scopes: ['Mail.Send.Shared'], optional: true },
    },
  },
  account: async (ctx) => {
    const query = { $select: 'id,mail,userPrincipalName,displayName,mobilePhone' };
    const { body } = await ctx.call(graph({ method: 'GET', path: '/me', query }));
    const settings = await ctx.call(graph({ method: 'GET', path: '/me/mailboxSettings' }));
    const timeZone = zoneOf(textAt(settings.body, 'timeZone'));
    const mail = textAt(body, 'mail') ?? textAt(body, 'userPrincipalName') ?? '';
    const taskList = ctx.features.includes('tasks') ? await builtInList(ctx) : undefined;
    return {
      id: textAt(body, 'id') ?? '',
      name: mail || (textAt(body, 'displayName') ?? 'Outlook'),
      url: 'https://outlook.office.com/mail/',
      ...(timeZone ? { timeZone } : {}),
      extra: { mail, ...(taskList ? { taskList } : {}) },
    };
  },
  prepare: subscribe,
  release,
  limits: [
    // What is saved up goes on top of what flows: 900 and 9,000 stay within 10,000 in ten minutes (dossier, Limits).
    { name: 'mailbox', scope: 'account', calls: 9000, seconds: 600, burst: 900 },
    // Exchange Online takes 30 messages a minute.
    { name: 'mail', scope: 'account', calls: 25, seconds: 60, burst: 5, match: (spec) => spec.path.endsWith('/send') },
  ],
  errors: {
    code: (reply) => (reply.status >= 400 ? textAt(reply.body, 'error.code') : undefined),
    message: (reply) => textAt(reply.body, 'error.message'),
    rules: [
      { code: 'ErrorInvalidRecipients', kind: 'recipient_invalid' },
      // The mailbox sent too much for now; nothing of this message went out.
      {
        code: ['ErrorExceededMessageLimit', 'ErrorMessageSubmissionBlocked'],
        kind: 'transient',
        retryAfter: 3600,
        mayHaveActed: false,
      },
      // An earlier try of ours with the same transactionId made it: it is looked for.
      {
        status: 409,
        when: (reply) =>
          /transaction/i.test(`${textAt(reply.body, 'error.code')} ${textAt(reply.body, 'error.message')}`),
        kind: 'transient',
        mayHaveActed: true,
      },
      { status: [409, 412], kind: 'conflict' },
      { code: 'ErrorInternalServerTransientError', kind: 'transient' },
      { status: 413, kind: 'invalid' },
    ],
  },
  transport: async () => (await import('./transport.ts')).graphTransport(),
  streams,
  webhooks,
  actions,
  sandbox: () => import('./sandbox.ts'),
  notes: [
    'Many organisations let only an administrator agree to new apps: then the page for consent asks for one.',
    'The setting "tenant" limits the log-in to one organisation (its id or domain); "cloud" is usgov or china for those.',
    'Change notifications need a public https address of this hub.',
  ],
});
