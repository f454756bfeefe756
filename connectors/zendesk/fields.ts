import { at, type FieldDescription, listAt, type Stream, textAt, type VendorContext } from '../../src/kit/index.ts';

type Holder = Record<string, unknown>;

/** Ticket fields of the vendor by the name their value has in a ticket. */
const SYSTEM: Record<string, string> = {
  subject: 'subject',
  description: 'description',
  status: 'status',
  tickettype: 'type',
  priority: 'priority',
  basic_priority: 'priority',
  group: 'group_id',
  assignee: 'assignee_id',
  custom_status: 'custom_status_id',
};

const TYPES: Record<string, FieldDescription['type']> = {
  text: 'text',
  textarea: 'text',
  regexp: 'text',
  subject: 'text',
  description: 'text',
  integer: 'number',
  decimal: 'number',
  currency: 'number',
  checkbox: 'boolean',
  date: 'date',
  tagger: 'enum',
  dropdown: 'enum',
  status: 'enum',
  custom_status: 'enum',
  tickettype: 'enum',
  priority: 'enum',
  basic_priority: 'enum',
  multiselect: 'list',
};

function optionsOf(field: unknown): Pick<FieldDescription, 'options'> {
  const choices = [...listAt(field, 'custom_field_options'), ...listAt(field, 'system_field_options')].map(
    (option) => ({
      value: textAt(option, 'value') ?? '',
      label: textAt(option, 'name') ?? textAt(option, 'value') ?? '',
    }),
  );
  const statuses = listAt(field, 'custom_statuses').map((status) => ({
    value: textAt(status, 'id') ?? '',
    label: textAt(status, 'agent_label') ?? '',
  }));
  const options = [...choices, ...statuses];
  return options.length > 0 ? { options } : {};
}

const describe = (field: unknown, name: string, custom: boolean): FieldDescription => ({
  name,
  label: textAt(field, 'title') ?? name,
  type: TYPES[textAt(field, 'type') ?? ''] ?? 'other',
  custom,
  ...optionsOf(field),
});

/** Fields of tickets: the vendor's own, and those of the account, which are known by their number. */
export async function ticketFields(ctx: VendorContext): Promise<FieldDescription[]> {
  const { body } = await ctx.call({ method: 'GET', path: '/api/v2/ticket_fields' });
  return listAt(body, 'ticket_fields').flatMap((field) => {
    if (at(field, 'active') === false) return [];
    const system = SYSTEM[textAt(field, 'type') ?? ''];
    return [describe(field, system ?? textAt(field, 'id') ?? '', system === undefined)];
  });
}

/** Fields an account added to users or organizations, known by their key. */
export async function keyedFields(
  ctx: VendorContext,
  list: 'user_fields' | 'organization_fields',
): Promise<FieldDescription[]> {
  const found: FieldDescription[] = [];
  for (let path: string | undefined = `/api/v2/${list}`; path !== undefined; ) {
    const { body }: { body: unknown } = await ctx.call({ method: 'GET', path });
    for (const field of listAt(body, list))
      if (at(field, 'active') !== false)
        found.push(describe(field, textAt(field, 'key') ?? '', at(field, 'system') !== true));
    path = nextPath(textAt(body, 'next_page'));
  }
  return found;
}

/** A next page as the vendor names it, on the same account: anything else would carry the token away. */
function nextPath(next: string | undefined): string | undefined {
  if (!next || !URL.canParse(next)) return undefined;
  const { pathname, search } = new URL(next);
  return `${pathname}${search}`;
}

const isHolder = (value: unknown): value is Holder =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** A ticket whose own fields can be named: a list with numbers becomes members of `custom`. */
export function withCustom(ticket: unknown): unknown {
  if (!isHolder(ticket)) return ticket;
  const values = listAt(ticket, 'custom_fields').flatMap((field) => {
    const id = textAt(field, 'id');
    return id === undefined ? [] : [[id, at(field, 'value') ?? null] as const];
  });
  return { ...ticket, custom: Object.fromEntries(values) };
}

/** Where a record holds a field by the name actions write it with. @param own member that holds the account's fields */
export const fieldIn =
  (own: 'custom' | 'user_fields' | 'organization_fields'): NonNullable<Stream['fieldAt']> =>
  (record, field) => {
    if (!isHolder(record)) return undefined;
    if (field in record) return { holder: record, key: field };
    const holder = record[own];
    return isHolder(holder) ? { holder, key: field } : undefined;
  };
