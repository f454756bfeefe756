import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { triggerDefinition } from './catalogue.ts';
import { findTrigger } from './store.ts';

/**
 * Lets a kind of trigger keep what it needs beside its row. To be called whenever a trigger was made or changed.
 * @throws Problem when the settings name something that is not there
 */
export async function keepTrigger(tx: Tx, id: string, meta: { by: string; now: Date }): Promise<void> {
  const row = await findTrigger(tx, id);
  const { keep } = row ? triggerDefinition(row.name) : {};
  if (!row || !keep) return;
  await keep(tx, { id, title: row.title, settings: row.settings }, meta);
  await bumpDue(tx, tx.tenantId, 'segments', meta.now);
}

/** A trigger is about to be removed: what was kept beside its row goes with it. */
export async function dropTrigger(tx: Tx, id: string): Promise<void> {
  const row = await findTrigger(tx, id);
  if (row) await triggerDefinition(row.name).drop?.(tx, id);
}
