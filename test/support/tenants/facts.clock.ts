import type { Facts, Ids } from './facts.ts';

/** Calendars of customers and what triggers put aside. */
export function clockFacts(ids: Ids): Facts {
  return {
    calendar_pass: [{ zone: 'Europe/Berlin', after_id: null }],
    customer_date: [
      {
        customer_id: ids.customer,
        what: 'active',
        kind: '',
        asset: '',
        first_on: '2024-03-02',
        first_day: '03-02',
        last_on: '2025-12-02',
      },
    ],
    trigger_parked: [
      { trigger_id: ids.trigger, change_id: ids.change, tries: 1 },
      { trigger_id: ids.paidTrigger, change_id: ids.change, tries: 1 },
    ],
  };
}
