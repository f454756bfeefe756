import { Type } from 'typebox';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, momentOf } from '../found.ts';
import { turned, Words } from '../match.ts';
import { anyOf, Stages } from '../stages.ts';

export const ticketStatusChanged = defineEvent({
  name: 'ticket.status_changed',
  title: 'Ticket changed its status',
  arms: 'Fires each time a ticket or case comes into a status (ours, the platform’s own word such as "Pending Renewal", or the stage of its pipeline), a new one into its first included. The same status fires again only when the ticket left it and came back.',
  key: 'ticket + change',
  kinds: ['ticket'],
  settings: Type.Object(
    { pipelines: Words, from: Words, to: Words },
    {
      additionalProperties: false,
      description:
        'Statuses as open, pending, closed, the platform’s own words, or stages by id or name; an empty list means any.',
    },
  ),
  defaults: { pipelines: [], from: [], to: [] },
  fromChanges: async (tx, changes, settings, env) => {
    const hits = await hitsOf(tx, changes, 'ticket', ({ fields }) =>
      fields.some((field) => ['status', 'native_status', 'stage'].includes(field)),
    );
    if (hits.length === 0) return [];
    const stages = await Stages.load(tx, 'ticket');
    const [from, to] = [stages.named(settings.from), stages.named(settings.to)];
    return hits.flatMap((hit) => {
      const { change, row } = hit;
      const turns = [turned(change, 'status'), turned(change, 'native_status')].filter((turn) => turn !== undefined);
      const move = stages.move(change, row);
      const before = [...turns.map((turn) => turn.before), ...(move?.from ?? [])];
      const after = [...turns.map((turn) => turn.after), ...(move?.to ?? [])];
      if (after.length === 0 || !anyOf(before, from) || !anyOf(after, to)) return [];
      // Told in other words, it has been there before.
      if (to.length > 0 && anyOf(before, to)) return [];
      if (!stages.isIn(row, settings.pipelines)) return [];
      const field = change.fields.includes('native_status') ? 'native_status' : turns.length > 0 ? 'status' : 'stage';
      return candidateOf('ticket', hit, momentOf(hit, env), {
        key: `${change.entity_id}:${change.id}`,
        data: { status: row.status, native: row.native_status, stage: row.stage, before: before[0] ?? null },
        fact: { field, operator: 'equals', values: after.map(String), lasting: false },
      });
    });
  },
});
