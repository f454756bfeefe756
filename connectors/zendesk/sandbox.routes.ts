import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { auditPage, badStart, cursorPage, listPage, organizationPage } from './sandbox.export.ts';
import { refuse } from './sandbox.gate.ts';
import { type Audit, type Entry, type Kind, seconds, type ZendeskState } from './sandbox.state.ts';

/** What somebody sent, whatever it is. */
// biome-ignore lint/suspicious/noExplicitAny: a stranger's body
export type Asked = any;

export type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | undefined>;
  Body: Record<string, Asked> | undefined;
}>;

/** Somebody did something that webhooks tell of. */
export type Tell = (what: string, kind: Kind, id: number, event?: object) => void;

export const notFound = (reply: FastifyReply): FastifyReply => refuse(reply, 404, 'RecordNotFound', 'Not found');

const ONE: Record<Kind, string> = { users: 'user', organizations: 'organization', tickets: 'ticket' };

/** A record as it is shown: with its address, and tickets with their rating. */
export function shown(state: ZendeskState, kind: Kind, entry: Entry): Record<string, unknown> {
  const url = `https://brightglass.zendesk.com/api/v2/${kind}/${entry.id}`;
  if (kind !== 'tickets') return { ...entry, url };
  const rating = state.ratings.findLast(({ ticket_id: ticket }) => ticket === entry.id);
  const { id, score, comment } = (rating ?? {}) as Record<string, unknown>;
  return { ...entry, url, satisfaction_rating: rating ? { id, score, comment } : { score: 'unoffered' } };
}

/** Calls that change nothing. */
export function installReading(app: FastifyInstance, state: ZendeskState, grantee: (request: Call) => boolean): void {
  const all = (kind: Kind, entries: readonly Entry[]) => entries.map((entry) => shown(state, kind, entry));
  const late = (entry: Entry): boolean =>
    state.lateIndexMs > 0 && Date.parse(entry.updated_at) > state.clock.now().getTime() - state.lateIndexMs;

  app.get('/api/v2/users/me', async (request: Call) => ({
    user: grantee(request)
      ? { ...shown(state, 'users', state.tables.users.get(state.admin)!), authenticity_token: 'simulated' }
      : { id: null, name: 'Anonymous user', email: 'invalid@example.com', role: 'end-user' },
  }));
  for (const kind of ['users', 'tickets'] as const) {
    app.get(`/api/v2/incremental/${kind}/cursor`, async (request: Call, reply) => {
      const { cursor, start_time: start } = request.query;
      const bad = cursor === undefined ? badStart(state, start) : undefined;
      const page = bad ? undefined : cursorPage(state, kind, { ...(cursor ? { cursor } : { start_time: start! }) });
      if (!page) return refuse(reply, 422, 'InvalidValue', bad ?? 'cursor is not valid');
      return {
        [kind]: all(kind, page.records),
        after_cursor: page.cursor,
        after_url: `https://brightglass.zendesk.com/api/v2/incremental/${kind}/cursor?cursor=${page.cursor}`,
        before_cursor: null,
        before_url: null,
        end_of_stream: page.isEnd,
      };
    });
  }
  const byTime = (name: string, page: (start: number) => { items: unknown[]; end: number; isEnd: boolean }) =>
    app.get(`/api/v2/incremental/${name}`, async (request: Call, reply) => {
      const start = request.query.start_time;
      const bad = badStart(state, start);
      if (bad) return refuse(reply, 422, 'InvalidValue', bad);
      const { items, end, isEnd } = page(Number(start));
      const next = `https://brightglass.zendesk.com/api/v2/incremental/${name}?start_time=${end}`;
      return { [name]: items, count: items.length, end_time: end, next_page: next, end_of_stream: isEnd };
    });
  byTime('organizations', (start) => {
    const page = organizationPage(state, start);
    return { ...page, items: all('organizations', page.items) };
  });
  byTime('ticket_events', (start) => {
    const page = auditPage(state, start);
    return { ...page, items: page.items.map(eventOf) };
  });

  app.get('/api/v2/users', async (request: Call) => {
    const roles = [request.query['role[]'] ?? []].flat();
    const found = state.live('users').filter(({ role }) => roles.length === 0 || roles.includes(String(role)));
    const { items, meta } = listPage(found, request.query);
    return { users: all('users', items), meta, links: { next: null, prev: null } };
  });
  app.get('/api/v2/tickets', async (request: Call) => {
    const wanted = request.query.external_id;
    const found = state.live('tickets').filter((one) => !late(one) && (!wanted || one.external_id === wanted));
    return { tickets: all('tickets', found.slice(0, 100)) };
  });
  for (const kind of ['users', 'organizations', 'tickets'] as const) {
    app.get(`/api/v2/${kind}/show_many`, async (request: Call, reply) => {
      const ids = (request.query.ids ?? '').split(',').map(Number);
      if (ids.length > 100) return refuse(reply, 400, 'TooManyValues', 'At most 100 ids');
      const found = ids.map((id) => state.tables[kind].get(id)).filter((one) => one && !state.isGone(kind, one));
      return { [kind]: all(kind, found as Entry[]) };
    });
    app.get(`/api/v2/${kind}/:id`, async (request: Call, reply) => {
      const entry = state.tables[kind].get(Number(request.params.id));
      return entry && !state.isGone(kind, entry) ? { [ONE[kind]]: shown(state, kind, entry) } : notFound(reply);
    });
  }
  app.get('/api/v2/tickets/:id/audits', async (request: Call) => {
    const until = state.clock.now().getTime() - state.lateIndexMs;
    const found = state.audits.filter(
      ({ ticket_id: id, created_at: at }) =>
        id === Number(request.params.id) && (state.lateIndexMs === 0 || Date.parse(at) <= until),
    );
    const listed = request.query.sort_order === 'desc' ? found.toReversed() : found;
    return { audits: listed.slice(0, 100).map(auditOf), count: found.length, next_page: null, previous_page: null };
  });
  app.get('/api/v2/tickets/:id/comments', async (request: Call) => {
    const found = state.audits.filter(({ ticket_id: id, comment }) => comment && id === Number(request.params.id));
    const listed = request.query.sort_order === 'desc' ? found.toReversed() : found;
    return { comments: listed.slice(0, Number(request.query.per_page ?? 100)).map(commentOf) };
  });
  app.get('/api/v2/satisfaction_ratings', async (request: Call) => {
    const start = Number(request.query.start_time ?? 0);
    const found = state.ratings.filter((one) => !late(one) && seconds(one.created_at) >= start);
    const { items, meta } = listPage(found, request.query);
    return { satisfaction_ratings: items, meta, links: { next: null, prev: null } };
  });
  app.get('/api/v2/satisfaction_ratings/:id', async (request: Call, reply) => {
    const rating = state.ratings.find(({ id }) => id === Number(request.params.id));
    return rating ? { satisfaction_rating: rating } : notFound(reply);
  });
  app.get('/api/v2/custom_statuses', async () => ({ custom_statuses: state.statuses }));
  for (const kind of ['ticket', 'user', 'organization'] as const)
    app.get(`/api/v2/${kind}_fields`, async () => ({
      [`${kind}_fields`]: state.fields[kind],
      ...(kind === 'ticket' ? {} : { count: state.fields[kind].length, next_page: null, previous_page: null }),
    }));
  app.delete('/api/v2/oauth/tokens/current', async (_request, reply) => reply.code(204).send());
}

