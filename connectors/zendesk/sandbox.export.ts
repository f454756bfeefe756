import type { Audit, Entry, Kind, ZendeskState } from './sandbox.state.ts';
import { seconds } from './sandbox.state.ts';

/** Records of one answer, and how long the newest are kept back. */
const PAGE = 1000;
const WITHHELD_MS = 60_000;

/** Seconds up to which exports show what happened. */
const shownUntil = (state: ZendeskState): number =>
  Math.floor((state.clock.now().getTime() - Math.max(WITHHELD_MS, state.lateIndexMs)) / 1000);

/** Why a start is refused; undefined when it is taken. */
export function badStart(state: ZendeskState, start: unknown): string | undefined {
  const since = Number(start);
  if (start === undefined || start === '' || !Number.isInteger(since)) return 'start_time is missing or no number';
  const latest = Math.floor(state.clock.now().getTime() / 1000) - 60;
  return since > latest ? 'Too recent start_time. Use a start_time older than 60 seconds' : undefined;
}

interface Timed<Item> {
  item: Item;
  time: number;
  id: number;
}

/** Everything that is shown from a moment on, oldest first. */
function timed<Item extends { id: number }>(
  state: ZendeskState,
  items: Iterable<Item>,
  timeOf: (item: Item) => number,
  isLater: (time: number, id: number) => boolean,
): Timed<Item>[] {
  const until = shownUntil(state);
  const found: Timed<Item>[] = [];
  for (const item of items) {
    const time = timeOf(item);
    if (time <= until && isLater(time, item.id)) found.push({ item, time, id: item.id });
  }
  return found.sort((a, b) => a.time - b.time || a.id - b.id);
}

const changeOf = (entry: Entry): number =>
  typeof entry.generated_timestamp === 'number' ? entry.generated_timestamp : seconds(entry.updated_at);

const encode = (time: number, id: number): string => Buffer.from(`${time}.0||${id}|`).toString('base64url');

/** A page of an export with a cursor; undefined when the cursor is none. */
export function cursorPage(
  state: ZendeskState,
  kind: Kind,
  query: { start_time?: string; cursor?: string },
): { records: Entry[]; cursor: string; isEnd: boolean } | undefined {
  let [time, id] = [Number(query.start_time ?? 0) - 1, Number.MAX_SAFE_INTEGER];
  if (query.cursor !== undefined) {
    const match = /^(-?\d+)\.0\|\|(\d+)\|$/.exec(Buffer.from(query.cursor, 'base64url').toString());
    if (!match) return undefined;
    [time, id] = [Number(match[1]), Number(match[2])];
  }
  const later = (its: number, own: number): boolean => its > time || (its === time && own > id);
  const found = timed(state, state.tables[kind].values(), changeOf, later);
  const page = found.slice(0, PAGE);
  const last = page.at(-1);
  return {
    records: page.map(({ item }) => item),
    cursor: last ? encode(last.time, last.id) : encode(time, id),
    isEnd: found.length <= PAGE,
  };
}

/**
 * A page of an export by time. What happened in one second is never torn apart, however much it is; the second at which
 * a page begins was the end of the one before, and comes on top.
 */
function timePage<Item>(found: readonly Timed<Item>[], start: number): { items: Item[]; end: number; isEnd: boolean } {
  const again = found.findIndex(({ time }) => time > start);
  let size = Math.min(PAGE + (again < 0 ? found.length : again), found.length);
  const last = found[size - 1]?.time;
  while (size < found.length && found[size]!.time === last) size += 1;
  return { items: found.slice(0, size).map(({ item }) => item), end: last ?? start, isEnd: size === found.length };
}

export function organizationPage(state: ZendeskState, start: number) {
  const found = timed(state, state.tables.organizations.values(), changeOf, (time) => time >= start);
  return timePage(found, start);
}

export function auditPage(state: ZendeskState, start: number) {
  const found = timed(
    state,
    state.audits,
    (audit: Audit) => seconds(audit.created_at),
    (time) => time >= start,
  );
  return timePage(found, start);
}

/** A page of a list with a cursor that is a place in it. */
export function listPage<Item extends { id: number }>(
  items: readonly Item[],
  query: Record<string, string | undefined>,
): { items: Item[]; meta: { has_more: boolean; after_cursor: string | null; before_cursor: string | null } } {
  const size = Math.min(100, Number(query['page[size]'] ?? 100));
  const after = Number(Buffer.from(query['page[after]'] ?? '', 'base64url').toString() || 0);
  const rest = items.filter(({ id }) => id > after);
  const page = rest.slice(0, size);
  const cursor = page.length > 0 ? Buffer.from(String(page.at(-1)!.id)).toString('base64url') : null;
  return { items: page, meta: { has_more: rest.length > page.length, after_cursor: cursor, before_cursor: null } };
}
