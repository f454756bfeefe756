import { splitPath } from '../../kit/index.ts';
import type { CompiledStream } from '../../mapping/compile.ts';

/** How a value is written, as coarsely as a mapping cares. */
export type Shape = 'number' | 'boolean' | 'list' | 'object' | 'date' | 'text';

/** How often some records had one path. */
export interface PathTally {
  seen: number;
  /** Records that had it, even if empty: a platform that sends empty fields has them still. */
  present: number;
  /** Records since the last one that had it. */
  missingFor: number;
  shapes: Partial<Record<Shape, number>>;
  /** Shape of the last value, and how many in a row had it. */
  shape: Shape | undefined;
  shapeFor: number;
}

export type Tally = Map<string, PathTally>;

/** Records of a batch that are looked at: more would say little more and cost more. */
const SAMPLE = 200;

const keysByStream = new WeakMap<CompiledStream, { path: string; keys: readonly (string | number)[] }[]>();

function keysOf(compiled: CompiledStream): { path: string; keys: readonly (string | number)[] }[] {
  let known = keysByStream.get(compiled);
  if (!known) {
    known = compiled.paths.map((path) => ({ path, keys: splitPath(path) }));
    keysByStream.set(compiled, known);
  }
  return known;
}

const MISSING = Symbol('missing');

function look(record: unknown, keys: readonly (string | number)[]): unknown {
  let here = record;
  for (const key of keys) {
    if (here === null || typeof here !== 'object' || !Object.hasOwn(here, key)) return MISSING;
    here = (here as Record<string | number, unknown>)[key];
  }
  return here === undefined ? MISSING : here;
}

/** @returns undefined for what is empty */
export function shapeOf(value: unknown): Shape | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  if (Array.isArray(value)) return 'list';
  switch (typeof value) {
    case 'number':
    case 'boolean':
    case 'object':
      return typeof value as Shape;
    case 'string':
      return /^\d{4}-\d{2}-\d{2}([T ]|$)/.test(value) ? 'date' : 'text';
    default:
      return undefined;
  }
}

export const emptyTally = (): PathTally => ({
  seen: 0,
  present: 0,
  missingFor: 0,
  shapes: {},
  shape: undefined,
  shapeFor: 0,
});

/** Counts what the mapping reads in fresh records, in the order they came. */
export function tallyOf(compiled: CompiledStream, records: readonly unknown[]): Tally {
  const tally: Tally = new Map();
  const step = Math.max(1, Math.ceil(records.length / SAMPLE));
  for (const { path, keys } of keysOf(compiled)) {
    const entry = emptyTally();
    for (let at = 0; at < records.length; at += step) {
      const value = look(records[at], keys);
      entry.seen += 1;
      if (value === MISSING) {
        entry.missingFor += 1;
        continue;
      }
      entry.present += 1;
      entry.missingFor = 0;
      const shape = shapeOf(value);
      if (!shape) continue;
      entry.shapes[shape] = (entry.shapes[shape] ?? 0) + 1;
      entry.shapeFor = entry.shape === shape ? entry.shapeFor + 1 : 1;
      entry.shape = shape;
    }
    tally.set(path, entry);
  }
  return tally;
}

/** Both together, `later` after `earlier`. */
export function addTally(earlier: PathTally, later: PathTally): PathTally {
  const shapes = { ...earlier.shapes };
  for (const [shape, n] of Object.entries(later.shapes) as [Shape, number][]) shapes[shape] = (shapes[shape] ?? 0) + n;
  const uniform = Object.keys(later.shapes).length === 1 && later.shape === earlier.shape;
  return {
    seen: earlier.seen + later.seen,
    present: earlier.present + later.present,
    missingFor: later.present > 0 ? later.missingFor : earlier.missingFor + later.seen,
    shapes,
    shape: later.shape ?? earlier.shape,
    shapeFor: !later.shape ? earlier.shapeFor : uniform ? earlier.shapeFor + later.shapeFor : later.shapeFor,
  };
}

/** So many records make a past long enough to judge by, and so many a present. */
const ENOUGH = 50;
/** A field counts as gone when chance would make it stay away like that less than once in a million times. */
const CHANCE = 1e-6;
/** Values in a row of another shape than nearly all before them. */
const OTHERS = 20;
const NEARLY_ALL = 0.99;

/** Whether records stopped having a path that records had. One that is often missing must be missing for long. */
export function isMissing({ seen, present, missingFor }: PathTally): boolean {
  const past = seen - missingFor;
  if (missingFor < ENOUGH || past < ENOUGH || present === 0) return false;
  const share = present / past;
  // The least it may have been: a short past proves little.
  const least = Math.max(0, share - 2 * Math.sqrt((share * (1 - share)) / past)) * (past / (past + 2));
  return missingFor * Math.log(1 - least) < Math.log(CHANCE);
}

/** The shape nearly all values had, when the latest ones have another. */
export function changedShape({ shapes, shape, shapeFor }: PathTally): { was: Shape; is: Shape } | undefined {
  if (!shape || shapeFor < OTHERS) return undefined;
  const past = { ...shapes, [shape]: (shapes[shape] ?? 0) - shapeFor };
  const total = Object.values(past).reduce((sum, n) => sum + n, 0);
  const [was, n] = (Object.entries(past) as [Shape, number][]).sort((a, b) => b[1] - a[1])[0]!;
  return was !== shape && total >= ENOUGH && n >= total * NEARLY_ALL ? { was, is: shape } : undefined;
}
