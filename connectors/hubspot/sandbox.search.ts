import type { HubSpotRecord } from './sandbox.record.ts';

export interface SearchBody {
  filterGroups?: { filters: Filter[] }[];
  properties?: string[];
  sorts?: { propertyName: string; direction: string }[];
  limit?: number;
  after?: string;
}

interface Filter {
  propertyName: string;
  operator: string;
  value?: string;
  values?: string[];
}

type Value = string | null | undefined;
type Test = (record: HubSpotRecord) => boolean;

const comparable = (value: Value): number => {
  if (value === null || value === undefined) return Number.NEGATIVE_INFINITY;
  const number = Number(value);
  return Number.isNaN(number) ? Date.parse(value) : number;
};

/** Properties that hold the time of the last change, which every record has as a number, too. */
const MODIFIED = ['lastmodifieddate', 'hs_lastmodifieddate'];

/** The value of a property in a form that can be compared; taken from where it need not be read from text. */
const reader = (name: string): ((record: HubSpotRecord) => number) =>
  MODIFIED.includes(name) ? (record) => record.at : (record) => comparable(record.properties[name]);

/** A filter, taken apart once and asked for every record. */
function testOf({ propertyName: name, operator, value, values }: Filter): Test {
  const wanted = comparable(value);
  const read = reader(name);
  switch (operator) {
    case 'EQ':
      if (MODIFIED.includes(name)) return ({ at }) => at === wanted;
      return ({ properties }) => {
        const present = properties[name];
        if (present === null || present === undefined) return false;
        return present === value || (!Number.isNaN(wanted) && comparable(present) === wanted);
      };
    case 'NEQ':
      return ({ properties }) => properties[name] !== value;
    case 'GTE':
      return (record) => read(record) >= wanted;
    case 'GT':
      return (record) => read(record) > wanted;
    case 'LTE':
      return (record) => read(record) <= wanted;
    case 'LT':
      return (record) => read(record) < wanted;
    case 'IN':
      return ({ properties }) => values?.includes(properties[name] ?? '') ?? false;
    case 'HAS_PROPERTY':
      return ({ properties }) => ![null, undefined, ''].includes(properties[name]);
    default:
      return () => false;
  }
}

/** Whether a filter lets through exactly what changed at its value or later. */
const isSince = ({ propertyName, operator }: Filter): boolean => MODIFIED.includes(propertyName) && operator === 'GTE';

const every = ([first, ...more]: Test[]): Test => {
  if (!first) return () => true;
  return more.length === 0 ? first : (record) => first(record) && more.every((test) => test(record));
};

/**
 * What a search finds: groups of filters joined by OR, filters of a group by AND.
 * @returns the test, the time (in milliseconds) before which nothing passes it, and whether everything later does
 */
export function testsOf(body: SearchBody): { matches: Test; from: number; all: boolean } {
  const groups = (body.filterGroups ?? []).map(({ filters }) => every(filters.map(testOf)));
  const single = groups.length === 1 ? body.filterGroups![0]!.filters : [];
  const since = single.filter(isSince);
  return {
    matches: groups.length > 1 ? (record) => groups.some((test) => test(record)) : (groups[0] ?? (() => true)),
    from: Math.max(Number.NEGATIVE_INFINITY, ...since.map(({ value }) => comparable(value))),
    all: groups.length < 2 && since.length === single.length,
  };
}

/** The order a search asks for; undefined: as they were made. */
export function orderOf(
  body: SearchBody,
): { byTime: boolean; compare: (a: HubSpotRecord, b: HubSpotRecord) => number } | undefined {
  const sort = body.sorts?.[0];
  if (!sort) return undefined;
  const read = reader(sort.propertyName);
  const sign = sort.direction === 'DESCENDING' ? -1 : 1;
  return { byTime: sign === 1 && MODIFIED.includes(sort.propertyName), compare: (a, b) => sign * (read(a) - read(b)) };
}
