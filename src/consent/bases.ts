import { DateTime } from 'luxon';
import { invalid } from '../base/errors.ts';
import type { MessageClass } from '../settings/schema.ts';
import { IMPLIED } from './compliance.ts';

/** On what a choice rests. Everything but `objection` allows. */
export const BASES = [
  'consent',
  'contract',
  'legitimate_interest',
  'implied_purchase',
  'implied_inquiry',
  'objection',
] as const;
export type Basis = (typeof BASES)[number];

const impliedRule = (basis: string) => IMPLIED.find((rule) => rule.value.basis === basis);

/**
 * When a choice ends by law: months counted from the purchase or inquiry it is implied by (CASL), clamped to the end of
 * the month. An express consent does not lapse.
 * @returns undefined when it does not end by itself
 */
export function lapsesAt(basis: string, since: Date): Date | undefined {
  const rule = impliedRule(basis);
  return rule && DateTime.fromJSDate(since, { zone: 'utc' }).plus({ months: rule.value.months }).toJSDate();
}

/**
 * The end of a choice as it is recorded: what was asked for, at the latest what the law sets.
 * @param choice `since`: the day of the purchase or inquiry; now when absent
 * @throws Problem when basis and choice do not go together, or the end asked for is later than allowed
 */
export function expiryOf(
  choice: {
    state: 'granted' | 'denied';
    basis: Basis;
    messageClass: MessageClass;
    since?: Date | undefined;
    expiresAt?: Date | undefined;
  },
  now: Date,
): Date | null {
  const { state, basis, messageClass, since = now, expiresAt } = choice;
  const wrong = (path: string, message: string): never => {
    throw invalid(`This choice cannot be recorded: ${path} ${message}.`, [{ path, message }]);
  };
  if (state === 'denied') {
    if (basis !== 'objection') wrong('basis', 'of a refusal must be objection');
    if (expiresAt) wrong('expiresAt', 'is for consents: a refusal stands until the person takes it back');
    return null;
  }
  if (basis === 'objection') wrong('basis', 'of a consent cannot be objection');
  if (basis === 'contract' && messageClass === 'marketing')
    wrong('basis', 'contract allows transactional messages only; marketing needs another one');
  if (since > now) wrong('since', 'must not lie in the future');
  const end = lapsesAt(basis, since);
  if (end && expiresAt && expiresAt > end)
    wrong(
      'expiresAt',
      `must be ${end.toISOString().slice(0, 10)} at the latest: ${impliedRule(basis)!.value.months} months (${impliedRule(basis)!.source})`,
    );
  return expiresAt ?? end ?? null;
}
