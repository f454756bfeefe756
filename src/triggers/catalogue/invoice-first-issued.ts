import { Type } from 'typebox';
import type { LocalDate } from '../../base/time.ts';
import { defineEvent } from '../events.ts';
import { hitsOf, momentOf, rowsDated } from '../found.ts';
import { becameClaim, CLAIM, firstOnes, isClaim, issued } from '../issued.ts';
import type { Candidate } from '../schema.ts';

const onlyFirst = async (
  tx: Parameters<typeof firstOnes>[0],
  candidates: readonly Candidate[],
): Promise<Candidate[]> => {
  const first = await firstOnes(
    tx,
    candidates.map(({ subject }) => subject.id),
  );
  return candidates.filter(({ subject }) => first.has(subject.id));
};

export const invoiceFirstIssued = defineEvent({
  name: 'invoice.first_issued',
  title: 'First invoice issued',
  arms: 'Fires when a customer is issued an invoice and has had none before, in any connected system; drafts and voided ones are no invoices, and a copy led by another source is not counted. Fires again only if that invoice was voided and another one becomes the first.',
  key: 'invoice',
  kinds: ['invoice'],
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: async (tx, changes, _settings, env) =>
    onlyFirst(
      tx,
      (await hitsOf(tx, changes, 'invoice', becameClaim))
        .filter(({ row }) => isClaim(row))
        .map((hit) => issued(hit, momentOf(hit, env, hit.row.issued_on as LocalDate | null))),
    ),
  dated: async (tx, from, to, _settings, env) =>
    onlyFirst(
      tx,
      (await rowsDated(tx, 'invoice', { date: 'issued_on' }, from, to, env, CLAIM)).map(({ row, moment }) =>
        issued({ row }, moment),
      ),
    ),
});
