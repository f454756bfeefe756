import { Type } from 'typebox';
import type { Tx } from '../../base/database.ts';
import { localDate } from '../../base/time.ts';
import { checkCondition } from '../../conditions/check.ts';
import { dropOwnSegment, enteredBetween, keepOwnSegment } from '../../segments/own.ts';
import { SETTLE_MINUTES } from '../../segments/schema.ts';
import { type SegmentRow, segmentOfTrigger } from '../../segments/store.ts';
import { type DetectEnv, defineTrigger } from '../schema.ts';

/** The segment the trigger keeps; none while its settings are only tried. */
function segmentKept(tx: Tx, env: DetectEnv): Promise<SegmentRow | undefined> {
  const id = env.triggerId ?? env.lookBackFor;
  return id === undefined ? Promise.resolve(undefined) : segmentOfTrigger(tx, id);
}

/** A trigger of a condition somebody wrote. It keeps a segment of its own, which notices who comes to match. */
export const custom = defineTrigger({
  name: 'custom',
  title: 'Own condition',
  arms: 'Fires when a customer comes to match the condition, and again only after they did not match it for a while. Those who match when the trigger is made or its condition is changed do not count, nor do those a first load brings.',
  key: 'customer + moment they came to match',
  maxAgeHours: 48,
  settings: Type.Object(
    {
      condition: Type.Unknown({ description: 'In the condition language, as for segments' }),
      settleMinutes: Type.Integer({
        minimum: 0,
        maximum: 10_080,
        description: 'Somebody must match for so long before it counts',
      }),
    },
    { additionalProperties: false },
  ),
  defaults: { condition: null, settleMinutes: SETTLE_MINUTES },
  check: ({ condition }) =>
    checkCondition(condition).problems.map(({ path, message }) => ({
      path: path === 'condition' ? path : `condition.${path}`,
      message,
    })),
  keep: keepOwnSegment,
  drop: dropOwnSegment,
  fromChanges: async (tx, changes, _settings, env) => {
    const own = await segmentKept(tx, env);
    return changes
      .filter((change) => change.kind === 'segment' && change.op === 'entered' && change.entity_id === own?.id)
      .map((change) => ({
        businessKey: `${change.customer_id}:${change.occurred_at.toISOString()}`,
        subject: { kind: 'customer', id: change.customer_id!, label: own!.name },
        customerId: change.customer_id,
        occurredOn: localDate(change.occurred_at, env.zone),
        occurredAt: change.occurred_at,
        data: {},
        depth: change.depth,
      }));
  },
  between: async (tx, from, to, _settings, env) => {
    const own = await segmentKept(tx, env);
    if (!own) return [];
    return (await enteredBetween(tx, own.id, { from, to, zone: env.zone, customerId: env.customerId })).map((row) => ({
      businessKey: `${row.customer_id}:${row.entered_at.toISOString()}`,
      subject: { kind: 'customer', id: row.customer_id, label: own.name },
      customerId: row.customer_id,
      occurredOn: localDate(row.entered_at, env.zone),
      occurredAt: row.entered_at,
      data: {},
    }));
  },
});
