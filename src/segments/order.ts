import type { SegmentRow } from './store.ts';

type Asking = Pick<SegmentRow, 'id' | 'name' | 'condition'>;

/** The segments a condition asks for. Of one that can no longer be compiled, too: it must not hold the others up. */
export function askedFor(condition: unknown): string[] {
  if (Array.isArray(condition)) return condition.flatMap(askedFor);
  if (condition === null || typeof condition !== 'object') return [];
  return Object.entries(condition).flatMap(([key, value]) =>
    key === 'segment' && typeof value === 'string' ? [value] : askedFor(value),
  );
}

/** Whether a condition asks for scores. */
export function readsScores(condition: unknown): boolean {
  if (Array.isArray(condition)) return condition.some(readsScores);
  if (condition === null || typeof condition !== 'object') return false;
  return Object.entries(condition).some(([key, value]) =>
    key === 'field' && typeof value === 'string' ? value.startsWith('score.') : readsScores(value),
  );
}

/**
 * Segments in an order in which each comes after those its condition asks for.
 * @throws Error naming the circle, which saving a segment refuses
 */
export function inOrder<Row extends Asking>(segments: readonly Row[]): Row[] {
  const byId = new Map(segments.map((segment) => [segment.id, segment]));
  const done = new Set<string>();
  const ordered: Row[] = [];
  const visit = (segment: Row, trail: readonly Row[]): void => {
    if (done.has(segment.id)) return;
    const at = trail.indexOf(segment);
    if (at >= 0) throw new SegmentCircle([...trail.slice(at), segment].map(({ name }) => name));
    for (const id of askedFor(segment.condition)) {
      const asked = byId.get(id);
      if (asked) visit(asked, [...trail, segment]);
    }
    done.add(segment.id);
    ordered.push(segment);
  };
  for (const segment of segments) visit(segment, []);
  return ordered;
}

/** Segments that ask for each other: none of them could be evaluated first. */
export class SegmentCircle extends Error {
  constructor(names: readonly string[]) {
    super(`These segments ask for each other: ${names.join(' > ')}.`);
  }
}
