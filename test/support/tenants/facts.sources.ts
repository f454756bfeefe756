import { newId } from '../../../src/base/ids.ts';
import { WHOLE_TENANT } from '../../../src/mapping/store.ts';
import type { Row } from './catalog.ts';
import { type Facts, type Flavour, type Ids, LONG_AGO } from './facts.ts';

/** A platform and what came from it, as it came. */
export function sourceFacts(ids: Ids, { mark, due }: Flavour): Facts {
  const lease = { lease_owner: 'reader', lease_until: LONG_AGO };
  const parked = { connection_id: ids.connection, stream_id: ids.stream, last_at: LONG_AGO };
  return {
    connection: [
      {
        id: ids.connection,
        connector: 'hubspot',
        account_id: `${mark}-account`,
        account: { id: `${mark}-account`, name: mark },
        settings: {},
        features: ['read', 'write'],
        granted_scopes: [],
        state: 'active',
        prepare_at: LONG_AGO,
      },
    ],
    credential: [{ connection_id: ids.connection, ...lease }],
    call_count: [{ connection_id: ids.connection, day: '2026-03-02', purpose: 'hook' }],
    stream: [
      {
        id: ids.stream,
        connection_id: ids.connection,
        name: 'contacts',
        cursor: {},
        position: null,
        total: 2,
        next_due_at: due,
        sweep_due_at: due,
        phase: 'initial',
        state: 'waiting',
        ...lease,
      },
    ],
    source_record: [
      {
        stream_id: ids.stream,
        remote_id: 'c-1',
        payload: { id: 'c-1', properties: { email: 'ann@example.com', firstname: mark } },
        vendor_at: null,
      },
      {
        stream_id: ids.stream,
        remote_id: 'c-2',
        payload: { id: 'c-2', properties: { email: 'bob@example.com', firstname: mark } },
        vendor_at: null,
        missing_since: LONG_AGO,
        merged_into: null,
      },
    ],
    hint: [
      { connection_id: ids.connection, event_key: 'e-1', stream: 'contacts', remote_id: 'c-1', change: 'changed' },
    ],
    stream_cost: [{ stream_id: ids.stream, calls_per_poll: 3 }],
    hook_watch: [
      {
        ...{ connection_id: ids.connection, stream: 'contacts', missed: 4, finds: 3, polls: 9, waited_seconds: 7200 },
        ...{ missed_since: LONG_AGO, last_missed_at: LONG_AGO, polled_at: LONG_AGO, alarm_since: null },
      },
    ],
    parked_item: [
      { id: ids.parked, kind: 'record', reference: `${ids.stream}/c-9`, ...parked },
      { id: newId(), kind: 'field', reference: `${ids.stream}/email`, ...parked },
      {
        id: newId(),
        kind: 'row',
        reference: 'people.csv/7',
        ...parked,
        detail: { file: 'people.csv', object: 'contacts', import: newId(), why: mark },
      },
    ],
    field_definition: [{ stream_id: ids.stream, name: 'email', options: null }],
    mapping_override: [
      { connector: 'hubspot', connection_id: ids.connection, version: 1, mapping: {} },
      { connector: 'hubspot', connection_id: WHOLE_TENANT, version: 1, mapping: {} },
    ],
    remap_run: [
      {
        id: ids.remapRun,
        connector: 'hubspot',
        connection_id: ids.connection,
        reason: 'rollback',
        level_id: ids.connection,
        version: 1,
        back_to: 0,
        state: 'running',
        streams: JSON.stringify([{ id: ids.stream, name: 'contacts' }]),
        after: null,
        mapping_seq: 0,
        ...lease,
      },
    ],
    remap_kept: [{ run_id: ids.remapRun, stream_id: ids.stream, remote_id: 'i-2' }],
    field_tally: [
      { stream_id: ids.stream, path: 'properties.email', seen: 100, present: 100, shapes: {}, shape: null },
    ],
    field_drift: [
      { id: ids.drift, connection_id: ids.connection, stream_id: ids.stream, kind: 'gone', field: 'email', detail: {} },
    ],
    import_run: [
      {
        id: ids.importRun,
        connection_id: ids.connection,
        object: 'contacts',
        records: {},
        state: 'running',
        alive_at: LONG_AGO,
        file_name: 'people.csv',
      },
      { id: newId(), connection_id: ids.connection, object: 'contacts', records: {}, state: 'done' },
    ],
    import_row: [{ import_id: ids.importRun, object: 'contacts', group_key: 'g-1', line: 2, data: { name: mark } }],
    write_ledger: [
      {
        connection_id: ids.connection,
        object: 'contacts',
        remote_id: 'c-1',
        field: 'email',
        request_id: ids.sent,
        written_at: due,
        answered_at: LONG_AGO,
        expires_at: new Date('2030-01-01'),
        seen_at: null,
        flipped_at: null,
        way: null,
      },
    ],
    write_breaker: [
      {
        id: ids.breaker,
        connection_id: ids.connection,
        object: 'contacts',
        remote_id: 'c-1',
        field: 'city',
        flips: [],
        tripped_at: LONG_AGO,
      },
    ],
  };
}

