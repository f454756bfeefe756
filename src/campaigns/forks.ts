import type { Tx } from '../base/database.ts';
import { findSequence, loadDefinition } from '../sequences/store.ts';

/** Steps that share customers out, by their ids. */
export interface Forks {
  /** They send customers different ways. */
  splits: string[];
  /** They leave some out, to compare with. */
  holdouts: string[];
}

/** The steps of any version of a sequence that share customers out. */
export async function forksOf(tx: Tx, sequenceId: string): Promise<Forks> {
  const sequence = await findSequence(tx, sequenceId);
  const splits = new Set<string>();
  const holdouts = new Set<string>();
  for (let version = 1; version <= (sequence?.latest_version ?? 0); version++)
    for (const step of (await loadDefinition(tx, sequenceId, version)).steps) {
      if ('split' in step) splits.add(step.id);
      if ('holdout' in step) holdouts.add(step.id);
    }
  return { splits: [...splits], holdouts: [...holdouts] };
}
