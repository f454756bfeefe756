import type { Tx } from '../base/database.ts';
import { type Paging, type Stream, sweepOf } from '../kit/index.ts';
import { gatherFlagged } from './deletions.ts';
import { ingestPrepared } from './ingest.ts';
import { nextPosition, type Page, readPage, wayOf } from './paging.ts';
import { markSeen, savePass } from './pass.store.ts';
import { marksReasons, type Pass, PassLost, scopeReasons, times } from './pass.ts';
import { type Prepared, prepare } from './prepare.ts';
import { noteSeen } from './quarantine.ts';
import type { RawRecord } from './records.ts';
import type { RunPosition } from './store.ts';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;

/** Where a reading stands, and what it found by week of the vendor's change. */
interface ReadPosition {
  at: RunPosition | null;
  /** Records met, and those that differed. */
  weeks: Record<string, [number, number]>;
  living: number;
  lost: number;
  differing: number;
  /** Records created or changed by the vendor while it was read. */
  fresh: number;
}

const start = (): ReadPosition => ({
  at: { pages: 0 },
  weeks: {},
  living: 0,
  lost: 0,
  differing: 0,
  fresh: 0,
});

/** How a stream is read whole, and whether only ids are of interest: then nothing is added to what a list leaves out. */
function wholeReading(pass: Pass): { stream: Stream; way: ReturnType<typeof wayOf>; whole: boolean } {
  const { stream } = pass;
  if (pass.row.kind === 'verify') return { stream, way: wayOf(stream, true), whole: true };
  const { complete: _complete, ...bare } = stream;
  const ids = sweepOf(stream)?.ids;
  if (!ids) return { stream: bare, way: wayOf(stream, true), whole: false };
  return { stream: { ...bare, ...(ids.records ? { records: ids.records } : {}) }, way: ids, whole: false };
}

/**
 * Reads everything a stream has, page by page, and notes the ids; a comparison also stores what differs. Page and place
 * commit together, so a killed pass goes on from the same page.
 * @returns whether the end was reached
 */
export async function readWhole(pass: Pass, maxPages: number): Promise<boolean> {
  const { deps, tenantId, row, session } = pass;
  const { stream, way, whole } = wholeReading(pass);
  let position: ReadPosition = row.position ? (row.position as unknown as ReadPosition) : start();
  if (!row.position) await prepareReading(pass);
  for (let read = 0; position.at && read < maxPages; read++) {
    const page = await readPage(session, stream, way, position.at);
    const next = nextPosition(way.paging, stream, position.at, page, session.ctx);
    const reasons = [...clockReasons(pass), ...pageReasons(stream, page, position.at, way.paging)];
    const { marked, reached } = await deps.db.tenant(tenantId, async (tx) => {
      // A copy: the database may run this again.
      const reached = structuredClone(position);
      if (whole) await compare(pass, tx, page.records, reached);
      await noteSeen(tx, row.stream_id, page.records, deps.clock.now());
      const met = await markSeen(
        tx,
        row.id,
        page.records.map(({ id }) => id),
      );
      reached.living += page.records.filter((record) => !record.deleted).length;
      reached.at = next ?? null;
      const place = reached as unknown as Record<string, unknown>;
      const made = { position: place, pages: 1, marked: met, reasons, ...times(deps) };
      if (!(await savePass(tx, row.id, pass.owner, made))) throw new PassLost();
      return { marked: met, reached };
    });
    position = reached;
    row.pages += 1;
    row.marked += marked;
    row.last_at = new Date(Math.max(row.last_at.getTime(), deps.clock.now().getTime()));
    row.reasons.push(...reasons);
  }
  row.position = position as unknown as Record<string, unknown>;
  return position.at === null;
}

/** What has to be known before the first page: how many there should be. */
async function prepareReading(pass: Pass): Promise<void> {
  const { deps, tenantId, row, session, stream } = pass;
  const counted = await stream.count?.(session.ctx);
  const reasons = await scopeReasons(pass);
  row.counted = counted ?? null;
  row.reasons.push(...reasons);
  await deps.db.tenant(tenantId, async (tx) => {
    const place = start() as unknown as Record<string, unknown>;
    if (!(await savePass(tx, row.id, pass.owner, { position: place, reasons, ...times(deps) }))) throw new PassLost();
    await tx.query('update stream_pass set counted = $3 where tenant_id = $1 and id = $2', [
      tenantId,
      row.id,
      row.counted,
    ]);
  });
}

