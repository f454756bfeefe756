import { type Facts, type Flavour, type Ids, LONG_AGO } from './facts.ts';

const TAGGED = { field: 'customer.tags', has_any: ['nobody has this'] };

/** A segment of a trigger with a member who no longer belongs into it, and one that asks for it and was never looked at. */
export function segmentFacts(ids: Ids, { due }: Flavour): Facts {
  const told = { settle_minutes: 0, timed: false, problem: null, evaluated_at: LONG_AGO, swept_at: LONG_AGO, size: 1 };
  return {
    segment: [
      { ...told, id: ids.segment, condition: TAGGED, trigger_id: ids.trigger, timed: true },
      { ...told, id: ids.openSegment, condition: { segment: ids.segment }, trigger_id: null, evaluated_at: null },
    ],
    segment_member: [
      { segment_id: ids.segment, customer_id: ids.customer2, entered_at: LONG_AGO, left_at: null },
      { segment_id: ids.openSegment, customer_id: ids.customer2, entered_at: LONG_AGO, left_at: null },
    ],
    segment_pending: [{ segment_id: ids.segment, customer_id: ids.customer2, inside: false, depth: 0, due_at: due }],
  };
}
