import { Type } from 'typebox';
import { ACCOUNT_DEFAULTS, ACCOUNTS, accountTurns, DESCRIPTION, hasAny, type Turn } from './accounts.ts';
import { defineEvent } from './events.ts';
import { candidateOf, momentOf } from './found.ts';
import { isOneOf, Words } from './match.ts';
import type { Candidate, TriggerDefinition } from './schema.ts';

/** An occurrence about an account, with what must stay true where the words tell. */
export function accountCandidate(
  turn: Turn,
  env: Parameters<typeof momentOf>[1],
  key: string,
  wanted: readonly string[],
): Candidate {
  const word = turn.after.find((value) => isOneOf(value, wanted)) ?? turn.after[0] ?? null;
  return candidateOf(turn.kind, turn, momentOf(turn, env), {
    key,
    data: { status: word, before: turn.before[0] ?? null, plan: turn.row.plan ?? null },
    fact: { field: turn.field, operator: 'equals', values: turn.after.map(String), lasting: false },
  });
}

/** A trigger for accounts that come to stand in one of some words and did not before. */
export function accountBecame(definition: {
  name: string;
  title: string;
  arms: string;
  words: string[];
  /** Only from these words; from any but `words` when absent. */
  from?: string[];
}): TriggerDefinition {
  const { from, words, ...rest } = definition;
  return defineEvent({
    ...rest,
    key: 'account + change',
    kinds: ['subscription', 'contact', 'company'],
    settings: Type.Object(
      { ...ACCOUNTS, words: Words, from: Words },
      { additionalProperties: false, description: DESCRIPTION },
    ),
    defaults: { ...ACCOUNT_DEFAULTS, words, from: from ?? [] },
    fromChanges: async (tx, changes, settings, env) =>
      (await accountTurns(tx, changes, settings))
        .filter(
          ({ before, after }) =>
            hasAny(after, settings.words) &&
            !hasAny(before, settings.words) &&
            (settings.from.length === 0 || hasAny(before, settings.from)),
        )
        .map((turn) => accountCandidate(turn, env, `${turn.change.entity_id}:${turn.change.id}`, settings.words)),
  });
}
