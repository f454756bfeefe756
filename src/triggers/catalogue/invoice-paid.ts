import { Type } from 'typebox';
import type { LocalDate } from '../../base/time.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, type Moment, momentOf, rowsDated } from '../found.ts';
import type { Candidate } from '../schema.ts';

const paid = (hit: Parameters<typeof candidateOf>[1], moment: Moment): Candidate =>
  candidateOf('invoice', hit, moment, {
    key: hit.row.entity as string,
    data: { number: hit.row.number, total: hit.row.total, currency: hit.row.currency },
    fact: { field: 'paid_on', operator: 'is_set', values: [], lasting: true },
  });

export const invoicePaid = defineEvent({
  name: 'invoice.paid',
  title: 'Invoice paid',
  arms: 'Fires once when the balance of an invoice reaches zero. A payment that is taken back ends what this started.',
  key: 'invoice',
  kinds: ['invoice'],
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: async (tx, changes, _settings, env) =>
    (await hitsOf(tx, changes, 'invoice', (change) => Boolean(change.after?.paid_on) && !change.before?.paid_on))
      .filter(({ row }) => row.paid_on !== null && row.duplicate_of === null)
      .map((hit) => paid(hit, momentOf(hit, env, hit.row.paid_on as LocalDate))),
  dated: async (tx, from, to, _settings, env) =>
    (await rowsDated(tx, 'invoice', { date: 'paid_on' }, from, to, env, 't.duplicate_of is null')).map(
      ({ row, moment }) => paid({ row }, moment),
    ),
});
