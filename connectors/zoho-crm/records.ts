import { type ListPosition, listAt, type RequestSpec, textAt, type VendorContext } from '../../src/kit/index.ts';
import { crm } from './version.ts';

/** Fields of one call at most (dossier, Read); the id is always there. */
const FIELDS = 49;
/** Ids of one call at most. */
export const IDS = 100;

/** The fields the mapping reads, in groups that fit into one call each; every group has the time of the last change. */
export function fieldGroups(ctx: VendorContext, stream: string): string[][] {
  const names = ctx
    .paths(stream)
    .map((path) => /^[^.[]+/.exec(path)?.[0] ?? '')
    .filter((name) => name !== '' && !name.startsWith('@') && name !== 'id');
  const fields = [...new Set(names)].filter((name) => name !== 'Modified_Time');
  const groups = [];
  for (let start = 0; start === 0 || start < fields.length; start += FIELDS)
    groups.push([...fields.slice(start, start + FIELDS), 'Modified_Time']);
  return groups;
}

/** A moment as Zoho writes it: whole seconds with an offset (dossier, Base). */
export const zohoTime = (iso: string | Date): string => `${new Date(iso).toISOString().slice(0, 19)}+00:00`;

/** Records as the answer holds them; nothing there is 204, nothing changed 304. */
export function recordsOf(reply: { status: number; body: unknown }): unknown[] {
  if (reply.status === 204 || reply.status === 304) return [];
  return (reply.body as { data: unknown[] }).data;
}

/** The list of a module from a moment on, oldest change first; `since` itself is included. */
export function listed(ctx: VendorContext, stream: string, module: string, at: ListPosition): RequestSpec {
  if (at.tie) return sameMoment(module, at.tie.at, at.tie.offset ?? 0, at.limit);
  return {
    method: 'GET',
    path: crm(module),
    // "Later than": one second before is asked for, so that equal ones are not left out.
    headers: at.since ? { 'if-modified-since': zohoTime(new Date(Date.parse(at.since) - 1000)) } : {},
    query: {
      fields: fieldGroups(ctx, stream)[0]!.join(','),
      sort_by: 'Modified_Time',
      sort_order: 'asc',
      page: 1,
      per_page: at.limit,
      approved: 'both',
      ...(module === 'Leads' ? { converted: 'both' } : {}),
    },
  };
}

/** Ids of the records of exactly one second: the list cannot be asked for that, COQL can. */
function sameMoment(module: string, at: string, offset: number, limit: number): RequestSpec {
  const query = `select id, Modified_Time from ${module} where Modified_Time = '${zohoTime(at)}' order by id asc limit ${offset}, ${limit}`;
  return { method: 'POST', path: crm('coql'), json: { select_query: query }, safe: true };
}

/** Records by id with all mapped fields, as a list shows them; those that are gone are missing. */
export async function byIds(
  ctx: VendorContext,
  stream: string,
  module: string,
  ids: readonly string[],
  groups: readonly string[][] = fieldGroups(ctx, stream),
): Promise<Map<string, Record<string, unknown>>> {
  const found = new Map<string, Record<string, unknown>>();
  for (let start = 0; start < ids.length; start += IDS) {
    const part = ids.slice(start, start + IDS).join(',');
    for (const fields of groups) {
      const query = { ids: part, fields: fields.join(','), per_page: IDS, approved: 'both' };
      const more = module === 'Leads' ? { converted: 'both' } : {};
      const reply = await ctx.call({ method: 'GET', path: crm(module), query: { ...query, ...more } });
      for (const record of listAt<Record<string, unknown>>(reply.body, 'data')) {
        const id = textAt(record, 'id')!;
        found.set(id, { ...found.get(id), ...record });
      }
    }
  }
  return found;
}

/**
 * Adds the fields that did not fit into the list, and all of them to records that were listed by their ids only. The
 * time of the last change stays that of the list: one that changed in between is read again in its turn.
 */
export async function completed(
  ctx: VendorContext,
  stream: string,
  module: string,
  records: unknown[],
): Promise<unknown[]> {
  const groups = fieldGroups(ctx, stream);
  const bare = records.every((record) =>
    Object.keys(record as object).every((n) => ['id', 'Modified_Time'].includes(n)),
  );
  const missing = bare && groups[0]!.length > 1 ? groups : groups.slice(1);
  if (missing.length === 0) return records;
  const ids = records.map((record) => textAt(record, 'id')!);
  const found = await byIds(ctx, stream, module, ids, missing);
  return records.flatMap((record) => {
    const more = found.get(textAt(record, 'id')!);
    return more ? [{ ...more, ...(record as object) }] : [];
  });
}
