import type { Static } from 'typebox';
import type { Tx } from '../base/database.ts';
import { invalid, notFound } from '../base/errors.ts';
import { findCustomer } from '../model/store.ts';
import type { Catalogue } from './catalogue.ts';
import { type CheckedCondition, checkCondition } from './check.ts';
import { describeCondition } from './describe.ts';
import { parseCondition } from './parse.ts';
import type { ConditionTrial } from './schema.ts';
import { countMatching, judge, sampleOf } from './store.ts';

/** A condition as people write it: JSON, or a sentence. */
export interface WrittenCondition {
  condition?: unknown;
  sentence?: string;
}

/** The names sentences call segments by. */
export const namesOf = ({ segments }: Catalogue) => (segments ? { segments } : {});

/** What somebody wrote, in either form. @throws Problem when it is neither or both */
export function readCondition({ condition, sentence }: WrittenCondition, catalogue: Catalogue): CheckedCondition {
  if ((condition === undefined) === (sentence === undefined))
    throw invalid('Say what is meant either as a condition or as a sentence.');
  return sentence === undefined
    ? checkCondition(condition, catalogue)
    : parseCondition(sentence, namesOf(catalogue), catalogue);
}

/**
 * Who matches a condition at a moment: how many, ten of them, and whether and why one customer does.
 * @throws Problem with every mistake in the condition, or when there is no such customer
 */
export async function tryCondition(
  tx: Tx,
  catalogue: Catalogue,
  written: WrittenCondition,
  customerId: string | undefined,
  now: Date,
): Promise<Static<typeof ConditionTrial>> {
  const { problems, condition } = readCondition(written, catalogue);
  if (!condition)
    throw invalid(
      `The condition has mistakes: ${problems.map(({ path, message }) => `${path} ${message}`).join('; ')}.`,
      problems,
    );
  const names = namesOf(catalogue);
  let customer = null;
  if (customerId !== undefined) {
    const row = await findCustomer(tx, customerId);
    const parts = row && (await judge(tx, condition, { now, customerId: row.id }));
    if (!parts) throw notFound('customer', customerId);
    const told = parts.map(({ path, condition: part, matches }) => ({
      path,
      sentence: describeCondition(part, names),
      matches,
    }));
    customer = { id: row.id, name: row.name, matches: parts[0]!.matches, parts: told };
  }
  return {
    sentence: describeCondition(condition, names),
    count: await countMatching(tx, condition, { now }),
    sample: await sampleOf(tx, condition, { now, limit: 10 }),
    customer,
  };
}
