import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Exchange } from '../../src/kit/sandbox/index.ts';

/** Folder with the vendor's published schemas and samples, where there is one. */
export const SPECS = path.join(process.env.PLATFORM_SPECS ?? '../shared/platforms', 'quickbooks');

export const hasSchemas = existsSync(path.join(SPECS, 'Finance.xsd'));

const FILES = [
  'Finance.xsd',
  'IntuitBaseTypes.xsd',
  'IntuitNamesTypes.xsd',
  'IntuitRestServiceDef.xsd',
  'SalesTax.xsd',
];

interface Member {
  type: string;
  many: boolean;
  documentation: string;
}

interface Type {
  base: string | undefined;
  /** Elements and attributes alike: JSON makes no difference. */
  members: Map<string, Member>;
  /** Words of an enumeration. */
  words: Set<string>;
  /** Text with attributes: in JSON the text is a member of its own, `value`. */
  text: boolean;
}

const TAG = /<!--[\s\S]*?-->|<(\/?)xs:(\w+)((?:\s+[\w:]+\s*=\s*"[^"]*")*)\s*(\/?)>/g;

const attributesOf = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/([\w:]+)\s*=\s*"([^"]*)"/g)].map(([, name, value]) => [name!, value!]));

/** Reads the types of a schema file: names, members, enumerations. Order and required members are not of interest. */
function readTypes(xsd: string, types: Map<string, Type>): void {
  const stack: string[] = [];
  let type: Type | undefined;
  let member: Member | undefined;
  let end = 0;
  for (const match of xsd.matchAll(TAG)) {
    const [whole, closing, tag = '', attributeText = '', single] = match;
    const before = xsd.slice(end, match.index);
    end = match.index + whole.length;
    if (whole.startsWith('<!--')) continue;
    if (closing) {
      if (tag === 'documentation' && member) member.documentation += before;
      if (tag === 'element' || tag === 'attribute') member = undefined;
      stack.pop();
      if (stack.length === 1) type = undefined;
      continue;
    }
    const attributes = attributesOf(attributeText);
    if (!single) stack.push(tag);
    const { name = '' } = attributes;
    if ((tag === 'complexType' || tag === 'simpleType') && name !== '') {
      type = { base: undefined, members: new Map(), words: new Set(), text: false };
      types.set(name, type);
    }
    if (!type) continue;
    if (tag === 'extension' || tag === 'restriction') type.base = attributes.base;
    if (tag === 'simpleContent') type.text = true;
    if (tag === 'enumeration') type.words.add(attributes.value ?? '');
    if ((tag === 'element' || tag === 'attribute') && name !== '') {
      const found = { type: attributes.type ?? '', many: attributes.maxOccurs === 'unbounded', documentation: '' };
      type.members.set(name, found);
      if (!single) member = found;
    }
  }
}

const BUILT_IN: Record<string, (value: unknown) => boolean> = {
  boolean: (value) => typeof value === 'boolean',
  decimal: (value) => typeof value === 'number',
  int: (value) => Number.isInteger(value),
  integer: (value) => Number.isInteger(value),
  positiveInteger: (value) => Number.isInteger(value) && Number(value) > 0,
  date: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value),
  dateTime: (value) => typeof value === 'string' && /T/.test(value) && !Number.isNaN(Date.parse(value)),
};

/** The published schemas, to compare what is sent and answered with. */
export class Schemas {
  private readonly types = new Map<string, Type>();

  constructor() {
    for (const file of FILES) readTypes(readFileSync(path.join(SPECS, file), 'utf8'), this.types);
  }

  /** A member of a type or of what it extends. */
  member(type: string, name: string): Member | undefined {
    const found = this.types.get(type);
    return found && (found.members.get(name) ?? (found.base ? this.member(found.base, name) : undefined));
  }

  /** What in `value` is not as the type says, by path. */
  wrong(type: string, value: unknown, where = type): string[] {
    const builtIn = type.replace(/^xs:/, '');
    if (type.startsWith('xs:')) {
      const good = BUILT_IN[builtIn] ?? ((other) => typeof other === 'string');
      return good(value) ? [] : [`${where}: ${JSON.stringify(value)} is no ${builtIn}`];
    }
    const found = this.types.get(type);
    if (!found) return [`${where}: there is no type ${type}`];
    if (found.words.size > 0)
      return found.words.has(String(value)) ? [] : [`${where}: "${String(value)}" is not in ${type}`];
    if (found.members.size === 0 && found.base && !found.text) {
      if (value === null || typeof value !== 'object') return this.wrong(found.base, value, where);
    }
    if (value === null || typeof value !== 'object') return [`${where}: ${JSON.stringify(value)} is no ${type}`];
    return Object.entries(value).flatMap(([name, inner]) => {
      if (name === 'value' && found.text) return this.wrong(found.base ?? 'xs:string', inner, `${where}.value`);
      const member = this.member(type, name);
      if (!member) return [`${where}: ${type} has no ${name}`];
      if (member.many !== Array.isArray(inner)) return [`${where}.${name}: ${member.many ? 'is' : 'is no'} list`];
      const items: unknown[] = Array.isArray(inner) ? inner : [inner];
      return items.flatMap((item) => this.wrong(member.type, item, `${where}.${name}`));
    });
  }
}

const ENVELOPE = new Set(['time', 'Fault', 'fault', 'startPosition', 'maxResults', 'totalCount']);

/** Every record in an answer, with its entity. */
function* recordsIn(body: unknown): Generator<[entity: string, record: unknown]> {
  for (const [name, value] of Object.entries((body ?? {}) as Record<string, any>)) {
    if (ENVELOPE.has(name)) continue;
    if (name === 'QueryResponse' && !Array.isArray(value)) yield* recordsIn(value);
    else if (name === 'CDCResponse') for (const set of value[0].QueryResponse) yield* recordsIn(set);
    // A template is what it makes, wrapped.
    else if (name === 'RecurringTransaction') for (const wrapper of value) yield* recordsIn(wrapper);
    else for (const record of Array.isArray(value) ? value : [value]) yield [name, record];
  }
}

/** Compares calls and answers with the schemas. @returns the entities that were met, and what is wrong */
export function compare(journal: readonly Exchange[]): { met: Set<string>; wrong: Set<string> } {
  const schemas = new Schemas();
  const met = new Set<string>();
  const wrong = new Set<string>();
  for (const { path: address, method, body, status, reply } of journal) {
    if (!address.startsWith('/v3/')) continue;
    const entity = { customer: 'Customer', invoice: 'Invoice' }[address.split('/')[4] ?? ''];
    if (method === 'POST' && body !== undefined && entity)
      for (const line of schemas.wrong(entity, body, `sent ${entity}`)) wrong.add(line);
    if (status !== 200 || reply === null || typeof reply !== 'object') continue;
    for (const [name, record] of recordsIn(reply)) {
      met.add(name);
      for (const line of schemas.wrong(name, record)) wrong.add(line);
    }
  }
  return { met, wrong };
}
