import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { problem } from './sandbox.limits.ts';
import { deltaPage, filterOf, inWindow, type Query, shown } from './sandbox.query.ts';
import { type Item, type Kind, type Mailbox, typeOf } from './sandbox.state.ts';
import type { Subscription, Subscriptions } from './sandbox.subscriptions.ts';

export interface Routes {
  mailbox: Mailbox;
  subscriptions: Subscriptions;
  url: () => string;
}

export type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Query;
  Body: Record<string, unknown> | undefined;
}>;

const preferred = (request: FastifyRequest, name: string): string | undefined =>
  new RegExp(`${name.replace('.', '\\.')}="?([^",]+)`).exec(String(request.headers.prefer ?? ''))?.[1];

export const missing = (reply: FastifyReply): FastifyReply =>
  problem(reply, 404, 'ErrorItemNotFound', 'The specified object was not found in the store.');

/** Items of a collection page by page; the link to the next page carries the whole question. */
export function listItems(routes: Routes, request: Call, reply: FastifyReply, items: readonly Item[]): object {
  const holds = filterOf(request.query.$filter);
  if (!holds) return problem(reply, 400, 'ErrorInvalidUrlQuery', `The filter "${request.query.$filter}" is invalid.`);
  const found = items.filter(holds);
  const skip = Number(request.query.$skip ?? 0);
  const size = Number(request.query.$top ?? 10);
  const next = new URL(`${routes.url()}${request.url}`);
  next.searchParams.set('$skip', String(skip + size));
  return {
    '@odata.context': `${routes.url()}/v1.0/$metadata#Collection`,
    ...(skip + size < found.length ? { '@odata.nextLink': next.href } : {}),
    value: found.slice(skip, skip + size).map((item) => shown(item, request.query)),
  };
}

/** What there is of each kind, and where. */
export function installRoutes(app: SandboxServer['app'], routes: Routes): void {
  const { mailbox, subscriptions } = routes;
  const delta = (path: string, kind: Kind, inScope: (item: Item, query: Query) => boolean): void => {
    app.get(`/v1.0${path}/delta`, async (request: Call, reply) => {
      const size = Number(preferred(request, 'odata.maxpagesize') ?? 10);
      const url = `${routes.url()}${request.url.split('?')[0]}`;
      const page = deltaPage(mailbox, kind, request.query, { size, url, inScope });
      return (
        page ?? problem(reply, 410, 'syncStateNotFound', 'The sync state generation is not found; resync required.')
      );
    });
  };
  delta('/me/contacts', 'contact', () => true);
  delta('/me/calendarView', 'event', inWindow);
  delta('/me/mailFolders/inbox/messages', 'message', (item, query) => {
    const holds = filterOf(query.$filter);
    return item.parentFolderId === 'inbox' && (holds?.(item) ?? true);
  });
  delta(`/me/todo/lists/${mailbox.taskList}/tasks`, 'todoTask', () => true);

  const collection = (path: string, kind: Kind, scope: (item: Item, query: Query) => boolean = () => true): void => {
    app.get(`/v1.0${path}`, async (request: Call, reply) =>
      listItems(
        routes,
        request,
        reply,
        mailbox.all(kind, true).filter((item) => scope(item, request.query)),
      ),
    );
  };
  const single = (path: string, kind: Kind): void => {
    app.get(`/v1.0${path}/:id`, async (request: Call, reply) => {
      const item = mailbox.find(kind, request.params.id!);
      return item ? shown(item, request.query) : missing(reply);
    });
    app.patch(`/v1.0${path}/:id`, async (request: Call, reply) => {
      const item = mailbox.update(kind, request.params.id!, request.body ?? {});
      return item ? shown(item, {}) : missing(reply);
    });
  };
  collection('/me/contacts', 'contact');
  single('/me/contacts', 'contact');
  collection('/me/events', 'event');
  collection('/me/calendarView', 'event', inWindow);
  single('/me/events', 'event');
  collection(`/me/todo/lists/${mailbox.taskList}/tasks`, 'todoTask');
  single(`/me/todo/lists/${mailbox.taskList}/tasks`, 'todoTask');

  app.post('/v1.0/me/events', async (request: Call, reply) => {
    const given = request.body ?? {};
    const twin = mailbox
      .all('event')
      .find(({ transactionId }) => transactionId && transactionId === given.transactionId);
    if (twin)
      return problem(
        reply,
        409,
        'ErrorDuplicateTransactionId',
        'The transactionId was used for another event already.',
      );
    if (Date.parse(timeOf(given.end)) < Date.parse(timeOf(given.start)))
      return problem(reply, 400, 'ErrorPropertyValidationFailure', 'An event ends after it starts.');
    return reply.code(201).send(shown(addEvent(mailbox, given), {}));
  });
  app.post(`/v1.0/me/todo/lists/:list/tasks`, async (request: Call, reply) => {
    if (request.params.list !== mailbox.taskList) return missing(reply);
    const task = { '@odata.type': typeOf('todoTask'), status: 'notStarted', isReminderOn: false, ...request.body };
    return reply.code(201).send(shown(mailbox.create('todoTask', task), {}));
  });
  installAccount(app, mailbox);
  installSubscriptions(app, subscriptions);
}

