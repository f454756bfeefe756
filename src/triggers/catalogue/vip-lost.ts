import { Type } from 'typebox';
import { defineEvent } from '../events.ts';
import { scoreTurns } from '../scores.ts';

export const vipLost = defineEvent({
  name: 'vip.lost',
  title: 'No VIP any more',
  arms: 'Fires each time a VIP is one no longer. Fires again only after they became one in between.',
  key: 'customer + change',
  kinds: ['score'],
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: (tx, changes, _settings, env) =>
    scoreTurns(tx, changes, env, 'vip', (before, after) => before === true && after !== true),
});