const commentOf = ({ id, author_id, created_at, comment }: Audit) => ({
  id: comment!.id,
  type: 'Comment',
  audit_id: id,
  author_id,
  body: comment!.body,
  html_body: `<p>${comment!.body}</p>`,
  plain_body: comment!.body,
  public: comment!.public,
  attachments: [],
  created_at,
});

export const auditOf = ({ id, ticket_id, author_id, created_at, comment, custom }: Audit) => ({
  id,
  ticket_id,
  author_id,
  created_at,
  metadata: { custom, system: { client: 'Rapport' } },
  via: { channel: 'api' },
  events: comment ? [{ id: comment.id, type: 'Comment', author_id, body: comment.body, public: comment.public }] : [],
});

/** The same change as the export of events has it. */
const eventOf = ({ id, ticket_id, author_id, created_at, comment }: Audit) => ({
  id,
  ticket_id,
  timestamp: seconds(created_at),
  created_at,
  updater_id: author_id,
  event_type: 'Audit',
  child_events: comment
    ? [
        {
          id: comment.id,
          event_type: 'Comment',
          author_id,
          body: comment.body,
          public: comment.public,
          comment_present: true,
        },
      ]
    : [{ id: id + 1, event_type: 'Change', status: 'open' }],
});

/** Webhooks: made, changed and listed, each with what it signs with. */
export function installWebhooks(app: FastifyInstance, state: ZendeskState): void {
  const visible = ({ secret: _secret, ...webhook }: Record<string, unknown>) => webhook;
  app.get('/api/v2/webhooks', async () => ({
    webhooks: [...state.webhooks.values()].map(visible),
    meta: { has_more: false, after_cursor: null, before_cursor: null },
  }));
  app.post('/api/v2/webhooks', async (request: Call, reply) => {
    const asked = request.body?.webhook ?? {};
    const unknown = (asked.subscriptions ?? []).find((type: string) => !type.startsWith('zen:event-type:'));
    if (unknown || !asked.endpoint || !asked.name)
      return reply
        .code(400)
        .send({ errors: [{ code: 'InvalidWebhook', title: 'Invalid webhook', detail: String(unknown) }] });
    const id = `01${randomBytes(12).toString('hex').toUpperCase()}`;
    state.webhooks.set(id, { ...asked, id, secret: randomBytes(24).toString('base64') });
    return reply.code(201).send({ webhook: visible(state.webhooks.get(id)!) });
  });
  app.put('/api/v2/webhooks/:id', async (request: Call, reply) => {
    const known = state.webhooks.get(request.params.id!);
    if (!known) return notFound(reply);
    Object.assign(known, request.body?.webhook);
    return reply.code(204).send();
  });
  app.get('/api/v2/webhooks/:id/signing_secret', async (request: Call, reply) => {
    const known = state.webhooks.get(request.params.id!);
    return known ? { signing_secret: { algorithm: 'SHA256', secret: known.secret } } : notFound(reply);
  });
}
