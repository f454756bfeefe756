import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { DateTime } from 'luxon';
import { isLocalDate, localDate } from '../base/time.ts';
import { at } from '../kit/index.ts';

/** Why a vendor's value does not fit; becomes part of the reason a record or field is parked with. */
export class ValueError extends Error {}

export const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 60) ?? String(value);

export const empty = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'string' && value.trim() === '');

// A year beyond these is a typing error or a filler such as 0001-01-01, and would break date arithmetic later.
const plausible = (year: number): boolean => year >= 1875 && year <= 2200;

/**
 * A calendar date. Without a format only ISO dates and times and epoch milliseconds are read: 03/04/2026 is refused,
 * because it is two dates.
 */
export function toDate(value: unknown, zone: string, format?: string): string | null {
  if (empty(value)) return null;
  const text = String(value).trim();
  let date: string | null = null;
  if (format) {
    const parsed = DateTime.fromFormat(text, format, { zone: 'utc', locale: 'en' });
    date = parsed.isValid ? parsed.toISODate() : null;
    if (!date) throw new ValueError(`expected a date written as ${format}, got ${shown(value)}`);
  } else if (isLocalDate(text)) date = text;
  else if (/^-?\d{11,14}$/.test(text)) date = new Date(Number(text)).toISOString().slice(0, 10);
  else if (/^\d{4}-\d{2}-\d{2}[T ]/.test(text)) {
    const instant = parseInstant(text, zone);
    date = instant ? localDate(instant, zone) : null;
  }
  if (!date) throw new ValueError(`expected a date (YYYY-MM-DD, or give its format), got ${shown(value)}`);
  if (!plausible(Number(date.slice(0, 4)))) throw new ValueError(`the year of ${shown(value)} is not plausible`);
  return date;
}

const IN_UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$/;

function parseInstant(text: string, zone: string): Date | undefined {
  // How most platforms write it, and ten times as fast. A 30th of February is left to the reader that refuses it.
  if (IN_UTC.test(text)) {
    const instant = new Date(text);
    if (!Number.isNaN(instant.getTime()) && instant.toISOString().startsWith(text.slice(0, 19))) return instant;
  }
  const normal = text.replace(' ', 'T').replace(/(\.\d{3})\d+/, '$1');
  const parsed = DateTime.fromISO(normal, { zone });
  return parsed.isValid ? parsed.toJSDate() : undefined;
}

/** An instant as ISO 8601 in UTC. A time without an offset is read in `zone`. */
export function toInstant(value: unknown, zone: string, format?: string): string | null {
  if (empty(value)) return null;
  if (value instanceof Date) return value.toISOString();
  const text = String(value).trim();
  const instant = format
    ? DateTime.fromFormat(text, format, { zone, locale: 'en' }).toJSDate()
    : /^-?\d{9,14}(\.\d+)?$/.test(text)
      ? new Date(Number(text) * (text.replace(/\..*/, '').length <= 10 ? 1000 : 1))
      : isLocalDate(text)
        ? DateTime.fromISO(text, { zone }).toJSDate()
        : (parseInstant(text, zone) ?? DateTime.fromRFC2822(text).toJSDate());
  if (Number.isNaN(instant.getTime()))
    throw new ValueError(`expected a date and time${format ? ` written as ${format}` : ''}, got ${shown(value)}`);
  if (!plausible(instant.getUTCFullYear())) throw new ValueError(`the year of ${shown(value)} is not plausible`);
  return instant.toISOString();
}

