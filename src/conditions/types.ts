import type { EntityKind } from '../kit/index.ts';

/** Objects of a customer that a condition can look into. */
export const RELATED = [
  'deal',
  'ticket',
  'invoice',
  'payment',
  'job',
  'subscription',
  'activity',
  'survey_response',
] as const satisfies readonly EntityKind[];
export type Related = (typeof RELATED)[number];

/** Deeper, larger or longer than this is refused: what one condition costs has an upper limit. */
export const LIMITS = { depth: 10, nodes: 200, list: 500, items: 2000, text: 500, name: 200, number: 1e15 } as const;

/** The units a period is counted in, with how many there may be. */
export const UNITS = { days: 36_500, weeks: 5200, months: 1200, years: 100 } as const;
export type Unit = keyof typeof UNITS;
/** `{ months: 6 }`: exactly one unit. */
export type Period = { [U in Unit]?: number };

export interface Range<Value> {
  from: Value;
  to: Value;
}

/** What a value is compared with; a leaf of a condition has exactly one of these. */
export interface Tests {
  is?: string | number | boolean;
  is_not?: string | number;
  one_of?: string[];
  none_of?: string[];
  contains?: string;
  starts_with?: string;
  ends_with?: string;
  above?: number;
  below?: number;
  at_least?: number;
  at_most?: number;
  between?: Range<number> | Range<string>;
  on?: string;
  before?: string;
  after?: string;
  on_or_before?: string;
  on_or_after?: string;
  in_last?: Period;
  in_next?: Period;
  more_than_ago?: Period;
  more_than_ahead?: Period;
  today?: true;
  anniversary_in?: { days: number };
  anniversary_within?: { days: number };
  has_any?: string[];
  has_all?: string[];
  has_none?: string[];
  empty?: boolean;
}
export type TestName = keyof Tests;

interface OfValue extends Tests {
  /** The platform a custom field of a customer or company must come from; without it, any. */
  source?: string;
  /** The currency an amount is compared in; without it, the business's. */
  currency?: string;
}

/** A field of the customer (`customer.city`), its company, owner or score; within `where`, of the related object. */
export interface FieldCondition extends OfValue {
  field: string;
}

export interface ExistsCondition {
  exists: Related;
  where?: Condition;
}
export interface CountCondition extends Tests {
  count: Related;
  where?: Condition;
}
export interface SumCondition extends OfValue {
  sum: string;
  where?: Condition;
}
export interface AverageCondition extends OfValue {
  average: string;
  where?: Condition;
}
export interface LatestCondition extends OfValue {
  latest: string;
  where?: Condition;
}
export interface EarliestCondition extends OfValue {
  earliest: string;
  where?: Condition;
}

export type ConsentState = 'granted' | 'denied' | 'none';
export interface ConsentCondition {
  consent: string;
  /** Absent: everything on the channel. */
  topic?: string;
  is: ConsentState;
}

export interface SegmentCondition {
  segment: string;
}

export const ACTS = ['purchase', 'job', 'answer'] as const;
export type Act = (typeof ACTS)[number];
/** Whole days between the last of these acts and the customer's today. */
export interface SinceCondition extends Tests {
  days_since: Act[];
}

export type Condition =
  | { all: Condition[] }
  | { any: Condition[] }
  | { not: Condition }
  | FieldCondition
  | ExistsCondition
  | CountCondition
  | SumCondition
  | AverageCondition
  | LatestCondition
  | EarliestCondition
  | ConsentCondition
  | SegmentCondition
  | SinceCondition;

/** The word that tells what a condition is, in the order they are looked for. */
export const FORMS = [
  'all',
  'any',
  'not',
  'field',
  'exists',
  'count',
  'sum',
  'average',
  'latest',
  'earliest',
  'consent',
  'segment',
  'days_since',
] as const;
export type Form = (typeof FORMS)[number];

/** Own members only: a name such as "constructor" must not reach into what every object inherits. */
export const has = (value: object, name: string): boolean => Object.hasOwn(value, name);

/** Which form a checked condition has. */
export const formOf = (condition: Condition): Form => FORMS.find((form) => has(condition, form))!;
