import { at, type RequestSpec, textAt, type VendorContext, VendorError } from '../../src/kit/index.ts';

/** Since August 2025 the base of the API; lower values are ignored. */
export const MINOR_VERSION = 75;

/** Rows a query, and objects a list of changes, holds at most. */
export const MAX_ROWS = 1000;

/** A call below one company. Without the Accept header the answer would be XML. */
export const companyCall = (
  realm: string,
  method: RequestSpec['method'],
  path: string,
  more: Pick<RequestSpec, 'query' | 'json' | 'bytes' | 'timeoutMs'> = {},
): RequestSpec => ({
  ...more,
  method,
  path: `/v3/company/${encodeURIComponent(realm)}${path}`,
  query: { ...more.query, minorversion: MINOR_VERSION },
  headers: { accept: 'application/json' },
});

/** A text in the query language. Numbers are written as texts too. */
export const literal = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** Payment links cost the vendor a call per invoice, so it sends them only when asked; a full page may take long. */
export const withLinks = (ctx: VendorContext, entity: string): { query?: { include: string }; timeoutMs?: number } =>
  entity === 'Invoice' && ctx.settings.paymentLinks !== false
    ? { query: { include: 'invoiceLink' }, timeoutMs: 100_000 }
    : {};

/**
 * One record as it is now.
 * @throws VendorError `malformed` when the answer is another one, so that it is not taken for "nothing there"
 */
export async function readOne(
  ctx: VendorContext,
  entity: string,
  id: string,
  more: Parameters<typeof companyCall>[3] = {},
): Promise<Record<string, unknown>> {
  const path = `/${entity.toLowerCase()}/${encodeURIComponent(id)}`;
  const { body } = await ctx.call(companyCall(ctx.account.id, 'GET', path, more));
  const record = at(body, entity);
  if (textAt(record, 'Id') !== id) {
    throw new VendorError('malformed', `QuickBooks answered without the ${entity} ${id} it was asked for.`);
  }
  return record as Record<string, unknown>;
}

/**
 * The rows of a query's answer; an empty result has no list at all.
 * @throws VendorError `malformed` when it is no answer to a query, so that it is not taken for "nothing there"
 */
export function rowsOf(entity: string, body: unknown): unknown[] {
  const response = at(body, 'QueryResponse');
  const rows = response !== null && typeof response === 'object' ? (at(response, entity) ?? []) : undefined;
  if (!Array.isArray(rows)) {
    throw new VendorError('malformed', `QuickBooks answered a question about ${entity} without a query response.`);
  }
  return rows;
}