const clockReasons = ({ deps, row }: Pass): string[] =>
  deps.clock.now() < row.last_at ? ['The clock was set back while it was read.'] : [];

function pageReasons(stream: Stream, page: Page, at: RunPosition, paging: Paging): string[] {
  const cap = 'cap' in paging ? paging.cap : undefined;
  const reached = 'size' in paging ? (at.pages + 1) * paging.size : 0;
  return [
    ...(page.nameless > 0 ? [`${page.nameless} records came without an id.`] : []),
    ...(cap !== undefined && reached >= cap && page.size > 0
      ? [`The platform lists no more than ${cap} of ${stream.title}.`]
      : []),
  ];
}

/** Stores what differs. What the vendor changed before our cursor should have been here: it is repaired, and triggers nothing. */
async function compare(pass: Pass, tx: Tx, records: readonly RawRecord[], position: ReadPosition): Promise<void> {
  const { deps, source, stream, plan } = pass;
  const read = await prepare(tx, source, { stream: stream.name, records });
  const known = plan.cursor.since ?? new Date((plan.last_complete_at?.getTime() ?? 0) - DAY_MS).toISOString();
  const isOld = ({ vendorAt }: RawRecord): boolean => vendorAt !== undefined && vendorAt < known;
  for (const record of records) {
    const [met, differed] = position.weeks[weekOf(record)] ?? [0, 0];
    position.weeks[weekOf(record)] = [met + 1, differed];
  }
  const old = read.changed.filter(({ record }) => isOld(record));
  for (const { record } of old) {
    position.weeks[weekOf(record)]![1] += 1;
    if (read.present.has(record.id)) position.differing += 1;
    else position.lost += 1;
  }
  position.fresh += read.changed.length - old.length;
  const part = (changed: Prepared['changed']): Prepared => ({ ...read, changed });
  const fresh = read.changed.filter(({ record }) => !isOld(record));
  if (old.length > 0) await ingestPrepared(deps, tx, source, [await gatherFlagged(tx, part(old))], 'replay');
  if (fresh.length > 0) await ingestPrepared(deps, tx, source, [await gatherFlagged(tx, part(fresh))], 'live');
}

const weekOf = ({ vendorAt }: RawRecord): string =>
  vendorAt === undefined ? 'undated' : String(Math.floor(Date.parse(vendorAt) / WEEK_MS));

/**
 * What speaks against the completeness of a reading that reached its end.
 * @returns reasons, and what was found in figures
 */
export async function judgeReading(pass: Pass): Promise<{ reasons: string[]; here: number }> {
  const { deps, tenantId, row, session, stream } = pass;
  const after = row.counted === null ? undefined : await stream.count?.(session.ctx);
  const { rows } = await deps.db.tenant(tenantId, (tx) =>
    tx.query<{ here: number; changed: number }>(
      `select count(*) filter (where deleted_at is null)::int as here, count(*) filter (where changed_at >= $3)::int as changed
       from source_record where tenant_id = $1 and stream_id = $2`,
      [tenantId, row.stream_id, row.started_at],
    ),
  );
  const { here, changed } = rows[0]!;
  const { marked } = row;
  const reasons = [...clockReasons(pass), ...(await marksReasons(pass, marked))];
  if (row.counted !== null && after === undefined) reasons.push('The platform did not say how many there are.');
  if (row.counted !== null && after !== undefined) {
    // What was created while it read may stand behind the place it had reached: as far as it came here by another way.
    if (marked < after - changed) reasons.push(`The platform counts ${after} of ${stream.title} and listed ${marked}.`);
  }
  if (marked === 0 && here > 0 && after !== 0)
    reasons.push(`The platform listed nothing, and ${here} of ${stream.title} are here.`);
  return { reasons, here };
}

/** Figures of a reading, for people. */
export function readingResult(pass: Pass): {
  buckets: number;
  drifted: number;
  vendor: number;
  lost: number;
  differing: number;
} {
  const { weeks, living, lost, differing } = pass.row.position as unknown as ReadPosition;
  const all = Object.values(weeks);
  return { buckets: all.length, drifted: all.filter(([, n]) => n > 0).length, vendor: living, lost, differing };
}
