import { Type } from 'typebox';
import { ACCOUNTS, accountTurns, DESCRIPTION, hasAny } from '../accounts.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, momentOf } from '../found.ts';
import { isOneOf, Words } from '../match.ts';

export const accountCreated = defineEvent({
  name: 'account.created',
  title: 'Account created',
  arms: 'Fires once for each account when it is made: a new subscription of the kinds that are accounts, or a field such as "Account Status" that gets its first value. Never again for the same account.',
  key: 'account',
  kinds: ['subscription', 'contact', 'company'],
  settings: Type.Object(
    { ...ACCOUNTS, words: Words },
    {
      additionalProperties: false,
      description: `${DESCRIPTION} With words, a field counts when it first becomes one of them: "status" and "customer" make everyone an account who becomes a customer.`,
    },
  ),
  defaults: { kinds: ['account', 'subscription'], fields: ['custom.account_status'], words: [] },
  fromChanges: async (tx, changes, settings, env) => {
    const made = (await hitsOf(tx, changes, 'subscription', ({ op }) => op === 'created'))
      .filter(({ row }) => isOneOf(row.kind, settings.kinds))
      .map((hit) =>
        candidateOf('subscription', hit, momentOf(hit, env), {
          key: hit.change.entity_id,
          data: { status: hit.row.status, plan: hit.row.plan },
        }),
      );
    const told = (await accountTurns(tx, changes, { ...settings, kinds: [] }))
      .filter(({ before, after }) =>
        settings.words.length === 0
          ? before.length === 0 && after.length > 0
          : hasAny(after, settings.words) && !hasAny(before, settings.words),
      )
      .map((turn) =>
        candidateOf(turn.kind, turn, momentOf(turn, env), {
          key: turn.change.entity_id,
          data: { status: turn.after[0] },
        }),
      );
    return [...made, ...told];
  },
});
