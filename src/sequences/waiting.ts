import type { Tx } from '../base/database.ts';
import { addDays, instantOf, isLocalDate, type LocalDate, localDate } from '../base/time.ts';
import { type NamedField, namedField } from '../conditions/fields.ts';
import { fieldOf } from '../triggers/match.ts';
import { causesOf } from './causes.ts';
import type { Moment, Stand } from './moments.ts';
import type { Step } from './steps.ts';
import { after, nextAnniversary, opens } from './timing.ts';

type WaitStep = Extract<Step, { wait: unknown }>;
type DateWait = Extract<WaitStep['wait'], { until_date: unknown }>['until_date'];

const dateWait = (step: Step): DateWait | undefined =>
  'wait' in step && 'until_date' in step.wait ? step.wait.until_date : undefined;

/** Whether a step waits for a date of the customer's; its `at` is the time on that date. */
export const waitsForDate = (step: Step): boolean => dateWait(step) !== undefined;

/** What steps that wait make of the moment they are entered at. */
export async function beginWaits(tx: Tx, moments: readonly Moment[], now: Date): Promise<Stand[]> {
  const dates = await datesOf(
    tx,
    moments.flatMap((moment) => {
      const asked = dateWait(moment.step);
      return asked ? [{ moment, field: asked.field, ahead: asked.days_before ?? 0 }] : [];
    }),
    now,
  );
  return moments.map((moment): Stand => {
    const { run, step } = moment;
    const { wait } = step as WaitStep;
    if ('until_date' in wait) return untilDate(moment, wait.until_date, dates.get(run.id), now);
    if (!('until' in wait)) return { waits: 'time', until: after(now, wait, run.zone) };
    const open = opens(wait.until, now, run.zone);
    if (!open) return { outcome: 'skipped', detail: 'these hours never open' };
    return open <= now ? { outcome: 'waited' } : { waits: 'time', until: open };
  });
}

/** What lies in the past or is not known is not waited for: nobody stands still for ever. */
function untilDate({ run, step }: Moment, asked: DateWait, date: LocalDate | undefined, now: Date): Stand {
  if (!date) return { outcome: 'no_date', detail: `${asked.field} is not known` };
  const day = addDays(date, -(asked.days_before ?? 0));
  const until = instantOf(day, step.at ?? '00:00', run.zone);
  if (until > now) return { waits: 'time', until };
  if (day === localDate(now, run.zone)) return { outcome: 'waited' };
  return { outcome: 'past', detail: `${day} is over` };
}

interface Asked {
  moment: Moment;
  field: string;
  ahead: number;
}

/** The dates that are waited for, by run. */
async function datesOf(tx: Tx, asked: readonly Asked[], now: Date): Promise<Map<string, LocalDate>> {
  const found = new Map<string, LocalDate>();
  if (asked.length === 0) return found;
  const told = asked.filter(({ field }) => field.startsWith('trigger.'));
  const causes = await causesOf(
    tx,
    told.map(({ moment }) => moment.run),
  );
  for (const { moment, field } of told) {
    const value = causes.get(moment.run.id)?.data[field.slice('trigger.'.length)];
    const date = dateOf(value, moment.run.zone);
    if (date) found.set(moment.run.id, date);
  }
  const fields = new Set(asked.map(({ field }) => field).filter((field) => !field.startsWith('trigger.')));
  for (const name of fields) {
    const own = asked.filter(({ field }) => field === name);
    const values = await valuesOf(
      tx,
      namedField(name),
      own.map(({ moment }) => moment.run.customer_id),
    );
    for (const { moment, ahead } of own) {
      const { id, zone, customer_id } = moment.run;
      const value = values.get(customer_id);
      const yearly = namedField(name)?.type === 'birthday';
      const date = yearly
        ? nextAnniversary(String(value ?? ''), addDays(localDate(now, zone), ahead))
        : dateOf(value, zone);
      if (date) found.set(id, date);
    }
  }
  return found;
}

/** A date as platforms and triggers write it: a date stays one, a moment is the date it falls on for the customer. */
function dateOf(value: unknown, zone: string): LocalDate | undefined {
  if (isLocalDate(value)) return value;
  const at = value instanceof Date ? value : typeof value === 'string' ? new Date(value) : undefined;
  return at && !Number.isNaN(at.getTime()) ? localDate(at, zone) : undefined;
}

const TABLES: Partial<Record<NamedField['scope'], { alias: string; join: string }>> = {
  customer: { alias: 'c', join: '' },
  company: { alias: 'o', join: 'join company o on o.tenant_id = c.tenant_id and o.id = c.company_id' },
};

/** Whether something can be waited for: a date of the customer or of their company. */
export const isDateField = (name: string): boolean => {
  const field = namedField(name);
  return (
    field !== undefined &&
    field.measure === undefined &&
    TABLES[field.scope] !== undefined &&
    ['date', 'instant', 'birthday', 'custom'].includes(field.type)
  );
};

/** The values of a field, by customer. The column comes from the closed list of fields. */
async function valuesOf(
  tx: Tx,
  field: NamedField | undefined,
  customerIds: readonly string[],
): Promise<Map<string, unknown>> {
  const table = field && TABLES[field.scope];
  if (!table) return new Map();
  const { rows } = await tx.query<{ id: string; value: unknown }>(
    `select c.id, ${table.alias}.${field.column} as value from customer c ${table.join} where c.tenant_id = $1 and c.id = any($2)`,
    [tx.tenantId, customerIds],
  );
  return new Map(
    rows.map(({ id, value }) => [
      id,
      field.custom === undefined ? value : fieldOf({ custom: value }, `custom.${field.custom}`),
    ]),
  );
}
