import { isZone } from '../base/time.ts';
import { countryOfPhone, type PersonPlace, stateCode, statesIn } from '../model/zones.ts';
import type { MessageClass, SettingValue, Window } from '../settings/schema.ts';
import { HOURS, type HoursRule } from './compliance.ts';
import { isListedHoliday, isPublicHoliday } from './holidays.ts';
import type { Hours } from './windows.ts';

/** Hours a region asks for, with where that is written. */
export interface RegionHours {
  window: Hours;
  about: string;
}

/** The country a person is in, by the best of what is known; undefined: nobody knows. */
export const countryOf = (person: PersonPlace): string | undefined =>
  person.country ?? (person.phone ? countryOfPhone(person.phone) : undefined) ?? person.company_country ?? undefined;

/**
 * The regions a person may be in: a country, and its states where they have hours of their own. Several mean that
 * nobody knows which, and that a message must suit all of them.
 */
export function regionsOf(person: PersonPlace, businessCountry: string): string[] {
  const country = countryOf(person) ?? businessCountry;
  if (!HOURS.some((rule) => rule.region.startsWith(`${country}-`))) return [country];
  const written = person.country ? person.region : person.phone ? null : person.company_region;
  const state = stateCode(country, written);
  const zone = isZone(person.time_zone) ? person.time_zone : undefined;
  return (state ? [state] : statesIn(country, zone)).map((code) => `${country}-${code}`);
}

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];

/** Hours of regions and the business's own, made once for a batch of decisions. */
export interface RegionBook {
  /** What the regions a person may be in ask for. */
  of(person: PersonPlace, channel: string, messageClass: MessageClass): readonly RegionHours[];
  /** The business's window, closed on its holidays where it says so. */
  own(window: Window, person: PersonPlace, messageClass: MessageClass): Hours;
}

/** Puts together what the settings of a business and the rules of regions say about hours. */
export function regionBook(
  settings: { quietHours: SettingValue<'quietHours'>; holidays: SettingValue<'holidays'> },
  businessCountry: string,
): RegionBook {
  const made = new Map<HoursRule, RegionHours>();
  const owned = new Map<Window, Map<string, Hours>>();
  const { quietHours, holidays } = settings;
  const hoursOf = (rule: HoursRule): RegionHours => {
    const known = made.get(rule);
    if (known) return known;
    const { open, close, days, holidays: onHolidays } = rule.value;
    const country = rule.region.slice(0, 2);
    const window: Hours = {
      ...{ open, close, days: [...(days ?? EVERY_DAY)] },
      ...(onHolidays
        ? { closedOn: (date) => isPublicHoliday(date, country) || isListedHoliday(date, country, holidays) }
        : {}),
    };
    const sundays = days && !days.includes(7) ? ' without Sundays' : '';
    const about = `${rule.region} ${open}-${close}${sundays}${onHolidays ? ' and holidays' : ''} (${rule.source})`;
    made.set(rule, { window, about });
    return made.get(rule)!;
  };
  return {
    of(person, channel, messageClass) {
      if (quietHours.regions === false) return [];
      const applying = HOURS.filter(
        (rule) => rule.classes.includes(messageClass) && (rule.channels as readonly string[]).includes(channel),
      );
      if (applying.length === 0) return [];
      const found = regionsOf(person, businessCountry).map(
        (region) =>
          // A state's own rule stands in place of its country's: it is never the wider one.
          applying.find((rule) => rule.region === region) ??
          applying.find((rule) => rule.region === region.slice(0, 2)),
      );
      return [...new Set(found)].filter((rule) => rule !== undefined).map(hoursOf);
    },
    own(window, person, messageClass) {
      if (quietHours.onHolidays !== 'closed' || messageClass !== 'marketing') return window;
      const country = countryOf(person);
      const byCountry = owned.get(window) ?? new Map<string, Hours>();
      owned.set(window, byCountry);
      const hours = byCountry.get(country ?? '') ?? {
        ...window,
        closedOn: (date) => isListedHoliday(date, country, holidays),
      };
      byCountry.set(country ?? '', hours);
      return hours;
    },
  };
}
