import { Type } from 'typebox';
import { words } from '../../base/schema.ts';
import { defineEvent } from '../events.ts';
import { isEmpty, isOneOf, plain, Words } from '../match.ts';
import { scoreTurns } from '../scores.ts';

/** From the worst to the best (SCORE.md: 0–39 at risk, 40–69 steady, 70–100 strong). */
const BANDS = ['atrisk', 'steady', 'strong'];

export const scoreBandChanged = defineEvent({
  name: 'score.band_changed',
  title: 'Score crossed a band',
  arms: 'Fires each time a customer’s relationship score goes from one band to another (at risk, steady, strong). The first score of a customer is no change.',
  key: 'customer + change',
  kinds: ['score'],
  settings: Type.Object(
    {
      from: Words,
      to: Words,
      direction: words(['any', 'up', 'down']),
      hysteresis: Type.Number({
        minimum: 0,
        maximum: 50,
        description: 'Points the score must have moved by at least, so that wavering around a border fires nothing',
      }),
    },
    { additionalProperties: false },
  ),
  defaults: { from: [], to: [], direction: 'any', hysteresis: 0 },
  fromChanges: (tx, changes, settings, env) =>
    scoreTurns(tx, changes, env, 'band', (before, after, change) => {
      if (isEmpty(before) || isEmpty(after)) return false;
      if (settings.from.length > 0 && !isOneOf(before, settings.from)) return false;
      if (settings.to.length > 0 && !isOneOf(after, settings.to)) return false;
      const up = BANDS.indexOf(plain(after)) > BANDS.indexOf(plain(before));
      if (settings.direction !== 'any' && (settings.direction === 'up') !== up) return false;
      const [was, is] = [change.before?.score, change.after?.score];
      return isEmpty(was) || isEmpty(is) || Math.abs(Number(is) - Number(was)) >= settings.hysteresis;
    }),
});
