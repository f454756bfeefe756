import { Type } from 'typebox';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, momentOf } from '../found.ts';
import { plain, Words } from '../match.ts';
import { anyOf, Stages } from '../stages.ts';

export const dealStageChanged = defineEvent({
  name: 'deal.stage_changed',
  title: 'Deal moved to a stage',
  arms: 'Fires each time a deal comes into a stage, a new deal into its first one included. The same deal in the same stage fires again only when it left and came back. A stage that gets another name moves nothing.',
  key: 'deal + stage + change',
  kinds: ['deal'],
  settings: Type.Object(
    { pipelines: Words, from: Words, to: Words },
    { additionalProperties: false, description: 'Pipelines and stages by id or name; an empty list means any.' },
  ),
  defaults: { pipelines: [], from: [], to: [] },
  fromChanges: async (tx, changes, settings, env) => {
    const hits = await hitsOf(
      tx,
      changes,
      'deal',
      ({ fields }) => fields.includes('stage') || fields.includes('native_status'),
    );
    if (hits.length === 0) return [];
    const stages = await Stages.load(tx, 'deal');
    const [from, to] = [stages.named(settings.from), stages.named(settings.to)];
    return hits.flatMap((hit) => {
      const move = stages.move(hit.change, hit.row);
      if (!move || !anyOf(move.from, from) || !anyOf(move.to, to) || !stages.isIn(hit.row, settings.pipelines))
        return [];
      const stage = String(move.to[0] ?? '');
      // Where stages have ids, the id is what stays when somebody renames them.
      const byId = stages.isStageId(hit.row.native_status);
      return candidateOf('deal', hit, momentOf(hit, env), {
        key: `${hit.change.entity_id}:${plain(stage)}:${hit.change.id}`,
        data: { stage, before: move.from[0] ?? null, pipeline: hit.row.pipeline, amount: hit.row.amount },
        fact: {
          field: byId ? 'native_status' : 'stage',
          operator: 'equals',
          values: move.to.map(String),
          lasting: false,
        },
      });
    });
  },
});
