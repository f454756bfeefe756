import { isDeepStrictEqual } from 'node:util';
import { appendEvents } from '../audit/store.ts';
import { messageOf } from '../base/errors.ts';
import { sessionOf } from '../connections/session.ts';
import { type Stream, sweepOf, VendorError } from '../kit/index.ts';
import { setting } from '../settings/store.ts';
import type { SyncDeps } from './deps.ts';
import { fetchUnknown, missingReasons, putAside, settleMissing } from './missing.ts';
import { canCount, compareCounts, judgeCounts } from './pass.count.ts';
import { judgeReading, readingResult, readWhole } from './pass.read.ts';
import {
  beginPass,
  endedSince,
  endPass,
  interruptPass,
  leasePass,
  notePass,
  type PassResult,
  type PassRow,
  passBefore,
  runningPass,
} from './pass.store.ts';
import { conclude, LEASE_MS, newOwner, type Pass, PassLost, scopeOf, step } from './pass.ts';
import { type PlanRow, planProof, plansOf } from './proof.store.ts';
import { runStream } from './reader.ts';
import { loadSource, type Source } from './source.ts';

const DAY_MS = 86_400_000;

/** A reading that goes on for longer says little about any moment. */
const LONGEST_MS = 7 * DAY_MS;

/** Tries in a row that fail before a pass is given up. */
const MOST_FAILURES = 10;

export type ProofKind = 'sweep' | 'verify';

export interface Proof {
  stream: string;
  /** What was done: a reading under way is finished before another is begun. */
  kind: ProofKind;
  /** `waiting`: it goes on later; `busy`: somebody else is at it. */
  state: 'proven' | 'unproven' | 'failed' | 'waiting' | 'busy';
  method: PassRow['method'];
  pages: number;
  result: PassResult;
  reasons: string[];
  message?: string;
  /** When to go on, as far as the vendor said. */
  until?: Date;
}

/**
 * Reads a stream whole, or compares it with the vendor by counts. What was begun and interrupted goes on.
 * @param options `most`: pages (or spans) in one go; `due`: since when it is due, so that it is not done twice
 */
export async function prove(
  deps: SyncDeps,
  tenantId: string,
  plan: PlanRow,
  kind: ProofKind,
  { most = Number.POSITIVE_INFINITY, due }: { most?: number | undefined; due?: Date | undefined } = {},
): Promise<Proof> {
  const source = await loadSource(deps, tenantId, plan.connection_id);
  const stream = source.connector.streams.find((candidate) => candidate.name === plan.name);
  const done = due && (await deps.db.tenant(tenantId, (tx) => endedSince(tx, plan.id, kind, due)));
  if (done) return shown(plan, done, done.state as 'proven' | 'unproven' | 'failed');
  if (!stream?.list) return cannotProve(deps, tenantId, plan, source, stream);
  const none: Proof = { stream: plan.name, kind, state: 'busy', method: 'list', pages: 0, result: {}, reasons: [] };
  const running = await deps.db.tenant(tenantId, (tx) => runningPass(tx, plan.id));
  if (!running && !(await begin(deps, tenantId, plan, source, stream, kind, due))) return none;
  const owner = newOwner(deps);
  const leased = await deps.db.tenant(tenantId, async (tx) => {
    const now = deps.clock.now();
    const row = await leasePass(tx, plan.id, { owner, until: new Date(now.getTime() + LEASE_MS), now });
    // It may have been read further since it was planned.
    const latest = (await plansOf(tx, plan.connection_id)).find(({ id }) => id === plan.id) ?? plan;
    return row && { row, latest };
  });
  if (!leased) return none;
  const { row, latest } = leased;
  const session = sessionOf(deps, tenantId, source, 'sweep');
  const pass: Pass = { deps, tenantId, owner, row, plan: latest, stream, source, session };
  try {
    const ended = await work(pass, most);
    if (!ended) await deps.db.tenant(tenantId, (tx) => interruptPass(tx, row.id, owner, { error: null }));
    return shown(plan, row, ended ? (row.state as 'proven' | 'unproven') : 'waiting');
  } catch (error) {
    if (error instanceof PassLost) return none;
    return await fail(pass, error);
  } finally {
    await session.close();
  }
}

const shown = (plan: PlanRow, row: PassRow, state: Proof['state']): Proof => ({
  stream: plan.name,
  kind: row.kind === 'verify' ? 'verify' : 'sweep',
  state,
  method: row.method,
  pages: row.pages,
  result: row.result,
  reasons: row.reasons,
});

/** Begins a pass, read up to date where that matters. @returns false when it was done meanwhile */
async function begin(
  deps: SyncDeps,
  tenantId: string,
  plan: PlanRow,
  source: Source,
  stream: Stream,
  kind: ProofKind,
  due: Date | undefined,
): Promise<boolean> {
  const counts = kind === 'verify' && canCount(stream) && plan.cursor.since !== undefined;
  // What changed since the last poll would look like differences.
  if (counts) await runStream(deps, tenantId, plan.id);
  const pass = {
    ...{ stream_id: plan.id, kind, counted: null },
    ...{ method: counts ? ('counts' as const) : ('list' as const), scope: scopeOf(source, stream) },
  };
  try {
    await deps.db.tenant(tenantId, async (tx) => {
      const begun = await beginPass(tx, pass, deps.clock.now());
      // Somebody else may have ended one between our look and this.
      if (begun && due && (await endedSince(tx, plan.id, kind, due))) throw new PassLost();
    });
    return true;
  } catch (error) {
    if (error instanceof PassLost) return false;
    throw error;
  }
}

