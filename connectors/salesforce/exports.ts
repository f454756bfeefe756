import { parse } from 'csv-parse/sync';
import { type Reply, type RequestSpec, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';
import { dataPath } from './api.ts';
import { describe } from './describe.ts';

// First loads of many rows: Salesforce writes them into a file of its own (Bulk API 2.0), which is fetched in parts. The
// place in it is `bulk:<job>` until it is ready, and `bulk:<job>:<locator>` afterwards.

/** From so many rows on (dossier, "Limits"); `exportFrom` of the connection says another number. */
export const EXPORT_FROM = 50_000;

/** How long to wait before asking again whether it is ready. */
const PAUSE_MS = 30_000;

/** A code of ours for an export that came to nothing. */
const FAILED = 'EXPORT_FAILED';

export const exportJob = (query: string): RequestSpec => ({
  method: 'POST',
  path: dataPath('/jobs/query'),
  json: { operation: 'query', query },
  // A second one costs the vendor some work and changes nothing.
  safe: true,
});

export const isExport = (token: string): boolean => token.startsWith('bulk:');

/** Whether the place in a first load is worth nothing any more: forgotten, or an export that failed. */
export const isLost = (error: VendorError): boolean =>
  error.code === 'INVALID_QUERY_LOCATOR' || error.code === FAILED || error.kind === 'not_found';

/**
 * The next part of an export.
 * @param rows of a part, at most
 * @throws VendorError `transient` with the time to ask again while it is being written
 */
export async function exportPart(ctx: VendorContext, token: string, rows: number): Promise<RequestSpec> {
  const [, job = '', locator] = token.split(':');
  const path = dataPath(`/jobs/query/${encodeURIComponent(job)}`);
  if (locator === undefined) {
    const state = textAt((await ctx.call({ method: 'GET', path })).body, 'state') ?? '';
    if (['Aborted', 'Failed'].includes(state))
      throw new VendorError('transient', `Salesforce gave the export up (${state}); it begins anew.`, { code: FAILED });
    if (state !== 'JobComplete')
      throw new VendorError('transient', 'Salesforce is still writing the export of the first load.', {
        until: new Date(ctx.now.getTime() + PAUSE_MS),
      });
  }
  return {
    method: 'GET',
    path: `${path}/results`,
    query: { maxRecords: rows, locator },
    headers: { accept: 'text/csv' },
    expect: 'text',
    timeoutMs: 120_000,
  };
}

/** The rows of a part, or none in the answer to the order for an export; undefined when the answer is neither. */
export function exportedIn(body: unknown): Record<string, string>[] | undefined {
  if (typeof body === 'string') return parse(body, { columns: true, skip_empty_lines: true });
  return textAt(body, 'operation') === 'query' && textAt(body, 'state') !== undefined ? [] : undefined;
}

/** The place behind an answer; undefined at the end, or when the answer is not of an export. */
export function placeBehind(reply: Reply, token: string | undefined): string | undefined {
  if (token === undefined || !isExport(token)) {
    const job = exportedIn(reply.body) && textAt(reply.body, 'id');
    return job === undefined ? undefined : `bulk:${job}`;
  }
  const locator = reply.headers['sforce-locator'];
  return locator === undefined || locator === 'null' ? undefined : `bulk:${token.split(':')[1]}:${locator}`;
}

/** Rows of a file as queries show them: there everything is text. Others stay as they are. */
export async function asQueried(ctx: VendorContext, object: string, records: unknown[]): Promise<unknown[]> {
  if (!records.some((record) => textAt(record, 'attributes.type') === undefined)) return records;
  const { types } = await describe(ctx, object);
  const typed = (name: string, text: string): unknown => {
    const type = types.get(name);
    if (text === '') return null;
    if (type === 'boolean') return text === 'true';
    if (type === 'number') return Number(text);
    return type === 'datetime' ? text.replace(/Z$/, '+0000') : text;
  };
  return records.map((record) => {
    const row: Record<string, unknown> = {
      attributes: { type: object, url: dataPath(`/sobjects/${object}/${textAt(record, 'Id')}`) },
    };
    for (const [name, text] of Object.entries(record as Record<string, string>)) {
      const [root = '', inner] = name.split('.');
      if (inner === undefined) row[name] = typed(name, text);
      else row[root] = { ...(row[root] as object | undefined), [inner]: text === '' ? null : text };
    }
    return row;
  });
}
