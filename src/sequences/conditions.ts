import type { Tx } from '../base/database.ts';
import type { FieldError } from '../base/errors.ts';
import { checkCondition } from '../conditions/check.ts';
import { parseCondition } from '../conditions/parse.ts';
import { matching } from '../conditions/store.ts';
import type { Condition } from '../conditions/types.ts';

const known = new WeakMap<object, Condition>();

/** A condition as somebody wrote it in a definition, as JSON or as a sentence, with every mistake in it. */
export function readCondition(given: unknown): { condition: Condition | undefined; problems: FieldError[] } {
  return typeof given === 'string' ? parseCondition(given, {}) : checkCondition(given);
}

function conditionOf(given: unknown): Condition {
  const kept = typeof given === 'object' && given !== null ? known.get(given) : undefined;
  if (kept) return kept;
  const { condition, problems } = readCondition(given);
  if (!condition)
    throw new Error(
      `A condition cannot be read: ${problems.map(({ path, message }) => `${path} ${message}`).join('; ')}.`,
    );
  if (typeof given === 'object' && given !== null) known.set(given, condition);
  return condition;
}

/**
 * Of these customers, those of whom a condition of a definition holds now.
 * @throws Error when the condition cannot be read
 */
export async function thoseWho(
  tx: Tx,
  given: unknown,
  customerIds: readonly string[],
  now: Date,
): Promise<Set<string>> {
  if (customerIds.length === 0) return new Set();
  const ids = [...new Set(customerIds)];
  return new Set(await matching(tx, conditionOf(given), { now, customerIds: ids, limit: ids.length }));
}
