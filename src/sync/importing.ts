import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import type { Row } from '../base/database.ts';
import { type FieldError, invalid } from '../base/errors.ts';
import { ENTITIES, type EntityKind, entityDefinition } from '../kit/index.ts';
import { compileMapping } from '../mapping/compile.ts';
import { type Compiler, compileCondition, compileDirective, type Env, type Read } from '../mapping/directives.ts';
import { MappingFile } from '../mapping/schema.ts';

/** How the rows of a file become records, beside the mapping of those records. */
export const ImportObject = Type.Object(
  {
    /** The record's id. Rows with the same id are the same record. */
    id: Type.Unknown(),
    /** Columns that belong to this record; default: all. A contact in every order line has the same few. */
    columns: Type.Optional(Type.Array(Type.String())),
    /** All rows with the same id are one record: `{first, rows}`. */
    group: Type.Optional(Type.Boolean()),
    /** Rows it is made from; others are passed over. */
    when: Type.Optional(Type.Unknown()),
    /** What a row must have; others are parked with the reason. */
    require: Type.Optional(
      Type.Array(Type.Object({ test: Type.Unknown(), reason: Type.String() }, { additionalProperties: false })),
    ),
  },
  { additionalProperties: false },
);

export const ImportMapping = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 100 })),
    file: Type.Optional(
      Type.Object(
        {
          delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
          encoding: Type.Optional(Type.String()),
          columns: Type.Optional(Type.Array(Type.String())),
        },
        { additionalProperties: false },
      ),
    ),
    defaults: MappingFile.properties.defaults,
    objects: Type.Record(Type.String(), ImportObject),
    streams: MappingFile.properties.streams,
  },
  { $id: 'ImportMapping', additionalProperties: false },
);
export type ImportMapping = Static<typeof ImportMapping>;

export interface CompiledObject {
  name: string;
  id: Read;
  group: boolean;
  /** The part of a row that belongs to this record. */
  pick: (row: Row) => Row;
  when: (row: unknown, env: Env) => boolean;
  require: { test: (row: unknown, env: Env) => boolean; reason: string }[];
}

/**
 * Reads and checks an import mapping.
 * @throws Problem with the place of every mistake
 */
export function readImportMapping(text: string, name: string, streams: readonly string[]): ImportMapping {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw invalid(`${name} is not YAML: ${(error as Error).message}`);
  }
  if (!Value.Check(ImportMapping, value)) {
    const errors = Value.Errors(ImportMapping, value).map((error) => ({
      path: error.instancePath.replace(/^\//, '').replaceAll('/', '.') || name,
      message: error.message,
    }));
    throw invalid(
      `${name} does not have the form of an import mapping: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  }
  const { errors } = compileMapping(
    { streams: value.streams, ...(value.defaults ? { defaults: value.defaults } : {}) },
    streams,
  );
  errors.push(...compileObjects(value).errors);
  for (const object of Object.keys(value.objects))
    if (!value.streams[object])
      errors.push({ path: `streams.${object}`, message: 'is missing: every object needs a mapping of its fields' });
  if (errors.length > 0)
    throw invalid(
      `${name} has mistakes: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  return value;
}

export function compileObjects(mapping: ImportMapping): { objects: CompiledObject[]; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const objects = Object.entries(mapping.objects).map(([name, object]) => {
    const compiler: Compiler = { errors, paths: new Set(), lookups: new Set(), expressions: [] };
    const where = `objects.${name}`;
    return {
      name,
      id: compileDirective(object.id, `${where}.id`, compiler),
      group: object.group ?? false,
      pick: object.columns
        ? (row: Row) => Object.fromEntries(object.columns!.map((column) => [column, row[column] ?? '']))
        : (row: Row) => row,
      when: object.when === undefined ? () => true : compileCondition(object.when, `${where}.when`, compiler),
      require: (object.require ?? []).map((rule, at) => ({
        test: compileCondition(rule.test, `${where}.require[${at}].test`, compiler),
        reason: rule.reason,
      })),
    };
  });
  return { objects, errors };
}

// What people call their columns, beside the canonical names themselves.
const SYNONYMS: Record<string, readonly string[]> = {
  first_name: ['firstname', 'givenname', 'forename', 'vorname', 'prenom'],
  last_name: ['lastname', 'surname', 'familyname', 'nachname', 'nom'],
  name: ['fullname', 'customer', 'customername', 'client', 'contact', 'contactname', 'displayname', 'company'],
  email: ['emailaddress', 'mail', 'email1', 'emailadresse'],
  phone: ['phonenumber', 'telephone', 'tel', 'mobile', 'mobilephone', 'cell', 'telefon'],
  birthday: ['birthdate', 'dateofbirth', 'dob', 'geburtstag'],
  address_line: ['address', 'street', 'addressline1', 'strasse'],
  city: ['town', 'ort', 'stadt', 'ville'],
  region: ['state', 'province', 'county', 'bundesland'],
  postal_code: ['zip', 'zipcode', 'postcode', 'postalcode', 'plz'],
  number: ['invoiceno', 'invoicenumber', 'invoice', 'docnumber', 'rechnungsnummer'],
  issued_on: ['invoicedate', 'date', 'issued', 'issuedate'],
  due_on: ['duedate', 'due', 'faellig', 'paymentdue'],
  paid_on: ['paiddate', 'datepaid', 'paymentdate', 'date', 'paid'],
  total: ['amount', 'totalamount', 'invoiceamount', 'betrag'],
  balance: ['open', 'openbalance', 'amountdue', 'outstanding', 'balancedue', 'offen'],
  amount: ['total', 'value', 'price', 'betrag'],
  completed_on: ['completed', 'completeddate', 'datecompleted', 'date'],
  scheduled_at: ['scheduled', 'appointment', 'scheduleddate', 'start'],
  title: ['job', 'description', 'subject', 'service'],
  kind: ['type', 'jobtype', 'servicetype'],
};
const IDS = ['id', 'externalid', 'recordid', 'customerid', 'number', 'invoiceno', 'jobid', 'email'];

const squeeze = (text: string): string =>
  text
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]/g, '');

