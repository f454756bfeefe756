import type { Tx } from '../base/database.ts';
import type { Condition, Period, Tests } from '../conditions/types.ts';
import { findSegment } from '../segments/store.ts';
import type { Definition } from '../sequences/schema.ts';
import type { Audience } from './schema.ts';

/** Less is triggered by the gaps between regular visits: the same rule as of the trigger client.inactive. */
const LEAST_DAYS = 30;

const DAYS_OF: Record<keyof Period, number> = { days: 1, weeks: 7, months: 28, years: 365 };
const daysOf = (period: Period | undefined): number | undefined => {
  const [unit, n] = Object.entries(period ?? {})[0] ?? [];
  return unit === undefined ? undefined : DAYS_OF[unit as keyof Period] * n!;
};

/** The fewest days a comparison of whole days lets through. */
function fewest(tests: Tests): number | undefined {
  if (typeof tests.is === 'number') return tests.is;
  if (tests.at_least !== undefined) return tests.at_least;
  if (tests.above !== undefined) return tests.above + 1;
  if (tests.between && typeof tests.between.from === 'number') return tests.between.from;
  // At most so many days: nobody has been quiet for long.
  return tests.below !== undefined || tests.at_most !== undefined ? 0 : undefined;
}

/**
 * After how many quiet days somebody may match a condition at the earliest.
 * @returns undefined when it does not ask for how long they were quiet
 */
export function quietDays(condition: Condition): number | undefined {
  const all = (parts: readonly Condition[]): number[] => parts.map(quietDays).filter((days) => days !== undefined);
  if ('all' in condition) {
    const days = all(condition.all);
    return days.length > 0 ? Math.max(...days) : undefined;
  }
  if ('any' in condition) {
    const days = all(condition.any);
    return days.length > 0 ? Math.min(...days) : undefined;
  }
  if ('days_since' in condition) return fewest(condition);
  if ('latest' in condition) return daysOf(condition.more_than_ago);
  return undefined;
}

const isWinBack = (definition: Definition): boolean =>
  /win.?back/i.test(definition.topic) ||
  /win.?back/i.test(definition.key) ||
  definition.triggers.some(({ name }) => name === 'client.inactive');

/** What is allowed about a campaign and perhaps not meant, in words. */
export async function warningsOf(tx: Tx, audience: Audience, definition: Definition): Promise<string[]> {
  if (!isWinBack(definition) || 'customers' in audience) return [];
  const condition = 'condition' in audience ? audience.condition : (await findSegment(tx, audience.segment))?.condition;
  const days = condition === undefined ? undefined : quietDays(condition as Condition);
  if (days === undefined || days >= LEAST_DAYS) return [];
  return [
    `The audience takes in customers who have been quiet for ${days} days only. Below ${LEAST_DAYS} days those who come regularly count as lost between two visits.`,
  ];
}
