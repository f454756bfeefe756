import { newId } from '../../../src/base/ids.ts';
import { type Facts, type Flavour, type Ids, LONG_AGO } from './facts.ts';

/** A campaign that runs with somebody whose turn it is, one that was not started, and one that is paused. */
export function campaignFacts(ids: Ids, { due }: Flavour): Facts {
  const plain = {
    ...{ sequence_id: ids.sequence, entry: { mode: 'from_now' }, open: false, per_hour: 10, percent_per_day: null },
    ...{ holdout_percent: 0, starts_at: null, ends_at: null, reason: null, per_day: 5, joined_until: LONG_AGO },
  };
  const member = {
    ...{ campaign_id: ids.campaign, held_out: false, later: false, place: 0, start_on: null, step_id: null },
    ...{ run_id: null, reason: null, detail: null, entered_at: null },
  };
  return {
    campaign: [
      {
        ...plain,
        id: ids.campaign,
        key: 'spring',
        audience: { segment: ids.segment },
        open: true,
        state: 'running',
      },
      { ...plain, id: ids.draftCampaign, key: 'draft', audience: { customers: [ids.customer2] }, state: 'draft' },
      { ...plain, id: ids.pausedCampaign, key: 'paused', audience: { customers: [ids.customer2] }, state: 'paused' },
    ],
    campaign_member: [
      { ...member, customer_id: ids.customer2, state: 'waiting', due_at: due },
      { ...member, customer_id: ids.customer, state: 'entered', entered_at: LONG_AGO, due_at: due, run_id: ids.run },
      { ...member, campaign_id: ids.pausedCampaign, customer_id: ids.customer2, state: 'waiting', due_at: due },
    ],
    sequence_send: [
      {
        ...{ request_id: ids.sent, sequence_id: ids.sequence, campaign_id: ids.campaign, run_id: ids.run },
        ...{ step_id: 'friendly', customer_id: ids.customer, channel: 'email', sent: true, at: LONG_AGO },
        ...{ trouble: null, trouble_at: null },
      },
    ],
    send_breaker: [
      { scope: `sequence:${ids.sequence}`, counted_from: null, tripped_at: LONG_AGO, figures: null },
      { scope: 'sequence:chase', counted_from: null, tripped_at: null, figures: null },
    ],
    credit: [
      {
        ...{ sequence_id: ids.sequence, fact: 'answer', fact_id: newId(), customer_id: ids.customer },
        ...{ request_id: ids.sent, campaign_id: ids.campaign, run_id: ids.run, step_id: 'friendly', last_touch: true },
        ...{ amount: null, currency: null, at: LONG_AGO },
      },
    ],
  };
}
