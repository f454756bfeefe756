import type { Tx } from '../base/database.ts';
import type { EntityKind } from '../kit/index.ts';
import type { Change } from '../model/types.ts';
import { factOf, noLongerSo } from '../triggers/standing.ts';
import type { OccurrenceRow } from '../triggers/store.ts';
import type { ExitRule } from './schema.ts';

/** What became of everything that started or joined an enrolment. */
export type Ceased = 'gone' | 'moved on';

const ABOUT: readonly EntityKind[] = [
  'contact',
  'company',
  'deal',
  'ticket',
  'invoice',
  'payment',
  'job',
  'subscription',
  'survey_response',
];

/** Whether a change can make untrue what a trigger fired for. */
export const canCorrect = (change: Change): boolean =>
  change.op !== 'created' && ABOUT.some((kind) => kind === change.kind);

/**
 * Whether a sequence ends because its cause ceased: a fact that was corrected ends every sequence, one that moved on
 * ends those that say so.
 */
export const endsBy = (ceased: Ceased | undefined, exits: readonly string[]): boolean =>
  ceased === 'gone' || (ceased === 'moved on' && exits.includes('subject_gone' satisfies ExitRule));

/**
 * Of enrolments, those of which nothing that started or joined them is so any more. What has nothing that could cease
 * (a person's wish, a date) keeps an enrolment going.
 */
export async function ceasedCauses(
  tx: Tx,
  runs: readonly { id: string; customer_id: string }[],
): Promise<Map<string, Ceased>> {
  const ceased = new Map<string, Ceased>();
  if (runs.length === 0) return ceased;
  const { rows } = await tx.query<
    Pick<OccurrenceRow, 'id' | 'customer_id' | 'subject_id' | 'data'> & { run_id: string }
  >(
    'select id, customer_id, subject_id, data, run_id from occurrence where tenant_id = $1 and customer_id = any($2) and run_id = any($3)',
    [tx.tenantId, [...new Set(runs.map((run) => run.customer_id))], runs.map((run) => run.id)],
  );
  if (!rows.some(factOf)) return ceased;
  const untrue = await noLongerSo(tx, rows);
  for (const { id } of runs) {
    const causes = rows.filter((row) => row.run_id === id).map((row) => untrue.get(row.id));
    if (causes.length === 0 || causes.includes(undefined)) continue;
    ceased.set(id, causes.includes('moved on') ? 'moved on' : 'gone');
  }
  return ceased;
}

/** What started an enrolment, as far as a trigger did. */
export type Started = Pick<OccurrenceRow, 'trigger_name' | 'business_key' | 'subject_kind' | 'subject_id' | 'data'>;

/** What started these enrolments, by their ids. One that no trigger started is not in the answer. */
export async function causesOf(
  tx: Tx,
  runs: readonly { id: string; cause: Record<string, unknown> }[],
): Promise<Map<string, Started>> {
  const ids = runs.flatMap(({ cause }) => (typeof cause.occurrence === 'string' ? [cause.occurrence] : []));
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Started & { id: string }>(
    'select id, trigger_name, business_key, subject_kind, subject_id, data from occurrence where tenant_id = $1 and id = any($2)',
    [tx.tenantId, ids],
  );
  const found = new Map(rows.map(({ id, ...row }) => [id, row]));
  return new Map(
    runs.flatMap(({ id, cause }) => {
      const started = found.get(String(cause.occurrence));
      return started ? [[id, started] as const] : [];
    }),
  );
}
