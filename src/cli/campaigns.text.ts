import type { Preview } from '../campaigns/schema.ts';
import { counted, moment, table } from './context.ts';

const people = (n: number): string => counted(n, 'person', 'people');

/** What a start would do, for people to read. */
export function previewText(seen: Preview): string {
  const refused = seen.refused.map((one) => ({ customers: one.customers, 'do not enter because each': one.meaning }));
  const days = seen.entries.map((one) => ({
    day: one.on,
    enter: one.people,
    'messages at most': seen.messages.find((other) => other.on === one.on)?.atMost ?? 0,
  }));
  return [
    `${people(seen.eligible)} of ${seen.total} would enter, at most ${seen.perDay} a day and ${seen.perHour} an hour.`,
    ...(seen.heldOut > 0 ? [`${people(seen.heldOut)} would be left out on purpose, to compare with.`] : []),
    ...(seen.firstEntry ? [`The first at ${moment(seen.firstEntry)} UTC, the last at ${moment(seen.lastEntry)}.`] : []),
    ...(seen.late > 0 ? [`${people(seen.late)} would not have their turn before it ends.`] : []),
    ...(refused.length > 0 ? ['', table(refused, ['customers', 'do not enter because each'])] : []),
    ...(days.length > 0 ? ['', table(days, ['day', 'enter', 'messages at most'])] : []),
    ...(seen.samples.length > 0 ? ['', 'For example:'] : []),
    ...seen.samples.map(
      (one) =>
        `  ${one.name ?? one.customerId} enters at ${moment(one.entersAt)}: ${one.steps.map(({ step, on }) => `${step} on ${on}`).join(', ') || 'no message with a date'}`,
    ),
    ...seen.warnings.map((warning) => `\nMind: ${warning}`),
    ...(seen.confirm === null ? [] : [`\nTo start it, type their number: --confirm ${seen.confirm}`]),
  ].join('\n');
}
