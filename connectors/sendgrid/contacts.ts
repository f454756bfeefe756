import { at, listAt, type RequestSpec, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

const ADDRESS = /^[^\s@<>(),;:"[\]\\]+@[^\s@<>(),;:"[\]\\]+$/;

/** Contacts are known by their address, in lower case. @throws VendorError `invalid` when it is none */
export function addressOf(contact: string | undefined): string {
  const address = (contact ?? '').trim().toLowerCase();
  if (ADDRESS.test(address)) return address;
  throw new VendorError('invalid', 'SendGrid knows its contacts by their mail address; this is none.');
}

/** Fields every contact has (dossier, Read); all others are custom ones. */
const RESERVED = [
  ...['first_name', 'last_name', 'phone_number_id', 'external_id', 'anonymous_id', 'address_line_1', 'address_line_2'],
  ...['city', 'state_province_region', 'postal_code', 'country'],
];

export type CustomFields = Record<string, string>;

/**
 * Ids of custom fields by name: they differ between accounts.
 * @throws VendorError `invalid` naming the fields nobody defined
 */
export async function customFields(ctx: VendorContext, names: readonly string[]): Promise<CustomFields> {
  const wanted = names.filter((name) => !RESERVED.includes(name));
  if (wanted.length === 0) return {};
  const { body } = await ctx.call({ method: 'GET', host: 'marketing', path: '/v3/marketing/field_definitions' });
  const known = new Map(
    listAt(body, 'custom_fields').map((field) => [textAt(field, 'name') ?? '', textAt(field, 'id') ?? '']),
  );
  const lost = wanted.filter((name) => !known.has(name));
  if (lost.length > 0)
    throw new VendorError('invalid', `SendGrid has no field named ${lost.join(', ')}: add it to the contacts there.`);
  return Object.fromEntries(wanted.map((name) => [name, known.get(name)!]));
}

export interface ContactInput {
  email: string;
  [field: string]: unknown;
}

/** A contact with these fields, custom ones by their ids. @param ids as `customFields` found them */
export function withFields(
  email: string,
  fields: Record<string, string | number | boolean | null>,
  ids: unknown,
): ContactInput {
  const own = Object.entries(fields).filter(([name]) => RESERVED.includes(name));
  const custom = Object.entries(fields).filter(([name]) => !RESERVED.includes(name));
  return {
    email,
    ...Object.fromEntries(own.map(([name, value]) => [name, value === null ? '' : String(value)])),
    ...(custom.length > 0
      ? { custom_fields: Object.fromEntries(custom.map(([name, value]) => [textAt(ids, name) ?? name, value])) }
      : {}),
  };
}

/** Makes or changes a contact, and puts it onto lists. SendGrid does so some seconds later. */
export const upsert = (contact: ContactInput, lists: readonly string[] = []): RequestSpec => ({
  method: 'PUT',
  host: 'marketing',
  path: '/v3/marketing/contacts',
  json: { ...(lists.length > 0 ? { list_ids: lists } : {}), contacts: [contact] },
});

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The list people call by a name. @throws VendorError `not_found` when there is none */
export async function listIdOf(ctx: VendorContext, tag: string): Promise<string> {
  if (UUID.test(tag)) return tag;
  for (let token: string | undefined; ; ) {
    const query = { page_size: 1000, ...(token ? { page_token: token } : {}) };
    const { body } = await ctx.call({ method: 'GET', host: 'marketing', path: '/v3/marketing/lists', query });
    const found = listAt(body, 'result').find((list) => textAt(list, 'name')?.toLowerCase() === tag.toLowerCase());
    if (found) return textAt(found, 'id')!;
    const next = textAt(body, '_metadata.next');
    token = next ? (new URL(next).searchParams.get('page_token') ?? undefined) : undefined;
    if (!token) throw new VendorError('not_found', `SendGrid has no list named "${tag}".`);
  }
}

/** The id of a contact by its address. @throws VendorError `not_found` when there is none */
export async function contactIdOf(ctx: VendorContext, email: string): Promise<string> {
  const { body } = await ctx.call({
    ...{ method: 'POST', host: 'marketing', path: '/v3/marketing/contacts/search/emails' },
    json: { emails: [email] },
    safe: true,
  });
  const result = at(body, 'result') as Record<string, unknown> | undefined;
  const id = textAt(result?.[email], 'contact.id');
  if (!id) throw new VendorError('not_found', `SendGrid has no contact ${email}.`);
  return id;
}
