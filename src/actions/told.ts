import { DateTime } from 'luxon';
import type { Row } from '../base/database.ts';
import { daysBetween, type LocalDate, localDate } from '../base/time.ts';
import { zoneOf } from '../model/zones.ts';
import type { SettingValue } from '../settings/schema.ts';
import { formatMoney } from '../texts/filters.ts';
import { languageTag } from '../texts/language.ts';
import type { Circumstances, RunAbout } from './circumstances.ts';
import type { OverdueInvoice, Person } from './people.ts';

export interface Told {
  business: SettingValue<'business'>;
  links: SettingValue<'links'>;
  today: LocalDate;
  now: Date;
  person: Person | undefined;
  overdue: readonly OverdueInvoice[];
  /** Credit that is not used yet, by currency. */
  credits: ReadonlyMap<string, number>;
  circumstances: Circumstances;
  run: RunAbout | undefined;
  /** Dates and amounts are written as this language does. */
  locale: string;
}

// What platforms put where there is nothing. "Null" with a capital letter is a family name.
const NO_VALUE = /^(null|NULL|undefined|\(null\)|n\/a|N\/A|none|-+|\?+)$/;

/** Values without those that say nothing, so that a text that needs one of them is held. */
export const present = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values)
      .map(([key, value]) => [key, typeof value === 'string' ? value.trim() : value] as const)
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .filter(([, value]) => typeof value !== 'string' || !NO_VALUE.test(value)),
  );

/** Custom values by their name; of several platforms that have one of the name, the first. */
function customOf(custom: unknown): Record<string, unknown> | undefined {
  if (custom === null || typeof custom !== 'object') return undefined;
  const found: Record<string, unknown> = {};
  for (const values of Object.values(custom))
    for (const [name, value] of Object.entries((values as object | null) ?? {})) found[name] ??= value;
  return present(found);
}

/** The values a text may use: one group for each of what is known. What is not known is left out. */
export function contextOf(told: Told): Record<string, unknown> {
  const { business, links, today, person, run, locale } = told;
  const zone = person ? zoneOf(person, business.zone) : business.zone;
  const base = {
    business: present({
      ...{ name: business.name, phone: business.phone, zone: business.zone, country: business.country },
      ...{ currency: business.currency, reply_to: business.replyTo },
      postal_address: business.postalAddress.replace(/\s*\n\s*/g, ', '),
    }),
    booking: present({ link: links.booking }),
    review: present({ link: links.review }),
    today,
    locale: languageTag(locale),
    zone,
    ...(run ? runGroups(run) : {}),
  };
  if (!person) return base;
  const { first_name, last_name, name, email, phone, job_title } = person;
  return {
    ...base,
    customer: {
      ...present({
        ...{ id: person.id, name, first_name, last_name, email, phone, job_title },
        ...{ address: person.address_line, city: person.city, postal_code: person.postal_code },
        ...{ country: person.country, birthday: person.birthday?.replace(/^--/, '') },
        language: languageTag(person.locale ?? locale).slice(0, 2),
        since: person.since && localDate(person.since, zone),
      }),
      custom: customOf(person.custom) ?? {},
    },
    company: {
      ...present({
        ...{ name: person.company_name, email: person.company_email, phone: person.company_phone },
        ...{ domain: person.company_domain, industry: person.company_industry, city: person.company_city },
      }),
      custom: customOf(person.company_custom) ?? {},
    },
    owner: present({
      ...{ name: person.owner_name, email: person.owner_email },
      first_name: person.owner_name?.trim().split(/\s+/)[0],
    }),
    ...receivables(told),
    ...aboutGroups(told, zone),
  };
}

const runGroups = (run: RunAbout): Record<string, unknown> => ({
  values: present(run.values ?? {}),
  campaign: present({ name: run.campaign }),
  sequence: { key: run.sequence_key, title: run.sequence_title },
  trigger: present({
    name: run.occurrence?.trigger_name ?? run.cause.trigger,
    subject: run.occurrence?.subject_label ?? run.cause.subject,
    on: run.occurrence?.occurred_on ?? run.start_on,
    data: present(run.occurrence?.data ?? {}),
  }),
});

