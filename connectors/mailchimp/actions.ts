import { Type } from 'typebox';
import {
  type ActionDefinition,
  type Connector,
  defineAction,
  listAt,
  type Receipt,
  type Reply,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { dataCentreOf, MAX_ROWS, memberUrl, ofMember } from './api.ts';
import { automationOf, type Enrolled, nameOf, pathOf, subscriberOf } from './enrol.ts';

/** Property of ours on events: an earlier try of the same action is found by it. */
const MARKER = 'rapport_action_id';
const LONGEST_NOTE = 1000;

/** Who it is about; all that can be done here is about one member. @throws VendorError `invalid` when nobody is named */
function memberOf({ about }: { about: { contact?: string | undefined } }): string {
  if (about.contact) return about.contact;
  throw new VendorError('invalid', 'Mailchimp can only do this for a member of the audience, and none is named.');
}

/** The member as it is after a write. @throws VendorError `malformed` when the answer is none */
function memberReceipt(reply: Reply, ctx: VendorContext, state: string): Receipt {
  const nativeId = textAt(reply.body, 'id');
  if (!nativeId) throw new VendorError('malformed', 'Mailchimp answered without the member.', { mayHaveActed: true });
  const webId = textAt(reply.body, 'web_id');
  return { nativeId, ...(webId ? { url: memberUrl(ctx, webId) } : {}), state };
}

const tagAction = (verb: 'add' | 'remove'): ActionDefinition =>
  defineAction<'add_tag' | 'remove_tag', { quiet?: boolean }>({
    kind: `${verb}_tag`,
    title: verb === 'add' ? 'Tag a member' : 'Take a tag off a member',
    feature: 'write',
    extra: Type.Object({ quiet: Type.Optional(Type.Boolean()) }),
    idempotency: { kind: 'natural', note: 'A member has a tag or not.' },
    request: (ctx, input) =>
      ofMember(ctx, 'POST', memberOf(input), '/tags', {
        json: {
          tags: [{ name: input.tag, status: verb === 'add' ? 'active' : 'inactive' }],
          // Otherwise journeys that begin with the tag begin.
          is_syncing: input.quiet ?? ctx.settings.quietTags === true,
        },
        expect: 'none',
      }),
    receipt: (_reply, _ctx, input) => ({
      nativeId: `${input.tag}:${memberOf(input)}`,
      state: verb === 'add' ? 'added' : 'removed',
    }),
    writes: (input) => [
      {
        stream: 'members',
        id: memberOf(input),
        ...(verb === 'add' ? { adds: { tags: input.tag } } : { removes: { tags: input.tag } }),
      },
    ],
  });

/** What of a member may be written beside merge fields; leaving is an action of its own, and nobody is brought back. */
const OWN_FIELDS = ['vip', 'language', 'sms_phone_number'];
const KEPT = ['status', 'status_if_new', 'email_address', 'merge_fields'];

function fieldsBody(fields: Record<string, string | number | boolean | null>): object {
  const body: Record<string, unknown> = {};
  const merged: Record<string, unknown> = {};
  for (const [written, value] of Object.entries(fields)) {
    const name = written.replace(/^merge_fields\./, '');
    if (KEPT.includes(name))
      throw new VendorError(
        'invalid',
        `${name} of a member cannot be written as a field: it would change who gets mail.`,
      );
    // An empty text clears; there is no null.
    if (OWN_FIELDS.includes(name)) body[name] = name === 'vip' ? value === true || value === 'true' : (value ?? '');
    else merged[name] = value === null ? '' : typeof value === 'boolean' ? String(value) : value;
  }
  return { ...body, ...(Object.keys(merged).length > 0 ? { merge_fields: merged } : {}) };
}

const noted = (body: string, requestId: string): string => `${body}\n(${requestId})`;

/** The newest notes of a member (Mailchimp keeps ten in the list). */
async function notesOf(ctx: VendorContext, member: string): Promise<unknown[]> {
  const query = { fields: 'notes.id,notes.note', count: MAX_ROWS, sort_field: 'created_at', sort_dir: 'DESC' };
  return listAt((await ctx.call(ofMember(ctx, 'GET', member, '/notes', { query }))).body, 'notes');
}

export const actions: readonly ActionDefinition[] = [
  tagAction('add'),
  tagAction('remove'),
  defineAction<'update_field'>({
    kind: 'update_field',
    title: 'Write merge fields',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'Setting a field to the same value twice is the same as once.' },
    request: (ctx, input) =>
      ofMember(ctx, 'PATCH', input.id, '', {
        // A required field that is empty is no reason not to write another one.
        query: { skip_merge_validation: true },
        json: fieldsBody(input.fields),
      }),
    receipt: (reply, ctx) => memberReceipt(reply, ctx, 'written'),
    writes: (input) => [
      {
        stream: 'members',
        id: input.id,
        fields: Object.fromEntries(
          Object.entries(input.fields).map(([name, value]) => [name.replace(/^merge_fields\./, ''), value ?? '']),
        ),
      },
    ],
  }),
  defineAction<'add_note'>({
    kind: 'add_note',
    title: 'Note on a member',
    feature: 'write',
    idempotency: {
      kind: 'marker',
      settleSeconds: 60,
      find: async (ctx, input, meta) => {
        const notes = await notesOf(ctx, memberOf(input));
        const ours = notes.find((note) => textAt(note, 'note')?.includes(`(${meta.requestId})`));
        return ours === undefined ? undefined : { nativeId: textAt(ours, 'id') ?? '', state: 'created' };
      },
    },
    request: (ctx, input, meta) => {
      const note = noted(input.body, meta.requestId);
      if (note.length > LONGEST_NOTE)
        throw new VendorError(
          'invalid',
          `A note at Mailchimp holds ${LONGEST_NOTE - 40} characters; this one is longer.`,
        );
      return ofMember(ctx, 'POST', memberOf(input), '/notes', { json: { note } });
    },
    receipt: (reply) => {
      const nativeId = textAt(reply.body, 'id');
      if (!nativeId) throw new VendorError('malformed', 'Mailchimp answered without a note.', { mayHaveActed: true });
      return { nativeId, state: 'created' };
    },
  }),
  defineAction<'enrol_in_automation', { properties?: Record<string, string> }>({
    kind: 'enrol_in_automation',
    title: 'Start a journey, an automation or an event',
    feature: 'automation',
    extra: Type.Object({ properties: Type.Optional(Type.Record(Type.String(), Type.String())) }),
    idempotency: {
      kind: 'marker',
      settleSeconds: 60,
      // An event carries our id and can be looked for; who is in a journey nobody can be asked.
      find: async (ctx, input, meta) => {
        const automation = automationOf(input.automation);
        if (automation.kind !== 'event') return 'cannot_tell';
        const member = memberOf(input);
        const { body } = await ctx.call(ofMember(ctx, 'GET', member, '/events', { query: { count: MAX_ROWS } }));
        const ours = listAt(body, 'events').find((event) => textAt(event, `properties.${MARKER}`) === meta.requestId);
        return ours === undefined ? undefined : receiptOf(input.automation, member, meta.requestId);
      },
    },
    before: async (ctx, input) =>
      automationOf(input.automation).kind === 'event' ? undefined : subscriberOf(ctx, memberOf(input)),
    request: (ctx, input, meta) => {
      const automation = automationOf(input.automation);
      if (automation.kind === 'event') {
        const properties = { ...input.properties, [MARKER]: meta.requestId };
        return ofMember(ctx, 'POST', memberOf(input), '/events', {
          json: { name: automation.name, properties },
          expect: 'none',
        });
      }
      const { email } = (meta.before ?? { email: '' }) as Enrolled;
      return {
        method: 'POST',
        host: dataCentreOf(ctx),
        path: pathOf(automation),
        json: { email_address: email },
        expect: 'none',
      };
    },
    receipt: (_reply, _ctx, input, meta) => receiptOf(input.automation, memberOf(input), meta.requestId),
  }),
  defineAction<'record_opt_out', { interest?: string }>({
    kind: 'record_opt_out',
    title: 'Unsubscribe a member',
    feature: 'write',
    extra: Type.Object({ interest: Type.Optional(Type.String({ pattern: '^\\w{1,40}$' })) }),
    idempotency: { kind: 'natural', note: 'A member is unsubscribed or not.' },
    request: (ctx, input) =>
      ofMember(ctx, 'PATCH', memberOf({ about: { contact: input.contact } }), '', {
        query: { skip_merge_validation: true },
        json: input.interest ? { interests: { [input.interest]: false } } : { status: 'unsubscribed' },
      }),
    receipt: (reply, ctx) => memberReceipt(reply, ctx, 'unsubscribed'),
    writes: (input) =>
      input.contact && !input.interest
        ? [{ stream: 'members', id: input.contact, fields: { status: 'unsubscribed' } }]
        : [],
  }),
];

const receiptOf = (automation: string, member: string, requestId: string): Receipt => ({
  nativeId: `${nameOf(automationOf(automation))}:${member}:${requestId}`,
  state: 'started',
});

/**
 * Everything, or one topic where the connection says which interest is its counterpart. Who is no member is told nowhere:
 * entering somebody only to unsubscribe them would make a contact of them.
 */
export const optOut: NonNullable<Connector['optOut']> = {
  email: {
    kind: 'record_opt_out',
    input: ({ address, contact, topic }, settings) => {
      const interest = topic && textAt(settings.interests, topic);
      if (!contact || (topic && !interest)) return undefined;
      return { ...{ channel: 'email', address, contact }, ...(interest ? { interest } : {}) };
    },
  },
};
