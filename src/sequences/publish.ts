import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { conflict, invalid } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { bindTriggers } from './binding.ts';
import { END } from './graph.ts';
import { type Bringing, type Move, moveOf, sameTrack } from './moves.ts';
import { type RunRow, runsInSequence } from './runs.ts';
import type { Definition } from './schema.ts';
import { loadDefinition, type SequenceRow, setSequenceState } from './store.ts';
import { leaveSteps, noteSteps, visitsOf } from './way.ts';

/** Who is affected by publishing the newest version, and how. */
export interface PublishPreview {
  from: number | null;
  to: number;
  /** Only words and figures differ: running enrolments can take them over where they stand. */
  sameStructure: boolean;
  /** Steps enrolments stand at that the new version has not, and that no map names. */
  missing: string[];
  counts: Record<Move['what'], number>;
  items: {
    enrolmentId: string;
    customerId: string;
    version: number;
    what: Move['what'];
    step: { now: string; then: string };
    nextAt: { now: Date | null; then: Date | null };
    reason: string | null;
  }[];
}

interface Planned {
  run: RunRow;
  move: Move;
}

/** Where an enrolment stood before it was brought over. */
interface Kept {
  step: string;
  visit: number;
  wakeAt: string | null;
}

/** So many enrolments are shown one by one. */
const SHOWN = 200;

async function plan(tx: Tx, sequence: SequenceRow, how: Bringing, now: Date, lock = false): Promise<Planned[]> {
  const to = await loadDefinition(tx, sequence.id, sequence.latest_version);
  for (const [step, target] of Object.entries(how.steps))
    if (target !== END && !to.steps.some(({ id }) => id === target))
      throw invalid(`The new version has no step "${target}".`, [
        { path: `steps.${step}`, message: `there are ${to.steps.map(({ id }) => id).join(', ')} and ${END}` },
      ]);
  const planned: Planned[] = [];
  for (const run of await runsInSequence(tx, sequence.id, sequence.latest_version, lock)) {
    const from = await loadDefinition(tx, run.sequence_id, run.version);
    planned.push({ run, move: moveOf(run, from, to, how, now) });
  }
  return planned;
}

/**
 * Who would be affected by publishing the newest version, and what of it each would see. Changes nothing.
 * @throws Problem when a step is named that the new version has not
 */
export async function previewPublish(tx: Tx, sequence: SequenceRow, how: Bringing, now: Date): Promise<PublishPreview> {
  const planned = await plan(tx, sequence, how, now);
  const to = await loadDefinition(tx, sequence.id, sequence.latest_version);
  const from: Definition | undefined =
    sequence.active_version === null ? undefined : await loadDefinition(tx, sequence.id, sequence.active_version);
  const counts = { adopts: 0, moves: 0, ends: 0, stays: 0 };
  for (const { move } of planned) counts[move.what] += 1;
  const gone = planned.filter(({ run }) => !how.steps[run.step_id] && !to.steps.some(({ id }) => id === run.step_id));
  return {
    from: sequence.active_version,
    to: sequence.latest_version,
    sameStructure: from !== undefined && sameTrack(from, to),
    missing: [...new Set(gone.map(({ run }) => run.step_id))],
    counts,
    items: planned.slice(0, SHOWN).map(({ run, move }) => ({
      enrolmentId: run.id,
      customerId: run.customer_id,
      version: run.version,
      what: move.what,
      step: { now: run.step_id, then: move.what === 'ends' ? END : move.step },
      nextAt: { now: run.wake_at, then: move.what === 'ends' ? null : move.wakeAt },
      reason: move.reason ?? null,
    })),
  };
}

/** What becomes of enrolments that run. */
export type Running = 'keep' | 'move' | 'finish';

/**
 * Publishes the newest version: for new entries only (`keep`), for those that run too (`move`), or for nobody new while
 * those that run finish (`finish`).
 * @throws Problem when there is nothing to publish or a step is named that the new version has not
 * @returns what became of enrolments, or undefined when somebody else changed the sequence meanwhile
 */
export async function publishSequence(
  tx: Tx,
  sequence: SequenceRow,
  request: { running: Running; by: string; expected: number } & Bringing,
  now: Date,
): Promise<Record<Move['what'], number> | undefined> {
  const { running, by, expected } = request;
  if (sequence.state === 'archived') throw conflict('The sequence was deleted.', 'Make a new one.');
  if (sequence.active_version === sequence.latest_version && running !== 'finish')
    throw conflict('The newest version is published already.', 'Save a change first.');
  const counts = { adopts: 0, moves: 0, ends: 0, stays: 0 };
  const state = running === 'finish' ? 'draft' : sequence.state === 'paused' ? 'paused' : 'active';
  const id = newId();
  const planned = running === 'move' ? await plan(tx, sequence, request, now, true) : [];
  const change = { state, activeVersion: sequence.latest_version, expected, now } as const;
  if (!(await setSequenceState(tx, sequence.id, change))) return undefined;
  for (const { move } of planned) counts[move.what] += 1;
  await carryOut(tx, sequence.latest_version, id, planned, now);
  await tx.query('update sequence set published = $3 where tenant_id = $1 and id = $2', [
    tx.tenantId,
    sequence.id,
    { id, from: sequence.active_version, to: sequence.latest_version, by, at: now.toISOString(), running, counts },
  ]);
  const definition = await loadDefinition(tx, sequence.id, sequence.latest_version);
  await bindTriggers(tx, sequence, state === 'active' ? definition.triggers : [], by, now);
  await bumpDue(tx, tx.tenantId, 'runs', now);
  await appendEvents(tx, [
    {
      actor: by,
      action: 'sequence.published',
      subject: { kind: 'sequence', id: sequence.id },
      data: { from: sequence.active_version, to: sequence.latest_version, running, ...counts },
      at: now,
    },
  ]);
  return counts;
}

