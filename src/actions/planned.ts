import { insertRows, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { NewRequest } from './store.ts';

const COLUMNS = [
  ...['id', 'run_id', 'escalation_id', 'customer_id', 'connection_id'].map((name) => ({ name, type: 'uuid' })),
  ...['step_id', 'idempotency_key', 'kind', 'channel', 'recipient', 'class', 'topic', 'state', 'created_by'].map(
    (name) => ({
      name,
      type: 'text',
    }),
  ),
  ...['visit', 'priority'].map((name) => ({ name, type: 'int' })),
  { name: 'depth', type: 'smallint' },
  { name: 'plan', type: 'jsonb' },
  ...['not_before', 'stale_after', 'created_at', 'updated_at'].map((name) => ({ name, type: 'timestamptz' })),
];

/** Plans actions, all at once. Their unique keys make a second planning of the same one leave the first alone. */
export async function insertRequests(tx: Tx, requests: readonly NewRequest[], now: Date): Promise<void> {
  await insertRows(
    tx,
    'action_request',
    COLUMNS,
    requests.map((request) => ({
      priority: 0,
      depth: 0,
      not_before: now,
      ...request,
      ...{ id: newId(), state: 'planned', created_at: now, updated_at: now },
    })),
    'on conflict do nothing',
  );
}
