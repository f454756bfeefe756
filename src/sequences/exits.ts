import type { Tx } from '../base/database.ts';
import { localDate } from '../base/time.ts';
import type { Change, ChangeListener } from '../model/types.ts';
import { setting } from '../settings/store.ts';
import { canCorrect, ceasedCauses, endsBy } from './causes.ts';
import { endRuns } from './endings.ts';
import { isAnswer, isBooking } from './happenings.ts';
import type { SequencePorts } from './ports.ts';
import { type RunRow, runningRuns } from './runs.ts';
import type { ExitRule } from './schema.ts';
import { loadDefinition } from './store.ts';

const MONEY_FIELDS = new Set(['balance', 'status', 'paid_on', 'due_on', 'deleted_at', 'customer_id', 'duplicate_of']);

const touchesMoney = (change: Change): boolean =>
  (change.kind === 'invoice' || change.kind === 'payment') &&
  (change.op !== 'updated' || change.fields.some((field) => MONEY_FIELDS.has(field) || field === 'unapplied'));

/** The score says so: a bad answer or a complaint. */
const turnedUnhappy = ({ kind, fields, after }: Change): boolean =>
  kind === 'score' && fields.includes('unhappy') && after?.unhappy === true;

/**
 * Ends enrolments in the transaction that stores the fact that ends them, and cancels what they had queued. A payment
 * that arrives between two reminders stops the second one before anyone else can see the payment.
 */
export function exitListener(ports: Pick<SequencePorts, 'cancel'>): ChangeListener {
  return async (tx, changes, now) => {
    const facts = new Map<string, Set<ExitRule>>();
    const note = (customerId: string | null, rule: ExitRule): void => {
      if (customerId) facts.set(customerId, (facts.get(customerId) ?? new Set()).add(rule));
    };
    // What we wrote ourselves is no fact about the customer.
    for (const change of changes.filter(({ origin }) => origin !== 'echo')) {
      if (touchesMoney(change)) {
        note(change.customer_id, 'invoices_settled');
        if (change.fields.includes('customer_id'))
          note((change.before?.customer_id as string | null | undefined) ?? null, 'invoices_settled');
      }
      if (canCorrect(change))
        for (const id of [change.customer_id, change.before?.customer_id])
          note((id as string | null | undefined) ?? null, 'subject_gone');
      if (isAnswer(change)) note(change.customer_id, 'answered');
      if (isBooking(change)) note(change.customer_id, 'booked');
      if (turnedUnhappy(change)) note(change.customer_id, 'unhappy');
      if (change.kind === 'contact' && change.op === 'deleted') note(change.entity_id, 'customer_gone');
    }
    if (facts.size === 0) return;
    const running = await runningRuns(tx, [...facts.keys()]);
    if (running.length === 0) return;
    const settled = await settledCustomers(
      tx,
      [...facts].filter(([, rules]) => rules.has('invoices_settled')).map(([id]) => id),
      now,
    );
    const ceased = await ceasedCauses(
      tx,
      running.filter((run) => facts.get(run.customer_id)!.has('subject_gone')),
    );
    const ending = new Map<ExitRule, RunRow[]>();
    for (const run of running) {
      const { exits } = await loadDefinition(tx, run.sequence_id, run.version);
      const named = exits.find(
        (candidate) =>
          candidate !== 'subject_gone' &&
          facts.get(run.customer_id)!.has(candidate) &&
          (candidate !== 'invoices_settled' || settled.has(run.customer_id)),
      );
      // A corrected fact ends them all, whether they say so or not.
      const rule = named ?? (endsBy(ceased.get(run.id), exits) ? 'subject_gone' : undefined);
      if (rule) ending.set(rule, [...(ending.get(rule) ?? []), run]);
    }
    for (const [rule, runs] of ending) await endRuns(ports, tx, runs, rule, now);
  };
}

/** Of these customers, those who owe nothing that is overdue, counting credit of the same currency that is not applied yet. */
export async function settledCustomers(tx: Tx, customerIds: readonly string[], now: Date): Promise<Set<string>> {
  if (customerIds.length === 0) return new Set();
  const { zone, currency } = await setting(tx, 'business');
  const { rows } = await tx.query<{ id: string }>(
    `select c.id from unnest($2::uuid[]) as c(id) where not exists (
       select from (
         select coalesce(i.currency, $4::text) as currency, sum(i.balance) as amount from invoice i
         where i.tenant_id = $1 and i.customer_id = c.id and i.balance > 0 and i.due_on < $3 and i.deleted_at is null
           and i.duplicate_of is null and i.status not in ('draft', 'void', 'credited') group by 1) overdue
       where overdue.amount > coalesce((
         select sum(p.unapplied) from payment p where p.tenant_id = $1 and p.customer_id = c.id and p.unapplied > 0
           and p.status = 'succeeded' and p.deleted_at is null and coalesce(p.currency, $4::text) = overdue.currency), 0))`,
    [tx.tenantId, customerIds, localDate(now, zone), currency],
  );
  return new Set(rows.map((row) => row.id));
}
