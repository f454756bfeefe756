import type { Row } from '../base/database.ts';
import { type Category, entityDefinition, type JoinedKind } from '../kit/index.ts';
import type { Override } from './overrides.ts';

/** How the value of one field is chosen among the sources that have one. */
type Rule =
  /** The system of the first category in the list that has a value; ties go to the newest. */
  | { kind: 'category'; order: readonly Category[] }
  /** The value the vendor changed last. */
  | { kind: 'newest' }
  /** All values together. */
  | { kind: 'union' }
  /** True as soon as one source says so: an objection anywhere counts. */
  | { kind: 'any' };

const crmFirst: Rule = { kind: 'category', order: ['crm', 'billing', 'other', 'email', 'messaging', 'chat', 'files'] };
const billingFirst: Rule = { kind: 'category', order: ['billing', 'crm', 'other', 'files'] };
const newest: Rule = { kind: 'newest' };

const RULES: Record<JoinedKind, Record<string, Rule>> = {
  contact: {
    emails: { kind: 'union' },
    phones: { kind: 'union' },
    tags: { kind: 'union' },
    external_ids: { kind: 'union' },
    email_opt_out: { kind: 'any' },
    sms_opt_out: { kind: 'any' },
    topic_opt_outs: { kind: 'union' },
    phone: newest,
    address_line: newest,
    city: newest,
    region: newest,
    postal_code: newest,
    country: newest,
  },
  company: {
    legal_name: billingFirst,
    tax_id: billingFirst,
    tags: { kind: 'union' },
    external_ids: { kind: 'union' },
    phone: newest,
    address_line: newest,
    city: newest,
    region: newest,
    postal_code: newest,
    country: newest,
  },
};

/** One source's row with where it came from. */
export interface Source {
  row: Row;
  connector: string;
  category: Category;
}

/** Which source won a field and why. What was set by hand has no stream: `record` says who knew it, the customer or staff. */
export interface Provenance {
  stream: string | null;
  record: string;
  rule: string;
}

const BY_HAND = 'set by hand';

export interface Golden {
  values: Row;
  /** By field; `*` stands for every field that has a value, where there is but one source (which is most of them). */
  provenance: Record<string, Provenance>;
}

const EVERY = '*';

const namesOf = (kind: JoinedKind): string[] => [
  ...Object.keys(entityDefinition(kind).fields),
  ...entityDefinition(kind).references.map((reference) => `${reference}_id`),
];

/** Provenance field by field, as `golden` means it. */
export function provenanceByField(
  kind: JoinedKind,
  row: Row,
  stored: Record<string, Provenance>,
): Record<string, Provenance> {
  const all = stored[EVERY];
  if (!all) return stored;
  return Object.fromEntries(
    namesOf(kind)
      .filter((name) => has(row[name]))
      .map((name) => [name, all]),
  );
}

const time = (source: Source): number => {
  const at = source.row.source_updated_at as string | Date | null;
  return at ? new Date(at).getTime() : 0;
};

const has = (value: unknown): boolean =>
  value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);

/**
 * The golden row of an entity. A source without a value for a field takes no part in it, so an emptier source never
 * erases what another knows; the only source of a field may empty it.
 * @param sources rows of live records, at least one
 * @param overrides what was set by hand, the newest first: it counts before every source until it is taken back
 */
export function golden(kind: JoinedKind, sources: readonly Source[], overrides: readonly Override[] = []): Golden {
  const ordered = [...sources].sort(
    (a, b) =>
      time(b) - time(a) ||
      String(a.row.remote_id).localeCompare(String(b.row.remote_id)) ||
      // Two platforms can use the same id: without this the order in which the database answers would decide.
      String(a.row.stream_id).localeCompare(String(b.row.stream_id)),
  );
  const result: Golden = { values: {}, provenance: {} };
  const only = sources.length === 1 && overrides.length === 0 ? sources[0] : undefined;
  if (only) {
    const { stream_id, remote_id } = only.row;
    result.provenance[EVERY] = { stream: stream_id as string, record: remote_id as string, rule: 'only source' };
  }
  for (const name of namesOf(kind)) {
    if (only) {
      result.values[name] = has(only.row[name]) ? only.row[name] : null;
      continue;
    }
    const byHand = overrides.find(({ field }) => field === name);
    if (byHand) {
      result.values[name] = byHand.value;
      result.provenance[name] = { stream: null, record: byHand.source, rule: BY_HAND };
      continue;
    }
    const rule = RULES[kind][name] ?? crmFirst;
    const holders = ordered.filter((source) => has(source.row[name]));
    const first = holders[0];
    if (!first) {
      result.values[name] = null;
      continue;
    }
    const { value, winner } = choose(rule, name, holders, first);
    result.values[name] = value;
    result.provenance[name] = {
      stream: winner.row.stream_id as string,
      record: winner.row.remote_id as string,
      rule: holders.length === 1 ? 'only source' : rule.kind === 'category' ? `${winner.category} first` : rule.kind,
    };
  }
  result.values.custom = customOf(ordered);
  const created = ordered
    .map((source) => source.row.source_created_at as string | Date | null)
    .filter((at) => at !== null && at !== undefined);
  result.values.source_created_at =
    created.length > 0 ? new Date(Math.min(...created.map((at) => new Date(at).getTime()))) : null;
  return result;
}

function choose(
  rule: Rule,
  name: string,
  holders: readonly Source[],
  first: Source,
): { value: unknown; winner: Source } {
  switch (rule.kind) {
    case 'newest':
      return { value: first.row[name], winner: first };
    case 'any':
      return {
        value: holders.some((source) => source.row[name] === true),
        winner: holders.find((source) => source.row[name] === true) ?? first,
      };
    case 'union':
      return { value: [...new Set(holders.flatMap((source) => source.row[name] as string[]))], winner: first };
    case 'category': {
      const winner =
        rule.order
          .map((category) => holders.find((source) => source.category === category))
          .find((source) => source !== undefined) ?? first;
      return { value: winner.row[name], winner };
    }
  }
}

/** Custom values stay under the name of their platform: two systems' "Status" are two fields. */
function customOf(sources: readonly Source[]): Row | null {
  const custom: Record<string, Row> = {};
  for (const source of [...sources].reverse()) {
    const own = source.row.custom as Row | null;
    if (own && Object.keys(own).length > 0) custom[source.connector] = { ...custom[source.connector], ...own };
  }
  return Object.keys(custom).length > 0 ? custom : null;
}
