import { Type } from 'typebox';
import { accountCandidate } from '../account-events.ts';
import { ACCOUNT_DEFAULTS, ACCOUNTS, accountTurns, DESCRIPTION, hasAny, WORDS } from '../accounts.ts';
import { defineEvent } from '../events.ts';
import { Words } from '../match.ts';

export const accountApproved = defineEvent({
  name: 'account.approved',
  title: 'Account approved',
  arms: 'Fires once for each account when it is approved, or goes from waiting for approval to active. Never again for the same account.',
  key: 'account',
  kinds: ['subscription', 'contact', 'company'],
  settings: Type.Object(
    { ...ACCOUNTS, words: Words, pending: Words, active: Words },
    { additionalProperties: false, description: DESCRIPTION },
  ),
  defaults: { ...ACCOUNT_DEFAULTS, words: WORDS.approved, pending: WORDS.pending, active: WORDS.active },
  fromChanges: async (tx, changes, settings, env) =>
    (await accountTurns(tx, changes, settings))
      .filter(({ before, after }) =>
        hasAny(after, settings.words)
          ? !hasAny(before, settings.words)
          : hasAny(before, settings.pending) && hasAny(after, settings.active),
      )
      .map((turn) => accountCandidate(turn, env, turn.change.entity_id, [...settings.words, ...settings.active])),
});
