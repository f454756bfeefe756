import type { Finding } from '../spec.ts';
import { type Callable, type EntitySet, keysOf, type Model, navigationOf, propertyOf } from './edmx.ts';
import { isLiteral } from './odata.query.ts';

/** What an address below a service's root leads to. */
export interface Target {
  /** The address with `{key}` where keys stand. */
  template: string;
  /** Type of what is there. */
  type: string;
  isList: boolean;
  /** A single value rather than an entity: a property, `$count`, `$value`. */
  isValue: boolean;
  /** The set it begins with; undefined for operations of the service itself. */
  set: EntitySet | undefined;
  callable: Callable | undefined;
  findings: Finding[];
}

/** Steps of an address; slashes in texts and brackets do not part them. */
const stepsOf = (path: string): string[] =>
  [...path.matchAll(/(?:'(?:[^']|'')*'|[^/'])+/g)].map(([step]) => step).filter((step) => step !== '');

const UNBOUND = { type: '', isList: false, isValue: false, set: undefined, callable: undefined };

/** Follows an address through sets, keys, navigation and operations; undefined when a step leads nowhere. */
export function resolvePath(model: Model, path: string): Target | undefined {
  const steps = stepsOf(path);
  const [first] = steps;
  if (first === undefined || first === '$metadata') return { ...UNBOUND, template: `/${first ?? ''}`, findings: [] };
  const { name, keys } = stepOf(first);
  const set = model.sets.get(name);
  if (!set) {
    const callable = model.callables.find((one) => one.name === name && !one.boundTo);
    if (!callable || steps.length > 1) return undefined;
    return { ...UNBOUND, ...resultOf(callable), template: `/${name}`, callable, findings: [] };
  }
  let at: Target = {
    ...UNBOUND,
    template: `/${name}`,
    type: set.type,
    isList: !set.isSingle,
    set,
    findings: [],
  };
  if (keys !== undefined) at = withKeys(model, at, keys);
  for (const step of steps.slice(1)) {
    const next = follow(model, at, step);
    if (!next) return undefined;
    at = next;
  }
  return at;
}

const resultOf = (callable: Callable): Pick<Target, 'type' | 'isList'> =>
  callable.returns ?? { type: '', isList: false };

function stepOf(step: string): { name: string; keys: string | undefined } {
  const match = /^([^(]+)\((.*)\)$/s.exec(step);
  return match ? { name: match[1]!, keys: match[2]! } : { name: step, keys: undefined };
}

function follow(model: Model, at: Target, step: string): Target | undefined {
  const { name, keys } = stepOf(step);
  const template = `${at.template}/${name}`;
  if (name === '$count' || name === '$value') return { ...at, template, isValue: true };
  if (!at.isList) {
    const navigation = navigationOf(model, at.type, name);
    if (navigation) {
      const next = { ...at, ...navigation, template };
      return keys === undefined ? next : withKeys(model, next, keys);
    }
    const property = propertyOf(model, at.type, name);
    if (property) return { ...at, template, type: property.type, isList: property.isList, isValue: true };
  }
  const plain = name.split('.').at(-1)!;
  const callable = model.callables.find(
    (one) => one.name === plain && one.boundTo?.isList === at.isList && isOrExtends(model, at.type, one.boundTo.type),
  );
  if (callable) return { ...at, ...resultOf(callable), template, callable };
  // Version 4 allows keys as steps of their own: `/users/{id}/messages`.
  if (model.version === 4 && at.isList && keys === undefined)
    return { ...at, template: `${at.template}/{key}`, isList: false };
  return undefined;
}

const isOrExtends = (model: Model, type: string, base: string): boolean =>
  type === base ||
  (model.types.get(type)?.base !== undefined && isOrExtends(model, model.types.get(type)!.base!, base));

function withKeys(model: Model, at: Target, text: string): Target {
  const names = keysOf(model, at.type);
  const pairs = [...text.matchAll(/(?:(\w+)=)?((?:\w*'(?:[^']|'')*')|[^,]+)/g)].map(([, name, literal = '']) => ({
    name: name ?? names[0] ?? '',
    literal,
  }));
  const place = 'request.path';
  const findings = pairs.flatMap(({ name, literal }): Finding[] => {
    const property = propertyOf(model, at.type, name);
    if (!names.includes(name) || !property) return [{ at: `${place}.${name}`, says: 'is no key' }];
    return isLiteral(model, property.type, literal)
      ? []
      : [{ at: `${place}.${name}`, says: `must be ${property.type}`, value: literal }];
  });
  const missing = names.filter((name) => !pairs.some((pair) => pair.name === name));
  return {
    ...at,
    template: `${at.template}({key})`,
    isList: false,
    findings: [...at.findings, ...findings, ...missing.map((name) => ({ at: `${place}.${name}`, says: 'is missing' }))],
  };
}
