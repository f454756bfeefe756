import type { Tx } from '../base/database.ts';
import type { Stream } from '../kit/index.ts';
import { deleteSafely, gatherFlagged, livingAmong, type Why } from './deletions.ts';
import { erasedIds } from './erased.ts';
import { ingestPrepared } from './ingest.ts';
import { nextPosition, readPage, wayOf } from './paging.ts';
import type { PassResult } from './pass.store.ts';
import { type Pass, scopeReasons, step } from './pass.ts';
import { prepare } from './prepare.ts';
import { fetchIds, nothingFetched, store } from './refetch.ts';
import type { RunPosition } from './store.ts';

const DAY_MS = 86_400_000;

/** Records of a span that is counted at once: a span that differs is halved until what is left fits a page. */
const SPAN = 1000;

/** Halvings after which a span is read whatever is in it. */
const DEEPEST = 40;

interface Span {
  from: string;
  to: string;
}

interface CountPosition {
  spans: Span[];
  next: number;
  vendor: number;
  here: number;
  drifted: number;
  repaired: number;
  lost: number;
  differing: number;
  missing: number;
  /** Ids the vendor does not know any more: judged together at the end. */
  gone: string[];
  /** Spans that differ still. */
  open: string[];
}

/** Whether the vendor can count by time in the order it lists: then only what differs is read again. */
export const canCount = (stream: Stream): boolean =>
  stream.countBetween !== undefined &&
  stream.list !== undefined &&
  stream.changedAt !== undefined &&
  stream.incremental?.sorted === 'ascending';

/**
 * Compares counts, span by span, with what is stored; spans that differ are halved to the place, read again and repaired.
 * @returns whether the end was reached
 */
export async function compareCounts(pass: Pass, maxSpans: number): Promise<boolean> {
  const { row } = pass;
  if (!row.position) {
    row.position = await plan(pass);
    await step(pass, { position: row.position, reasons: await scopeReasons(pass) });
  }
  let position = row.position as unknown as CountPosition;
  for (let n = 0; n < maxSpans && position.next < position.spans.length && row.reasons.length === 0; n++) {
    position = await compareSpan(pass, position);
    row.position = position as unknown as Record<string, unknown>;
  }
  return position.next >= position.spans.length || row.reasons.length > 0;
}

const stepOf = (stream: Stream): number =>
  ({ millisecond: 1, second: 1000, day: DAY_MS })[stream.incremental!.granularity];

/** Spans of days that hold about as many records each, up to where our reading stands. */
async function plan({ deps, tenantId, row, stream, plan: { cursor } }: Pass): Promise<Record<string, unknown>> {
  const end = Math.floor(Date.parse(cursor.since ?? '') / stepOf(stream)) * stepOf(stream);
  const days = await deps.db.tenant(tenantId, (tx) => daysOf(tx, row.stream_id, stream, new Date(end)));
  const spans: Span[] = [];
  let [from, held] = [0, 0];
  for (const { day, n } of days) {
    if (held > 0 && held + n > SPAN) {
      spans.push({ from: iso(from), to: iso(day * DAY_MS) });
      [from, held] = [day * DAY_MS, 0];
    }
    held += n;
  }
  spans.push({ from: iso(from), to: iso(end) });
  return {
    spans,
    next: 0,
    vendor: 0,
    here: 0,
    drifted: 0,
    repaired: 0,
    lost: 0,
    differing: 0,
    missing: 0,
    gone: [],
    open: [],
  };
}

const iso = (time: number): string => new Date(time).toISOString();

/**
 * A vendor that flags what is deleted counts it, too: of those everything counts that did not go another way.
 */
const countedHere = (stream: Stream): string =>
  stream.deletes.kind === 'flag'
    ? `(s.deleted_at is null or not exists (select from deletion d join deletion_batch b on b.tenant_id = d.tenant_id and b.id = d.batch_id
         where d.tenant_id = $1 and d.stream_id = $2 and d.remote_id = s.remote_id and d.state = 'deleted' and b.cause <> 'flag'))`
    : 's.deleted_at is null';

