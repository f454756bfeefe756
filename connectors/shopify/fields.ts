import { type ActionInput, type RequestSpec, VendorError } from '../../src/kit/index.ts';
import { ask } from './documents.ts';
import { type Target, targetOf } from './targets.ts';

type Input = ActionInput<'update_field'> & { types?: Record<string, string> };
type Plain = string | number | boolean | null;

/** Namespace of fields that name none: where the score and the other values of ours stand. */
const NAMESPACE = 'rapport';

/** Fields of their own that can be written, by the mutation that writes them (dossier, Actions). */
const OWN: Record<string, readonly string[]> = {
  customerUpdate: ['firstName', 'lastName', 'email', 'phone', 'locale', 'note', 'taxExempt'],
  orderUpdate: ['email', 'phone', 'note', 'poNumber'],
};

const isOwn = ({ mutation }: Target, name: string): boolean => OWN[mutation]?.includes(name) ?? false;

const split = (name: string): { namespace: string; key: string } => {
  const plain = name.replace(/^metafields\./, '');
  const dot = plain.lastIndexOf('.');
  return dot < 0 ? { namespace: NAMESPACE, key: plain } : { namespace: plain.slice(0, dot), key: plain.slice(dot + 1) };
};

/** The type of a metafield nobody defined; a definition in the shop wins over it. */
function typeOf(value: Exclude<Plain, null>): string {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return Number.isInteger(value) ? 'number_integer' : 'number_decimal';
  if (/^\d{4}-\d\d-\d\d$/.test(value)) return 'date';
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value)) return 'date_time';
  return value.includes('\n') ? 'multi_line_text_field' : 'single_line_text_field';
}

/** The fields by the names records have them under, with values as they come back. */
export function nativeFields(input: Input): Record<string, Plain> {
  const target = targetOf({ [input.object]: input.id });
  return Object.fromEntries(
    Object.entries(input.fields).map(([name, value]) => {
      if (isOwn(target, name)) return [name, value];
      const { namespace, key } = split(name);
      return [`${namespace}.${key}`, value === null ? null : String(value)];
    }),
  );
}

/**
 * One request for all fields: metafields that are set, metafields that are cleared, and fields of its own.
 * @throws VendorError `invalid` when there is nothing to write
 */
export function fieldsRequest(input: Input): RequestSpec {
  const target = targetOf({ [input.object]: input.id });
  const entries = Object.entries(input.fields);
  const own = entries.filter(([name]) => isOwn(target, name));
  const meta = entries.filter(([name]) => !isOwn(target, name));
  const set = meta.flatMap(([name, value]) =>
    value === null
      ? []
      : [{ ownerId: target.gid, ...split(name), type: input.types?.[name] ?? typeOf(value), value: String(value) }],
  );
  const cleared = meta.flatMap(([name, value]) => (value === null ? [{ ownerId: target.gid, ...split(name) }] : []));
  const parts: { declares: string; asks: string; variables: Record<string, unknown> }[] = [];
  if (set.length > 0)
    parts.push({
      declares: '$set: [MetafieldsSetInput!]!',
      asks: 'metafieldsSet(metafields: $set) { userErrors { code field message } }',
      variables: { set },
    });
  if (cleared.length > 0)
    parts.push({
      declares: '$cleared: [MetafieldIdentifierInput!]!',
      asks: 'metafieldsDelete(metafields: $cleared) { userErrors { field message } }',
      variables: { cleared },
    });
  if (own.length > 0)
    parts.push({
      declares: `$input: ${target.argument}!`,
      asks: `${target.mutation}(input: $input) { userErrors { field message } }`,
      variables: { input: { id: target.gid, ...Object.fromEntries(own) } },
    });
  if (parts.length === 0) throw new VendorError('invalid', 'There is no field to write.');
  return ask(
    `mutation WriteFields(${parts.map(({ declares }) => declares).join(', ')}) { ${parts.map(({ asks }) => asks).join(' ')} }`,
    Object.assign({}, ...parts.map(({ variables }) => variables)),
    false,
  );
}
