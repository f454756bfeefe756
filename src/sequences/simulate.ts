import type { Tx } from '../base/database.ts';
import { addDays, type LocalDate } from '../base/time.ts';
import { analyse, analysedTriggers, type DetectedRow } from '../triggers/analyse.ts';
import { triggerDefinition } from '../triggers/catalogue.ts';
import { listTriggers } from '../triggers/store.ts';
import { stepAfter } from './graph.ts';
import { shippedPlaybooks } from './playbooks.ts';
import type { Definition } from './schema.ts';
import { armOf, shareOf } from './shares.ts';
import type { Step } from './steps.ts';
import { listSequences, loadDefinition } from './store.ts';

/** The facts of one invoice that matter for whether something is still overdue on a day. */
interface Claim {
  due_on: LocalDate;
  paid_on: LocalDate | null;
}

/** Sequences a rehearsal runs: those that are on, or else the shipped ones that listen to the trigger. */
async function rehearsed(tx: Tx): Promise<Definition[]> {
  const own: Definition[] = [];
  for (const sequence of await listSequences(tx))
    if (sequence.active_version !== null && sequence.state === 'active')
      own.push(await loadDefinition(tx, sequence.id, sequence.active_version));
  return own.length > 0 ? own : [...shippedPlaybooks().values()].map((playbook) => playbook.sequence);
}

/** What every business is shown, whether it switched anything on or not. */
const ALWAYS = ['invoice.overdue', 'invoice.paid', 'payment.failed'];

/** Triggers of a rehearsal: those, and whatever the business has switched on that stored facts can tell of. */
async function rehearsedTriggers(tx: Tx, names: readonly string[] | undefined): ReturnType<typeof analysedTriggers> {
  if (names)
    return analysedTriggers(
      tx,
      names.map((name) => triggerDefinition(name).name),
    );
  const own = (await listTriggers(tx, true)).map(({ name }) => name);
  return analysedTriggers(tx, [...new Set([...ALWAYS, ...own])]);
}

/**
 * What the triggers find as of one day: what that day makes due, and what a missed day or two before would still count.
 * @param names kinds of triggers; by default the usual ones and the business's own
 */
export async function detectAsOf(
  tx: Tx,
  asOf: LocalDate,
  catchUpDays: number,
  now: Date,
  names?: readonly string[],
): Promise<DetectedRow[]> {
  const rows = await analyse(tx, await rehearsedTriggers(tx, names), addDays(asOf, -catchUpDays), asOf, now);
  return rows.map(({ customerId: _customer, ...row }) => row);
}

/**
 * Plays the days of a range on stored facts: what triggers find, and the reminders that stay unanswered because nobody
 * paid in time. Sends nothing; for a rehearsal, because it brings derived dates up to date.
 * @param names kinds of triggers; by default the usual ones and the business's own
 */
export async function simulate(
  tx: Tx,
  from: LocalDate,
  to: LocalDate,
  now: Date,
  names?: readonly string[],
): Promise<DetectedRow[]> {
  const found = await analyse(tx, await rehearsedTriggers(tx, names), from, to, now);
  const rows: DetectedRow[] = found.map(({ customerId: _customer, ...row }) => row);
  for (const definition of await rehearsed(tx)) {
    const starts = found.filter(
      (row) => row.customerId && definition.triggers.some((trigger) => trigger.name === row.trigger),
    );
    const byCustomer = new Map<string, LocalDate[]>();
    for (const start of starts)
      byCustomer.set(start.customerId!, [...(byCustomer.get(start.customerId!) ?? []), start.occurredOn]);
    const claims = await claimsOf(tx, [...byCustomer.keys()]);
    for (const [customer, days] of byCustomer)
      rows.push(...playCustomer(definition, customer, days, claims.get(customer) ?? [], to));
  }
  return rows.sort((a, b) => (a.occurredOn === b.occurredOn ? 0 : a.occurredOn < b.occurredOn ? -1 : 1));
}

async function claimsOf(tx: Tx, customers: readonly string[]): Promise<Map<string, Claim[]>> {
  const { rows } = await tx.query<Claim & { customer_id: string }>(
    "select customer_id, due_on, paid_on from invoice where tenant_id = $1 and customer_id = any($2) and due_on is not null and deleted_at is null and status not in ('draft', 'void', 'credited')",
    [tx.tenantId, customers],
  );
  const map = new Map<string, Claim[]>();
  for (const row of rows) map.set(row.customer_id, [...(map.get(row.customer_id) ?? []), row]);
  return map;
}

/** Something is overdue on a day when it was due before it and not paid by it. */
const overdueOn = (claims: readonly Claim[], day: LocalDate): boolean =>
  claims.some((claim) => claim.due_on < day && (claim.paid_on === null || claim.paid_on > day));

/** The steps a customer comes to when nothing but shares decides: of branches the way for whom no case holds. */
function usualWay(definition: Definition, customer: string): Step[] {
  const way: Step[] = [];
  let step: Step | undefined = definition.steps[0];
  while (step && !way.includes(step)) {
    way.push(step);
    // What is only done sometimes is taken as left out: what comes after it shows.
    const ends: boolean = step.only_if === undefined && ('end' in step || 'restart' in step || 'hand_over' in step);
    const to: string | undefined =
      'split' in step
        ? armOf(step.split, shareOf(customer, definition.key, step.id)).then
        : 'branch' in step
          ? step.branch.else
          : undefined;
    step = ends ? undefined : stepAfter(definition, step, to);
  }
  return way;
}

/** One customer's way through a sequence, as far as stored facts decide it. */
function playCustomer(
  definition: Definition,
  customer: string,
  starts: readonly LocalDate[],
  claims: readonly Claim[],
  to: LocalDate,
): DetectedRow[] {
  const rows: DetectedRow[] = [];
  let freeFrom: LocalDate = '0000-01-01';
  for (const start of starts) {
    if (start < freeFrom) continue;
    let day = start;
    let end: LocalDate | undefined;
    for (const step of usualWay(definition, customer)) {
      const due = step.day === undefined ? day : addDays(start, step.day);
      if (due > day) day = due;
      if (definition.exits.includes('invoices_settled') && !overdueOn(claims, day)) {
        end = day;
        break;
      }
      if ('wait' in step && 'days' in step.wait) day = addDays(day, step.wait.days ?? 0);
      if (!('await_answer' in step)) continue;
      day = addDays(day, step.await_answer.days);
      if (definition.exits.includes('invoices_settled') && !overdueOn(claims, day)) {
        end = day;
        break;
      }
      if (day <= to)
        rows.push({
          trigger: 'reminder.unanswered',
          subject: `reminders of ${definition.key} from ${start}`,
          businessKey: `${customer}:${start}:${step.id}`,
          occurredOn: day,
        });
    }
    freeFrom = addDays(end ?? day, definition.again.policy === 'after_days' ? (definition.again.days ?? 0) : 0);
  }
  return rows;
}
