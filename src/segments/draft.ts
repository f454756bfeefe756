import type { Tx } from '../base/database.ts';
import { invalid } from '../base/errors.ts';
import { checkCondition } from '../conditions/check.ts';
import { loadCatalogue } from '../conditions/custom.ts';
import { dependenciesOf } from '../conditions/depends.ts';
import { parseCondition } from '../conditions/parse.ts';
import type { Condition } from '../conditions/types.ts';
import { inOrder, SegmentCircle } from './order.ts';
import { SETTLE_MINUTES } from './schema.ts';
import { allSegments, type SegmentDraft, segmentNames } from './store.ts';

/**
 * A condition somebody wrote, as JSON or as a sentence. One that is stored already is not refused for what has gone since.
 * @throws Problem with every mistake and its place
 */
async function readCondition(tx: Tx, given: unknown, stored: unknown): Promise<Condition> {
  if (stored !== undefined && JSON.stringify(given) === JSON.stringify(stored)) return given as Condition;
  const segments = await segmentNames(tx);
  const catalogue = await loadCatalogue(tx, segments);
  const { condition, problems } =
    typeof given === 'string' ? parseCondition(given, { segments }, catalogue) : checkCondition(given, catalogue);
  if (condition) return condition;
  const fields = problems.map(({ path, message }) => ({
    path: path === 'condition' ? path : `condition.${path}`,
    message,
  }));
  throw invalid(
    `The condition cannot be like this: ${fields.map(({ path, message }) => `${path} ${message}`).join('; ')}.`,
    fields,
  );
}

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
  const all = await allSegments(tx);
  const condition = await readCondition(tx, input.condition, all.find((row) => row.id === id)?.condition);
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
