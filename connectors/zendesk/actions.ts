import { Type } from 'typebox';
import {
  type ActionDefinition,
  type ActionMeta,
  defineAction,
  type Idempotency,
  listAt,
  type Receipt,
  type Reply,
  type RequestSpec,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { pageOf } from './account.ts';
import { noteOn } from './notes.ts';
import {
  type About,
  fieldsFor,
  pathOf,
  readTarget,
  statusNamed,
  targetNamed,
  targetOf,
  wrapperOf,
  writesOf,
} from './targets.ts';

/** States of a ticket in their order. A ticket that is opened again counts as done all the same. */
const STATES = ['new', 'open', 'pending', 'hold', 'solved', 'closed'] as const;

const ticketReceipt = (ctx: VendorContext, ticket: unknown): Receipt => {
  const nativeId = textAt(ticket, 'id');
  if (!nativeId)
    throw new VendorError('malformed', 'Zendesk answered without the id of the ticket.', { mayHaveActed: true });
  return { nativeId, url: pageOf(ctx, 'tickets', nativeId), state: textAt(ticket, 'status') ?? 'new' };
};

const receipt = (reply: Reply, ctx: VendorContext): Receipt =>
  ticketReceipt(ctx, (reply.body as { ticket?: unknown } | null)?.ticket);

/**
 * Our id stands in the ticket, and in a header by which Zendesk itself repeats its first answer for two hours (dossier,
 * Actions): the first is looked for whenever that may be over.
 */
const byExternalId: Idempotency<unknown> = {
  kind: 'marker',
  settleSeconds: 30,
  find: async (ctx, _input, meta) => {
    const query = { external_id: meta.requestId };
    const { body } = await ctx.call({ method: 'GET', path: '/api/v2/tickets', query });
    const found = listAt(body, 'tickets').find((ticket) => textAt(ticket, 'external_id') === meta.requestId);
    return found === undefined ? undefined : ticketReceipt(ctx, found);
  },
};

const numberOf = (id: string | undefined): number | undefined => (id === undefined ? undefined : Number(id));
const settingOf = (ctx: VendorContext, name: string): string | undefined => {
  const value = ctx.settings[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
};

interface NewTicket {
  title: string;
  body?: string | undefined;
  priority?: string | undefined;
  assignee?: string | undefined;
  about: About;
}

/** A ticket as it is asked for. Its first comment is for staff unless somebody wants the customer to get it by mail. */
function create(
  ctx: VendorContext,
  input: NewTicket,
  meta: ActionMeta,
  more: { public?: boolean | undefined } & Record<string, unknown> = {},
): RequestSpec {
  const { public: isPublic = false, ...rest } = more;
  const group = settingOf(ctx, 'ticketGroup');
  const tag = settingOf(ctx, 'ticketTag');
  const ticket = {
    subject: input.title,
    comment: { body: input.body?.trim() || input.title, public: isPublic },
    external_id: meta.requestId,
    priority: input.priority,
    requester_id: numberOf(input.about.contact),
    organization_id: numberOf(input.about.company),
    assignee_id: numberOf(input.assignee),
    group_id: numberOf(group),
    tags: tag === undefined ? undefined : [tag],
    ...rest,
  };
  return {
    method: 'POST',
    path: '/api/v2/tickets',
    headers: { 'idempotency-key': meta.requestId },
    json: { ticket: Object.fromEntries(Object.entries(ticket).filter(([, value]) => value !== undefined)) },
  };
}

/** A status is one of the vendor's words, or the number of one of the account's. */
function stageOf(stage: string | undefined): Record<string, unknown> {
  if (stage === undefined) return {};
  if (/^\d+$/.test(stage)) return { custom_status_id: Number(stage) };
  if (STATES.includes(stage as (typeof STATES)[number])) return { status: stage };
  throw new VendorError(
    'invalid',
    `"${stage}" is no status of a ticket: it is ${STATES.join(', ')}, or the number of a status of your own.`,
  );
}

/** A space would make two tags of one. */
const tagOf = (tag: string): string => tag.trim().replace(/\s+/g, '_');

const publicExtra = Type.Object({
  public: Type.Optional(Type.Boolean({ description: 'The customer is shown it, and gets it by mail' })),
});

export const actions: readonly ActionDefinition[] = [
  defineAction<'create_ticket', { public?: boolean }>({
    kind: 'create_ticket',
    title: 'Ticket',
    feature: 'write',
    extra: publicExtra,
    idempotency: byExternalId,
    request: (ctx, input, meta) =>
      create(ctx, input, meta, {
        public: input.public,
        ...stageOf(input.stage),
        ...(input.pipeline ? { ticket_form_id: Number(input.pipeline) } : {}),
      }),
    receipt,
    follows: STATES,
  }),
  defineAction<'create_task'>({
    kind: 'create_task',
    title: 'Ticket of the kind task, with a day by which it is due',
    feature: 'write',
    idempotency: byExternalId,
    request: (ctx, input, meta) => create(ctx, input, meta, { type: 'task', due_at: input.dueAt }),
    receipt,
    follows: STATES,
  }),
  noteOn(publicExtra),
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write fields of a ticket, user or organization',
    feature: 'write',
    idempotency: {
      kind: 'natural',
      note: 'The same fields get the same values; a ticket is written in the version read.',
    },
    before: async (ctx, input) => {
      const target = targetNamed(input.object, input.id);
      if (target.kind !== 'tickets') return {};
      const ticket = await readTarget(ctx, target);
      return { stamp: textAt(ticket, 'updated_at'), status: await statusNamed(ctx, input.fields) };
    },
    request: (_ctx, input, meta) => {
      const target = targetNamed(input.object, input.id);
      const { stamp, status } = (meta.before ?? {}) as { stamp?: string; status?: number };
      const safe = stamp === undefined ? {} : { safe_update: true, updated_stamp: stamp };
      return {
        method: 'PUT',
        path: pathOf(target),
        json: { [wrapperOf(target)]: { ...fieldsFor(target, input.fields, status), ...safe } },
      };
    },
    receipt: (_reply, ctx, input) => {
      const { kind, id } = targetNamed(input.object, input.id);
      return { nativeId: id, url: pageOf(ctx, kind, id), state: 'written' };
    },
    writes: (input) => writesOf(targetNamed(input.object, input.id), input.fields),
  }),
  ...(['add', 'remove'] as const).map((verb) =>
    defineAction<'add_tag' | 'remove_tag'>({
      kind: verb === 'add' ? 'add_tag' : 'remove_tag',
      title: verb === 'add' ? 'Tag a ticket, user or organization' : 'Take a tag off a ticket, user or organization',
      feature: 'write',
      idempotency: { kind: 'natural', note: 'A tag is there or not.' },
      // PUT adds; POST would replace all the others.
      request: (_ctx, input) => ({
        method: verb === 'add' ? 'PUT' : 'DELETE',
        path: `${pathOf(targetOf(input.about, 'A tag'))}/tags`,
        json: { tags: [tagOf(input.tag)] },
      }),
      receipt: (_reply, ctx, input) => {
        const { kind, id } = targetOf(input.about, 'A tag');
        const state = verb === 'add' ? 'added' : 'removed';
        return { nativeId: `${tagOf(input.tag)}:${id}`, url: pageOf(ctx, kind, id), state };
      },
      writes: (input) => {
        const { kind, id } = targetOf(input.about, 'A tag');
        const way = { tags: tagOf(input.tag) };
        return [{ stream: kind, id, ...(verb === 'add' ? { adds: way } : { removes: way }) }];
      },
    }),
  ),
];
