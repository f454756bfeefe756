import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { markEverybody } from '../model/stale.ts';
import type { SettingKey } from '../settings/schema.ts';

/** What is looked at anew when a setting has changed: everybody's calendar may turn on it, and what is due with it. */
export async function settingEffects(tx: Tx, key: SettingKey, at: Date): Promise<void> {
  if (key === 'business') await bumpDue(tx, tx.tenantId, 'detect', at);
  if (key === 'attribution' || key === 'business') {
    await markEverybody(tx, 'credit');
    await bumpDue(tx, tx.tenantId, 'credit', at);
  }
  // Whatever is counted in days, every score and who is told of it, is seen in the light of it.
  if (key === 'score' || key === 'scoreWriteBack' || key === 'progressWriteBack' || key === 'business')
    await bumpDue(tx, tx.tenantId, 'score', at);
}
