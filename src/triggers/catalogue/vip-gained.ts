import { Type } from 'typebox';
import { defineEvent } from '../events.ts';
import { scoreTurns } from '../scores.ts';

export const vipGained = defineEvent({
  name: 'vip.gained',
  title: 'Became a VIP',
  arms: 'Fires each time a customer becomes a VIP, by score and spend or because somebody pinned it. Fires again only after they were none in between.',
  key: 'customer + change',
  kinds: ['score'],
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: (tx, changes, _settings, env) =>
    scoreTurns(tx, changes, env, 'vip', (before, after) => after === true && before !== true),
});
