import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import type { Organisation, Subscription } from './sandbox.state.ts';

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | undefined>;
  Body: Record<string, unknown> | undefined;
}>;

/** A refusal in Calendly's form. */
export const problem = (reply: FastifyReply, status: number, title: string, message: string, details?: object[]) =>
  reply.code(status).send({ title, message, ...(details ? { details } : {}) });
const missing = (reply: FastifyReply) =>
  problem(reply, 404, 'Resource Not Found', 'The server could not find the requested resource.');
const wrong = (reply: FastifyReply, parameter: string, message: string) =>
  problem(reply, 400, 'Invalid Argument', 'The supplied parameters are invalid.', [{ parameter, message }]);

/** A page of a list; the token of the next one says after which item it begins, so that nothing moves under it. */
function listed(request: Call, items: readonly { uri?: unknown }[], key: (item: never) => string): object {
  const count = Number(request.query.count ?? 20);
  const token = request.query.page_token;
  const after = token ? Buffer.from(token, 'base64url').toString() : '';
  const from = items.filter((item) => key(item as never) > after);
  const page = from.slice(0, count);
  const last = page.at(-1);
  const next = from.length > count && last ? Buffer.from(key(last as never)).toString('base64url') : null;
  const address = `https://api.calendly.com${request.url.split('?')[0]}?count=${count}&page_token=`;
  return {
    collection: page,
    pagination: {
      ...{ count: page.length, next_page: next ? `${address}${next}` : null, previous_page: null },
      ...{ next_page_token: next, previous_page_token: null },
    },
  };
}

/** What there is, and what can be made. */
export function installRoutes(app: SandboxServer['app'], state: Organisation): void {
  app.get('/users/me', async () => ({ resource: { ...state.me, current_organization: state.uri } }));
  app.get('/organization_memberships', async (request: Call) => {
    const { user } = request.query;
    const found = state.members.filter((one) => !user || (one.user as { uri: string }).uri === user);
    const order = new Map(found.map((one, at) => [one.uri, String(at).padStart(8, '0')]));
    return listed(request, found, (one: { uri: string }) => order.get(one.uri)!);
  });
  app.get('/event_types', async (request: Call) =>
    listed(request, state.eventTypes, (one: { uri: string }) => one.uri),
  );

  app.get('/scheduled_events', async (request: Call, reply) => {
    const { min_start_time: from, max_start_time: to, organization, user } = request.query;
    if (!organization && !user) return wrong(reply, 'organization', 'One of organization and user is needed.');
    const within = [...state.events.values()].filter(
      ({ start_time }) =>
        (!from || Date.parse(start_time) >= Date.parse(from)) && (!to || Date.parse(start_time) <= Date.parse(to)),
    );
    const key = (one: { start_time: string; uri: string }): string => `${one.start_time} ${one.uri}`;
    return listed(
      request,
      within.sort((a, b) => (key(a) < key(b) ? -1 : 1)),
      key,
    );
  });
  app.get('/scheduled_events/:event', async (request: Call, reply) => {
    const resource = state.events.get(request.params.event!);
    return resource ? { resource } : missing(reply);
  });
  app.get('/scheduled_events/:event/invitees', async (request: Call, reply) => {
    const event = state.events.get(request.params.event!);
    if (!event) return missing(reply);
    const own = [...state.invitees.values()].filter((one) => one.event === event.uri);
    return listed(
      request,
      own.sort((a, b) => (a.uri < b.uri ? -1 : 1)),
      (one: { uri: string }) => one.uri,
    );
  });
  app.get('/scheduled_events/:event/invitees/:invitee', async (request: Call, reply) => {
    const resource = state.invitees.get(`${request.params.event}/${request.params.invitee}`);
    return resource ? { resource } : missing(reply);
  });

  app.post('/scheduling_links', async (request: Call, reply) => {
    const { owner, owner_type, max_event_count } = request.body ?? {};
    if (max_event_count !== 1) return wrong(reply, 'max_event_count', 'must be equal to 1');
    if (!state.eventTypes.some(({ uri }) => uri === owner)) return missing(reply);
    const booking_url = `https://calendly.com/d/${state.id().slice(0, 9)}/maintenance-visit`;
    state.links.push(booking_url);
    return reply.code(201).send({ resource: { booking_url, owner, owner_type } });
  });
  installSubscriptions(app, state);
}

function installSubscriptions(app: SandboxServer['app'], state: Organisation): void {
  const { subscriptions } = state;
  const shown = (one: Subscription): object => ({
    ...one,
    ...{ created_at: state.now(), updated_at: state.now(), retry_started_at: null, creator: state.me.uri },
  });
  app.get('/webhook_subscriptions', async (request: Call) => {
    const own = [...subscriptions.values()].filter(({ scope }) => scope === request.query.scope);
    return listed(request, own.map(shown) as { uri: string }[], (one: { uri: string }) => one.uri);
  });
  app.post('/webhook_subscriptions', async (request: Call, reply) => {
    const { url, events, scope, organization, user } = request.body as unknown as Record<
      keyof Subscription | 'url',
      never
    >;
    if ([...subscriptions.values()].some(({ callback_url }) => callback_url === url))
      return problem(reply, 409, 'Already Exists', 'Hook with this url already exists');
    const id = state.id();
    const made: Subscription = {
      ...{ uri: `https://api.calendly.com/webhook_subscriptions/${id}`, callback_url: url, state: 'active' as const },
      ...{ events, scope, organization, user: user ?? null },
    };
    subscriptions.set(id, made);
    return reply.code(201).send({ resource: shown(made) });
  });
  app.delete('/webhook_subscriptions/:id', async (request: Call, reply) =>
    subscriptions.delete(request.params.id!) ? reply.code(204).send() : missing(reply),
  );
}
