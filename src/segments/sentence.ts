import { describeCondition } from '../conditions/describe.ts';
import type { Condition } from '../conditions/types.ts';
import type { SegmentRow } from './store.ts';

/** The condition of a segment in words, with the names of the segments it asks for; as JSON when it cannot be told. */
export function sentenceOf(condition: unknown, all: readonly Pick<SegmentRow, 'id' | 'name'>[]): string {
  try {
    return describeCondition(condition as Condition, { segments: new Map(all.map((row) => [row.id, row.name])) });
  } catch {
    return JSON.stringify(condition);
  }
}
