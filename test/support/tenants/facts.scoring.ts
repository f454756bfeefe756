import { SCORE_SETTINGS } from '../../../src/settings/score.ts';
import { type Facts, type Flavour, type Ids, LONG_AGO } from './facts.ts';

/** Scores of a business, what they were made of, and what people decided about its customers. */
export function scoringFacts(ids: Ids, { mark, days }: Flavour): Facts {
  const { value } = SCORE_SETTINGS.score;
  const settings = { ...value, unhappy: { ...value.unhappy, complaintWords: [mark] } };
  const scored = {
    ...{
      customer_id: ids.customer,
      score: 52.7,
      band: 'steady',
      vip: false,
      unhappy: true,
      unhappy_since: '2026-02-20',
    },
    ...{ unhappy_reason: `${mark} was not amused`, reason: null, formula: 1, rules: 1, yardstick: 1 },
  };
  return {
    customer_score: [{ ...scored, day: '2026-03-01' }],
    score_history: [
      { ...scored, day: '2026-02-01' },
      { ...scored, day: '2026-02-20' },
    ],
    score_rules: [{ version: 1, formula: 1, settings, sources: ['jobs'], kept: {} }],
    score_yardstick: [
      { version: 1, month: '2026-02-01', kind: 'configured', payers: days.length, target: 10_000, quantiles: null },
    ],
    score_state: [
      { passed_on: '2026-02-20', passed_at: LONG_AGO, streams_read: 0, customers: 1, rules: 1, yardstick: 1 },
    ],
    progress_written: [
      {
        stream_id: ids.stream,
        remote_id: 'c-1',
        names: { nextStep: 'told' },
        enrolment: 'x',
        next_step: 'x',
        checked_at: LONG_AGO,
      },
    ],
    score_written: [
      {
        ...{ stream_id: ids.stream, remote_id: `c-${mark}`, names: { fields: { score: 'x' }, tags: {} } },
        ...{ score: 12, band: 'at_risk', vip: false, unhappy: false, revision: 1, written_at: LONG_AGO },
      },
    ],
    customer_standing: [{ customer_id: ids.customer, vip: true, cleared_at: null, version: 1 }],
    message_engagement: [
      {
        key: `request:${ids.sent}`,
        customer_id: ids.customer,
        channel: 'email',
        delivered_at: LONG_AGO,
        machine: false,
      },
    ],
  };
}
