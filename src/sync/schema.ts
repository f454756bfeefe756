import { type Static, Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';

const Figures = Type.Partial(
  Type.Object({
    vendor: nullable(Type.Integer({ description: 'Records at the platform, as far as it could be counted' })),
    here: Type.Integer(),
    buckets: Type.Integer({ description: 'Spans of time compared' }),
    drifted: Type.Integer({ description: 'Those that differed' }),
    repaired: Type.Integer({ description: 'Those made equal again' }),
    lost: Type.Integer({ description: 'Records that were missing here' }),
    differing: Type.Integer({ description: 'Records that differed in content' }),
    missing: Type.Integer({ description: 'Records here that the platform did not show' }),
    found: Type.Integer({ description: 'Of the missing: there after all' }),
    gone: Type.Integer({ description: 'Of the missing: deleted' }),
    held: Type.Integer({ description: 'Of the missing: too many to delete without asking' }),
  }),
);

/** What the last comparison with the platform proved. */
const Completeness = Type.Object({
  state: words(['running', 'proven', 'unproven', 'failed']),
  method: words(['counts', 'list', 'none'], 'Counted by span of time, read whole, or not to be asked for'),
  startedAt: Type.String({ format: 'date-time' }),
  endedAt: nullable(Type.String({ format: 'date-time' })),
  pages: Type.Integer(),
  figures: Figures,
  reasons: Type.Array(Type.String(), { description: 'What could not be proven, and why' }),
  error: nullable(Type.String()),
});

export const StreamInfo = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    connectionId: Type.String({ format: 'uuid' }),
    connector: Type.String(),
    stream: Type.String(),
    state: words(['waiting', 'running', 'stopped', 'off']),
    phase: words(['initial', 'incremental']),
    records: Type.Integer({ description: 'Records held of it' }),
    parked: Type.Integer(),
    run: Type.Object({
      startedAt: nullable(Type.String()),
      seen: Type.Integer(),
      changed: Type.Integer(),
      total: nullable(Type.Integer()),
      etaSeconds: nullable(Type.Integer()),
    }),
    freshAsOf: nullable(Type.String()),
    ageSeconds: nullable(Type.Integer()),
    nextRunAt: nullable(Type.String()),
    error: nullable(Type.String()),
    missing: Type.Integer({ description: 'Records put aside: here, and not met when everything was read' }),
    completeness: nullable(Completeness),
    nextSweepAt: nullable(Type.String()),
    nextVerifyAt: nullable(Type.String()),
    mapping: nullable(
      Type.String({ description: 'When not all stored records are by the mapping in force: how it stands' }),
    ),
  },
  { $id: 'Stream' },
);

export const ParkedItem = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    kind: words(['record', 'field', 'row', 'hook', 'action', 'stream', 'write']),
    connectionId: nullable(Type.String()),
    streamId: nullable(Type.String()),
    recordId: nullable(Type.String()),
    reason: Type.String(),
    detail: Type.Unknown(),
    payload: Type.Unknown(),
    times: Type.Integer(),
    parkedAt: Type.String({ format: 'date-time' }),
    lastAt: Type.String({ format: 'date-time' }),
  },
  { $id: 'ParkedItem' },
);

export const Deletions = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    connectionId: Type.String({ format: 'uuid' }),
    streamId: Type.String({ format: 'uuid' }),
    stream: Type.String(),
    cause: words(['flag', 'tombstones', 'webhook', 'refetch', 'sweep', 'privacy']),
    state: words(['held', 'confirmed', 'refused', 'applied', 'undoing', 'undone', 'lapsed']),
    sentence: Type.String({ description: 'What it is, in words' }),
    records: Type.Integer(),
    counts: Type.Record(Type.String(), Type.Integer(), {
      description: 'Records by what became of them: held, deleted, refused, restored, or seen again',
    }),
    sample: Type.Array(Type.Object({ id: Type.String(), name: nullable(Type.String()) })),
    living: nullable(Type.Integer({ description: 'How many there were when it was held' })),
    allowed: nullable(Type.Integer({ description: 'How many may be deleted at once without asking' })),
    evidence: Type.Record(Type.String(), Type.Unknown()),
    createdAt: Type.String({ format: 'date-time' }),
    decidedAt: nullable(Type.String()),
    decidedBy: nullable(Type.String()),
    doneAt: nullable(Type.String()),
    undoneAt: nullable(Type.String()),
    undoneBy: nullable(Type.String()),
    undoUntil: nullable(Type.String({ description: 'Until when it can be undone; null: it cannot' })),
  },
  { $id: 'Deletions' },
);
export type Deletions = Static<typeof Deletions>;
