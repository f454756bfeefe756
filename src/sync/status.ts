import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { findConnection } from '../connections/store.ts';
import { countParked } from './parked.ts';
import { lastVerified, type PassRow } from './pass.store.ts';
import { plansOf } from './proof.store.ts';
import { countMissing } from './quarantine.ts';
import { mappingNotices } from './remap/told.ts';
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
    const missing = new Map((await countMissing(tx)).map((row) => [row.stream_id, row.n]));
    const verified = await lastVerified(tx);
    const plans = new Map((await plansOf(tx, connectionId)).map((plan) => [plan.id, plan]));
    const notices = await mappingNotices(tx, connectionId);
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
        mapping: notices.get(row.id) ?? null,
        missing: missing.get(row.id) ?? 0,
        completeness: completenessOf(verified.get(row.id)),
        nextSweepAt: plans.get(row.id)?.sweep_due_at?.toISOString() ?? null,
        nextVerifyAt: plans.get(row.id)?.verify_due_at?.toISOString() ?? null,
      });
    }
    return infos;
  });
}

/** What the last comparison of a stream proved; null: there was none. */
export const completenessOf = (pass: PassRow | undefined) =>
  pass
    ? {
        state: pass.state === 'reading' || pass.state === 'asking' ? ('running' as const) : pass.state,
        method: pass.method,
        startedAt: pass.started_at.toISOString(),
        endedAt: pass.ended_at?.toISOString() ?? null,
        pages: pass.pages,
        figures: pass.result,
        reasons: pass.reasons,
        error: pass.error,
      }
    : null;
