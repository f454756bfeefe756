import { appendEvents } from '../audit/store.ts';
import { invalid } from '../base/errors.ts';
import { isZone } from '../base/time.ts';
import type { ConnectionDeps } from '../connections/deps.ts';
import { type ConnectionRow, updateConnection } from '../connections/store.ts';

/**
 * States how many calls this hub may make for a connection, or takes that back (null).
 * @returns the new version of the connection, or undefined when somebody changed it meanwhile
 * @throws Problem for a zone that is none
 */
export async function setAllowance(
  deps: Pick<ConnectionDeps, 'db' | 'clock'>,
  tenantId: string,
  row: ConnectionRow,
  allowance: { calls: number; every?: 'day' | 'month' | undefined; zone?: string | undefined } | null,
  meta: { expected: number; by: string },
): Promise<number | undefined> {
  const zone = allowance?.zone ?? row.account.timeZone ?? 'UTC';
  if (!isZone(zone))
    throw invalid(`"${zone}" is not a time zone.`, [
      { path: 'zone', message: 'must be an IANA name such as Europe/Berlin' },
    ]);
  const { quota: before, ...settings } = row.settings;
  const quota = allowance && { calls: allowance.calls, every: allowance.every ?? 'day', zone };
  const now = deps.clock.now();
  return deps.db.tenant(tenantId, async (tx) => {
    const change = {
      name: row.name,
      settings: quota ? { ...settings, quota } : settings,
      expected: meta.expected,
      now,
    };
    if (!(await updateConnection(tx, row.id, change))) return undefined;
    await appendEvents(tx, [
      {
        actor: meta.by,
        action: quota ? 'connection.quota_set' : 'connection.quota_removed',
        subject: { kind: 'connection', id: row.id },
        data: { before: before ?? null, quota },
        at: now,
      },
    ]);
    return meta.expected + 1;
  });
}
