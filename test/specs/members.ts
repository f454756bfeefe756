import type { Direction, Schema } from './normalise.ts';
import { type Finding, isRecord } from './spec.ts';

/** The schemas that speak about a value together: references followed, all forms of a choice taken in. */
function views(schemas: readonly Schema[], resolve: (schema: Schema) => Schema): Record<string, any>[] {
  const found = new Set<Record<string, any>>();
  const add = (schema: unknown): void => {
    if (!isRecord(schema) || found.has(schema)) return;
    found.add(schema);
    if (typeof schema.$ref === 'string') add(resolve(schema));
    for (const keyword of ['allOf', 'anyOf', 'oneOf'])
      if (Array.isArray(schema[keyword])) for (const one of schema[keyword]) add(one);
    for (const keyword of ['then', 'else']) add(schema[keyword]);
  };
  for (const schema of schemas) add(schema);
  return [...found];
}

/**
 * What a set of schemas says about the names of members, worked out once and as far as values need it.
 *
 * Most descriptions leave objects open, so that a misspelt name would pass. Here a name has to be described somewhere in
 * the schema, unless the schema says that names are free: by `additionalProperties`, or by describing none at all.
 */
export class Described {
  private readonly seen: readonly Record<string, any>[];
  private readonly resolve: (schema: Schema) => Schema;
  private readonly isOpen: boolean;
  private readonly members = new Map<string, { node: Described | undefined; readOnly: boolean } | undefined>();
  private itemNode: Described | null | undefined;

  constructor(schemas: readonly Schema[], resolve: (schema: Schema) => Schema) {
    this.resolve = resolve;
    this.seen = views(schemas, resolve);
    const rests = this.seen.map((view) => view.additionalProperties);
    const namesNothing = !this.seen.some((view) => hasNames(view.properties) || hasNames(view.patternProperties));
    this.isOpen =
      rests.some((rest) => rest === true || isRecord(rest)) ||
      (namesNothing && !rests.includes(false)) ||
      this.seen.some(isFreeObject);
  }

  /** Members of a value that are not described, and read-only ones that are sent. Places are relative to the value. */
  foreign(value: unknown, direction: Direction): Finding[] {
    if (value === null || typeof value !== 'object') return [];
    if (Array.isArray(value)) {
      const items = this.items();
      return items ? value.flatMap((item, index) => below(String(index), items.foreign(item, direction))) : [];
    }
    const findings: Finding[] = [];
    for (const [name, inner] of Object.entries(value)) {
      const member = this.member(name);
      if (!member) {
        if (!this.isOpen) findings.push({ at: `.${name}`, says: 'is not described' });
        continue;
      }
      if (member.readOnly && direction === 'request') {
        findings.push({ at: `.${name}`, says: 'is read-only and is sent' });
      }
      if (member.node) findings.push(...below(name, member.node.foreign(inner, direction)));
    }
    return findings;
  }

  private items(): Described | null {
    if (this.itemNode === undefined) {
      const items = this.seen.flatMap((view) => [view.items, ...(view.prefixItems ?? [])].flat()).filter(isRecord);
      this.itemNode = items.length > 0 ? new Described(items, this.resolve) : null;
    }
    return this.itemNode;
  }

  private member(name: string): { node: Described | undefined; readOnly: boolean } | undefined {
    if (!this.members.has(name)) {
      const own = this.seen.flatMap((view) => membersNamed(view, name));
      const rest = this.seen.map((view) => view.additionalProperties).filter(isRecord);
      const schemas = own.length > 0 ? own : rest;
      const readOnly = own.length > 0 && own.every((one) => views([one], this.resolve).some((view) => view.readOnly));
      const node = new Described(schemas, this.resolve);
      this.members.set(name, schemas.length > 0 ? { node, readOnly } : undefined);
    }
    return this.members.get(name);
  }
}

const hasNames = (names: unknown): boolean => isRecord(names) && Object.keys(names).length > 0;

const below = (step: string, findings: readonly Finding[]): Finding[] =>
  findings.length === 0 ? [] : findings.map((finding) => ({ ...finding, at: `.${step}${finding.at}` }));

/** The schemas of a member by name, free names included. */
export function membersOf(schemas: readonly Schema[], name: string, resolve: (schema: Schema) => Schema): Schema[] {
  const seen = views(schemas, resolve);
  const own = seen.flatMap((view) => membersNamed(view, name));
  return own.length > 0 ? own : seen.map((view) => view.additionalProperties).filter(isRecord);
}

function membersNamed(view: Record<string, any>, name: string): Schema[] {
  const own = view.properties && Object.hasOwn(view.properties, name) ? [view.properties[name] as Schema] : [];
  const byPattern = Object.entries((view.patternProperties ?? {}) as Record<string, Schema>)
    .filter(([pattern]) => new RegExp(pattern).test(name))
    .map(([, member]) => member);
  return [...own, ...byPattern];
}

/** One form of a choice that is any object at all makes every name right. */
const isFreeObject = (view: Record<string, any>): boolean =>
  view.type === 'object' &&
  view.additionalProperties !== false &&
  !['properties', 'patternProperties', 'allOf', 'anyOf', 'oneOf', '$ref', 'required'].some(
    (keyword) => keyword in view,
  );

/** A text (of a query, a form, a path, a header) as the value its schema means. */
export function fromText(schema: Schema, text: unknown, resolve: (schema: Schema) => Schema): unknown {
  if (Array.isArray(text)) {
    const items = itemsOf(schema, resolve);
    return text.map((one) => fromText(items ?? schema, one, resolve));
  }
  if (typeof text !== 'string') return text;
  const types = new Set(views([schema], resolve).flatMap((view) => [view.type].flat()));
  if (types.has('string') || types.size === 0 || (types.size === 1 && types.has(undefined))) return text;
  if ((types.has('integer') || types.has('number')) && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (types.has('boolean') && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (types.has('object') && text.startsWith('{')) return parsed(text);
  return text;
}

/** A text of which the schema may want a list: split as the description says, one value being a list of one. */
export function listFromText(schema: Schema, value: unknown, separator: string, resolve: (schema: Schema) => Schema) {
  if (!views([schema], resolve).some((view) => [view.type].flat().includes('array'))) {
    return fromText(schema, value, resolve);
  }
  const parts = typeof value === 'string' && separator !== '' ? value.split(separator) : [value].flat();
  const items = itemsOf(schema, resolve) ?? {};
  return parts.map((part) => fromText(items, part, resolve));
}

const itemsOf = (schema: Schema, resolve: (schema: Schema) => Schema): Schema | undefined =>
  views([schema], resolve)
    .map((view) => view.items)
    .find(isRecord);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
