import { Type } from 'typebox';
import type { LocalDate } from '../../base/time.ts';
import { defineEvent } from '../events.ts';
import { hitsOf, momentOf, rowsDated } from '../found.ts';
import { becameClaim, CLAIM, isClaim, issued } from '../issued.ts';

export const invoiceIssued = defineEvent({
  name: 'invoice.issued',
  title: 'Invoice issued',
  arms: 'Fires once for each invoice when it is issued: made as anything but a draft, or a draft sent. One that another source leads is not counted twice; voiding it ends what it started, and it does not fire again.',
  key: 'invoice',
  kinds: ['invoice'],
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: async (tx, changes, _settings, env) =>
    (await hitsOf(tx, changes, 'invoice', becameClaim))
      .filter(({ row }) => isClaim(row))
      .map((hit) => issued(hit, momentOf(hit, env, hit.row.issued_on as LocalDate | null))),
  dated: async (tx, from, to, _settings, env) =>
    (await rowsDated(tx, 'invoice', { date: 'issued_on' }, from, to, env, CLAIM)).map(({ row, moment }) =>
      issued({ row }, moment),
    ),
});
