import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { conflict, notFound, type Problem, stale } from '../base/errors.ts';
import { draftOf } from './draft.ts';
import {
  allSegments,
  deleteSegment,
  findSegment,
  insertSegment,
  nameTaken,
  type SegmentRow,
  updateSegment,
} from './store.ts';
import { usersOf } from './users.ts';

/** What somebody says a segment should be. */
export interface SegmentWish {
  name: string;
  condition: unknown;
  settleMinutes?: number;
}

const taken = (name: string): Problem =>
  conflict(`There is a segment "${name}" already.`, 'Choose another name, or change that segment.');

/** @throws Problem 404 when there is none, or when it belongs to a trigger */
export async function listedSegment(tx: Tx, id: string): Promise<SegmentRow> {
  const row = await findSegment(tx, id);
  if (!row || row.trigger_id) throw notFound('segment', id);
  return row;
}

/** A segment by its id or name, as people give it. */
export async function segmentNamed(tx: Tx, text: string): Promise<SegmentRow | undefined> {
  const own = (await allSegments(tx)).filter((row) => row.trigger_id === null);
  return own.find((row) => row.id === text) ?? own.find((row) => row.name.toLowerCase() === text.toLowerCase());
}

/** @throws Problem when the condition has mistakes or the name is taken */
export async function createSegment(tx: Tx, wish: SegmentWish, actor: string, at: Date): Promise<SegmentRow> {
  const draft = await draftOf(tx, wish);
  const id = await insertSegment(tx, draft, actor, at);
  if (!id) throw taken(draft.name);
  await appendEvents(tx, [
    { actor, action: 'segment.created', subject: { kind: 'segment', id }, data: { ...draft }, at },
  ]);
  return listedSegment(tx, id);
}

/**
 * Changes a segment; what is not said stays. With another condition everybody is looked at anew.
 * @throws Problem when it changed meanwhile, the condition has mistakes or the name is taken
 */
export async function changeSegment(
  tx: Tx,
  id: string,
  wish: Partial<SegmentWish>,
  meta: { expected: number; actor: string; at: Date },
): Promise<SegmentRow> {
  const before = await listedSegment(tx, id);
  const was = { name: before.name, condition: before.condition, settleMinutes: before.settle_minutes };
  const draft = await draftOf(tx, { ...was, ...wish }, id);
  if (await nameTaken(tx, draft.name, id)) throw taken(draft.name);
  const anew = JSON.stringify(draft.condition) !== JSON.stringify(before.condition);
  if (!(await updateSegment(tx, id, { ...draft, anew, expected: meta.expected, now: meta.at }))) throw stale('segment');
  await appendEvents(tx, [
    {
      actor: meta.actor,
      action: 'segment.changed',
      subject: { kind: 'segment', id },
      data: { before: was, after: { ...draft } },
      at: meta.at,
    },
  ]);
  return listedSegment(tx, id);
}

/** @throws Problem naming who uses it */
export async function removeSegment(tx: Tx, id: string, actor: string, at: Date): Promise<void> {
  const row = await listedSegment(tx, id);
  const users = await usersOf(tx, id);
  if (users.length > 0)
    throw conflict(`"${row.name}" is used by ${users.join(', ')}.`, 'Change or remove those first.');
  await deleteSegment(tx, id);
  await appendEvents(tx, [
    {
      actor,
      action: 'segment.deleted',
      subject: { kind: 'segment', id },
      data: { name: row.name, condition: row.condition },
      at,
    },
  ]);
}
