import { type Facts, type Ids, LONG_AGO } from './facts.ts';

const TAGGED = { field: 'customer.tags', has_any: ['nobody has this'] };

/** A segment with a member who no longer belongs into it, and a change that has lasted. */
export function segmentFacts(ids: Ids): Facts {
  const told = { settle_minutes: 0, timed: false, problem: null, evaluated_at: LONG_AGO, swept_at: LONG_AGO, size: 1 };
  return {
    segment: [
      { ...told, id: ids.segment, condition: TAGGED, trigger_id: ids.trigger },
      { ...told, id: ids.timedSegment, condition: TAGGED, trigger_id: null, timed: true, evaluated_at: null },
    ],
    segment_member: [
      { segment_id: ids.segment, customer_id: ids.customer2, entered_at: LONG_AGO, left_at: null },
      { segment_id: ids.timedSegment, customer_id: ids.customer2, entered_at: LONG_AGO, left_at: null },
    ],
    segment_pending: [
      { segment_id: ids.segment, customer_id: ids.customer2, inside: false, depth: 0, due_at: LONG_AGO },
    ],
  };
}
