import { at, listAt, splitPath, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** What the vendor keeps for itself, or replaces as a whole. */
const NOT_WRITABLE = /^(Id|SyncToken|sparse|domain|status|MetaData|Line|LinkedTxn|Balance|TotalAmt)$/;

type Scalar = string | number | boolean | null;

/**
 * The members of an update for `fields`: names of the API, members of an object as `PrimaryEmailAddr.Address`, custom
 * fields of an invoice as `CustomField.<name or id>`. Objects and custom fields go out whole, as they were read and with
 * the change in them, because what an update leaves out of them is nowhere promised to stay.
 * @param before the record as it was read; empty in a preview
 * @throws VendorError `invalid` naming what cannot be written
 */
export function fieldsToWrite(
  ctx: VendorContext,
  fields: Record<string, Scalar>,
  before: unknown,
): Record<string, unknown> {
  const paths = Object.entries(fields).map(([name, value]) => ({ name, value, keys: splitPath(name) }));
  const kept = paths.filter(({ keys }) => NOT_WRITABLE.test(keys[0] ?? '')).map(({ name }) => name);
  if (kept.length > 0) {
    throw new VendorError('invalid', `QuickBooks keeps ${kept.join(', ')} itself: choose another field.`);
  }
  const nothing = ctx.settings.clearWith === 'null' ? null : '';
  const members: Record<string, unknown> = {};
  for (const { name, value, keys } of paths) {
    const [root = '', member, ...deeper] = keys;
    if (root === 'CustomField') {
      members.CustomField = withCustom(
        members.CustomField ?? at(before, root),
        name.slice(root.length + 1),
        value,
        before,
      );
    } else if (member === undefined) members[root] = value ?? nothing;
    else if (deeper.length > 0) throw new VendorError('invalid', `${name} lies too deep to be written in QuickBooks.`);
    else members[root] = withMember(members[root] ?? at(before, root), member, value ?? nothing);
  }
  return members;
}

function withMember(present: unknown, member: string, value: unknown): Record<string, unknown> {
  const others = present !== null && typeof present === 'object' ? (present as Record<string, unknown>) : {};
  // The name beside a reference's value belongs to the one it pointed at.
  return member === 'value' ? { value } : { ...others, [member]: value };
}

/** The custom fields of a sales form with one of them set. */
function withCustom(present: unknown, wanted: string, value: Scalar, before: unknown): unknown[] {
  const fields = listAt({ present }, 'present');
  const text = value === null ? '' : String(value);
  const found = fields.find((field) => [textAt(field, 'Name'), textAt(field, 'DefinitionId')].includes(wanted));
  if (found !== undefined) {
    const type = textAt(found, 'Type');
    if (type !== undefined && type !== 'StringType') {
      throw new VendorError('invalid', `The custom field ${wanted} holds no text (${type}), so it cannot be written.`);
    }
    return fields.map((field) => (field === found ? { ...(field as object), StringValue: text } : field));
  }
  // Nothing was read for a preview, so the number of the field is not known yet.
  if (textAt(before, 'Id') === undefined) return [...fields, { Name: wanted, Type: 'StringType', StringValue: text }];
  const names = fields.map((field) => textAt(field, 'Name') ?? '').filter((name) => name !== '');
  const known = names.length > 0 ? `There are ${names.join(', ')}.` : 'It has none.';
  throw new VendorError('invalid', `This record has no custom field "${wanted}". ${known}`);
}
