import type { Context } from 'liquidjs';
import { DateTime } from 'luxon';
import { daysBetween } from '../base/time.ts';

interface TextFilter {
  meaning: string;
  example: string;
  apply: (this: { context: Context }, value: unknown, ...options: unknown[]) => unknown;
}

const scope = (context: Context): Record<string, unknown> => context.environments as Record<string, unknown>;
const named = (given: unknown, context: Context, key: 'locale' | 'zone', other: string): string => {
  const found = given ?? scope(context)[key];
  return typeof found === 'string' && found !== '' ? found : other;
};

/** A date without a time stays the date it is; a moment becomes the one the zone has then. */
const moment = (value: unknown, zone: string): DateTime | undefined => {
  if (typeof value !== 'string') return undefined;
  const at = /^\d{4}-\d{2}-\d{2}$/.test(value)
    ? DateTime.fromISO(value, { zone: 'utc' })
    : DateTime.fromISO(value, { zone });
  return at.isValid ? at : undefined;
};

const wrong = (value: unknown, what: string): never => {
  throw new Error(`${JSON.stringify(value) ?? 'nothing'} is no ${what}`);
};

function written(value: unknown, locale: string, format: Intl.DateTimeFormatOptions, zone: string): string {
  const at = moment(value, zone) ?? (wrong(value, 'date') as never);
  return at.setLocale(locale).toLocaleString(format);
}

/** An amount as people of `locale` write it; '' for what is no number. */
export function formatMoney(amount: unknown, currency: unknown, locale: unknown = 'en'): string {
  const number = Number(amount);
  if (amount === null || amount === '' || !Number.isFinite(number)) return '';
  const style =
    typeof currency === 'string' && /^[A-Z]{3}$/.test(currency)
      ? { style: 'currency' as const, currency }
      : { minimumFractionDigits: 2 };
  return new Intl.NumberFormat(typeof locale === 'string' ? locale : 'en', style).format(number);
}

/** Filters beside those of the Liquid language. All write as the customer's language does. */
export const FILTERS: Record<string, TextFilter> = {
  day: {
    meaning: 'A date in words',
    example: '{{ job.completed_on | day }} gives March 10, 2026',
    apply(value, locale) {
      const { context } = this;
      return written(
        value,
        named(locale, context, 'locale', 'en'),
        DateTime.DATE_FULL,
        named(undefined, context, 'zone', 'utc'),
      );
    },
  },
  short_day: {
    meaning: 'A date in figures',
    example: '{{ invoice.due_on | short_day }} gives 3/6/2026',
    apply(value, locale) {
      const { context } = this;
      return written(
        value,
        named(locale, context, 'locale', 'en'),
        DateTime.DATE_SHORT,
        named(undefined, context, 'zone', 'utc'),
      );
    },
  },
  weekday: {
    meaning: 'The day of the week',
    example: '{{ appointment.date | weekday }} gives Friday',
    apply(value, locale) {
      const { context } = this;
      return written(
        value,
        named(locale, context, 'locale', 'en'),
        { weekday: 'long' },
        named(undefined, context, 'zone', 'utc'),
      );
    },
  },
  time: {
    meaning: "A time of the day, on the customer's clock",
    example: '{{ appointment.time | time }} gives 2:30 PM',
    apply(value, locale) {
      const language = named(locale, this.context, 'locale', 'en');
      if (typeof value === 'string' && /^\d{2}:\d{2}$/.test(value))
        return DateTime.fromISO(`2000-01-01T${value}`, { zone: 'utc' })
          .setLocale(language)
          .toLocaleString(DateTime.TIME_SIMPLE);
      return written(value, language, DateTime.TIME_SIMPLE, named(undefined, this.context, 'zone', 'utc'));
    },
  },
  days_until: {
    meaning: 'Days from today to a date; 0 when it has passed',
    example: '{{ subscription.ends_on | days_until }} gives 14',
    apply(value) {
      const { today } = scope(this.context);
      if (typeof value !== 'string' || !moment(value, 'utc') || typeof today !== 'string') return wrong(value, 'date');
      return Math.max(0, daysBetween(today as never, value.slice(0, 10) as never));
    },
  },
  money: {
    meaning: "An amount with its currency; the business's when none is given",
    example: '{{ values.price | money: "EUR" }} gives €49.00',
    apply(amount, currency, locale) {
      const { context } = this;
      const business = scope(context).business as { currency?: unknown } | undefined;
      const text = formatMoney(amount, currency ?? business?.currency, named(locale, context, 'locale', 'en'));
      return text === '' ? wrong(amount, 'amount') : text;
    },
  },
};