async function work(pass: Pass, most: number): Promise<boolean> {
  const { row, deps } = pass;
  if (deps.clock.now().getTime() - row.started_at.getTime() > LONGEST_MS)
    throw new VendorError('invalid', 'Reading everything took longer than a week.');
  if (row.method === 'counts') {
    if (!(await compareCounts(pass, most))) return false;
    const { reasons, result } = await judgeCounts(pass);
    await finish(pass, reasons, result);
    return true;
  }
  const reading = row.state === 'reading';
  if (reading && !(await readWhole(pass, most))) return false;
  const { reasons: found, here } = await judgeReading(pass);
  // What was proven once stays so: only what follows from it was interrupted.
  const reasons = reading ? found : [];
  const figures = { ...readingResult(pass), here };
  const { drifted } = figures;
  // Against a reading that proves nothing no record is missing.
  if (row.reasons.length + reasons.length > 0) await finish(pass, reasons, { ...figures, repaired: drifted });
  else {
    if (reading) await putAside(pass);
    const unknown = row.kind === 'sweep' ? await fetchUnknown(pass) : {};
    const missing = await settleMissing(pass);
    const left = row.kind === 'verify' ? missingReasons(missing) : [];
    await finish(pass, left, { ...figures, repaired: drifted, ...unknown, ...missing });
  }
  return true;
}

async function finish(pass: Pass, reasons: readonly string[], result: PassResult): Promise<void> {
  if (reasons.length > 0) await step(pass, { position: pass.row.position, reasons });
  await conclude(pass, result);
  await tell(pass);
}

/** Repairs and proven gaps are worth an event; a pass that found nothing, or the same as the one before, is not. */
async function tell({ deps, tenantId, row, plan }: Pass): Promise<void> {
  const { drifted = 0, lost = 0, differing = 0, missing = 0, gone = 0 } = row.result;
  if (drifted + lost + differing + missing + gone === 0 && row.state === 'proven') return;
  const before = await deps.db.tenant(tenantId, (tx) => passBefore(tx, row));
  const found = ({ state, reasons, result }: PassRow): unknown => ({ state, reasons, result });
  if (before && isDeepStrictEqual(found(before), found(row))) return;
  const subject = { kind: 'stream', id: row.stream_id };
  const data = {
    stream: plan.name,
    connection: plan.connection_id,
    state: row.state,
    reasons: row.reasons,
    ...row.result,
  };
  const action = row.kind === 'sweep' ? 'stream.swept' : 'stream.verified';
  await deps.db.tenant(tenantId, (tx) =>
    appendEvents(tx, [{ actor: 'system', action, subject, data, at: deps.clock.now() }]),
  );
}

/** What comes by webhook or file cannot be compared with anything, which is said. */
async function cannotProve(
  deps: SyncDeps,
  tenantId: string,
  plan: PlanRow,
  source: Source,
  stream: Stream | undefined,
): Promise<Proof> {
  const reasons = [`${source.connector.name} cannot be asked for ${stream?.title ?? plan.name}: it comes by itself.`];
  await deps.db.tenant(tenantId, (tx) =>
    notePass(
      tx,
      {
        stream_id: plan.id,
        kind: 'verify',
        method: 'none',
        state: 'unproven',
        scope: stream ? scopeOf(source, stream) : { account: '', scopes: [], features: [], request: '' },
        counted: null,
        reasons,
      },
      deps.clock.now(),
    ),
  );
  return { stream: plan.name, kind: 'verify', state: 'unproven', method: 'none', pages: 0, result: {}, reasons };
}

/** A vendor that wants a pause gets it, and the pass goes on; one that refuses ends it, and nothing is concluded. */
async function fail(pass: Pass, error: unknown): Promise<Proof> {
  const { deps, tenantId, row, owner, plan } = pass;
  const message = messageOf(error);
  const kind = error instanceof VendorError ? error.kind : 'transient';
  if (!(error instanceof VendorError)) deps.log.error({ err: error, stream: plan.name }, 'a proof failed');
  const patient = kind === 'rate_limited' || kind === 'quota_exhausted';
  const again = patient || (kind === 'transient' && row.failures < MOST_FAILURES);
  return deps.db.tenant(tenantId, async (tx) => {
    if (again) {
      await interruptPass(tx, row.id, owner, { error: message });
      const until = error instanceof VendorError ? error.until : undefined;
      return { ...shown(plan, row, 'waiting'), message, ...(until ? { until } : {}) };
    }
    await endPass(tx, row.id, owner, { state: 'failed', error: message, now: deps.clock.now() });
    return { ...shown(plan, row, 'failed'), message };
  });
}

/** After the first load: it is what later readings are measured by, and the first of them are planned. */
export async function planFirst(
  deps: SyncDeps,
  tenantId: string,
  streamId: string,
  source: Source,
  stream: Stream,
): Promise<void> {
  const now = deps.clock.now();
  await deps.db.tenant(tenantId, async (tx) => {
    const scope = scopeOf(source, stream);
    await notePass(
      tx,
      { stream_id: streamId, kind: 'load', method: 'list', state: 'proven', scope, counted: null, reasons: [] },
      now,
    );
    const { sweepDays, verifyDays } = await setting(tx, 'completeness');
    await planProof(tx, [streamId], {
      sweepAt: nextSweep(stream, sweepDays, now),
      verifyAt: verifyDays === 0 ? null : new Date(now.getTime() + verifyDays * DAY_MS),
    });
  });
}

/** When a stream is swept next: as often as the connector says, or as seldom as the business wants; null: never. */
export function nextSweep(stream: Stream, sweepDays: number, now: Date): Date | null {
  const sweep = sweepOf(stream);
  return sweep ? new Date(now.getTime() + Math.max(sweep.everySeconds * 1000, sweepDays * DAY_MS)) : null;
}
