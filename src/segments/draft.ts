import type { Tx } from '../base/database.ts';
import { invalid } from '../base/errors.ts';
import { checkCondition } from '../conditions/check.ts';
import { dependenciesOf } from '../conditions/depends.ts';
import { inOrder, SegmentCircle } from './order.ts';
import { SETTLE_MINUTES } from './schema.ts';
import { allSegments, type SegmentDraft } from './store.ts';

/**
 * What somebody wrote, checked, as it is stored.
 * @param id the segment it is of; absent for a new one
 * @throws Problem with every mistake in the condition and its place, or naming the circle of segments
 */
export async function draftOf(
  tx: Tx,
  input: { name: string; condition: unknown; settleMinutes?: number },
  id?: string,
): Promise<SegmentDraft> {
  const { condition, problems } = checkCondition(input.condition);
  if (!condition)
    throw invalid(
      'The condition cannot be like this.',
      problems.map(({ path, message }) => ({ path: `condition.${path}`, message })),
    );
  const all = await allSegments(tx);
  const draft = { id: id ?? 'new', name: input.name, condition };
  try {
    inOrder([...all.filter((row) => row.id !== id), draft]);
  } catch (error) {
    if (!(error instanceof SegmentCircle)) throw error;
    throw invalid(error.message, [{ path: 'condition', message: 'asks for a segment that asks for this one' }]);
  }
  // What asks for a timed segment is looked at when that one changes, not by itself.
  return {
    name: input.name.trim(),
    condition,
    settleMinutes: input.settleMinutes ?? SETTLE_MINUTES,
    timed: dependenciesOf(condition).timeRelative,
  };
}
