import { type Facts, type Ids, LONG_AGO } from './facts.ts';

/** What was set by hand for customers, and people who were erased. */
export function privacyFacts(ids: Ids): Facts {
  const by = { source: 'staff', set_at: LONG_AGO };
  const erasure = { requested_at: LONG_AGO, done_at: null, lifted_at: null, lifted_by: null };
  return {
    field_override: [
      { customer_id: ids.customer, field: 'birthday', value: '1987-02-14', ...by },
      { customer_id: ids.customer2, field: 'birthday', value: '1987-02-15', ...by },
    ],
    erasure: [
      {
        ...{ id: ids.erasure, customer_id: ids.customer2, ground: 'objection', state: 'running', step: 0, ...erasure },
        ...{ scope: null, rows: { customer: 1 }, hashes: ['00'], out_of_reach: '[]' },
      },
    ],
    erasure_block: [{ erasure_id: ids.erasure, kind: 'record', created_at: LONG_AGO, hits: 3, last_at: null }],
  };
}
