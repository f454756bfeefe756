import type { Finding } from '../spec.ts';
import { type Model, navigationOf, type Property, propertyOf } from './edmx.ts';

/** How values of a type are written in addresses. */
const LITERALS: Record<2 | 4, Record<string, RegExp>> = {
  2: {
    'Edm.String': /^'.*'$/s,
    'Edm.DateTime': /^datetime'\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?'$/,
    'Edm.DateTimeOffset': /^datetimeoffset'.*(Z|[+-]\d\d:\d\d)'$/,
    'Edm.Time': /^time'P.*'$/,
    'Edm.Guid': /^guid'[0-9a-f-]{36}'$/i,
    'Edm.Boolean': /^(true|false|1|0)$/,
    'Edm.Decimal': /^-?\d+(\.\d+)?[mM]?$/,
    'Edm.Int64': /^-?\d+[lL]?$/,
    'Edm.Int32': /^-?\d+$/,
    'Edm.Int16': /^-?\d+$/,
    'Edm.Double': /^-?\d+(\.\d+)?([eE][+-]?\d+)?[dD]?$/,
  },
  4: {
    'Edm.String': /^'.*'$/s,
    'Edm.DateTimeOffset': /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/,
    'Edm.Date': /^\d{4}-\d\d-\d\d$/,
    'Edm.Guid': /^[0-9a-f-]{36}$/i,
    'Edm.Boolean': /^(true|false)$/,
    'Edm.Decimal': /^-?\d+(\.\d+)?$/,
    'Edm.Int64': /^-?\d+$/,
    'Edm.Int32': /^-?\d+$/,
  },
};

/** Whether a literal in an address is one of the type. */
export const isLiteral = (model: Model, type: string, text: string): boolean =>
  (LITERALS[model.version][type] ?? /./s).test(text) || (text === 'null' && type !== '');

/** Options every service knows, and what is said about the system rather than the data. */
const FREE = /^(\$(top|skip|format|inlinecount|count|skiptoken|deltatoken|search)|sap-.*|startDateTime|endDateTime)$/;

/** What of a call's query options is not as described, for a call about entities of a type. */
export function checkQuery(model: Model, type: string, query: Record<string, unknown>): Finding[] {
  return Object.entries(query).flatMap(([name, value]): Finding[] => {
    const at = `request.query.${name}`;
    const text = String(value);
    if (name === '$top' || name === '$skip')
      return /^\d+$/.test(text) ? [] : [{ at, says: 'must be a whole number', value: text }];
    if (FREE.test(name)) return [];
    if (name === '$select' || name === '$expand')
      return text.split(',').flatMap((one) => checkPath(model, type, one.trim(), at));
    if (name === '$orderby') return text.split(',').flatMap((one) => checkOrder(model, type, one.trim(), at));
    if (name === '$filter') return checkFilter(model, type, text, at);
    return [{ at, says: 'is not described' }];
  });
}

/** Follows `to_Address/City`. @returns the property at its end, or the step that does not exist */
function follow(model: Model, type: string, path: string): { property?: Property | undefined } | { missing: string } {
  let current = type;
  for (const step of path.split('/')) {
    if (step === '*' || step === '$count') return {};
    const property = propertyOf(model, current, step);
    const next = property && model.types.has(property.type) ? property : navigationOf(model, current, step);
    if (property && !model.types.has(property.type)) return { property };
    if (!next) return { missing: `${current.split('.').at(-1)} has no ${step}` };
    current = next.type;
  }
  return {};
}

function checkPath(model: Model, type: string, path: string, at: string): Finding[] {
  // Version 4 allows options in brackets behind a name; they are about that name only.
  const [bare = ''] = path.split('(');
  const found = follow(model, type, bare);
  return 'missing' in found ? [{ at: `${at}.${bare}`, says: `is not described: ${found.missing}` }] : [];
}

function checkOrder(model: Model, type: string, text: string, at: string): Finding[] {
  const [path = '', direction = 'asc'] = text.split(/\s+/);
  const found = follow(model, type, path);
  if ('missing' in found) return [{ at: `${at}.${path}`, says: `is not described: ${found.missing}` }];
  const findings: Finding[] = [];
  if (!/^(asc|desc)$/.test(direction))
    findings.push({ at: `${at}.${path}`, says: 'must be asc or desc', value: direction });
  if (found.property && !found.property.sortable) findings.push({ at: `${at}.${path}`, says: 'cannot be sorted by' });
  return findings;
}

const OPERATORS = new Set([
  'eq',
  'ne',
  'gt',
  'ge',
  'lt',
  'le',
  'and',
  'or',
  'not',
  'add',
  'sub',
  'mul',
  'div',
  'mod',
  'in',
  'has',
]);
const LITERAL = String.raw`(?:(?:datetimeoffset|datetime|time|guid)?'(?:[^']|'')*'|(?<!\w)-?\d[\w.:+-]*|\b(?:true|false|null)\b)`;
const COMPARISON = new RegExp(
  String.raw`(?<path>[A-Za-z_][\w/]*)\s+(?:eq|ne|gt|ge|lt|le)\s+(?<literal>${LITERAL})`,
  'g',
);

function checkFilter(model: Model, type: string, filter: string, at: string): Finding[] {
  const findings: Finding[] = [];
  const variables = new Set([...filter.matchAll(/(\w+)\s*:/g)].map((match) => match[1]!));
  // What is left without literals and function names are paths.
  const bare = filter
    .replace(new RegExp(LITERAL, 'g'), ' ')
    .replace(/\w+\s*\(/g, '(')
    .replace(/\w+\s*:/g, ' ');
  for (const [path] of bare.matchAll(/[A-Za-z_][\w/]*/g)) {
    if (OPERATORS.has(path) || variables.has(path.split('/')[0]!)) continue;
    const found = follow(model, type, path.replace(/\/(any|all)$/, ''));
    if ('missing' in found) findings.push({ at: `${at}.${path}`, says: `is not described: ${found.missing}` });
    else if (found.property && !found.property.filterable)
      findings.push({ at: `${at}.${path}`, says: 'cannot be filtered by' });
  }
  for (const { groups } of filter.matchAll(COMPARISON)) {
    const { path = '', literal = '' } = groups ?? {};
    const found = follow(model, type, path);
    if ('missing' in found || !found.property) continue;
    if (!isLiteral(model, found.property.type, literal))
      findings.push({ at: `${at}.${path}`, says: `must be compared with ${found.property.type}`, value: literal });
  }
  return findings;
}
