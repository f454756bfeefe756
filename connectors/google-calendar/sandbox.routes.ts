import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/kit/index.ts';
import type { SandboxOAuth } from '../../src/kit/sandbox/index.ts';
import { type Channel, Duplicate, Gone, type GoogleCalendarState, NotFound } from './sandbox.state.ts';
import type { TaskList } from './sandbox.tasks.ts';

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | undefined>;
  Body: Record<string, unknown> | undefined;
}>;

/** A refusal in Google's words. */
export const refusal = (code: number, reason: string, message: string): object => ({
  error: { code, message, errors: [{ domain: 'global', reason, message }] },
});

const refuse = (reply: FastifyReply, code: number, reason: string, message: string): FastifyReply =>
  reply.code(code).send(refusal(code, reason, message));

export interface Around {
  clock: Clock;
  oauth: SandboxOAuth;
  state: GoogleCalendarState;
  tasks: TaskList;
  /** Whether it refuses what comes too fast. */
  limits: boolean;
  /** A channel was opened: Google says so at once. */
  opened(channel: Channel): void;
}

/** 600 calls a user in any minute. @returns whether this one is too many */
function createLimiter(clock: Clock): () => boolean {
  const times: number[] = [];
  return () => {
    const now = clock.now().getTime();
    while (times[0] !== undefined && times[0] <= now - 60_000) times.shift();
    return times.push(now) > 600;
  };
}

