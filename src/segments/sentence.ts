import type { SegmentRow } from './store.ts';

/** The condition of a segment in words, with the names of the segments it asks for. */
export function sentenceOf(condition: unknown, _all: readonly Pick<SegmentRow, 'id' | 'name'>[]): string {
  return JSON.stringify(condition);
}
