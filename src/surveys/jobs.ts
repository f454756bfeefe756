import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { handIn, type SurveyDeps } from './answer.ts';
import { dueInvitations, findInvitation } from './invitations.ts';
import { findSurvey, loadVersion } from './store.ts';

/** Counts what was entered and never sent, where the survey's days are over. Each in a transaction of its own. */
export async function countPartials(deps: SurveyDeps, tenantId: string): Promise<void> {
  const now = deps.clock.now();
  const { ids, next } = await deps.db.tenant(tenantId, (tx) => dueInvitations(tx, now));
  const failed: unknown[] = [];
  for (const id of ids)
    await deps.db.tenant(tenantId, (tx) => countOne(deps, tx, id, now)).catch((error: unknown) => failed.push(error));
  if (next) await bumpDue({ query: deps.db.statement }, tenantId, 'surveys', next);
  // One that cannot be counted keeps no other waiting; the queue tells of it and tries again.
  if (failed.length > 0) throw new AggregateError(failed, `${failed.length} answers could not be counted`);
}

async function countOne(deps: SurveyDeps, tx: Tx, id: string, now: Date): Promise<void> {
  const row = await findInvitation(tx, id, true);
  // Whoever was waited for may have handed it in, or gone on.
  if (row?.state !== 'started' || !row.counts_at || row.counts_at > now) return;
  const survey = await loadVersion(tx, row.survey_id, row.number);
  const own = await findSurvey(tx, row.survey_id);
  const open = survey && own?.state === 'open';
  if (open && (await handIn(deps, tx, row, survey, row.answers, 'time', now))) return;
  // Closed meanwhile, or nobody is there any more: what was entered stays what it is.
  await tx.query('update survey_invitation set counts_at = null, updated_at = $3 where tenant_id = $1 and id = $2', [
    tx.tenantId,
    id,
    now,
  ]);
}

export function surveyQueues(deps: () => SurveyDeps): QueueDefinition[] {
  return [
    { name: 'surveys', role: 'engine', perTenant: 1, handle: ({ tenantId }) => countPartials(deps(), tenantId!) },
  ];
}
