import { Type } from 'typebox';
import { ACCOUNTS, accountTurns } from '../accounts.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, momentOf } from '../found.ts';
import { Words } from '../match.ts';
import { anyOf } from '../stages.ts';

export const accountPlanChanged = defineEvent({
  name: 'account.plan_changed',
  title: 'Plan changed',
  arms: 'Fires each time an account goes from one plan to another. The first plan of an account is no change.',
  key: 'account + change',
  kinds: ['subscription', 'contact', 'company'],
  settings: Type.Object(
    { ...ACCOUNTS, from: Words, to: Words },
    {
      additionalProperties: false,
      description:
        'kinds: kinds of subscriptions that are accounts. fields: custom fields of customers and companies that name the plan. from, to: plans; an empty list means any.',
    },
  ),
  defaults: {
    kinds: ['account', 'subscription'],
    fields: ['custom.plan', 'custom.account_plan'],
    from: [],
    to: [],
  },
  fromChanges: async (tx, changes, settings, env) =>
    (await accountTurns(tx, changes, settings, ['plan']))
      .filter(({ before, after }) => before.length > 0 && after.length > 0)
      .filter(({ before, after }) => anyOf(before, settings.from) && anyOf(after, settings.to))
      .map((turn) =>
        candidateOf(turn.kind, turn, momentOf(turn, env), {
          key: `${turn.change.entity_id}:${turn.change.id}`,
          data: { plan: turn.after[0], before: turn.before[0] },
          fact: { field: turn.field, operator: 'equals', values: turn.after.map(String), lasting: false },
        }),
      ),
});
