import { type RequestSpec, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** Summer '26. Versions are supported for at least three years (dossier, "Base"). */
export const VERSION = '67.0';

/** Rows of one page of a query, at most and by default (dossier, "Limits"). */
export const MAX_ROWS = 2000;

export const dataPath = (path: string): string => `/services/data/v${VERSION}${path}`;

/** @param all deleted and archived rows too */
export const queryCall = (soql: string, all = false): RequestSpec => ({
  method: 'GET',
  path: dataPath(all ? '/queryAll' : '/query'),
  query: { q: soql },
  // The vendor itself gives a query up after two minutes (QUERY_TIMEOUT).
  timeoutMs: 120_000,
});

/** A text in SOQL. */
export const literal = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** A moment in SOQL: whole seconds, without quotes. */
export const moment = (iso: string): string => `${new Date(iso).toISOString().slice(0, 19)}Z`;

export const nextSecond = (iso: string): string => moment(new Date(new Date(iso).getTime() + 1000).toISOString());

/**
 * The rows of a query's answer.
 * @throws VendorError `malformed` when it is no answer to a query, so that it is not taken for "nothing there"
 */
export function rowsOf(body: unknown): Record<string, unknown>[] {
  const rows = (body as { records?: unknown } | null)?.records;
  if (!Array.isArray(rows))
    throw new VendorError('malformed', 'Salesforce answered a query with something that holds no list of records.');
  return rows as Record<string, unknown>[];
}

/** @returns the rows of a small query, in one page */
export const select = async (ctx: VendorContext, soql: string): Promise<Record<string, unknown>[]> =>
  rowsOf((await ctx.call(queryCall(soql))).body);

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';

/**
 * An id with its 18 characters. The short form of 15 tells letters apart by their case only; the three behind it say
 * which ones are capitals, five letters each.
 */
export function fullId(id: string): string {
  if (!/^[0-9A-Za-z]{15}$/.test(id)) return id;
  const suffix = [0, 5, 10].map((start) => {
    const bits = [...id.slice(start, start + 5)].map((letter, at) => (/[A-Z]/.test(letter) ? 1 << at : 0));
    return BASE32[bits.reduce((sum, bit) => sum + bit, 0)];
  });
  return id + suffix.join('');
}

/** Name of an object or field as people at the vendor may give it. */
const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/** @throws VendorError `invalid` when it cannot be one: names are written into queries and addresses */
export function safeName(name: string, what: string): string {
  if (!NAME.test(name))
    throw new VendorError('invalid', `"${name}" is no name of ${what} in Salesforce. Enter its API name.`);
  return name;
}
