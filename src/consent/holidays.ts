import { addDays, type LocalDate } from '../base/time.ts';
import type { SettingValue } from '../settings/schema.ts';

/** Public holidays of a country: fixed days (MM-DD) and days after Easter Sunday. */
const PUBLIC: Record<string, { fixed: readonly string[]; easter: readonly number[]; source: string }> = {
  FR: {
    fixed: ['01-01', '05-01', '05-08', '07-14', '08-15', '11-01', '11-11', '12-25'],
    easter: [1, 39, 50],
    source: 'Code du travail, art. L3133-1',
  },
};

/** Easter Sunday of a year in the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8). */
export function easterSunday(year: number): LocalDate {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3);
  const h = (19 * a + d + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const days = h + l - 7 * m + 114;
  return `${String(year).padStart(4, '0')}-${String(Math.floor(days / 31)).padStart(2, '0')}-${String((days % 31) + 1).padStart(2, '0')}`;
}

/** Whether a date is a public holiday of a country whose holidays are known here. */
export function isPublicHoliday(date: LocalDate, country: string): boolean {
  const known = PUBLIC[country];
  if (!known) return false;
  if (known.fixed.includes(date.slice(5))) return true;
  const easter = easterSunday(Number(date.slice(0, 4)));
  return known.easter.some((after) => addDays(easter, after) === date);
}

/** Whether a date is on the business's list of holidays, for somebody in a country (undefined: nobody knows where). */
export const isListedHoliday = (
  date: LocalDate,
  country: string | undefined,
  { days }: SettingValue<'holidays'>,
): boolean =>
  days.some(
    (day) =>
      (day.date === date || day.date === date.slice(5)) && (day.country === undefined || day.country === country),
  );
