import { Type } from 'typebox';
import type { Row, Tx } from '../../base/database.ts';
import { words } from '../../base/schema.ts';
import { ENTITY_KINDS, type EntityKind, isJoined } from '../../kit/index.ts';
import { projectionTable } from '../../model/columns.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, momentOf } from '../found.ts';
import { isOneOf, OperatorWord, satisfies, turned, Words } from '../match.ts';

const FLAGGED = ENTITY_KINDS.filter((kind) => kind !== 'owner' && kind !== 'pipeline_stage');

/** Entities that stand, or have a record, in a stream of this name. */
async function inStream(tx: Tx, kind: EntityKind, stream: string, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ id: string }>(
    `select distinct t.entity_id as id from ${isJoined(kind) ? projectionTable(kind) : kind} t join stream s on s.tenant_id = $1 and s.id = t.stream_id
     where t.tenant_id = $1 and t.entity_id = any($2) and lower(s.name) = lower($3)`,
    [tx.tenantId, ids, stream],
  );
  return new Set(rows.map((row) => row.id));
}

export const crmFlag = defineEvent({
  name: 'crm.flag',
  title: 'A field takes a value',
  arms: 'Fires when a field of a record, one of the model or a custom one that the mapping reads, becomes as wanted and was not so before. Fires again only when it was different in between. What Rapport writes itself does not count.',
  key: 'source record + field + change',
  kinds: FLAGGED,
  settings: Type.Object(
    {
      kind: words(FLAGGED, 'What has the field'),
      stream: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Only records of this stream' })),
      field: Type.String({
        minLength: 1,
        maxLength: 200,
        pattern: '^(custom\\..+|[a-z_]+)$',
        description: 'A field of the model, or custom.<name>',
      }),
      operator: OperatorWord,
      to: Words,
      from: Words,
    },
    { additionalProperties: false },
  ),
  defaults: { kind: 'contact', field: 'custom.account_status', operator: 'changes', to: [], from: [] },
  fromChanges: async (tx, changes, settings, env) => {
    const { kind, field, operator, to, from } = settings;
    const became = (change: (typeof changes)[number]): boolean => {
      const turn = turned(change, field);
      if (!turn || !satisfies(operator, turn.after, to)) return false;
      if (from.length > 0 && !isOneOf(turn.before, from)) return false;
      return operator === 'changes' || change.op === 'created' || !satisfies(operator, turn.before, to);
    };
    let hits = await hitsOf(tx, changes, kind, became);
    if (settings.stream && hits.length > 0) {
      const its = await inStream(
        tx,
        kind,
        settings.stream,
        hits.map(({ row }) => row.entity as string),
      );
      hits = hits.filter(({ row }) => its.has(row.entity as string));
    }
    return hits.map((hit) => {
      const { before, after } = turned(hit.change, field)!;
      return candidateOf(kind, hit, momentOf(hit, env), {
        key: `${hit.change.entity_id}:${field}:${hit.change.id}`,
        data: { field, before, after } as Row,
        ...(operator === 'changes' ? {} : { fact: { field, operator, values: to, lasting: false } }),
      });
    });
  },
});
