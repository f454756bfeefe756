import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max';
import { canonicalZone, isZone } from '../base/time.ts';

/** Where a person's clock was read from; told in explanations. */
export type ZoneSource = 'explicit' | 'address' | 'phone' | 'company' | 'business';

export interface PersonPlace {
  time_zone: string | null;
  country: string | null;
  region: string | null;
  phone: string | null;
  company_time_zone?: string | null;
  company_country?: string | null;
  company_region?: string | null;
}

/**
 * The zones of US states and Canadian provinces. Where a state has two, both: a message must suit both.
 * Source: IANA time zone database, zone1970.tab and the comments in `northamerica`.
 */
const REGION_ZONES: Record<string, Record<string, string>> = {
  US: {
    AL: 'America/Chicago',
    AK: 'America/Anchorage America/Adak',
    AZ: 'America/Phoenix America/Denver',
    AR: 'America/Chicago',
    CA: 'America/Los_Angeles',
    CO: 'America/Denver',
    CT: 'America/New_York',
    DE: 'America/New_York',
    DC: 'America/New_York',
    FL: 'America/New_York America/Chicago',
    GA: 'America/New_York',
    HI: 'Pacific/Honolulu',
    ID: 'America/Boise America/Los_Angeles',
    IL: 'America/Chicago',
    IN: 'America/Indiana/Indianapolis America/Chicago',
    IA: 'America/Chicago',
    KS: 'America/Chicago America/Denver',
    KY: 'America/New_York America/Chicago',
    LA: 'America/Chicago',
    ME: 'America/New_York',
    MD: 'America/New_York',
    MA: 'America/New_York',
    MI: 'America/Detroit America/Menominee',
    MN: 'America/Chicago',
    MS: 'America/Chicago',
    MO: 'America/Chicago',
    MT: 'America/Denver',
    NE: 'America/Chicago America/Denver',
    NV: 'America/Los_Angeles America/Denver',
    NH: 'America/New_York',
    NJ: 'America/New_York',
    NM: 'America/Denver',
    NY: 'America/New_York',
    NC: 'America/New_York',
    ND: 'America/Chicago America/Denver',
    OH: 'America/New_York',
    OK: 'America/Chicago',
    OR: 'America/Los_Angeles America/Boise',
    PA: 'America/New_York',
    RI: 'America/New_York',
    SC: 'America/New_York',
    SD: 'America/Chicago America/Denver',
    TN: 'America/Chicago America/New_York',
    TX: 'America/Chicago America/Denver',
    UT: 'America/Denver',
    VT: 'America/New_York',
    VA: 'America/New_York',
    WA: 'America/Los_Angeles',
    WV: 'America/New_York',
    WI: 'America/Chicago',
    WY: 'America/Denver',
    PR: 'America/Puerto_Rico',
  },
  CA: {
    AB: 'America/Edmonton',
    BC: 'America/Vancouver America/Edmonton',
    MB: 'America/Winnipeg',
    NB: 'America/Moncton',
    NL: 'America/St_Johns America/Goose_Bay',
    NS: 'America/Halifax',
    NT: 'America/Edmonton',
    NU: 'America/Iqaluit America/Rankin_Inlet',
    ON: 'America/Toronto America/Winnipeg',
    PE: 'America/Halifax',
    QC: 'America/Toronto America/Halifax',
    SK: 'America/Regina',
    YT: 'America/Whitehorse',
  },
  AU: {
    NSW: 'Australia/Sydney',
    VIC: 'Australia/Melbourne',
    QLD: 'Australia/Brisbane',
    SA: 'Australia/Adelaide',
    WA: 'Australia/Perth',
    TAS: 'Australia/Hobart',
    NT: 'Australia/Darwin',
    ACT: 'Australia/Sydney',
  },
};

const US_NAMES: Record<string, string> = {
  alabama: 'AL',
  alaska: 'AK',
  arizona: 'AZ',
  arkansas: 'AR',
  california: 'CA',
  colorado: 'CO',
  connecticut: 'CT',
  delaware: 'DE',
  florida: 'FL',
  georgia: 'GA',
  hawaii: 'HI',
  idaho: 'ID',
  illinois: 'IL',
  indiana: 'IN',
  iowa: 'IA',
  kansas: 'KS',
  kentucky: 'KY',
  louisiana: 'LA',
  maine: 'ME',
  maryland: 'MD',
  massachusetts: 'MA',
  michigan: 'MI',
  minnesota: 'MN',
  mississippi: 'MS',
  missouri: 'MO',
  montana: 'MT',
  nebraska: 'NE',
  nevada: 'NV',
  'new hampshire': 'NH',
  'new jersey': 'NJ',
  'new mexico': 'NM',
  'new york': 'NY',
  'north carolina': 'NC',
  'north dakota': 'ND',
  ohio: 'OH',
  oklahoma: 'OK',
  oregon: 'OR',
  pennsylvania: 'PA',
  'rhode island': 'RI',
  'south carolina': 'SC',
  'south dakota': 'SD',
  tennessee: 'TN',
  texas: 'TX',
  utah: 'UT',
  vermont: 'VT',
  virginia: 'VA',
  washington: 'WA',
  'west virginia': 'WV',
  wisconsin: 'WI',
  wyoming: 'WY',
};