async function daysOf(tx: Tx, streamId: string, stream: Stream, end: Date): Promise<{ day: number; n: number }[]> {
  const { rows } = await tx.query<{ day: number; n: number }>(
    `select floor(extract(epoch from vendor_at) / 86400)::int as day, count(*)::int as n from source_record s
     where tenant_id = $1 and stream_id = $2 and vendor_at < $3 and ${countedHere(stream)} group by 1 order by 1`,
    [tx.tenantId, streamId, end],
  );
  return rows;
}

interface Held {
  remote_id: string;
  vendor_at: Date;
}

/** Records here of a span, in the order of their time. */
async function hereIn({ deps, tenantId, row, stream }: Pass, { from, to }: Span): Promise<Held[]> {
  return deps.db.tenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Held>(
      `select remote_id, vendor_at from source_record s where tenant_id = $1 and stream_id = $2 and vendor_at >= $3 and vendor_at < $4
         and ${countedHere(stream)} order by vendor_at, remote_id`,
      [tenantId, row.stream_id, from, to],
    );
    return rows;
  });
}

const countAt = async ({ stream, session }: Pass, { from, to }: Span): Promise<number | undefined> =>
  stream.countBetween!(session.ctx, from, to);

/** Compares one span and repairs it; place and findings are noted together. */
async function compareSpan(pass: Pass, before: CountPosition): Promise<CountPosition> {
  const position = structuredClone(before);
  const span = position.spans[position.next]!;
  const found: Found = { pages: 0, lost: 0, differing: 0, missing: 0, gone: [], erased: 0 };
  let vendor = await countAt(pass, span);
  let here = (await hereIn(pass, span)).length;
  if (vendor === undefined) position.open.push('The platform did not say how many there are.');
  else if (vendor !== here) {
    await mend(pass, span, vendor, found, 0);
    vendor = (await countAt(pass, span)) ?? vendor;
    here = (await hereIn(pass, span)).length - found.gone.length + found.erased;
    // What only changed since we read last is no difference.
    const differed = found.lost + found.differing + found.missing > 0 || vendor !== here;
    if (differed) position.drifted += 1;
    if (differed && vendor === here) position.repaired += 1;
    // A span that cannot be made equal speaks against the whole; the others are compared all the same.
    if (vendor !== here)
      position.open.push(
        `From ${span.from.slice(0, 10)} to ${span.to.slice(0, 10)} the platform counts ${vendor}, and ${here} are here after reading them again.`,
      );
  }
  position.vendor += vendor ?? 0;
  position.here += here;
  position.lost += found.lost;
  position.differing += found.differing;
  position.missing += found.missing;
  position.gone.push(...found.gone);
  position.next += 1;
  await step(pass, { position: position as unknown as Record<string, unknown>, pages: found.pages });
  pass.row.pages += found.pages;
  return position;
}

interface Found {
  pages: number;
  lost: number;
  differing: number;
  missing: number;
  gone: string[];
  /** Of people who were erased: the platform counts them, nothing is stored of them. */
  erased: number;
}

/** Halves a span that differs until what differs fits a page, and reads that. */
async function mend(pass: Pass, span: Span, vendor: number, found: Found, depth: number): Promise<void> {
  const { stream } = pass;
  const held = await hereIn(pass, span);
  if (held.length === vendor) return;
  const way = wayOf(stream, false);
  const size = way.paging.kind === 'single' ? Number.POSITIVE_INFINITY : way.paging.size;
  const middle = middleOf(span, held, stepOf(stream), vendor);
  if (Math.max(vendor, held.length) < size || middle === undefined || depth >= DEEPEST)
    return readAgain(pass, span, held, found);
  const left = { from: span.from, to: middle };
  const before = await countAt(pass, left);
  if (before === undefined) return readAgain(pass, span, held, found);
  await mend(pass, left, before, found, depth + 1);
  await mend(pass, { from: middle, to: span.to }, vendor - before, found, depth + 1);
}

/** Where a span is halved: by what is here, or by time where most is not. */
function middleOf({ from, to }: Span, held: readonly Held[], stepMs: number, vendor: number): string | undefined {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const byTime = start + (end - start) / 2;
  const byRecords = held[Math.floor(held.length / 2)]?.vendor_at.getTime() ?? byTime;
  for (const middle of held.length * 2 < vendor ? [byTime, byRecords] : [byRecords, byTime]) {
    const whole = Math.floor(middle / stepMs) * stepMs;
    if (whole > start && whole < end) return iso(whole);
  }
  return undefined;
}