async function carryOut(tx: Tx, to: number, publish: string, planned: readonly Planned[], now: Date): Promise<void> {
  const ending = planned.filter(({ move }) => move.what === 'ends').map(({ run }) => run);
  const going = planned.filter(({ move }) => move.what === 'adopts' || move.what === 'moves');
  const moving = going.filter(({ move }) => move.what === 'moves');
  await leaveSteps(tx, [...ending, ...moving.map(({ run }) => run)], 'moved', `to version ${to}`, now);
  await tx.query(
    `update run set state = 'stopped', end_reason = 'its step is gone in the new version', ended_at = $3, wake_at = null, until_at = null, waiting_for = null,
       updated_at = $3, row_version = row_version + 1 where tenant_id = $1 and id = any($2)`,
    [tx.tenantId, ending.map(({ id }) => id), now],
  );
  const visits = new Map<string, number>();
  const seen = await visitsOf(
    tx,
    moving.map(({ run, move }) => ({ id: run.id, step_id: move.step })),
  );
  for (const [at, { run }] of moving.entries()) visits.set(run.id, seen[at]! + 1);
  await noteSteps(
    tx,
    moving.map(({ run, move }) => ({
      ...{ run_id: run.id, step_id: move.step, visit: visits.get(run.id)!, entered_at: now },
      ...{ left_at: null, outcome: null, detail: null },
    })),
  );
  await tx.query(
    `update run r set version = $3, step_id = i.step, visit = i.visit, waiting_for = i.waits, wake_at = i.wake_at, moved_from = i.kept::jsonb,
       entered_at = case when i.moves then $4 else r.entered_at end, updated_at = $4, row_version = r.row_version + 1
     from unnest($2::uuid[], $5::text[], $6::int[], $7::text[], $8::timestamptz[], $9::text[], $10::boolean[]) as i(id, step, visit, waits, wake_at, kept, moves)
     where r.tenant_id = $1 and r.id = i.id`,
    [
      tx.tenantId,
      going.map(({ run }) => run.id),
      to,
      now,
      going.map(({ move }) => move.step),
      going.map(({ run }) => visits.get(run.id) ?? run.visit),
      going.map(({ move }) => move.waitingFor),
      going.map(({ move }) => move.wakeAt),
      going.map(({ run }) =>
        JSON.stringify({
          publish,
          version: run.version,
          step: run.step_id,
          visit: run.visit,
          waitingFor: run.waiting_for,
          wakeAt: run.wake_at?.toISOString() ?? null,
          toStep: going.find((one) => one.run === run)!.move.step,
        }),
      ),
      going.map(({ move }) => move.what === 'moves'),
    ],
  );
}

/**
 * Takes the last publishing back: new entries get the version from before, and enrolments that were brought over and
 * have done nothing since stand where they stood. Those that went on meanwhile stay.
 * @throws Problem when nothing was published
 * @returns how many were put back, or undefined when somebody else changed the sequence meanwhile
 */
export async function undoPublish(
  tx: Tx,
  sequence: SequenceRow,
  { by, expected }: { by: string; expected: number },
  now: Date,
): Promise<number | undefined> {
  const last = sequence.published;
  if (!last || last.from === null) throw conflict('Nothing was published that could be taken back.');
  const { rowCount: changed } = await tx.query(
    'update sequence set active_version = $3, published = null, updated_at = $4, version = version + 1 where tenant_id = $1 and id = $2 and version = $5',
    [tx.tenantId, sequence.id, last.from, now, expected],
  );
  if (changed === 0) return undefined;
  const { rows } = await tx.query<RunRow & { moved_from: Kept }>(
    `select id, step_id, visit, moved_from from run where tenant_id = $1 and sequence_id = $2 and version = $3 and moved_from ->> 'publish' = $4
       and step_id = moved_from ->> 'toStep' and state in ('active', 'waiting', 'paused') order by id for update`,
    [tx.tenantId, sequence.id, last.to, last.id],
  );
  const moved = rows.filter((row) => row.moved_from.step !== row.step_id);
  await leaveSteps(tx, moved, 'moved', `back to version ${last.from}`, now);
  await tx.query(
    `update run_step s set left_at = null, outcome = null, detail = null from unnest($2::uuid[], $3::text[], $4::int[]) as i(run_id, step, visit)
     where s.tenant_id = $1 and s.run_id = i.run_id and s.step_id = i.step and s.visit = i.visit and s.outcome = 'moved'`,
    [
      tx.tenantId,
      moved.map(({ id }) => id),
      moved.map(({ moved_from }) => moved_from.step),
      moved.map(({ moved_from }) => moved_from.visit),
    ],
  );
  await tx.query(
    `update run set version = (moved_from ->> 'version')::int, step_id = moved_from ->> 'step', visit = (moved_from ->> 'visit')::int,
       waiting_for = moved_from ->> 'waitingFor', wake_at = i.wake_at, moved_from = null, updated_at = $3, row_version = row_version + 1
     from unnest($2::uuid[], $4::timestamptz[]) as i(id, wake_at) where run.tenant_id = $1 and run.id = i.id`,
    [tx.tenantId, rows.map(({ id }) => id), now, rows.map(({ moved_from }) => moved_from.wakeAt)],
  );
  await bumpDue(tx, tx.tenantId, 'runs', now);
  await appendEvents(tx, [
    {
      actor: by,
      action: 'sequence.publish_undone',
      subject: { kind: 'sequence', id: sequence.id },
      data: { from: last.to, to: last.from, putBack: rows.length },
      at: now,
    },
  ]);
  return rows.length;
}