const timeOf = (moment: unknown): string => `${(moment as { dateTime?: string } | undefined)?.dateTime ?? ''}Z`;

/** An appointment as the calendar keeps it: with its organiser, and with answers of its guests. */
export function addEvent(mailbox: Mailbox, given: Record<string, unknown>, at?: string): Item {
  const guests = (given.attendees ?? []) as Record<string, unknown>[];
  const made = {
    '@odata.type': typeOf('event'),
    ...{ isAllDay: false, isCancelled: false, isOrganizer: true, type: 'singleInstance', showAs: 'busy' },
    organizer: { emailAddress: { name: 'Owner', address: mailbox.user.mail } },
    ...given,
    attendees: guests.map((guest) => ({ status: { response: 'none', time: '0001-01-01T00:00:00Z' }, ...guest })),
  };
  const item = mailbox.create('event', made, at);
  item.webLink = `https://outlook.office365.com/owa/?itemid=${encodeURIComponent(item.id)}&exvsurl=1&path=/calendar/item`;
  item.iCalUId = `${item.id}-ical`;
  return item;
}

function installAccount(app: SandboxServer['app'], { user, taskList }: Mailbox): void {
  app.get('/v1.0/me', async () => ({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#users/$entity',
    ...{ id: user.id, mail: user.mail, userPrincipalName: user.mail, displayName: 'Business Owner', mobilePhone: null },
  }));
  app.get('/v1.0/me/mailboxSettings', async () => ({
    timeZone: 'Eastern Standard Time',
    language: { locale: 'en-US', displayName: 'English (United States)' },
  }));
  app.get('/v1.0/me/todo/lists', async () => ({
    value: [{ id: taskList, displayName: 'Tasks', isOwner: true, isShared: false, wellknownListName: 'defaultList' }],
  }));
}

function installSubscriptions(app: SandboxServer['app'], subscriptions: Subscriptions): void {
  // The secret is told to nobody.
  const told = ({ clientState: _secret, ...subscription }: Subscription): object => subscription;
  app.get('/v1.0/subscriptions', async () => ({ value: subscriptions.living().map(told) }));
  app.post('/v1.0/subscriptions', async (request: Call, reply) => {
    const made = await subscriptions.create(request.body as Record<string, string>);
    if (typeof made === 'string') return problem(reply, 400, 'ValidationError', made);
    return reply.code(201).send(told(made));
  });
  app.patch('/v1.0/subscriptions/:id', async (request: Call, reply) => {
    const kept = subscriptions.prolong(request.params.id!, String(request.body?.expirationDateTime));
    return kept ? told(kept) : problem(reply, 404, 'ResourceNotFound', 'The object was not found.');
  });
  app.delete('/v1.0/subscriptions/:id', async (request: Call, reply) =>
    subscriptions.drop(request.params.id!)
      ? reply.code(204).send()
      : problem(reply, 404, 'ResourceNotFound', 'The object was not found.'),
  );
}
