import {
  type ActionDefinition,
  defineAction,
  listAt,
  textAt,
  type VendorContext,
  VendorError,
} from '../../src/kit/index.ts';
import { graph, oneOf, step } from './graph.ts';

const contactPath = (id: string): string => `/me/contacts/${step(id)}`;

/** The contact an action is about. @throws VendorError `not_found` */
async function contactOf(ctx: VendorContext, id: string | undefined, select: string): Promise<unknown> {
  const contact = id ? await oneOf(ctx, contactPath(id), { $select: select }) : undefined;
  if (contact) return contact;
  throw new VendorError('not_found', 'The contact is not in this mailbox (any more).', { status: 404 });
}

/** Categories are the tags of Outlook; the whole list is written, so it is read right before. */
const tag = (verb: 'add_tag' | 'remove_tag'): ActionDefinition =>
  defineAction<'add_tag' | 'remove_tag'>({
    kind: verb,
    title: verb === 'add_tag' ? 'Give a contact a category' : 'Take a category from a contact',
    feature: 'write',
    idempotency: { kind: 'natural', note: 'A contact has a category or not.' },
    before: async (ctx, input) =>
      listAt<string>(await contactOf(ctx, input.about.contact, 'id,categories'), 'categories'),
    request: (_ctx, input, meta) => {
      const others = (Array.isArray(meta.before) ? (meta.before as string[]) : []).filter((name) => name !== input.tag);
      const categories = verb === 'add_tag' ? [...others, input.tag] : others;
      return graph({ method: 'PATCH', path: contactPath(input.about.contact ?? ''), json: { categories } });
    },
    receipt: (_reply, _ctx, input) => ({
      nativeId: `${input.about.contact ?? ''}:${input.tag}`,
      state: verb === 'add_tag' ? 'added' : 'removed',
    }),
    writes: (input) => [
      {
        stream: 'contacts',
        id: input.about.contact ?? '',
        ...(verb === 'add_tag' ? { adds: { categories: input.tag } } : { removes: { categories: input.tag } }),
      },
    ],
  });

/** Texts of a contact that can be set one by one; everything else is a list or an address of several parts. */
const FIELDS = new Set(
  'assistantName birthday businessHomePage companyName department displayName fileAs generation givenName initials jobTitle manager middleName mobilePhone nickName officeLocation personalNotes profession spouseName surname title'.split(
    ' ',
  ),
);

const updateField = defineAction<'update_field'>({
  kind: 'update_field',
  title: 'Write fields of a contact',
  feature: 'write',
  idempotency: { kind: 'natural', note: 'Setting a field to the same value twice is the same as once.' },
  request: (_ctx, input) => {
    const unknown = Object.keys(input.fields).filter((name) => !FIELDS.has(name));
    if (input.object !== 'contact' || unknown.length > 0)
      throw new VendorError(
        'invalid',
        `Outlook lets texts of a contact be written, such as jobTitle or personalNotes; ${unknown.join(', ') || input.object} is none of them.`,
      );
    return graph({ method: 'PATCH', path: contactPath(input.id), json: input.fields });
  },
  receipt: (reply, _ctx, input) => ({ nativeId: textAt(reply.body, 'id') ?? input.id, state: 'written' }),
  writes: (input) => [{ stream: 'contacts', id: input.id, fields: input.fields }],
});

export const contactActions: readonly ActionDefinition[] = [updateField, tag('add_tag'), tag('remove_tag')];
