import type jsonata from 'jsonata';
import type { FieldError } from '../base/errors.ts';
import type { LocalDate } from '../base/time.ts';
import type { FieldType } from '../kit/index.ts';
import { ValueError } from './values.ts';

/** What a directive may know besides the record. */
export interface Env {
  zone: string;
  /** There: nobody is born after it. */
  today: LocalDate;
  country?: string | undefined;
  currency?: string | undefined;
  account: string;
  connector: string;
  /** A record of a small stream of the same connection (pipelines), by id. */
  lookup: (stream: string, id: string) => unknown;
  /** Results of `expr` directives for the record in hand, in the order they were compiled. */
  expressions?: unknown[];
}

export type Read = (record: unknown, env: Env) => unknown;
/** Collects what compiling a mapping finds out. */
export interface Compiler {
  errors: FieldError[];
  /** Every record path that is read: connectors ask for these fields. */
  paths: Set<string>;
  /** Streams whose records are looked up. */
  lookups: Set<string>;
  expressions: ReturnType<typeof jsonata>[];
  /** Words known of a path, in lower case, where an unknown one is refused. */
  words: Map<string, Set<string>>;
  /** Type of the field that is compiled: a birthday may be without its year. */
  target?: FieldType;
  /** The country of the record itself, where the mapping knows it: reads a phone number better than any default. */
  country?: Read;
  /** Compiling what is read from items of a list in the record, not from the record. */
  inItem?: true;
}

/** An expression somebody types in must not hang or fill the memory of the process it runs in. */
export const EXPRESSION_LIMITS: NonNullable<Parameters<typeof jsonata>[1]> = {
  recover: false,
  timeout: 200,
  stack: 100,
  sequence: 10_000,
  // Patterns are not stopped by the time limit.
  RegexEngine: class {
    constructor() {
      throw new Error('regular expressions are switched off; use $contains, $split or $substringBefore with text');
    }
  } as unknown as RegExpConstructor,
};

export type Make = (argument: unknown, where: string, compiler: Compiler) => Read;
export const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const nothing: Read = () => null;
export function fail(compiler: Compiler, path: string, message: string): Read {
  compiler.errors.push({ path, message });
  return nothing;
}

export const hasValue = (value: unknown): boolean =>
  value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
export function checkOptions(
  options: Record<string, unknown>,
  known: readonly string[],
  where: string,
  compiler: Compiler,
): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      compiler.errors.push({
        path: `${where}.${name}`,
        message: `is not an option here; there are ${['of', ...known].join(', ')}`,
      });
  }
}

/** The value, or null where it does not fit: for helpers of other fields, which report it themselves. */
export function orNothing<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof ValueError) return null;
    throw error;
  }
}

/** The words of an enum. Those of a path of the record are remembered, to notice when the platform gets others. */
export function readWords(
  argument: Record<string, unknown>,
  words: Record<string, unknown>,
  compiler: Compiler,
): { map: Map<string, unknown>; otherwise: unknown } {
  const map = new Map(Object.entries(words).map(([key, value]) => [key.toLowerCase(), value]));
  const path = isObject(argument.of) ? argument.of.path : undefined;
  if (typeof path === 'string' && argument.else === undefined && !compiler.inItem) {
    const known = compiler.words.get(path);
    // A word that one of several enums of a value refuses is a word that does not fit.
    compiler.words.set(path, new Set([...map.keys()].filter((word) => known?.has(word) ?? true)));
  }
  return { map, otherwise: argument.else };
}