/** A decimal as text: money never passes through a float. `decimal` is the sign before the cents. */
export function toDecimal(value: unknown, decimal: '.' | ',' = '.'): string | null {
  if (empty(value)) return null;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new ValueError(`expected a number, got ${shown(value)}`);
    const plain = String(value);
    if (!plain.includes('e')) return plain;
    return Math.abs(value) >= 1 ? BigInt(value).toString() : value.toFixed(10).replace(/\.?0+$/, '');
  }
  if (typeof value !== 'string') throw new ValueError(`expected a number, got ${shown(value)}`);
  let text = value.trim().replace(/[\s'\u00a0]/g, '');
  // Currency signs around the amount, and accountants' parentheses for negative amounts.
  text = text
    .replace(/^\((.*)\)$/, '-$1')
    .replace(/^(-?)[^\d.,-]{1,3}/, '$1')
    .replace(/[^\d.,]{1,3}$/, '');
  const [group, point] = decimal === ',' ? ['.', ','] : [',', '.'];
  const grouped = text.includes(group);
  const [whole = '', ...rest] = text.split(point);
  // Groups of two are how lakhs are written. 12,50 is no group: read as one it would be a hundred times too much.
  if (
    grouped &&
    (rest.join('').includes(group) || !new RegExp(`^-?\\d{1,3}([${group}]\\d{2,3})*[${group}]\\d{3}$`).test(whole))
  )
    throw new ValueError(
      `expected a number with "${point}" before the cents, got ${shown(value)}; say decimal: "${group}" if that is what it uses`,
    );
  const plain = [whole.replaceAll(group, ''), ...rest].join('.');
  if (!/^-?(\d+(\.\d*)?|\.\d+)$/.test(plain)) throw new ValueError(`expected a number, got ${shown(value)}`);
  return plain;
}

// The same number stands in several fields of a record and in several records of a company; reading one takes long.
const phones = new Map<string, string>();
const MOST_PHONES = 1000;

/** A phone number as E.164. `country` is used when the number carries no country itself. */
export function toPhone(value: unknown, country: string | undefined): string | null {
  if (empty(value)) return null;
  const text = String(value).replace(/^(tel|whatsapp):/i, '');
  const key = `${country ?? ''} ${text}`;
  const known = phones.get(key);
  if (known) return known;
  const phone = readPhone(text, country, value);
  if (phones.size >= MOST_PHONES) phones.clear();
  phones.set(key, phone);
  // The field it goes into reads it once more.
  phones.set(`${country ?? ''} ${phone}`, phone);
  return phone;
}

function readPhone(text: string, country: string | undefined, value: unknown): string {
  const parsed = parsePhoneNumberFromString(text, country as CountryCode | undefined);
  if (!parsed)
    throw new ValueError(`expected a phone number${country ? '' : ' with its country code'}, got ${shown(value)}`);
  if (!parsed.isPossible()) throw new ValueError(`${shown(value)} is not a possible phone number`);
  return parsed.number;
}

const EMAIL = /^[^\s@<>(),;:"[\]\\]+@[^\s@<>(),;:"[\]\\]+\.[^\s@<>(),;:"[\]\\.]{2,}$/;

/** The first e-mail address in `value`, in lower case. */
export const toEmail = (value: unknown): string | null => toEmails(value)?.[0] ?? null;

/** All e-mail addresses in a text that may hold several. */
export function toEmails(value: unknown): string[] | null {
  if (empty(value)) return null;
  const parts = (Array.isArray(value) ? value.map(String) : String(value).split(/[,;\s]+/)).map((part) =>
    part
      .trim()
      .replace(/^.*<(.+)>$/, '$1')
      .toLowerCase(),
  );
  const good = [...new Set(parts.filter((part) => EMAIL.test(part)))];
  if (good.length === 0) throw new ValueError(`expected an e-mail address, got ${shown(value)}`);
  return good;
}

const BOOLEANS = new Map<unknown, boolean>([
  ...['true', 'yes', 'y', '1', 'on'].map((word) => [word, true] as const),
  ...['false', 'no', 'n', '0', 'off'].map((word) => [word, false] as const),
]);

export function toBoolean(value: unknown): boolean | null {
  if (empty(value)) return null;
  if (typeof value === 'boolean') return value;
  const known = BOOLEANS.get(value) ?? BOOLEANS.get(String(value).trim().toLowerCase());
  if (known !== undefined) return known;
  throw new ValueError(`expected yes or no, got ${shown(value)}`);
}

export function toText(value: unknown): string | null {
  if (typeof value === 'string') {
    // Postgres text cannot hold the zero character.
    const text = value.trim();
    if (text === '') return null;
    return text.includes('\u0000') ? text.replaceAll('\u0000', '').trim() : text;
  }
  if (empty(value)) return null;
  if (typeof value === 'object') throw new ValueError(`expected text, got ${shown(value)}`);
  return String(value);
}

/** Texts, each once. @param options where a text is split, and which member of items that are records is meant */
export function toList(value: unknown, { split, get }: { split?: unknown; get?: unknown } = {}): string[] | null {
  if (empty(value)) return null;
  const listed = Array.isArray(value) ? value : typeof split === 'string' ? String(value).split(split) : [value];
  const parts = typeof get === 'string' ? listed.map((item) => at(item, get)) : listed;
  const items = parts.map(toText).filter((item) => item !== null && item !== '') as string[];
  return items.length > 0 ? [...new Set(items)] : null;
}

const countryNames = new Map<string, string>();

/** ISO 3166-1 alpha-2 from a two-letter code, a three-letter code or a name in English, German, French, Spanish, Italian or Dutch. */
export function toCountry(value: unknown): string | null {
  if (empty(value)) return null;
  const text = String(value).trim();
  if (/^[A-Za-z]{2}$/.test(text)) return text.toUpperCase() === 'UK' ? 'GB' : text.toUpperCase();
  if (countryNames.size === 0) fillCountryNames();
  const found = countryNames.get(text.toLowerCase());
  if (!found) throw new ValueError(`expected a country, got ${shown(value)}`);
  return found;
}

// Names as people and vendors write them, where they differ from the names Unicode gives.
const OTHER_NAMES: Record<string, string> = {
  usa: 'US',
  'united states of america': 'US',
  uk: 'GB',
  'great britain': 'GB',
  england: 'GB',
  scotland: 'GB',
  eire: 'IE',
  rsa: 'ZA',
  'channel islands': 'JE',
  'czech republic': 'CZ',
  korea: 'KR',
};
const ALPHA3: Record<string, string> = {
  usa: 'US',
  gbr: 'GB',
  deu: 'DE',
  fra: 'FR',
  esp: 'ES',
  ita: 'IT',
  nld: 'NL',
  bel: 'BE',
  aut: 'AT',
  che: 'CH',
  irl: 'IE',
  prt: 'PT',
  swe: 'SE',
  nor: 'NO',
  dnk: 'DK',
  fin: 'FI',
  pol: 'PL',
  can: 'CA',
  mex: 'MX',
  bra: 'BR',
  aus: 'AU',
  nzl: 'NZ',
  ind: 'IN',
  zaf: 'ZA',
  are: 'AE',
  sgp: 'SG',
  jpn: 'JP',
  chn: 'CN',
  isr: 'IL',
  tur: 'TR',
  grc: 'GR',
  cze: 'CZ',
  hun: 'HU',
  rou: 'RO',
};

function fillCountryNames(): void {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  // Withdrawn codes carry the names of their successors (SU is called Russia): only codes that stand for themselves.
  const codes = letters
    .flatMap((a) => letters.map((b) => a + b))
    .filter((code) => new Intl.Locale(`und-${code}`).region === code);
  // English last, so that it wins where languages use the same word for different countries.
  for (const language of ['nl', 'it', 'es', 'fr', 'de', 'en']) {
    const names = new Intl.DisplayNames([language], { type: 'region', fallback: 'none' });
    for (const code of codes) {
      const name = names.of(code);
      if (name) countryNames.set(name.toLowerCase(), code);
    }
  }
  for (const [name, code] of Object.entries({ ...ALPHA3, ...OTHER_NAMES })) countryNames.set(name, code);
}
