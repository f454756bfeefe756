import type { FastifyInstance, FastifyReply } from 'fastify';
import { refuse } from './sandbox.gate.ts';
import { type Asked, auditOf, type Call, notFound, shown, type Tell } from './sandbox.routes.ts';
import type { Entry, Kind, ZendeskState } from './sandbox.state.ts';

const invalid = (reply: FastifyReply, field: string, description: string): FastifyReply =>
  refuse(reply, 422, 'RecordInvalid', 'Record validation errors', {
    [field]: [{ description, error: 'InvalidValue' }],
  });

/** Why a ticket may not be as somebody wants it: field and reason. */
function wrong(state: ZendeskState, fields: Record<string, Asked>): [string, string] | undefined {
  const known = (id: unknown): Entry | undefined => state.tables.users.get(Number(id));
  if (fields.requester_id !== undefined) {
    const requester = known(fields.requester_id);
    if (!requester || requester.active === false) return ['requester', 'Requester: is not known'];
    if (requester.suspended === true) return ['requester', `Requester: ${requester.name} is suspended.`];
  }
  if (fields.assignee_id !== undefined && !['agent', 'admin'].includes(String(known(fields.assignee_id)?.role)))
    return ['assignee', 'Assignee: is not an agent'];
  const status = fields.custom_status_id;
  if (status !== undefined && !state.statuses.some(({ id }) => id === status))
    return ['custom_status_id', 'Custom status: is not known'];
  return undefined;
}

const WRITABLE_ONCE = ['comment', 'metadata', 'safe_update', 'updated_stamp', 'custom_fields', 'requester'];

/** What of a question becomes part of the ticket; fields of the account are laid over those that are there. */
function ticketFields(present: Entry | undefined, asked: Record<string, Asked>): Record<string, unknown> {
  const plain = Object.fromEntries(Object.entries(asked).filter(([name]) => !WRITABLE_ONCE.includes(name)));
  if (!asked.custom_fields) return plain;
  const over = new Map(
    [...((present?.custom_fields as Asked[]) ?? []), ...asked.custom_fields].map((one) => [one.id, one]),
  );
  return { ...plain, custom_fields: [...over.values()] };
}

/** Calls that change something, and are told of. */
export function installWrites(app: FastifyInstance, state: ZendeskState, tell: Tell): void {
  app.post('/api/v2/tickets', async (request: Call, reply) => {
    const asked = request.body?.ticket ?? {};
    const key = request.headers['idempotency-key'];
    const body = JSON.stringify(asked);
    const earlier = key ? state.repeated(String(key), body) : undefined;
    if (earlier === 'other')
      return refuse(reply, 400, 'IdempotentRequestError', 'The key was used with different parameters.');
    reply.header('x-idempotency-lookup', earlier === undefined ? 'miss' : 'hit');
    if (earlier !== undefined)
      return reply.code(201).send({ ticket: shown(state, 'tickets', state.tables.tickets.get(earlier)!) });
    if (!asked.comment?.body) return invalid(reply, 'base', 'Description: cannot be blank');
    const bad = wrong(state, asked);
    if (bad) return invalid(reply, ...bad);
    const requester = asked.requester_id ?? state.admin;
    const ticket = state.add('tickets', {
      ...ticketFields(undefined, asked),
      ...{
        requester_id: requester,
        submitter_id: state.admin,
        description: asked.comment.body,
        is_public: asked.comment.public,
      },
      via: { channel: 'api' },
    });
    const { body: text, public: isPublic = true } = asked.comment;
    state.audit(ticket.id, state.admin, { comment: { body: text, public: isPublic } });
    if (key) state.remember(String(key), body, ticket.id);
    tell('ticket.created', 'tickets', ticket.id);
    return reply.code(201).send({ ticket: shown(state, 'tickets', ticket) });
  });

  app.put('/api/v2/tickets/:id', async (request: Call, reply) => {
    const asked = request.body?.ticket ?? {};
    const ticket = state.tables.tickets.get(Number(request.params.id));
    if (!ticket || state.isGone('tickets', ticket)) return notFound(reply);
    if (ticket.status === 'closed') return invalid(reply, 'status', 'Status: closed prevents ticket update');
    if (asked.safe_update && asked.updated_stamp !== ticket.updated_at)
      return refuse(reply, 409, 'UpdateConflict', 'Safe Update prevented the update due to outdated ticket data');
    const bad = wrong(state, asked);
    if (bad) return invalid(reply, ...bad);
    const before = ticket.status;
    const fields = ticketFields(ticket, asked);
    state.change('tickets', ticket.id, fields);
    const audit = state.audit(ticket.id, state.admin, {
      custom: asked.metadata ?? {},
      ...(asked.comment ? { comment: { body: asked.comment.body, public: asked.comment.public !== false } } : {}),
    });
    if (ticket.status !== before)
      tell('ticket.status_changed', 'tickets', ticket.id, { current: ticket.status, previous: before });
    else if (audit.comment)
      tell('ticket.comment_added', 'tickets', ticket.id, {
        comment: {
          id: String(audit.comment.id),
          is_public: audit.comment.public,
          author: { id: String(state.admin), is_staff: true },
        },
      });
    else tell('ticket.subject_changed', 'tickets', ticket.id);
    return { ticket: shown(state, 'tickets', ticket), audit: auditOf(audit) };
  });

  for (const [kind, one, own] of [
    ['users', 'user', 'user_fields'],
    ['organizations', 'organization', 'organization_fields'],
  ] as const)
    app.put(`/api/v2/${kind}/:id`, async (request: Call, reply) => {
      const entry = state.tables[kind].get(Number(request.params.id));
      if (!entry || state.isGone(kind, entry)) return notFound(reply);
      const asked = request.body?.[one] ?? {};
      const fields = { ...(entry[own] as object), ...asked[own] };
      const unknown = Object.keys(asked[own] ?? {}).find(
        (key) => !state.fields[one].some((field) => field.key === key),
      );
      if (unknown) return invalid(reply, own, `${unknown}: is no field of this account`);
      state.change(kind, entry.id, { ...asked, [own]: fields });
      tell(`${one}.custom_field_changed`, kind, entry.id);
      return { [one]: shown(state, kind, entry) };
    });

  for (const kind of ['tickets', 'users', 'organizations'] as const) {
    const change = async (request: Call, reply: FastifyReply, next: (now: string[], asked: string[]) => string[]) => {
      const entry = state.tables[kind].get(Number(request.params.id));
      if (!entry || state.isGone(kind, entry)) return notFound(reply);
      const asked = request.body?.tags;
      if (!Array.isArray(asked)) return invalid(reply, 'tags', 'Tags: must be a list');
      // A space ends a tag.
      const tags = next(
        entry.tags as string[],
        asked.flatMap((tag) => String(tag).split(/\s+/)),
      );
      state.change(kind, entry.id, { tags });
      tell(`${TOLD[kind]}.tags_changed`, kind, entry.id);
      return { tags };
    };
    const path = `/api/v2/${kind}/:id/tags`;
    app.put(path, (request: Call, reply) => change(request, reply, (now, asked) => [...new Set([...now, ...asked])]));
    app.post(path, (request: Call, reply) => change(request, reply, (_now, asked) => asked));
    app.delete(path, (request: Call, reply) =>
      change(request, reply, (now, asked) => now.filter((tag) => !asked.includes(tag))),
    );
  }
}

const TOLD: Record<Kind, string> = { tickets: 'ticket', users: 'user', organizations: 'organization' };
