import { newId } from '../../../src/base/ids.ts';
import { type Facts, type Ids, LONG_AGO } from './facts.ts';

const LATER = new Date(LONG_AGO.getTime() + 3_600_000);

/** Readings of everything, and deletions that wait, are done, or are to be finished. */
export function completenessFacts(ids: Ids): Facts {
  const batch = { connection_id: ids.connection, stream_id: ids.stream, cause: 'sweep', decided_by: null };
  const over = { stream_id: ids.stream, state: 'proven', kind: 'verify', method: 'list', position: null };
  return {
    stream_pass: [
      {
        ...{ id: ids.pass, stream_id: ids.stream, kind: 'sweep', method: 'list', state: 'reading', ended_at: null },
        ...{ started_at: LATER, last_at: LATER, position: null, result: {}, lease_owner: 'reader' },
        lease_until: LONG_AGO,
      },
      { ...over, id: newId(), started_at: LONG_AGO, last_at: LONG_AGO, ended_at: LONG_AGO, result: {} },
      { ...over, id: newId(), started_at: LATER, last_at: LATER, ended_at: LATER, result: {} },
    ],
    pass_seen: [
      { pass_id: ids.pass, remote_id: 'c-1' },
      { pass_id: ids.pass, remote_id: 'c-unknown' },
    ],
    deletion_batch: [
      { ...batch, id: ids.heldBatch, state: 'held' },
      { ...batch, id: ids.doneBatch, state: 'applied' },
      { ...batch, id: ids.confirmedBatch, state: 'confirmed' },
    ],
    deletion: [
      { batch_id: ids.heldBatch, stream_id: ids.stream, remote_id: 'c-9', state: 'held' },
      { batch_id: ids.doneBatch, stream_id: ids.stream, remote_id: 'c-8', state: 'deleted' },
      { batch_id: ids.stream, stream_id: ids.stream, remote_id: 'c-1', state: 'gathered' },
    ],
  };
}
