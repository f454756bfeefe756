import { sealAudit } from './audit/chain.ts';
import type { Clock } from './base/clock.ts';
import type { Database } from './base/database.ts';
import type { QueueDefinition } from './base/queue.ts';
import { purgePasses } from './sync/pass.store.ts';

const DAY = 86_400_000;

/** How long bookkeeping is kept. Facts, consent and audit are not bookkeeping and stay. */
const KEEP_DAYS = { hints: 7, changes: 400, idempotency: 1, breakers: 31, hooks: 30, passes: 90 };

/** Removes what only served a moment. */
export async function purge(db: Database, tenantId: string, now: Date): Promise<void> {
  const before = (days: number): Date => new Date(now.getTime() - days * DAY);
  await db.tenant(tenantId, async (tx) => {
    await tx.query('delete from hint where tenant_id = $1 and done_at < $2', [tenantId, before(KEEP_DAYS.hints)]);
    await tx.query('delete from change where tenant_id = $1 and processed and received_at < $2', [
      tenantId,
      before(KEEP_DAYS.changes),
    ]);
    await tx.query('delete from idempotency where tenant_id = $1 and created_at < $2', [
      tenantId,
      before(KEEP_DAYS.idempotency),
    ]);
    await tx.query('delete from write_ledger where tenant_id = $1 and expires_at < $2', [tenantId, now]);
    // A field that nobody set back for longer than any window looks back; one we stopped writing stays.
    await tx.query('delete from write_breaker where tenant_id = $1 and tripped_at is null and updated_at < $2', [
      tenantId,
      before(KEEP_DAYS.breakers),
    ]);
    await purgePasses(tx, before(KEEP_DAYS.passes));
  });
  await db.statement('delete from hook_inbox where routed_at < $1', [before(KEEP_DAYS.hooks)]);
  await db.statement('delete from oauth_state where expires_at < $1', [before(1)]);
  await db.statement('delete from session where expires_at < $1', [now]);
}

export function maintenanceQueues(deps: () => { db: Database; clock: Clock }): QueueDefinition[] {
  return [
    {
      name: 'seal',
      role: 'engine',
      perTenant: 1,
      handle: async ({ tenantId }) => void (await sealAudit(deps().db, tenantId!)),
    },
    {
      name: 'purge',
      role: 'engine',
      perTenant: 1,
      handle: ({ tenantId }) => purge(deps().db, tenantId!, deps().clock.now()),
    },
  ];
}
