import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { findConnection } from '../connections/store.ts';
import { countParked } from './parked.ts';
import { countSources } from './sources.ts';
import { listStreams } from './store.ts';

/** How every stream of a tenant stands, in figures. */
export async function streamInfos(deps: { db: Database; clock: Clock }, tenantId: string, connectionId?: string) {
  const now = deps.clock.now();
  return deps.db.tenant(tenantId, async (tx) => {
    const counts = new Map((await countSources(tx)).map((row) => [row.stream_id, row.n]));
    const parked = new Map<string, number>();
    for (const row of await countParked(tx))
      if (row.stream_id) parked.set(row.stream_id, (parked.get(row.stream_id) ?? 0) + row.n);
    const infos = [];
    for (const row of await listStreams(tx, connectionId)) {
      const connection = await findConnection(tx, row.connection_id);
      const elapsed = row.run_started_at ? (now.getTime() - row.run_started_at.getTime()) / 1000 : 0;
      const left = row.total === null ? null : Math.max(0, row.total - row.run_seen);
      const eta =
        row.position && left !== null && row.run_seen > 0 ? Math.round((elapsed / row.run_seen) * left) : null;
      infos.push({
        id: row.id,
        connectionId: row.connection_id,
        connector: connection?.connector ?? '',
        stream: row.name,
        state: row.state,
        phase: row.phase,
        records: counts.get(row.id) ?? 0,
        parked: parked.get(row.id) ?? 0,
        run: {
          startedAt: row.run_started_at?.toISOString() ?? null,
          seen: row.run_seen,
          changed: row.run_changed,
          total: row.total,
          etaSeconds: eta,
        },
        freshAsOf: row.last_complete_at?.toISOString() ?? null,
        ageSeconds: row.last_complete_at ? Math.round((now.getTime() - row.last_complete_at.getTime()) / 1000) : null,
        nextRunAt: row.next_due_at?.toISOString() ?? null,
        error: row.error,
      });
    }
    return infos;
  });
}
