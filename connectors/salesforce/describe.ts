import { at, type FieldDescription, listAt, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { dataPath, safeName } from './api.ts';

/** For how long what an object looks like is believed. A field that is taken away meanwhile stops a reading no longer. */
const FRESH_MS = 3_600_000;
/** Objects kept in mind over all connections: about 20 kB each. */
const MOST_KEPT = 2000;

/** What is kept of an object: which of its fields the connected user can see, and what can be done with them. */
export interface Described {
  fields: ReadonlySet<string>;
  externalIds: ReadonlySet<string>;
  /** Names of the relations that can be followed in a query, such as `Owner` for `OwnerId`. */
  relations: ReadonlySet<string>;
  /** Fields that are no text. */
  types: ReadonlyMap<string, FieldDescription['type']>;
}

const kept = new Map<string, { at: number; object: Promise<Described> }>();

const ask = async (ctx: VendorContext, object: string): Promise<unknown[]> => {
  const path = dataPath(`/sobjects/${safeName(object, 'an object')}/describe`);
  try {
    const { body } = await ctx.call({ method: 'GET', path });
    const fields = at(body, 'fields');
    if (!Array.isArray(fields)) throw new VendorError('malformed', `Salesforce described ${object} without fields.`);
    return fields;
  } catch (error) {
    if (!(error instanceof VendorError) || error.kind !== 'not_found') throw error;
    throw new VendorError(
      'invalid',
      `Salesforce has no object "${object}" here, or the connected user may not see it. Allow it there, name another object in the settings of the connection, or switch this part off.`,
      { cause: error },
    );
  }
};

const namesOf = (fields: readonly unknown[], name: string, when: (field: unknown) => boolean = () => true) =>
  new Set(fields.filter(when).flatMap((field) => textAt(field, name) ?? []));

/**
 * What an object looks like to the connected user. A query that names a field they cannot see fails as a whole, so
 * queries name fields that are here only.
 * @throws VendorError `invalid` when there is no such object
 */
export async function describe(ctx: VendorContext, object: string): Promise<Described> {
  const key = [ctx.account.id, textAt(ctx.account.extra, 'user'), object].join('/');
  const now = ctx.now.getTime();
  const known = kept.get(key);
  // A clock that was set back makes it no fresher.
  if (known && Math.abs(now - known.at) < FRESH_MS) return known.object;
  const described = ask(ctx, object).then((fields) => ({
    fields: namesOf(fields, 'name'),
    externalIds: namesOf(fields, 'name', (field) => at(field, 'externalId') === true),
    relations: namesOf(fields, 'relationshipName'),
    types: typesOf(fields),
  }));
  kept.delete(key);
  kept.set(key, { at: now, object: described });
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
  try {
    return await described;
  } catch (error) {
    // That there is no such object is an answer, and holds as long as the others.
    if (!(error instanceof VendorError) || error.kind !== 'invalid') kept.delete(key);
    throw error;
  }
}

const TYPES: Record<string, FieldDescription['type']> = {
  boolean: 'boolean',
  currency: 'number',
  date: 'date',
  datetime: 'datetime',
  double: 'number',
  int: 'number',
  multipicklist: 'list',
  percent: 'number',
  picklist: 'enum',
};
const TEXTS = ['string', 'textarea', 'email', 'phone', 'url', 'id', 'reference', 'encryptedstring', 'combobox'];

const NO_TEXT = ['boolean', 'number', 'datetime'];

const typesOf = (fields: readonly unknown[]): Described['types'] =>
  new Map(
    fields.flatMap((field) => {
      const type = TYPES[textAt(field, 'type') ?? ''];
      return type && NO_TEXT.includes(type) ? [[textAt(field, 'name') ?? '', type] as const] : [];
    }),
  );

/** The fields of an object, custom ones included, with the words a picklist allows. */
export async function discover(ctx: VendorContext, object: string): Promise<FieldDescription[]> {
  return (await ask(ctx, object)).map((field) => {
    const type = textAt(field, 'type') ?? '';
    const options = listAt(field, 'picklistValues')
      .filter((option) => at(option, 'active') !== false)
      .map((option) => ({
        value: textAt(option, 'value') ?? '',
        label: textAt(option, 'label') ?? textAt(option, 'value') ?? '',
      }));
    return {
      name: textAt(field, 'name') ?? '',
      label: textAt(field, 'label') ?? textAt(field, 'name') ?? '',
      type: TYPES[type] ?? (TEXTS.includes(type) ? 'text' : 'other'),
      custom: at(field, 'custom') === true,
      ...(options.length > 0 ? { options } : {}),
    };
  });
}
