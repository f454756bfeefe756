import { Type } from 'typebox';
import { nullable } from '../base/schema.ts';
import { localDate } from '../base/time.ts';
import { defineEvent } from './events.ts';
import { rowsOf } from './found.ts';
import type { TriggerDefinition } from './schema.ts';

/** The trigger for customers who enter or leave a segment. */
export function segmentChanged(op: 'entered' | 'left', arms: string): TriggerDefinition {
  return defineEvent({
    name: `segment.${op}`,
    title: op === 'entered' ? 'Entered a segment' : 'Left a segment',
    arms,
    key: 'segment + customer + change',
    kinds: ['segment'],
    settings: Type.Object(
      { segment: nullable(Type.String({ format: 'uuid', description: 'Id of the segment; null means any' })) },
      { additionalProperties: false },
    ),
    defaults: { segment: null },
    fromChanges: async (tx, changes, settings, env) => {
      const told = changes.filter(
        (change) =>
          change.kind === 'segment' &&
          change.op === op &&
          change.customer_id !== null &&
          (settings.segment === null || change.entity_id === settings.segment),
      );
      const living = await rowsOf(
        tx,
        'contact',
        told.map((change) => change.customer_id!),
      );
      return told
        .filter((change) => living.has(change.customer_id!))
        .map((change) => ({
          businessKey: `${change.entity_id}:${change.customer_id}:${change.id}`,
          subject: {
            kind: 'segment',
            id: change.entity_id,
            label: `segment ${change.after?.name ?? change.before?.name ?? change.entity_id}`,
          },
          customerId: change.customer_id,
          occurredOn: localDate(change.occurred_at, env.zone),
          occurredAt: change.occurred_at,
          data: { segment: change.entity_id },
          depth: change.depth,
        }));
    },
  });
}
