import {
  type Clock,
  listAt,
  type SignedPost,
  type StreamTrial,
  type Trial,
  type TrialEvent,
} from '../../src/kit/index.ts';
import { grantsOf, type SandboxOAuth, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { addMail } from './sandbox.mail.ts';
import { addContact, slotIn } from './sandbox.people.ts';
import { addEvent } from './sandbox.routes.ts';
import { type Item, type Kind, type Mailbox, typeOf } from './sandbox.state.ts';
import type { Subscriptions } from './sandbox.subscriptions.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

interface Account {
  mailbox: Mailbox;
  server: SandboxServer;
  oauth: SandboxOAuth;
  subscriptions: Subscriptions;
  hookUrl?: string | undefined;
}

const KIND_OF: Record<string, Kind> = { contacts: 'contact', events: 'event', messages: 'message', tasks: 'todoTask' };

/** Outlook's side of the cases every connector is tried with. */
export function trialOf(account: Account, clock: Clock): Trial {
  const { mailbox, server, oauth, subscriptions } = account;
  let n = 0;
  const stream = (
    name: string,
    field: string,
    listed: RegExp,
    make: (n: number, at?: string) => Item,
    scope: (item: Item) => boolean = () => true,
  ): StreamTrial => ({
    create: (count, at) => Array.from({ length: count }, () => make(++n, at?.toISOString()).id),
    change: (id, mark, at) => void mailbox.update(KIND_OF[name]!, id, { [field]: mark }, at?.toISOString()),
    ids: () =>
      mailbox
        .all(KIND_OF[name]!)
        .filter(scope)
        .map(({ id }) => id),
    announced: true,
    listed,
    field,
    records: (body) => listAt(body, 'value'),
  });
  const removable = (one: StreamTrial, kind: Kind): StreamTrial => ({
    ...one,
    remove: (id) => void mailbox.remove(kind, id),
  });
  return {
    streams: {
      contacts: removable(
        stream('contacts', 'displayName', /^GET \/v1\.0\/me\/contacts(\/delta)?$/, (at, when) =>
          addContact(mailbox, { displayName: `Number ${at}` }, when),
        ),
        'contact',
      ),
      events: removable(
        stream('events', 'subject', /^GET \/v1\.0\/me\/calendarView(\/delta)?$/, (at, when) =>
          addEvent(mailbox, { subject: `Visit ${at}`, ...slotIn(mailbox, at % 20) }, when),
        ),
        'event',
      ),
      messages: stream(
        'messages',
        'subject',
        /^GET \/v1\.0\/me\/mailFolders\/inbox\/messages\/delta$/,
        (at, when) => {
          const from = { emailAddress: { address: `writer${at}@example.com` } };
          const uniqueBody = { contentType: 'text', content: 'That suits me.' };
          return addMail(mailbox, { from, uniqueBody, subject: `Answer ${at}`, bodyPreview: 'That suits me.' }, when);
        },
        ({ parentFolderId }) => parentFolderId === 'inbox',
      ),
      tasks: removable(
        stream('tasks', 'title', /^GET \/v1\.0\/me\/todo\/lists\/[^/]+\/tasks\/delta$/, (at, when) =>
          mailbox.create(
            'todoTask',
            { '@odata.type': typeOf('todoTask'), status: 'notStarted', title: `To do ${at}` },
            when,
          ),
        ),
        'todoTask',
      ),
    },
    hook: (event) => postOf(account, event),
    forged: (post) => forgeries(post),
    subscriptions: () =>
      subscriptions.living().map(({ id, expirationDateTime }) => ({ id, endsAt: new Date(expirationDateTime) })),
    calls: () =>
      server.journal.map(({ at: when, method, path, status }) => ({ at: when, call: `${method} ${path}`, status })),
    actions: actionsOf(mailbox),
    refusals: refusalsOf(clock),
    grants: grantsOf(oauth),
  };
}

/** A notification for whoever subscribed with the address in force; the event's name stands for the item's version. */
function postOf({ mailbox, subscriptions, hookUrl }: Account, { stream, id, change, event }: TrialEvent): SignedPost {
  const kind = KIND_OF[stream]!;
  const living = subscriptions.living();
  const resource = { contact: 'contacts', event: 'events', message: 'messages', todoTask: 'tasks' }[kind];
  const own = living.filter(({ notificationUrl }) => notificationUrl === hookUrl);
  const subscription = own.find((one) => one.resource.endsWith(resource)) ?? living[0]!;
  const item = { ...(mailbox.find(kind, id) ?? { id }), '@odata.etag': `W/"${event}"` };
  const what = change === 'deleted' ? 'deleted' : 'updated';
  const value = [subscriptions.note(subscription, kind, item, what)];
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return { url: hookUrl ?? subscription.notificationUrl, body: JSON.stringify({ value }), headers };
}

/** The post by somebody who does not know the secret, alone or beside a good one; and one that only seems to ask. */
function forgeries(post: SignedPost): SignedPost[] {
  const { value } = JSON.parse(post.body) as { value: Record<string, unknown>[] };
  const { clientState, ...bare } = value[0]!;
  const body = (...notes: object[]): SignedPost => ({ ...post, body: JSON.stringify({ value: notes }) });
  return [
    body(bare),
    body({ ...bare, clientState: '' }),
    body({ ...bare, clientState: `${String(clientState).slice(0, -1)}?` }),
    body({ ...bare, clientState: [clientState] }),
    body(value[0]!, bare),
    body(),
    { ...post, body: '' },
    { ...post, url: `${post.url}?validationToken=x`, body: JSON.stringify({ value: [bare] }) },
  ];
}
