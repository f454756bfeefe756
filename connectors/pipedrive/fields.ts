import { type FieldDescription, listAt, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { NATIVE, type PipedriveObject } from './objects.ts';
import { v2 } from './paths.ts';

/** Pages of field definitions at most; an account has a few hundred fields. */
const MOST_PAGES = 20;

const asked = new WeakMap<VendorContext, Map<string, Promise<unknown[]>>>();

/** All field definitions of a kind of record, asked for once in a piece of work: they cost as much as a list. */
export function definitions(ctx: VendorContext, object: PipedriveObject): Promise<unknown[]> {
  const known = asked.get(ctx) ?? new Map<string, Promise<unknown[]>>();
  asked.set(ctx, known);
  const found = known.get(object.fields) ?? readDefinitions(ctx, object);
  known.set(object.fields, found);
  found.catch(() => known.delete(object.fields));
  return found;
}

async function readDefinitions(ctx: VendorContext, object: PipedriveObject): Promise<unknown[]> {
  const found: unknown[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = { limit: 500, cursor };
    const { body } = await ctx.call({ method: 'GET', path: v2(object.fields), query });
    found.push(...listAt(body, 'data'));
    cursor = textAt(body, 'additional_data.next_cursor');
    if (!cursor) break;
  }
  return found;
}

const TYPES: Record<string, FieldDescription['type']> = {
  varchar: 'text',
  varchar_auto: 'text',
  text: 'text',
  phone: 'text',
  int: 'number',
  double: 'number',
  boolean: 'boolean',
  date: 'date',
  enum: 'enum',
  set: 'list',
};

interface Option {
  value: string;
  label: string;
}

const optionsOf = (field: unknown): Option[] =>
  listAt(field, 'options').map((option) => ({
    value: textAt(option, 'id') ?? '',
    label: textAt(option, 'label') ?? '',
  }));

/** The fields of a kind of record: a custom one by the 40 letters it is known by, with the label people gave it. */
export async function discoverFields(ctx: VendorContext, object: PipedriveObject): Promise<FieldDescription[]> {
  return (await definitions(ctx, object)).map((field) => {
    const options = optionsOf(field);
    const name = textAt(field, 'field_code') ?? '';
    return {
      name,
      label: textAt(field, 'field_name') ?? name,
      type: TYPES[textAt(field, 'field_type') ?? ''] ?? 'other',
      custom: textAt(field, 'is_custom_field') === 'true',
      ...(options.length > 0 ? { options } : {}),
    };
  });
}

type Value = string | number | boolean | null;

const same = (one: string | undefined, other: string): boolean =>
  one?.trim().toLowerCase() === other.trim().toLowerCase();

/** A value as the field takes it: of a choice its id, whatever of both was given. */
function valueFor(field: unknown, value: Value): unknown {
  const options = optionsOf(field);
  if (options.length === 0 || value === null) return value;
  const idOf = (text: string): number | string => {
    const option = options.find((one) => one.value === text) ?? options.find((one) => same(one.label, text));
    if (!option) {
      const known = options.map(({ label }) => label).join(', ');
      throw new VendorError('invalid', `"${text}" is no choice of ${textAt(field, 'field_name')}; there is ${known}.`);
    }
    return /^\d+$/.test(option.value) ? Number(option.value) : option.value;
  };
  if (textAt(field, 'field_type') !== 'set') return idOf(String(value));
  return String(value)
    .split(/[,;]/)
    .map((text) => idOf(text.trim()));
}

/** The stage a deal is to be in, by id or by its name; several pipelines may have one of that name. */
async function stageOf(ctx: VendorContext, wanted: Value): Promise<number> {
  if (/^\d+$/.test(String(wanted))) return Number(wanted);
  const { body } = await ctx.call({ method: 'GET', path: v2('stages'), query: { limit: 500 } });
  const stages = listAt(body, 'data').filter((stage) => textAt(stage, 'is_deleted') !== 'true');
  const found = stages.filter((stage) => same(textAt(stage, 'name'), String(wanted)));
  if (found.length === 1) return Number(textAt(found[0], 'id'));
  const names = stages.map((stage) => `${textAt(stage, 'name')} (${textAt(stage, 'id')})`).join(', ');
  throw new VendorError(
    'invalid',
    `${found.length === 0 ? 'No stage is' : 'Several stages are'} called "${wanted}"; name one by its number: ${names}.`,
  );
}

/**
 * Fields as a write takes them: native ones as they are, custom ones below `custom_fields` by their code. Labels are
 * turned into codes and choices into ids, and a stage's name into its number.
 * @throws VendorError `invalid` naming a field or choice the account does not have
 */
export async function resolveFields(
  ctx: VendorContext,
  object: PipedriveObject,
  given: Readonly<Record<string, Value>>,
): Promise<Record<string, unknown>> {
  const native = NATIVE[object.name] ?? [];
  const result: Record<string, unknown> = {};
  const custom: Record<string, unknown> = {};
  const isNative = (name: string): boolean => native.includes(name) || (object.name === 'deals' && name === 'stage');
  const known = Object.keys(given).every(isNative) ? [] : await definitions(ctx, object);
  for (const [name, value] of Object.entries(given)) {
    if (object.name === 'deals' && (name === 'stage' || name === 'stage_id'))
      result.stage_id = await stageOf(ctx, value);
    else if (isNative(name)) result[name] = value;
    else {
      const field =
        known.find((one) => textAt(one, 'field_code') === name) ??
        known.find((one) => same(textAt(one, 'field_name'), name));
      const code = textAt(field, 'field_code');
      if (!code) throw new VendorError('invalid', `Pipedrive has no field "${name}" among the ${object.name}.`);
      if (textAt(field, 'is_custom_field') === 'true') custom[code] = valueFor(field, value);
      else result[code] = value;
    }
  }
  return { ...result, ...(Object.keys(custom).length > 0 ? { custom_fields: custom } : {}) };
}