/** What the records became. */
export function documentFacts(ids: Ids, { due }: Flavour): Facts {
  const whose = {
    stream_id: ids.stream,
    customer_id: ids.customer,
    company_id: ids.company,
    owner_id: ids.owner,
    customer_ref: `${ids.stream}/c-1`,
    currency: 'USD',
  };
  const plain = { ...whose, remote_id: 'x-1' };
  const other = (row: Row): Row => ({
    ...Object.fromEntries(Object.entries(whose).filter(([name]) => name !== 'currency')),
    ...row,
  });
  const open = {
    status: 'open',
    issued_on: '2026-01-20',
    due_on: '2026-02-27',
    total: 100,
    balance: 60,
    paid_on: null,
  };
  const paid = {
    status: 'paid',
    issued_on: '2026-01-20',
    due_on: '2026-02-27',
    total: 100,
    balance: 0,
    paid_on: '2026-03-01',
  };
  return {
    deal: [
      { ...plain, entity_id: newId() },
      // Its customer is there, but nobody connected the two yet.
      { ...plain, remote_id: 'x-2', entity_id: newId(), customer_id: null },
      // It still points at who was merged away.
      { ...plain, remote_id: 'x-3', entity_id: newId(), customer_id: ids.merged },
    ],
    ticket: [other({ remote_id: 'x-1', entity_id: newId() })],
    job: [{ ...plain, entity_id: newId() }],
    subscription: [{ ...plain, entity_id: newId() }],
    survey_response: [other({ remote_id: 'x-1', entity_id: newId() })],
    pipeline_stage: [{ stream_id: ids.stream, remote_id: 'x-1', entity_id: newId() }],
    activity: [
      other({
        remote_id: 'x-1',
        entity_id: newId(),
        channel: 'whatsapp',
        direction: 'in',
        occurred_at: due,
        kind: 'message',
      }),
    ],
    invoice: [
      { ...plain, ...open, remote_id: 'i-1', entity_id: ids.invoice },
      { ...plain, ...paid, remote_id: 'i-2', entity_id: ids.paidInvoice },
    ],
    payment: [
      { ...plain, remote_id: 'p-1', entity_id: ids.payment, status: 'failed', paid_on: '2026-03-01' },
      { ...plain, remote_id: 'p-2', entity_id: newId(), status: 'succeeded', unapplied: 5, paid_on: '2026-03-01' },
    ],
    change: [
      {
        id: ids.change,
        kind: 'invoice',
        entity_id: ids.paidInvoice,
        customer_id: ids.customer,
        op: 'updated',
        fields: ['paid_on'],
        before: { paid_on: null },
        after: { paid_on: '2026-03-01' },
        origin: 'live',
        occurred_at: due,
        processed: false,
      },
      {
        // That the member of the segment entered it was told.
        ...{
          id: newId(),
          kind: 'segment',
          entity_id: ids.segment,
          customer_id: ids.customer2,
          op: 'entered',
          fields: [],
        },
        ...{ before: null, after: null, origin: 'live', occurred_at: LONG_AGO, processed: true },
      },
    ],
  };
}
