import { newId } from '../base/ids.ts';
import type { RequestRow } from './store.ts';

type Given = Pick<RequestRow, 'kind' | 'channel' | 'recipient' | 'class' | 'topic' | 'customer_id' | 'plan'>;

/** A request as it would be planned now. It exists in memory only: for explanations, which change nothing. */
export const imaginedRequest = (given: Given & Partial<RequestRow>, now: Date): RequestRow => ({
  id: newId(),
  run_id: null,
  step_id: null,
  visit: null,
  escalation_id: null,
  idempotency_key: null,
  priority: 0,
  connection_id: null,
  content: null,
  state: 'planned',
  reason: null,
  reason_detail: null,
  held: false,
  not_before: now,
  stale_after: null,
  lease_owner: null,
  lease_until: null,
  attempts: 0,
  native_id: null,
  native_url: null,
  native_state: null,
  native_state_at: null,
  depth: 0,
  created_by: 'explanation',
  created_at: now,
  committed_at: null,
  ended_at: null,
  updated_at: now,
  version: 1,
  ...given,
});
