import type { Tx } from '../base/database.ts';
import { findSequence, loadDefinition } from '../sequences/store.ts';

/** Steps of any version of a sequence that send customers different ways, by their ids. */
export async function splitsOf(tx: Tx, sequenceId: string): Promise<string[]> {
  const sequence = await findSequence(tx, sequenceId);
  const steps = new Set<string>();
  for (let version = 1; version <= (sequence?.latest_version ?? 0); version++)
    for (const step of (await loadDefinition(tx, sequenceId, version)).steps) if ('split' in step) steps.add(step.id);
  return [...steps];
}