const NEEDED: readonly { path: RegExp; scope: RegExp }[] = [
  { path: /^\/tasks\//, scope: /auth\/tasks$/ },
  { path: /^\/calendar\/v3\/users\/me\/settings/, scope: /auth\/calendar\.settings\.readonly$/ },
  { path: /^\/calendar\//, scope: /auth\/calendar\.events$/ },
  { path: /^\/oauth2\//, scope: /^openid$/ },
];

/** A living token of the right scopes, not too fast; and what the rooms throw, in Google's words. */
export function installGate(app: FastifyInstance, { clock, oauth, limits }: Around): void {
  const tooFast = limits ? createLimiter(clock) : () => false;
  app.addHook('preHandler', async (request, reply) => {
    const needed = NEEDED.find(({ path }) => path.test(request.url));
    if (!needed) return;
    const grant = oauth.grantOf(request);
    if (!grant) await refuse(reply, 401, 'authError', 'Invalid Credentials');
    else if (!grant.scopes.some((scope) => needed.scope.test(scope)))
      await refuse(reply, 403, 'insufficientPermissions', 'Request had insufficient authentication scopes.');
    else if (tooFast()) await refuse(reply, 403, 'rateLimitExceeded', 'Rate Limit Exceeded');
  });
  app.setErrorHandler(async (error, _request, reply) => {
    if (error instanceof NotFound) return refuse(reply, 404, 'notFound', 'Not Found');
    if (error instanceof Gone) return refuse(reply, 410, 'deleted', 'Resource has been deleted');
    if (error instanceof Duplicate) return refuse(reply, 409, 'duplicate', 'The requested identifier already exists.');
    throw error;
  });
}

const SIZE = { default: 250, most: 2500 };

/** Parameters that a sync token forbids: they stand in it already. */
const FORBIDDEN = ['iCalUID', 'orderBy', 'privateExtendedProperty', 'q', 'timeMin', 'timeMax', 'updatedMin'];

function list(request: Call, reply: FastifyReply, state: GoogleCalendarState): unknown {
  const calendar = state.calendar(request.params.calendar!);
  const { syncToken, pageToken, maxResults, showDeleted } = request.query;
  const limit = Math.min(Number(maxResults ?? SIZE.default), SIZE.most);
  if (syncToken && (FORBIDDEN.some((name) => request.query[name] !== undefined) || showDeleted === 'false'))
    return refuse(reply, 400, 'invalid', 'Sync token cannot be used with these parameters.');
  const [generation, known] = (syncToken ?? '').split('.').slice(1).map(Number);
  if (syncToken && generation !== calendar.generation)
    return refuse(reply, 410, 'fullSyncRequired', 'Sync token is no longer valid, a full sync is required.');
  // Where the listing began is what its sync token counts from.
  const [began, place] = pageToken?.split('.').slice(1).map(Number) ?? [calendar.now, known ?? 0];
  const { events, next } = syncToken ? calendar.changedAfter(place!, limit) : calendar.page(place!, limit);
  return {
    kind: 'calendar#events',
    etag: '"p1"',
    summary: calendar.owner,
    updated: new Date(0).toISOString(),
    timeZone: 'America/New_York',
    accessRole: 'owner',
    defaultReminders: [{ method: 'popup', minutes: 10 }],
    ...(next === undefined
      ? { nextSyncToken: `sync.${calendar.generation}.${began}` }
      : { nextPageToken: `page.${began}.${next}` }),
    items: events,
  };
}

const ADDRESS = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

function insert(request: Call, reply: FastifyReply, state: GoogleCalendarState): unknown {
  const calendar = state.calendar(request.params.calendar!);
  const body = request.body ?? {};
  const [start, end] = [body.start, body.end].map((time) => {
    const { date, dateTime } = (time ?? {}) as { date?: string; dateTime?: string };
    return date && !dateTime ? Date.parse(`${date}T00:00:00Z`) : Date.parse(dateTime ?? '');
  });
  if (Number.isNaN(start) || Number.isNaN(end)) return refuse(reply, 400, 'required', 'Missing end time.');
  if (end! <= start!) return refuse(reply, 400, 'timeRangeEmpty', 'The specified time range is empty.');
  if (body.id !== undefined && !/^[a-v0-9]{5,1024}$/.test(String(body.id)))
    return refuse(reply, 400, 'invalid', 'Invalid resource id value.');
  const guests = (body.attendees ?? []) as { email: string }[];
  if (guests.some(({ email }) => !ADDRESS.test(email))) return refuse(reply, 400, 'invalid', 'Invalid attendee email.');
  const { createRequest } = (body.conferenceData ?? {}) as { createRequest?: object };
  const event = calendar.insert({
    ...body,
    ...(createRequest && request.query.conferenceDataVersion === '1'
      ? {
          hangoutLink: 'https://meet.google.com/abc-defg-hij',
          conferenceData: { createRequest: { ...createRequest, status: { statusCode: 'pending' } } },
        }
      : {}),
  });
  if (['all', 'externalOnly'].includes(request.query.sendUpdates ?? 'none'))
    state.invitations.push(...guests.map(({ email }) => `${event.id}: ${email}`));
  return event;
}

function watch(request: Call, reply: FastifyReply, { state, opened }: Around): unknown {
  const calendar = state.calendar(request.params.calendar!);
  const { id, type, address, token } = (request.body ?? {}) as Record<string, string>;
  if (type !== 'web_hook' || !id || !/^[A-Za-z0-9\-_+/=]{1,64}$/.test(id) || (token ?? '').length > 256)
    return refuse(reply, 400, 'invalid', 'Invalid channel.');
  // In earnest the address must begin with https://, which a hub being tried out does not have.
  if (!address || !URL.canParse(address))
    return refuse(reply, 400, 'push.webhookUrlNotHttps', 'WebHook callback must be HTTPS');
  try {
    const channel = state.watch(calendar.id, { id, address, token: token ?? '' });
    opened(channel);
    const { resourceId, endsAt } = channel;
    const resourceUri = `https://www.googleapis.com/calendar/v3/calendars/${calendar.id}/events`;
    return { kind: 'api#channel', id, resourceId, resourceUri, token, expiration: String(endsAt.getTime()) };
  } catch (error) {
    if (!(error instanceof Duplicate)) throw error;
    return refuse(reply, 400, 'channelIdNotUnique', `Channel id ${id} not unique`);
  }
}

/** Calendars, events and channels. */
export function installCalendar(app: FastifyInstance, around: Around): void {
  const { state } = around;
  app.get('/oauth2/v2/userinfo', async () => ({ ...state.user, verified_email: true }));
  app.get('/calendar/v3/users/me/settings/timezone', async () => ({
    kind: 'calendar#setting',
    etag: '"1"',
    id: 'timezone',
    value: 'America/New_York',
  }));
  const events = '/calendar/v3/calendars/:calendar/events';
  app.get(events, async (request: Call, reply) => list(request, reply, state));
  app.post(events, async (request: Call, reply) => insert(request, reply, state));
  app.post(`${events}/watch`, async (request: Call, reply) => watch(request, reply, around));
  app.get(`${events}/:event`, async (request: Call) => {
    const found = state.calendar(request.params.calendar!).find(request.params.event!);
    if (!found) throw new NotFound(request.params.event);
    return found;
  });
  app.patch(`${events}/:event`, async (request: Call) =>
    state.calendar(request.params.calendar!).change(request.params.event!, request.body ?? {}),
  );
  app.post('/calendar/v3/channels/stop', async (request: Call, reply) => {
    const { id, resourceId } = (request.body ?? {}) as Record<string, string>;
    state.stop(id ?? '', resourceId ?? '');
    return reply.code(204).send();
  });
}

/** The to-dos next to the calendar. */
export function installTasks(app: FastifyInstance, { tasks }: Around): void {
  const path = '/tasks/v1/lists/:list/tasks';
  const known = (request: Call): void => {
    if (request.params.list !== '@default') throw new NotFound(request.params.list);
  };
  app.get(path, async (request: Call) => {
    known(request);
    const { maxResults, pageToken, updatedMin, showDeleted, showHidden } = request.query;
    const limit = Math.min(Number(maxResults ?? 20), 100);
    const all = tasks
      .listed(updatedMin)
      .filter(({ deleted, hidden }) => (showDeleted === 'true' || !deleted) && (showHidden === 'true' || !hidden));
    // By position in the list: what is added comes last, what changes stays where it is.
    const from = Number(pageToken ?? 0);
    const found = all.filter(({ position }) => Number(position) >= from).slice(0, limit + 1);
    const next = found.length > limit ? { nextPageToken: String(Number(found[limit]!.position)) } : {};
    const items = found.slice(0, limit);
    return { kind: 'tasks#tasks', etag: '"1"', ...next, ...(items.length > 0 ? { items } : {}) };
  });
  app.post(path, async (request: Call, reply) => {
    known(request);
    const { title = '', notes = '' } = (request.body ?? {}) as Record<string, string>;
    if (title.length > 1024 || notes.length > 8192) return refuse(reply, 400, 'invalid', 'Invalid task content.');
    return tasks.insert(request.body ?? {});
  });
  app.get(`${path}/:task`, async (request: Call) => {
    const found = tasks.find(request.params.task!);
    if (!found) throw new NotFound(request.params.task);
    return found;
  });
  app.patch(`${path}/:task`, async (request: Call) => {
    const changed = tasks.change(request.params.task!, request.body ?? {});
    if (!changed) throw new NotFound(request.params.task);
    return changed;
  });
}
