import type { Schema } from '../normalise.ts';
import { childrenOf, descendants, type Element, parseXml } from './xml.ts';

/**
 * XML schemas as JSON schemas, for vendors that send as JSON what their XML schemas describe: elements and attributes
 * become members, repeated elements become lists, text with attributes becomes an object whose text is `value`.
 */
export interface XsdSchemas {
  /** A JSON schema document: each type under `definitions`, each top element under `elements`. */
  document: { definitions: Record<string, Schema>; elements: Record<string, Schema> };
  /** What is written about a member of a type or of what it extends; empty when nothing is. */
  describe(type: string, member: string): string;
}

const local = (name: string): string => name.slice(name.indexOf(':') + 1);
const isBuiltIn = (type: string): boolean => /^xsd?:/.test(type);

const INTEGERS = ['int', 'integer', 'long', 'short', 'byte', 'nonNegativeInteger', 'unsignedInt', 'unsignedLong'];
const BUILT_IN: Record<string, Schema> = {
  boolean: { type: 'boolean' },
  decimal: { type: 'number' },
  float: { type: 'number' },
  double: { type: 'number' },
  positiveInteger: { type: 'integer', minimum: 1 },
  date: { type: 'string', format: 'date' },
  dateTime: { type: 'string', format: 'date-time' },
  anyType: {},
  ...Object.fromEntries(INTEGERS.map((name) => [name, { type: 'integer' }])),
};

const schemaOfType = (type: string): Schema =>
  isBuiltIn(type) ? (BUILT_IN[local(type)] ?? { type: 'string' }) : { $ref: `#/definitions/${local(type)}` };

/** Members of a complex type, gathered from sequences, choices, groups and attributes. */
interface Members {
  properties: Record<string, Schema>;
  required: string[];
  open: boolean;
}

/** Reads schema files; files they include have to be among them. */
export function readXsd(files: readonly string[]): XsdSchemas {
  const tops = files.flatMap((file) => parseXml(file).children);
  const named = (kind: string): Map<string, Element> =>
    new Map(tops.filter((one) => one.local === kind).map((one) => [one.attributes.name ?? '', one]));
  const elements = named('element');
  const groups = named('group');

  /** Elements that may stand where the named one is asked for. */
  const standIns = (name: string): [string, Element][] => {
    const own = elements.get(name);
    if (!own) throw new Error(`The XML schema refers to an element ${name}, which it does not have.`);
    const others = [...elements].filter(([, other]) => local(other.attributes.substitutionGroup ?? '') === name);
    return [...(own.attributes.abstract === 'true' ? [] : [[name, own] as [string, Element]]), ...others];
  };

  function collect(holder: Element, members: Members, optional = false, repeated = false): void {
    for (const part of holder.children) {
      const { name, ref, minOccurs = '1', maxOccurs = '1', use } = part.attributes;
      const many = repeated || (maxOccurs !== '1' && maxOccurs !== '0');
      const free = optional || minOccurs === '0';
      if (part.local === 'element') {
        const alternatives: [string, Element][] = ref ? standIns(local(ref)) : [[name ?? '', part]];
        for (const [own, element] of alternatives) {
          const schema = schemaOfElement(element);
          members.properties[own] = many ? { type: 'array', items: schema } : schema;
          if (!free && alternatives.length === 1) members.required.push(own);
        }
      } else if (part.local === 'attribute' && name) {
        members.properties[name] = part.attributes.type ? schemaOfType(part.attributes.type) : {};
        if (use === 'required') members.required.push(name);
      } else if (part.local === 'sequence' || part.local === 'all') collect(part, members, free, many);
      else if (part.local === 'choice') collect(part, members, true, many);
      else if (part.local === 'group') collect(groups.get(local(ref ?? ''))!, members, free, many);
      else if (part.local === 'any' || part.local === 'anyAttribute') members.open = true;
    }
  }

  const objectOf = (holder: Element, more: Record<string, Schema> = {}): Record<string, any> => {
    const members: Members = { properties: { ...more }, required: [], open: false };
    collect(holder, members);
    const required = members.required.length > 0 ? { required: members.required } : {};
    return {
      type: 'object',
      properties: members.properties,
      ...required,
      ...(members.open ? { additionalProperties: true } : {}),
    };
  };

  function schemaOfElement(element: Element): Schema {
    if (element.attributes.type) return schemaOfType(element.attributes.type);
    const [inline] = childrenOf(element, 'complexType', 'simpleType');
    return inline ? schemaOf(inline) : {};
  }

  function schemaOf(type: Element): Schema {
    if (type.local === 'simpleType') return simple(type);
    const [content] = childrenOf(type, 'complexContent', 'simpleContent');
    const [derived] = content ? childrenOf(content, 'extension', 'restriction') : [];
    if (!content || !derived) return objectOf(type);
    const base = schemaOfType(derived.attributes.base ?? 'xs:anyType');
    if (content.local === 'simpleContent') return objectOf(derived, { value: base });
    return { allOf: [base, objectOf(derived)] };
  }

  const document: XsdSchemas['document'] = { definitions: {}, elements: {} };
  for (const type of tops.filter((one) => one.local === 'complexType' || one.local === 'simpleType'))
    document.definitions[type.attributes.name ?? ''] = schemaOf(type);
  for (const [name, element] of elements) document.elements[name] = schemaOfElement(element);
  const describe = (type: string, member: string): string => {
    const holder = tops.find((one) => one.local === 'complexType' && one.attributes.name === type);
    if (!holder) return '';
    const own = [...descendants(holder, 'element', 'attribute')].find((one) => one.attributes.name === member);
    if (own) return [...descendants(own, 'documentation')].map(({ text }) => text).join(' ');
    const [extension] = descendants(holder, 'extension');
    return extension ? describe(local(extension.attributes.base ?? ''), member) : '';
  };
  return { document, describe };
}

/** A type without members: text or a number, narrowed. */
function simple(type: Element): Schema {
  const [restriction, union] = [childrenOf(type, 'restriction')[0], childrenOf(type, 'union')[0]];
  if (union) {
    const types = (union.attributes.memberTypes ?? '').split(/\s+/).filter((name) => name !== '');
    return { anyOf: [...types.map(schemaOfType), ...childrenOf(union, 'simpleType').map(simple)] };
  }
  if (!restriction) return { type: 'string' };
  const facets = (name: string): string[] => childrenOf(restriction, name).map((facet) => facet.attributes.value ?? '');
  const words = facets('enumeration');
  const limits = Object.fromEntries(
    ['maxLength', 'minLength'].flatMap((name) => facets(name).map((value) => [name, Number(value)])),
  );
  const patterns = facets('pattern').map((pattern) => ({ pattern: `^(?:${pattern})$` }));
  return {
    allOf: [schemaOfType(restriction.attributes.base ?? 'xs:string'), ...patterns],
    ...limits,
    ...(words.length > 0 ? { enum: words } : {}),
  };
}
