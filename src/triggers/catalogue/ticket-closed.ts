import { Type } from 'typebox';
import type { Row, Tx } from '../../base/database.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, type Moment, momentOf, rowsDated } from '../found.ts';
import { isOneOf, Words } from '../match.ts';
import type { Candidate } from '../schema.ts';
import { Stages } from '../stages.ts';

// What was seen as a change is told from it, with the change in its key.
const UNSEEN = `t.status = 'closed' and not exists (select from change c where c.tenant_id = $1 and c.entity_id = t.entity_id and c.origin = 'live' and c.after ->> 'status' = 'closed')`;

const closed = (hit: Parameters<typeof candidateOf>[1], moment: Moment, mark: string): Candidate =>
  candidateOf('ticket', hit, moment, {
    key: `${hit.row.entity}:${mark}`,
    data: { category: hit.row.category, native: hit.row.native_status, stage: hit.row.stage },
    fact: { field: 'status', operator: 'equals', values: ['closed'], lasting: true },
  });

async function chosen(
  tx: Tx,
  settings: { pipelines: string[]; categories: string[]; statuses: string[] },
): Promise<(row: Row) => boolean> {
  const stages = await Stages.load(tx, 'ticket');
  const statuses = stages.named(settings.statuses);
  return (row) =>
    row.status === 'closed' &&
    stages.isIn(row, settings.pipelines) &&
    (settings.categories.length === 0 || isOneOf(row.category, settings.categories)) &&
    (statuses.length === 0 || isOneOf(row.native_status, statuses) || isOneOf(row.stage, statuses));
}

export const ticketClosed = defineEvent({
  name: 'ticket.closed',
  title: 'Ticket closed',
  arms: 'Fires when a ticket or case is closed or resolved. Opening it again ends what this started; closing it once more fires again.',
  key: 'ticket + change',
  kinds: ['ticket'],
  settings: Type.Object(
    { pipelines: Words, categories: Words, statuses: Words },
    {
      additionalProperties: false,
      description:
        'Only tickets of these pipelines and categories, closed with these words of the platform; an empty list means any.',
    },
  ),
  defaults: { pipelines: [], categories: [], statuses: [] },
  fromChanges: async (tx, changes, settings, env) => {
    const hits = await hitsOf(tx, changes, 'ticket', (change) => change.after?.status === 'closed');
    if (hits.length === 0) return [];
    const counts = await chosen(tx, settings);
    return hits
      .filter(({ row }) => counts(row))
      .map((hit) => closed(hit, momentOf(hit, env, hit.row.closed_at as Date | null), hit.change.id));
  },
  dated: async (tx, from, to, settings, env) => {
    const counts = await chosen(tx, settings);
    const rows = await rowsDated(tx, 'ticket', { time: 'closed_at' }, from, to, env, UNSEEN);
    return rows.filter(({ row }) => counts(row)).map(({ row, moment }) => closed({ row }, moment, moment.on));
  },
});
