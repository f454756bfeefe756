import type { Tx } from '../base/database.ts';
import { triggerDefinition } from '../triggers/catalogue.ts';
import { keepTrigger } from '../triggers/keep.ts';
import { insertTrigger, type TriggerRow, triggersOfSequence, updateTrigger } from '../triggers/store.ts';
import type { Definition } from './schema.ts';
import type { SequenceRow } from './store.ts';

/**
 * Switches on the triggers a sequence wants, counting from now, and off those it has besides.
 * @param wanted none: nothing starts it any more
 */
export async function bindTriggers(
  tx: Tx,
  sequence: Pick<SequenceRow, 'id'>,
  wanted: Definition['triggers'],
  by: string,
  now: Date,
): Promise<void> {
  const present = await triggersOfSequence(tx, sequence.id);
  const turn = (trigger: TriggerRow, enabled: boolean): Promise<unknown> =>
    updateTrigger(tx, trigger.id, {
      ...{ title: trigger.title, settings: trigger.settings, sequenceId: sequence.id },
      ...{ enabled, expected: trigger.version, now },
    });
  for (const { name, settings: own } of wanted) {
    const known = triggerDefinition(name);
    const settings = { ...(known.defaults as Record<string, unknown>), ...own };
    const there = present.find((trigger) => trigger.name === name);
    if (!there) {
      const made = { name, title: known.title, settings, sequence_id: sequence.id, enabled: true };
      await keepTrigger(tx, await insertTrigger(tx, made, now), { by, now });
    } else if (!there.enabled) await turn(there, true);
  }
  for (const trigger of present)
    if (trigger.enabled && !wanted.some(({ name }) => name === trigger.name)) await turn(trigger, false);
}
