import type { Row } from '../../base/database.ts';
import type { Env } from '../../mapping/compiler.ts';
import { ValueError } from '../../mapping/values.ts';
import type { RawRecord } from '../records.ts';
import type { CompiledObject } from './mapping.ts';
import type { StagedGroup, StagedRow } from './store.ts';

/** Ids are keys of indexes. */
const LONGEST_ID = 300;

/** Gives a row to the objects it is part of. When one of them refuses it, it is part of none, for the reason told. */
export function sortRow(
  objects: readonly CompiledObject[],
  env: Env,
  line: number,
  row: Row,
): { reason?: string; parts: StagedRow[] } {
  const parts: StagedRow[] = [];
  const reasons: string[] = [];
  for (const object of objects) {
    const attempt = <T>(work: () => T, otherwise: T): T => {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        reasons.push(`${object.name}: ${error.message}`);
        return otherwise;
      }
    };
    if (!attempt(() => object.when(row, env), true)) continue;
    for (const rule of object.require) if (!attempt(() => rule.test(row, env), true)) reasons.push(rule.reason);
    const value = attempt(() => object.id(row, env), null);
    const key = value === null || value === undefined ? '' : String(value).trim();
    if (key === '') reasons.push(`has no id for ${object.name}`);
    else if (key.length > LONGEST_ID)
      reasons.push(`has an id for ${object.name} of more than ${LONGEST_ID} characters`);
    else parts.push({ object: object.name, key, line, data: object.pick(row) });
  }
  if (reasons[0] === undefined) return { parts };
  // A record of several rows must not be made from the rest of them.
  const grouped = new Set(objects.filter((object) => object.group).map((object) => object.name));
  const marks = parts.filter(({ object }) => grouped.has(object)).map((part): StagedRow => ({ ...part, data: false }));
  return { reason: reasons[0], parts: marks };
}

/** Of the rows of a batch that repeat a record, the last is enough. */
export function lastOfRepeated(objects: readonly CompiledObject[], parts: readonly StagedRow[]): StagedRow[] {
  const repeating = new Set(objects.filter((object) => object.repeats).map((object) => object.name));
  const last = new Map<string, StagedRow>();
  for (const part of parts)
    last.set(`${part.object}/${part.key}${repeating.has(part.object) ? '' : `/${part.line}`}`, part);
  return [...last.values()];
}

/** A record with the lines it comes from. */
interface FromLines extends RawRecord {
  lines: readonly number[];
}

/** Rows that are not part of any record, and why. */
interface Refused {
  lines: readonly number[];
  reason: string;
  rows: Row[];
}

/** What the rows under one id are: one record, one of several rows, or as many as there are rows. */
export function recordsOf(object: CompiledObject, group: StagedGroup): { records: FromLines[]; refused: Refused[] } {
  if (group.rows.includes(false)) return { records: [], refused: incomplete(object, group) };
  const { key, lines } = group;
  const rows = group.rows as Row[];
  if (object.group) return { records: [{ id: key, raw: { first: rows[0], rows }, lines }], refused: [] };
  if (object.numbered) {
    const records = rows.map((row, at): FromLines => {
      const id = at === 0 ? key : `${key}#${at + 1}`;
      return { id, raw: { ...row, '@id': id }, lines: [lines[at]!] };
    });
    return { records, refused: [] };
  }
  const counts = lines.at(-1)!;
  const raw = rows.at(-1)!;
  return {
    records: [{ id: key, raw, lines: [counts] }],
    refused: object.repeats ? [] : contradicting(object, group, raw),
  };
}

/** The good rows of a record that lacks a row: they wait with it, because the rest would be a wrong record. */
function incomplete(object: CompiledObject, { key, lines, rows }: StagedGroup): Refused[] {
  const bad = lines.filter((_line, at) => rows[at] === false);
  const waiting = lines.filter((_line, at) => rows[at] !== false);
  if (waiting.length === 0) return [];
  const reason = `waits: ${object.name} ${key} would be wrong without line ${bad.slice(0, 5).join(', ')}, which cannot be used`;
  return [{ lines: waiting, reason, rows: rows.filter((row) => row !== false) }];
}

function contradicting(object: CompiledObject, { key, lines, rows }: StagedGroup, counting: Row): Refused[] {
  const text = JSON.stringify(counting);
  const reason = `has the same ${object.name} id "${key}" as line ${lines.at(-1)}, which counts, but other values`;
  return (rows as Row[]).flatMap((row, at) =>
    JSON.stringify(row) === text ? [] : [{ lines: [lines[at]!], reason, rows: [row] }],
  );
}
