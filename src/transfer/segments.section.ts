import { type Static, Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import { draftOf } from '../segments/draft.ts';
import { changeSegment, createSegment, removeSegment, segmentNamed } from '../segments/manage.ts';
import { allSegments, type SegmentRow } from '../segments/store.ts';
import { segmentBook, segmentsIn } from './names.ts';
import { defineSection } from './section.ts';

const SegmentItem = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    condition: Type.Unknown(),
    settleMinutes: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_080 })),
  },
  { additionalProperties: false },
);
type SegmentItem = Static<typeof SegmentItem>;

const own = async (tx: Tx): Promise<SegmentRow[]> =>
  (await allSegments(tx)).filter((row) => row.trigger_id === null).sort((a, b) => (a.name < b.name ? -1 : 1));

/** Segments people made. */
export const segments = defineSection<SegmentItem>({
  key: 'segments',
  kind: 'segment',
  schema: Type.Array(SegmentItem),
  items: (section) => (section as SegmentItem[]).map((value, at) => ({ name: value.name, value, path: [at] })),
  section: (items) => items.map(({ value }) => value),
  read: async (tx) => {
    const book = await segmentBook(tx);
    return (await own(tx)).map((row) => ({
      name: row.name,
      value: { name: row.name, condition: book.named(row.condition), settleMinutes: row.settle_minutes },
    }));
  },
  complete: async (tx, value) => {
    const book = await segmentBook(tx);
    try {
      const { name, condition, settleMinutes } = await draftOf(tx, {
        ...value,
        condition: book.identified(value.condition),
      });
      return { name, condition: book.named(condition), settleMinutes };
    } catch (error) {
      // What is wrong with it is told when it is written.
      if (error instanceof Problem) return value;
      throw error;
    }
  },
  needs: ({ condition }) => segmentsIn(condition),
  write: async (tx, { name, value, before }, deps, { actor, at }) => {
    const book = await segmentBook(tx);
    const wish = { ...value, condition: book.identified(value.condition) };
    const present = before && (await segmentNamed(tx, name));
    if (present) await changeSegment(tx, present.id, wish, { expected: present.version, actor, at });
    else await createSegment(tx, wish, actor, at);
    tx.afterCommit(() => deps.queue.wake('segments', { tenantId: tx.tenantId }));
    return undefined;
  },
  remove: async (tx, { name }, _deps, { actor, at }) =>
    removeSegment(tx, (await segmentNamed(tx, name))!.id, actor, at),
});
