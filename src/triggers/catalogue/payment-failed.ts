import { Type } from 'typebox';
import type { LocalDate } from '../../base/time.ts';
import { defineEvent } from '../events.ts';
import { candidateOf, hitsOf, momentOf, rowsDated } from '../found.ts';

const found = (hit: Parameters<typeof candidateOf>[1], moment: Parameters<typeof candidateOf>[2]) =>
  candidateOf('payment', hit, moment, {
    key: hit.row.entity as string,
    data: { amount: hit.row.amount, currency: hit.row.currency, reason: hit.row.failure_reason },
    fact: { field: 'status', operator: 'equals', values: ['failed'], lasting: true },
  });

export const paymentFailed = defineEvent({
  name: 'payment.failed',
  title: 'Payment failed',
  arms: 'Fires once for each payment that billing reports as failed. A new attempt is a new payment and fires for itself.',
  key: 'payment',
  kinds: ['payment'],
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
  fromChanges: async (tx, changes, _settings, env) => {
    const hits = await hitsOf(tx, changes, 'payment', (change) => change.after?.status === 'failed');
    return hits
      .filter(({ row }) => row.status === 'failed')
      .map((hit) => found(hit, momentOf(hit, env, hit.row.paid_on as LocalDate | null)));
  },
  dated: async (tx, from, to, _settings, env) =>
    (await rowsDated(tx, 'payment', { date: 'paid_on' }, from, to, env, "t.status = 'failed'")).map(({ row, moment }) =>
      found({ row }, moment),
    ),
});
