import { Type } from 'typebox';
import type { Row } from '../base/database.ts';
import { defineEvent } from './events.ts';
import { candidateOf, hitsOf, momentOf } from './found.ts';
import { isOneOf, Words } from './match.ts';
import type { TriggerDefinition } from './schema.ts';

const Settings = Type.Object(
  { kinds: Words, exceptKinds: Words, words: Words },
  {
    additionalProperties: false,
    description:
      'kinds: only orders and rentals of these kinds (empty: any but exceptKinds). words: of the platform, that count.',
  },
);

/** The triggers for what happens to an order or rental before the work: both are about a job that is not done yet. */
export function orderBecame(
  way: 'approved' | 'scheduled',
  texts: { arms: string; words: string[] },
): TriggerDefinition {
  const by = (row: Row, wanted: readonly string[]): { field: string; value: string } | undefined => {
    if (way === 'scheduled' && row.status === 'scheduled') return { field: 'status', value: 'scheduled' };
    return isOneOf(row.native_status, wanted)
      ? { field: 'native_status', value: String(row.native_status) }
      : undefined;
  };
  return defineEvent({
    name: `order.${way}`,
    title: `Order ${way}`,
    arms: texts.arms,
    key: 'job',
    kinds: ['job'],
    settings: Settings,
    defaults: { kinds: [], exceptKinds: ['appointment'], words: texts.words },
    fromChanges: async (tx, changes, settings, env) => {
      const hits = await hitsOf(tx, changes, 'job', ({ fields }) =>
        fields.some((field) => field === 'status' || field === 'native_status'),
      );
      return hits.flatMap((hit) => {
        const { row } = hit;
        const how = by({ ...row, ...hit.change.after }, settings.words);
        if (!how || row.status === 'cancelled') return [];
        if (settings.kinds.length > 0 ? !isOneOf(row.kind, settings.kinds) : isOneOf(row.kind, settings.exceptKinds))
          return [];
        return candidateOf('job', hit, momentOf(hit, env), {
          key: hit.change.entity_id,
          data: { kind: row.kind, title: row.title, scheduledAt: row.scheduled_at, amount: row.amount },
          // From there it goes on to be done; only a cancelled one takes it back.
          fact: {
            field: 'status',
            operator: 'not_equals',
            values: way === 'approved' ? ['cancelled'] : ['cancelled', 'requested'],
            lasting: true,
          },
        });
      });
    },
  });
}
