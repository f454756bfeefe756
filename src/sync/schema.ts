import { Type } from 'typebox';
import { nullable, words } from '../base/schema.ts';

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
  },
  { $id: 'Stream' },
);

export const ParkedItem = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    kind: words(['record', 'field', 'row', 'hook', 'action', 'stream']),
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
