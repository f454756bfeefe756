import { one, type Tx } from '../base/database.ts';
import type { RequestRow } from './store.ts';

/** States by which platforms say that a task is done. */
const DONE = /^(completed?|done|closed|finished|resolved|solved|erledigt)$/i;

/** Whether a platform's word says that a task is done. */
export const isDone = (state: string | null | undefined): boolean => DONE.test((state ?? '').trim());

/** Which of these steps of enrolments made something that was done natively; the latest visit counts. */
export async function tasksDone(tx: Tx, asked: readonly { runId: string; stepId: string }[]): Promise<boolean[]> {
  if (asked.length === 0) return [];
  const runIds = [...new Set(asked.map(({ runId }) => runId))];
  const { rows } = await tx.query<{ run_id: string; step_id: string; native_state: string | null; kind: string }>(
    `select coalesce(a.run_id, e.run_id) as run_id, a.step_id, a.native_state, a.kind from action_request a
       left join escalation e on e.tenant_id = $1 and e.id = a.escalation_id
     where a.tenant_id = $1 and a.native_state is not null and (a.run_id = any($2) or e.run_id = any($2))`,
    [tx.tenantId, runIds],
  );
  return asked.map(({ runId, stepId }) =>
    rows.some((row) => row.run_id === runId && row.step_id === stepId && isDone(row.native_state)),
  );
}

/** The step of an enrolment that made a request, itself or by an escalation. */
export async function stepOfRequest(
  tx: Tx,
  request: Pick<RequestRow, 'run_id' | 'step_id' | 'escalation_id'>,
): Promise<{ runId: string; stepId: string } | undefined> {
  if (!request.step_id) return undefined;
  if (request.run_id) return { runId: request.run_id, stepId: request.step_id };
  const row = one(
    await tx.query<{ run_id: string | null }>('select run_id from escalation where tenant_id = $1 and id = $2', [
      tx.tenantId,
      request.escalation_id,
    ]),
  );
  return row?.run_id ? { runId: row.run_id, stepId: request.step_id } : undefined;
}