const countryZones = new Map<string, string[]>();

/** All zones of a country (ISO 3166-1 alpha-2); empty for an unknown one. */
export function zonesOfCountry(country: string): string[] {
  let zones = countryZones.get(country);
  if (!zones) {
    try {
      zones = new Intl.Locale(`und-${country}`).getTimeZones() ?? [];
    } catch {
      zones = [];
    }
    countryZones.set(country, zones);
  }
  return zones;
}

/** Code of a state or province by its code or name; undefined for anything else. */
export function stateCode(country: string, region: string | null | undefined): string | undefined {
  if (!region) return undefined;
  const code = (country === 'US' ? US_NAMES[region.toLowerCase()] : undefined) ?? region.toUpperCase();
  return REGION_ZONES[country]?.[code] ? code : undefined;
}

/** Codes of the states of a country in which a zone is observed; all of them when none is named, or none observes it. */
export function statesIn(country: string, zone: string | undefined): string[] {
  const states = Object.entries(REGION_ZONES[country] ?? {});
  const there = zone ? states.filter(([, zones]) => zones.split(' ').includes(zone)) : [];
  return (there.length > 0 ? there : states).map(([code]) => code);
}

function zonesOfAddress(country: string | null | undefined, region: string | null | undefined): string[] {
  if (!country) return [];
  const code = stateCode(country, region);
  if (code) return REGION_ZONES[country]![code]!.split(' ');
  return zonesOfCountry(country);
}

const byCallingCode = new Map<string, CountryCode[]>();
for (const country of getCountries()) {
  const code = getCountryCallingCode(country);
  byCallingCode.set(code, [...(byCallingCode.get(code) ?? []), country]);
}
const byAreaCode = new Map<string, CountryCode>();

/**
 * The country of a phone number (E.164). Most calling codes are one country's; among those that share +1 the area code
 * tells (North American Numbering Plan). Only the rest has to be parsed, which takes a hundred times as long.
 */
export function countryOfPhone(phone: string): CountryCode | undefined {
  if (phone.startsWith('+1') && phone.length === 12) {
    const area = phone.slice(2, 5);
    const known = byAreaCode.get(area);
    if (known) return known;
    const country = parsePhoneNumberFromString(phone)?.country;
    if (country) byAreaCode.set(area, country);
    return country;
  }
  for (const length of phone.startsWith('+') ? [1, 2, 3] : []) {
    const countries = byCallingCode.get(phone.slice(1, 1 + length));
    if (countries?.length === 1) return countries[0];
  }
  return parsePhoneNumberFromString(phone)?.country;
}

function zonesOfPhone(phone: string | null): string[] {
  const country = phone ? countryOfPhone(phone) : undefined;
  return country ? zonesOfCountry(country) : [];
}

/**
 * The zones a person may be in, by the best of what is known: what they said, their address, their phone's country,
 * their company's place, and last the business's own zone. Several zones mean: a message must suit all of them.
 */
export function zonesOf(person: PersonPlace, businessZone: string): { zones: string[]; source: ZoneSource } {
  if (isZone(person.time_zone)) return { zones: [person.time_zone], source: 'explicit' };
  const address = zonesOfAddress(person.country, person.region);
  if (address.length > 0) return { zones: address, source: 'address' };
  const phone = zonesOfPhone(person.phone);
  if (phone.length > 0) return { zones: phone, source: 'phone' };
  if (isZone(person.company_time_zone)) return { zones: [person.company_time_zone], source: 'company' };
  const company = zonesOfAddress(person.company_country, person.company_region);
  if (company.length > 0) return { zones: company, source: 'company' };
  return { zones: [businessZone], source: 'business' };
}

/** The one zone a person's calendar dates are counted in. */
export const zoneOf = (person: PersonPlace, businessZone: string): string => {
  const { zones } = zonesOf(person, businessZone);
  return zones.includes(businessZone) ? businessZone : zones[0]!;
};

/** What is kept as a customer's `local_zone`: the canonical name of their zone, or null for the business's. */
export function localZoneOf(person: PersonPlace, businessZone: string): string | null {
  const zone = canonicalZone(zoneOf(person, businessZone));
  return zone === undefined || zone === canonicalZone(businessZone) ? null : zone;
}

/** Whether a person's own record says nothing of where they are, so that their company's place counts. */
export const asksCompany = (person: Pick<PersonPlace, 'time_zone' | 'country' | 'region' | 'phone'>): boolean =>
  zonesOf({ ...person, company_time_zone: null, company_country: null, company_region: null }, '').source ===
  'business';
