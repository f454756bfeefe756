import { type Env, orNothing, type Read } from './compiler.ts';
import { toCountry, toPhone, ValueError } from './values.ts';

/** The country of a record where it has one, else the business's; undefined where none is known. */
export const countryOf = (country: Read | undefined, record: unknown, env: Env): string | undefined =>
  (country && orNothing(() => toCountry(country(record, env)))) ?? env.country;

/**
 * Reads what goes into a field of phone numbers, as E.164 however the mapping got hold of it: people are found and written
 * to by it. Of a list the numbers that can be read are kept.
 */
export function asPhone(read: Read, country: Read | undefined): Read {
  return (record, env) => {
    const value = read(record, env);
    if (value === null || value === undefined || value instanceof ValueError) return value;
    const home = countryOf(country, record, env);
    if (!Array.isArray(value)) return toPhone(value, home);
    const known = value.map((item) => orNothing(() => toPhone(item, home))).filter((phone) => phone !== null);
    return known.length > 0 || value.length === 0 ? known : toPhone(value[0], home);
  };
}
