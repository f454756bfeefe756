import { Type } from 'typebox';
import { nullable, words } from '../../base/schema.ts';
import type { RemapRow } from './store.ts';

export const RemapRun = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    connector: Type.String(),
    connectionId: Type.String({ format: 'uuid' }),
    reason: words(['apply', 'rollback', 'release', 'request']),
    version: nullable(Type.Integer({ description: 'Version of the override that set it off' })),
    state: words(['waiting', 'running', 'done', 'replaced']),
    total: Type.Integer({ description: 'Records there were when it began' }),
    seen: Type.Integer(),
    changed: Type.Integer({ description: 'Records of which something became different' }),
    parked: Type.Integer(),
    resolved: Type.Integer({ description: 'Parked records that fit again' }),
    joined: Type.Integer({ description: 'Customers or companies that became one' }),
    separated: Type.Integer({ description: 'Such joins that were taken apart again' }),
    error: nullable(Type.String()),
    by: Type.String(),
    createdAt: Type.String({ format: 'date-time' }),
    startedAt: nullable(Type.String()),
    endedAt: nullable(Type.String()),
  },
  { $id: 'RemapRun' },
);

export const toRemapRun = (row: RemapRow) => ({
  id: row.id,
  connector: row.connector,
  connectionId: row.connection_id,
  reason: row.reason,
  version: row.version,
  state: row.state,
  total: row.total,
  seen: row.seen,
  changed: row.changed,
  parked: row.parked,
  resolved: row.resolved,
  joined: row.joined,
  separated: row.separated,
  error: row.error,
  by: row.created_by,
  createdAt: row.created_at.toISOString(),
  startedAt: row.started_at?.toISOString() ?? null,
  endedAt: row.ended_at?.toISOString() ?? null,
});

const Change = Type.Object({
  kind: Type.String(),
  field: Type.String(),
  before: Type.Unknown(),
  after: Type.Unknown(),
});

export const MappingPreview = Type.Object(
  {
    version: Type.Integer({ description: 'Newest version of the override, 0 while there is none' }),
    restores: nullable(Type.Integer({ description: 'The version that would be in force again, for a rollback' })),
    records: Type.Integer(),
    examined: Type.Integer(),
    share: Type.Number({ description: 'Part of the records that was looked at, 0 to 1' }),
    affected: Type.Integer({ description: 'Of the records that were looked at' }),
    streams: Type.Array(
      Type.Object({
        connectionId: Type.String(),
        connection: Type.String(),
        stream: Type.String(),
        records: Type.Integer(),
        examined: Type.Integer(),
        affected: Type.Integer(),
        fields: Type.Array(Type.Object({ kind: Type.String(), field: Type.String(), affected: Type.Integer() })),
        newlyParked: Type.Integer(),
        resolved: Type.Integer(),
        gone: Type.Integer({ description: 'Records the mapping would make no longer' }),
        joins: Type.Integer({ description: 'Records that would share an address or id with another customer' }),
        optOuts: Type.Integer(),
        issues: Type.Array(
          Type.Object({
            kind: Type.String(),
            field: Type.String(),
            records: Type.Integer(),
            critical: Type.Boolean({ description: 'It keeps the record out, not only the field' }),
            example: Type.String(),
          }),
        ),
        neverSeen: Type.Array(Type.String(), { description: 'Paths newly read that no record has' }),
      }),
    ),
    sample: Type.Array(
      Type.Object({
        connectionId: Type.String(),
        stream: Type.String(),
        id: Type.String(),
        name: Type.String(),
        parked: nullable(Type.String()),
        changes: Type.Array(Change),
      }),
    ),
    notes: Type.Array(Type.String(), { description: 'What else to know, in words' }),
  },
  { $id: 'MappingPreview' },
);
