import { type Static, Type } from 'typebox';
import { words } from '../../base/schema.ts';
import { localDate } from '../../base/time.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, rowsDated } from '../found.ts';
import { isOneOf, Words } from '../match.ts';
import { afterQuiet } from '../quiet.ts';
import type { Candidate, DetectEnv } from '../schema.ts';
import { SIGNALS, signalOf } from '../signals.ts';

const Settings = Type.Object(
  {
    signals: Type.Array(words(SIGNALS), { minItems: 1, uniqueItems: true }),
    channels: Words,
    quietDays: Type.Integer({ minimum: 0, maximum: 365 }),
  },
  {
    additionalProperties: false,
    description:
      'signals: what counts. channels: only on these channels, in the platforms’ words (empty: any). quietDays: local days without firing again for the same customer.',
  },
);

function found(
  hit: Parameters<typeof candidateOf>[1],
  settings: Static<typeof Settings>,
  env: DetectEnv,
): Candidate | undefined {
  const { row } = hit;
  const signal = signalOf(row);
  if (!signal || !settings.signals.includes(signal)) return undefined;
  if (settings.channels.length > 0 && !isOneOf(row.channel, settings.channels)) return undefined;
  // Without a customer nobody showed anything yet; when one is found, it is looked at once more.
  if (row.customer_id === null) return undefined;
  const at = row.occurred_at as Date;
  const moment = { at, on: localDate(at, env.zone) };
  return candidateOf('activity', hit, moment, {
    key: `${row.customer_id}:${moment.on}`,
    data: { signal, channel: row.channel, subject: row.subject },
  });
}

export const interestShown = defineEvent({
  name: 'interest.shown',
  title: 'Interest shown',
  arms: 'Fires when a customer does something by themselves: fills in a form, visits, follows a link, writes, chats, calls or asks to be called. Machines’ answers and a STOP do not count. Fires again for the same customer only after the quiet period, and never twice a day.',
  key: 'customer + day',
  kinds: ['activity'],
  settings: Settings,
  defaults: { signals: [...SIGNALS], channels: [], quietDays: 7 },
  fromChanges: async (tx, changes, settings, env) => {
    const hits = await hitsOf(tx, changes, 'activity', ({ op }) => op === 'created');
    const candidates = hits.map((hit) => found(hit, settings, env)).filter((candidate) => candidate !== undefined);
    return afterQuiet(tx, candidates, settings.quietDays, env);
  },
  // The rows hold all that the changes do.
  kept: false,
  dated: async (tx, from, to, settings, env) => {
    const rows = await rowsDated(tx, 'activity', { time: 'occurred_at' }, from, to, env, "t.direction = 'in'");
    const candidates = rows.map(({ row }) => found({ row }, settings, env)).filter((one) => one !== undefined);
    return afterQuiet(tx, candidates, settings.quietDays, env);
  },
});