/** What the trigger is about, else the latest or next of its kind. */
function aboutGroups(told: Told, zone: string): Record<string, unknown> {
  const { circumstances, run, person } = told;
  const id = person!.id;
  const occurrence = run?.occurrence;
  const subject = occurrence && circumstances.subjects.get(`${occurrence.subject_kind}:${occurrence.subject_id}`);
  const of = (kind: string): Row | undefined => (occurrence?.subject_kind === kind ? subject : undefined);
  const planned = ['requested', 'scheduled', 'no_show', 'cancelled'].includes(String(of('job')?.status));
  const appointment = planned ? of('job') : circumstances.appointments.get(id);
  const job = of('job') ?? circumstances.jobs.get(id);
  const agreement = of('subscription') ?? circumstances.agreements.get(id);
  const payment = of('payment');
  const paid = payment && circumstances.paid.get(payment.entity_id as string);
  const invoice = of('invoice') ?? paid;
  const score = circumstances.scores.get(id);
  return {
    ...(invoice ? { invoice: invoiceGroup(invoice as unknown as OverdueInvoice, told) } : {}),
    ...(job ? { job: jobGroup(job, told, zone) } : {}),
    ...(appointment ? { appointment: appointmentGroup(appointment, zone) } : {}),
    ...(agreement ? { subscription: agreementGroup(agreement, told) } : {}),
    ...(of('deal') ? { deal: documentGroup(of('deal')!, told, ['name', 'stage', 'status', 'closes_on']) } : {}),
    ...(of('ticket')
      ? {
          ticket: {
            ...documentGroup(of('ticket')!, told, ['subject', 'category', 'priority', 'stage', 'status']),
            ...present({ closed_on: of('ticket')!.closed_at && localDate(of('ticket')!.closed_at as Date, zone) }),
          },
        }
      : {}),
    ...(payment
      ? {
          payment: {
            ...documentGroup(payment, told, ['method', 'paid_on']),
            ...present({ reason: payment.failure_reason, link: paid?.url ?? told.links.payment }),
          },
        }
      : {}),
    ...(score
      ? {
          score: present({
            ...{ band: score.band, vip: score.vip, unhappy: score.unhappy },
            value: score.score === null ? null : Math.round(score.score),
          }),
        }
      : {}),
  };
}

const documentGroup = (row: Row, told: Told, fields: readonly string[]): Record<string, unknown> =>
  present({
    ...Object.fromEntries(fields.map((field) => [field, row[field]])),
    amount: row.amount === null ? null : formatMoney(row.amount, row.currency ?? told.business.currency, told.locale),
  });

const jobGroup = (row: Row, told: Told, zone: string): Record<string, unknown> => ({
  ...documentGroup(row, told, ['title', 'kind', 'asset', 'status', 'completed_on']),
  ...present({
    days_since: row.completed_on && Math.max(0, daysBetween(row.completed_on as LocalDate, told.today)),
    scheduled_on: row.scheduled_at && localDate(row.scheduled_at as Date, zone),
  }),
});

const appointmentGroup = (row: Row, zone: string): Record<string, unknown> => {
  const at = row.scheduled_at instanceof Date ? DateTime.fromJSDate(row.scheduled_at, { zone }) : undefined;
  return present({
    ...{ title: row.title, kind: row.kind, asset: row.asset },
    ...(at ? { date: at.toISODate(), time: at.toFormat('HH:mm') } : {}),
  });
};

const agreementGroup = (row: Row, told: Told): Record<string, unknown> => {
  const ends = (row.ends_on ?? row.renews_on) as LocalDate | null;
  return {
    ...documentGroup(row, told, ['name', 'kind', 'plan', 'status', 'started_on', 'ends_on', 'renews_on']),
    ...present({ days_left: ends && Math.max(0, daysBetween(told.today, ends)) }),
  };
};

type InvoiceRow = Partial<OverdueInvoice> & { paid_on?: LocalDate | null; status?: string };

function invoiceGroup(invoice: InvoiceRow, { today, business, locale }: Told): Record<string, unknown> {
  const money = invoice.currency ?? business.currency;
  const amount = (value: string | null | undefined): string | null =>
    value === null || value === undefined ? null : formatMoney(value, money, locale);
  const due = invoice.due_on;
  return present({
    ...{ number: invoice.number, issued_on: invoice.issued_on, due_on: due, paid_on: invoice.paid_on },
    ...{ total: amount(invoice.total), amount: amount(invoice.balance), balance: invoice.balance, currency: money },
    ...(due
      ? { days_overdue: Math.max(0, daysBetween(due, today)), days_until_due: Math.max(0, daysBetween(today, due)) }
      : {}),
    ...{ url: invoice.url, status: invoice.status },
  });
}

/** The tone of a reminder: how long the oldest invoice has been waiting. */
const stageOf = (days: number): 'friendly' | 'firm' | 'final' =>
  days >= 14 ? 'final' : days >= 7 ? 'firm' : 'friendly';

function receivables(told: Told): Record<string, unknown> {
  const { overdue: invoices, credits, today, locale } = told;
  const first = invoices[0];
  if (!first) return {};
  const totals = new Map<string, number>();
  for (const invoice of invoices) {
    const money = invoice.currency ?? told.business.currency;
    totals.set(money, (totals.get(money) ?? 0) + Number(invoice.balance));
  }
  const credited = [...totals.keys()].filter((money) => (credits.get(money) ?? 0) > 0);
  for (const money of credited) totals.set(money, Math.max(0, totals.get(money)! - credits.get(money)!));
  const oldest = daysBetween(first.due_on, today);
  const listed = new Intl.ListFormat(languageTag(locale), { type: 'conjunction' });
  return {
    invoices: invoices.map((invoice) => invoiceGroup(invoice, told)),
    overdue: {
      count: invoices.length,
      total: listed.format([...totals].map(([money, amount]) => formatMoney(amount, money, locale))),
      oldest_days: oldest,
      stage: stageOf(oldest),
      ...(credited.length > 0
        ? { credit: listed.format(credited.map((money) => formatMoney(credits.get(money), money, locale))) }
        : {}),
    },
  };
}