/**
 * An import mapping guessed from the column names of a file.
 * @throws Problem when nothing in the file can serve as the record's id
 */
export function guessImportMapping(object: string, kind: EntityKind, columns: readonly string[]): ImportMapping {
  const find = (names: readonly string[]): string | undefined =>
    names.map((name) => columns.find((column) => squeeze(column) === name)).find((column) => column !== undefined);
  const id = find([squeeze(`${object.replace(/s$/, '')}id`), ...IDS]);
  if (!id) {
    throw invalid(
      `None of the columns (${columns.join(', ')}) looks like the id of a ${kind}.`,
      undefined,
      'Give a mapping file with --map that says which column identifies a row.',
    );
  }
  const fields: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(entityDefinition(kind).fields)) {
    const column = find([squeeze(name), ...(SYNONYMS[name] ?? [])]);
    if (column) fields[name] = directiveFor(name, field.type, column);
  }
  const references: Record<string, unknown> = {};
  if (entityDefinition(kind).references.includes('customer')) {
    const reference = find(['customeremail', 'email', 'emailaddress', 'contactemail']);
    const byId = find(['customerid', 'contactid', 'clientid']);
    if (byId) references.customer = { to: 'contacts', id: { path: byId } };
    else if (reference) references.customer = { email: { path: reference } };
  }
  for (const required of ENTITIES[kind].required) {
    if (required === 'status' && !fields.status)
      fields.status =
        { invoice: 'open', payment: 'succeeded', job: 'completed', subscription: 'active' }[kind as string] ?? null;
  }
  return {
    objects: { [object]: { id: { path: id } } },
    streams: { [object]: { [kind]: { fields, ...(Object.keys(references).length > 0 ? { references } : {}) } } },
  } as ImportMapping;
}

function directiveFor(name: string, type: string, column: string): unknown {
  const path = { path: column };
  if (name === 'email') return { email: path };
  if (name === 'phone') return { phone: path };
  if (name === 'country') return { country: path };
  if (name === 'status') return { text: path };
  if (type === 'date') return { date: path };
  if (type === 'timestamptz') return { datetime: path };
  if (type === 'numeric') return { money: path };
  if (type === 'text[]') return { list: { of: path, split: ';' } };
  return path;
}
