import { Type } from 'typebox';
import type { Row, Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import { defineEvent } from './events.ts';
import { candidateOf, hitsOf, type Moment, momentOf, rowsDated } from './found.ts';
import { Words } from './match.ts';
import type { Candidate, TriggerDefinition } from './schema.ts';
import { Stages } from './stages.ts';

/** Deals of a first load and those whose end was not seen as a change: their day of closing is all there is. */
const UNSEEN = (status: string): string =>
  `t.status = '${status}' and not exists (select from change c where c.tenant_id = $1 and c.entity_id = t.entity_id and c.origin = 'live' and c.after ->> 'status' = '${status}')`;

/** The trigger for deals that end in one of the two ways. */
export function dealEnded(status: 'won' | 'lost'): TriggerDefinition {
  const found = (hit: Parameters<typeof candidateOf>[1], moment: Moment, mark: string): Candidate =>
    candidateOf('deal', hit, moment, {
      key: `${hit.row.entity}:${status}:${mark}`,
      data: { stage: hit.row.stage, pipeline: hit.row.pipeline, amount: hit.row.amount, currency: hit.row.currency },
      fact: { field: 'status', operator: 'equals', values: [status], lasting: true },
    });
  const inPipeline = async (tx: Tx, pipelines: readonly string[]): Promise<(row: Row) => boolean> => {
    const stages = pipelines.length > 0 ? await Stages.load(tx, 'deal') : new Stages([]);
    return (row) => stages.isIn(row, pipelines);
  };
  return defineEvent({
    name: `deal.${status}`,
    title: `Deal ${status}`,
    arms: `Fires when a deal is ${status}. One that is opened again ends what this started, and fires again when it is ${status} once more.`,
    key: 'deal + stage + change',
    kinds: ['deal'],
    settings: Type.Object(
      { pipelines: Words },
      { additionalProperties: false, description: 'Pipelines by id or name; an empty list means any.' },
    ),
    defaults: { pipelines: [] },
    fromChanges: async (tx, changes, settings, env) => {
      const hits = await hitsOf(tx, changes, 'deal', (change) => change.after?.status === status);
      if (hits.length === 0) return [];
      const counts = await inPipeline(tx, settings.pipelines);
      return hits
        .filter(({ row }) => row.status === status && counts(row))
        .map((hit) => {
          // The day a deal was expected to close says nothing about when it did.
          const told = hit.change.op === 'created' ? (hit.row.closes_on as LocalDate | null) : null;
          return found(hit, momentOf(hit, env, told), hit.change.id);
        });
    },
    dated: async (tx, from, to, settings, env) => {
      const counts = await inPipeline(tx, settings.pipelines);
      const rows = await rowsDated(tx, 'deal', { date: 'closes_on' }, from, to, env, UNSEEN(status));
      return rows.filter(({ row }) => counts(row)).map(({ row, moment }) => found({ row }, moment, moment.on));
    },
  });
}