/** Reads a span again: what was lost or differs is stored, what is here only is asked for by id. */
async function readAgain(pass: Pass, span: Span, held: readonly Held[], found: Found): Promise<void> {
  const { deps, tenantId, stream, source, session } = pass;
  const way = wayOf(stream, false);
  const met = new Set<string>();
  const counted = new Set<string>();
  let at: RunPosition | undefined = { pages: 0, since: span.from };
  while (at) {
    const page = await readPage(session, stream, way, at);
    found.pages += 1;
    const within = page.records.filter(({ vendorAt }) => vendorAt === undefined || vendorAt < span.to);
    for (const { id } of within) met.add(id);
    await deps.db.tenant(tenantId, async (tx) => {
      const erased = await erasedIds(deps, tx, pass.row.stream_id, [...new Set(within.map(({ id }) => id))]);
      const records = within.filter(({ id }) => !erased.has(id));
      found.erased += [...erased].filter((id) => !counted.has(id)).length;
      for (const id of erased) counted.add(id);
      const read = await prepare(tx, source, { stream: stream.name, records });
      found.lost += read.changed.filter(({ record }) => !read.present.has(record.id)).length;
      found.differing += read.changed.filter(({ record }) => read.present.has(record.id)).length;
      // All of it is older than our cursor: it should have been here, and repairing it triggers nothing.
      await ingestPrepared(deps, tx, source, [await gatherFlagged(tx, read)], 'replay');
    });
    const passed = within.length < page.records.length;
    at = passed ? undefined : nextPosition(way.paging, stream, at, page, pass.session.ctx);
  }
  const extra = held.filter(({ remote_id: id }) => !met.has(id)).map(({ remote_id: id }) => id);
  if (extra.length === 0) return;
  const fetched = nothingFetched();
  await fetchIds(session, source, stream.name, extra, fetched);
  // Where it is found, it changed since and counts elsewhere now.
  const gone = fetched.gone.get(stream.name) ?? [];
  found.missing += stream.fetchByIds ? gone.length : extra.length;
  found.gone.push(...gone);
  await deps.db.tenant(tenantId, (tx) => store(deps, tx, source, { ...fetched, gone: new Map() }, 'live'));
}

/** Deletes what the vendor did not know when it was asked, or holds it when that is too much. */
async function deleteGone(
  { deps, tenantId, row, source, stream }: Pass,
  ids: readonly string[],
): Promise<{ held: number; gone: number; kept: number }> {
  if (ids.length === 0) return { held: 0, gone: 0, kept: 0 };
  const why: Why = { cause: 'refetch', evidence: { pass: row.id, pages: row.pages } };
  const found = ids.map((id) => ({ id }));
  return deps.db.tenant(tenantId, async (tx) => {
    const { held } = await deleteSafely(deps, tx, source, stream.name, found, 'live', why);
    const left = (await livingAmong(tx, row.stream_id, found)).length;
    // What waits for a decision for long, or was refused, is here and stays.
    return { held, gone: ids.length - left, kept: left - held };
  });
}

/** Findings of a comparison by counts, and what speaks against it. */
export async function judgeCounts(pass: Pass): Promise<{ reasons: string[]; result: PassResult }> {
  const { deps, tenantId, row } = pass;
  const position = row.position as unknown as CountPosition;
  const { rows } = await deps.db.tenant(tenantId, (tx) =>
    tx.query<{ undated: number }>(
      'select count(*)::int as undated from source_record where tenant_id = $1 and stream_id = $2 and vendor_at is null and deleted_at is null',
      [tenantId, row.stream_id],
    ),
  );
  const { undated } = rows[0]!;
  const { vendor, drifted, repaired, lost, differing, missing } = position;
  const { held, gone, kept } = await deleteGone(pass, position.gone);
  const figures = {
    vendor,
    here: position.here + held + kept,
    drifted,
    repaired,
    lost,
    differing,
    missing,
    gone,
    held,
  };
  return {
    reasons: [
      ...position.open,
      ...(undated > 0 ? [`${undated} records have no time to be counted by.`] : []),
      ...(held > 0 ? [`${held} deletions wait for a decision.`] : []),
      ...(kept > 0 ? [`${kept} records are here and not at the platform: a person kept them, or is to decide.`] : []),
    ],
    result: { ...figures, buckets: position.next },
  };
}
