import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { newId } from '../src/base/ids.ts';
import { purge } from '../src/maintenance.ts';
import { applyRecords } from '../src/model/apply.ts';
import { exitListener } from '../src/sequences/exits.ts';
import { countFlip } from '../src/sync/breaker.ts';
import { compareWritten, hashOfValue, LEDGER, type LedgerRow, looseHashes, noteWrites } from '../src/sync/ledger.ts';
import { detectFromChanges } from '../src/triggers/detect.ts';
import { insertTrigger, listOccurrences } from '../src/triggers/store.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub } from './support/hub.ts';
import { definitionOf } from './support/tenants/facts.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';

let vendor: HubSpotSandbox;
let hub: TestHub;
let connection: Record<string, any>;
/** A second account, mirrored with the first by somebody else. */
let mirror: Record<string, any>;
/** What something inside the simulated account does with what is written through its API. */
let workflow: ((type: string, id: string, properties: Record<string, string>) => void) | undefined;

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/hubspot`, limits: false });
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot'],
    env: { ...APP, HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! },
  });
  const update = vendor.state.update.bind(vendor.state);
  vendor.state.update = (type, id, properties) => {
    const record = update(type, id, properties);
    // Whoever reacts to a change does not react to their own.
    const react = workflow;
    workflow = undefined;
    react?.(type, id, properties as Record<string, string>);
    workflow = react;
    return record;
  };
  connection = await hub.connect('hubspot', { features: ['read', 'write'] });
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

let made = 0;
/** A contact the hub knows. */
async function contact(properties: Record<string, string> = {}): Promise<{ remote: string; id: string }> {
  made += 1;
  const email = `echo${made}@example.com`;
  const { id: remote } = vendor.state.create('contacts', {
    firstname: 'Ann',
    lastname: `Echo${made}`,
    email,
    jobtitle: 'Buyer',
    ...properties,
  });
  await seen(remote);
  const { body } = await hub.api('GET', `/v1/customers?search=${email}`);
  return { remote, id: body.items[0].id };
}

/** The platform tells of a record a moment later, and the hub looks. */
async function seen(remote: string): Promise<void> {
  hub.clock.advance(1000);
  await vendor.tell('propertyChange', 'contacts', remote);
  await hub.settle();
}

/** Asks the hub to write fields of a contact, and lets it. */
async function write(remote: string, fields: Record<string, string>): Promise<Record<string, any>> {
  const { body, status } = await hub.api('POST', '/v1/actions', {
    kind: 'update_field',
    connectionId: connection.id,
    input: { object: 'contact', id: remote, fields },
  });
  expect(status, JSON.stringify(body)).toBeLessThan(300);
  await hub.settle();
  return (await hub.api('GET', `/v1/actions/${body.id}`)).body;
}

interface ChangeLine {
  op: string;
  fields: string[];
  origin: string;
  depth: number;
  after: Record<string, unknown> | null;
}

/** Changes of a customer since a moment, oldest first. */
const changes = (customerId: string, from = 1): Promise<ChangeLine[]> =>
  hub.hub.db.tenant(hub.tenantId, async (tx) => {
    const { rows } = await tx.query<ChangeLine>(
      'select op, fields, origin, depth, after from change where tenant_id = $1 and entity_id = $2 order by id',
      [tx.tenantId, customerId],
    );
    return rows.slice(from);
  });

test('echo: what we wrote comes back as an echo, and what a person changed in the same look is news', async () => {
  const { remote, id } = await contact();
  await write(remote, { jobtitle: 'Head of Buying' });
  vendor.state.update('contacts', remote, { city: 'Boston' });
  await seen(remote);
  expect(await changes(id)).toEqual([
    expect.objectContaining({ origin: 'echo', fields: ['job_title'] }),
    expect.objectContaining({ origin: 'live', fields: ['city'], depth: 1 }),
  ]);
  const { body } = await hub.api('GET', `/v1/customers/${id}`);
  expect(body).toMatchObject({ email: `echo${made}@example.com` });
});

test('echo: a person who changes the same field is heard, also when they set our value again later', async () => {
  const { remote, id } = await contact();
  await write(remote, { jobtitle: 'Director' });
  await seen(remote);
  await hub.advance(2 * HOUR);
  vendor.state.update('contacts', remote, { jobtitle: 'Intern' });
  await seen(remote);
  await hub.advance(MINUTE);
  vendor.state.update('contacts', remote, { jobtitle: 'Director' });
  await seen(remote);
  expect((await changes(id)).map(({ origin, after, depth }) => [origin, after?.job_title, depth])).toEqual([
    ['echo', 'Director', 0],
    ['live', 'Intern', 0],
    ['live', 'Director', 0],
  ]);
});

const rowsOf = <Row>(sql: string, ...values: unknown[]): Promise<Row[]> =>
  hub.hub.db.tenant(hub.tenantId, async (tx) => (await tx.query<Row>(sql, [tx.tenantId, ...values])).rows);

test('echo: a value the platform tidied is still ours, by its answer or by the first look', async () => {
  const { remote, id } = await contact();
  // What it makes of it cannot be guessed: only its answer tells.
  workflow = (type, record) => vendor.state.update(type, record, { jobtitle: 'DIR-01' });
  await write(remote, { jobtitle: 'Director' });
  workflow = undefined;
  await seen(remote);
  // Here the answer still shows ours, and the tidying follows.
  await write(remote, { mobilephone: '+1 415 555 7000', city: '  New   York ' });
  vendor.state.update('contacts', remote, { mobilephone: '(415) 555-7000', city: 'New York' });
  await seen(remote);
  expect((await changes(id)).map(({ origin, fields }) => [origin, fields.join()])).toEqual([
    ['echo', 'job_title'],
    ['echo', expect.stringMatching(/phone.*city/)],
  ]);
  // Learned once, it is known: the same value later is somebody's own.
  await hub.advance(2 * HOUR);
  vendor.state.update('contacts', remote, { city: 'Boston' });
  await seen(remote);
  vendor.state.update('contacts', remote, { city: 'New York' });
  await seen(remote);
  expect((await changes(id)).slice(2).map(({ origin }) => origin)).toEqual(['live', 'live']);
});

test('echo: numbers are ours when rounded, phones when rewritten, and nothing else is', () => {
  const row = (value: unknown): LedgerRow =>
    ({
      value_hash: hashOfValue(value),
      loose_hashes: looseHashes(value),
      way: null,
      number: /^[\d.]+$/.test(String(value)) ? String(value) : null,
      learned_hash: null,
    }) as LedgerRow;
  const cases: [unknown, unknown, string][] = [
    ['12.345', '12.35', 'tidied'],
    ['12.345', '12', 'tidied'],
    ['12.345', '12.3451', 'other'],
    ['12.345', '13', 'other'],
    [null, '', 'same'],
    [5, '5', 'same'],
    ['+14155550001', '(415) 555-0001', 'tidied'],
    ['+14155550001', '(415) 555-0002', 'other'],
    ['Ann', ' ANN ', 'tidied'],
    ['Ann', 'Anne', 'other'],
    ['', 'x', 'other'],
  ];
  for (const [ours, theirs, verdict] of cases)
    expect(compareWritten(row(ours), theirs), `${ours} and ${theirs}`).toBe(verdict);
});

test('echo: our own tag coming back is ours, and one that somebody set beside it is theirs', async () => {
  const { remote, id } = await contact({ company: 'vip;old' });
  const tag = (field: string, way: '+' | '-'): Promise<void> =>
    hub.hub.db.tenant(hub.tenantId, (tx) =>
      noteWrites(
        tx,
        [
          {
            connectionId: connection.id,
            object: 'contacts',
            remoteId: remote,
            field: 'company',
            value: field,
            way,
            requestId: newId(),
            depth: 1,
          },
        ],
        7,
        hub.clock.now(),
      ),
    );
  await tag('Chased', '+');
  await tag('old', '-');
  // Ours come and go; beside them a person adds one.
  vendor.state.update('contacts', remote, { company: 'vip;theirs;chased' });
  await seen(remote);
  expect((await changes(id)).map(({ origin, after }) => [origin, after?.company_name])).toEqual([
    ['echo', 'vip;chased'],
    ['live', 'vip;theirs;chased'],
  ]);
});

test('echo: a webhook that is faster than the answer to our write is recognised', async () => {
  const { remote, id } = await contact();
  vendor.server.faults.add({ kind: 'cut_after', match: /^PATCH/, times: 1 });
  const action = await write(remote, { jobtitle: 'Director' });
  expect(action.state).toBe('unknown');
  await seen(remote);
  expect((await changes(id)).map(({ origin }) => origin)).toEqual(['echo']);
});

test('echo: what the platform refused is not expected back', async () => {
  const { remote } = await contact();
  vendor.server.faults.add({
    kind: 'status',
    status: 400,
    match: /^PATCH/,
    times: 1,
    body: { status: 'error', category: 'VALIDATION_ERROR', message: 'no' },
  });
  expect((await write(remote, { jobtitle: 'Director' })).state).toBe('failed');
  expect(await rowsOf('select 1 from write_ledger where tenant_id = $1 and remote_id = $2', remote)).toEqual([]);
});

test('echo: a workflow that sets our field back each time is not fed any more; the owner is told and can let it go on', async () => {
  const { remote, id } = await contact();
  const states: string[] = [];
  for (let times = 0; times < 4; times++) {
    const action = await write(remote, { jobtitle: 'Director' });
    // It reacts a moment after the answer.
    if (action.state === 'sent') vendor.state.update('contacts', remote, { jobtitle: 'Buyer' });
    states.push(action.reason ?? action.state);
    await seen(remote);
    await hub.advance(MINUTE);
  }
  expect(states).toEqual(['sent', 'sent', 'sent', 'ping_pong']);
  const { body: breakers } = await hub.api('GET', '/v1/write-breakers');
  expect(breakers.items).toEqual([expect.objectContaining({ record: remote, field: 'jobtitle', object: 'contacts' })]);
  const { body: parked } = await hub.api('GET', '/v1/parked?kind=write');
  expect(parked.items[0].reason).toMatch(/set "jobtitle" of contacts .* back 3 times.*rapport breakers --reset/);
  const { body: audit } = await hub.api('GET', '/v1/audit?action=write.stopped');
  expect(audit.items).toHaveLength(1);
  // Only that field of that record is left alone.
  expect((await write(remote, { city: 'Boston' })).state).toBe('sent');
  const other = await contact();
  expect((await write(other.remote, { jobtitle: 'Director' })).state).toBe('sent');
  // Explained before it is tried, too.
  expect((await write(remote, { jobtitle: 'Director' })).detail).toMatch(/set "jobtitle".*back each time/);
  const reset = await hub.api('POST', `/v1/write-breakers/${breakers.items[0].id}/reset`);
  expect(reset.body).toMatchObject({ stoppedAt: null, flips: [] });
  expect((await hub.api('GET', '/v1/parked?kind=write')).body.items).toEqual([]);
  expect((await write(remote, { jobtitle: 'Director' })).state).toBe('sent');
  expect((await changes(id)).every(({ fields }) => fields.length > 0)).toBe(true);
});

test('echo: one write counts as set back once, however many workers see it', async () => {
  const remoteId = `race${made}`;
  const writing = {
    connectionId: connection.id as string,
    object: 'contacts',
    remoteId,
    field: 'x',
    value: 1,
    depth: 1,
  };
  const inTenant = hub.hub.db.tenant;
  const now = hub.clock.now();
  await inTenant(hub.tenantId, (tx) =>
    noteWrites(
      tx,
      [newId(), newId()].map((requestId) => ({ ...writing, requestId })),
      7,
      now,
    ),
  );
  const rows = await rowsOf<LedgerRow>(
    `select ${LEDGER} from write_ledger where tenant_id = $1 and remote_id = $2`,
    remoteId,
  );
  await Promise.all([...rows, ...rows, ...rows].map((row) => inTenant(hub.tenantId, (tx) => countFlip(tx, row, now))));
  const [breaker] = await rowsOf<{ flips: Date[] }>(
    'select flips from write_breaker where tenant_id = $1 and remote_id = $2',
    remoteId,
  );
  expect(breaker!.flips).toHaveLength(2);
});

test('echo: a chain of our own writes ends at the limit, and that is told', async () => {
  const stream = newId();
  const result = await hub.hub.db.tenant(hub.tenantId, async (tx) => {
    const now = hub.clock.now();
    await insertTrigger(
      tx,
      { name: 'invoice.paid', title: 'Paid', settings: {}, sequence_id: null, enabled: true },
      now,
    );
    const { rows } = await tx.query<{ entity_id: string }>(
      'select entity_id from contact_projection where tenant_id = $1 limit 1',
      [tx.tenantId],
    );
    const ctx = { now, origin: 'live' as const, zone: 'UTC', sourceOf: () => undefined };
    for (const depth of [3, 4])
      for (const paid of [false, true])
        await applyRecords(
          tx,
          [
            {
              kind: 'invoice',
              streamId: stream,
              remoteId: `depth${depth}`,
              values: { number: `D${depth}`, total: '10', balance: paid ? '0' : '10', status: paid ? 'paid' : 'open' },
              references: {},
              mappingVersion: 'm1',
              depth,
            },
          ],
          ctx,
          [],
        );
    await tx.query('update invoice set customer_id = $2 where tenant_id = $1', [tx.tenantId, rows[0]!.entity_id]);
    await detectFromChanges(tx, now, async () => []);
    return listOccurrences(tx, { name: 'invoice.paid', limit: 10 });
  });
  expect(Object.fromEntries(result.map((row) => [row.subject_label, row.outcome]))).toEqual({
    'invoice D3': 'new',
    'invoice D4': 'skipped: caused by our own writes again and again',
  });
  const { body } = await hub.api('GET', '/v1/audit?action=trigger.loop_stopped');
  expect(body.items).toEqual([expect.objectContaining({ data: expect.objectContaining({ depth: 4 }) })]);
});

test('echo: what we wrote ends no enrolment, and the same fact from somebody else does', async () => {
  const { id } = await contact();
  const [run, sequence] = [newId(), newId()];
  const now = hub.clock.now();
  await rowsOf(
    "insert into sequence_version (tenant_id, sequence_id, number, definition, created_at, created_by) values ($1, $2, 1, $3, $4, 'test')",
    sequence,
    { ...definitionOf('chase', 'Chase'), exits: ['invoices_settled'] },
    now,
  );
  await rowsOf(
    `insert into run (tenant_id, id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, start_on, zone, cause, started_at, updated_at)
     values ($1, $2, $3, 1, $4, 'customer', 1, 'waiting', 'friendly', '2026-03-02', 'UTC', '{}', $5, $5)`,
    run,
    sequence,
    id,
    now,
  );
  const told = async (origin: 'echo' | 'live'): Promise<string> => {
    const paid = { kind: 'invoice', op: 'updated', fields: ['balance'], before: {}, after: {}, depth: 0 } as const;
    const change = { ...paid, fields: ['balance'], id: newId(), entity_id: newId(), customer_id: id, origin };
    await hub.hub.db.tenant(hub.tenantId, (tx) =>
      exitListener(hub.hub.deps.ports)(tx, [{ ...change, occurred_at: now, received_at: now }], now),
    );
    return (await rowsOf<{ state: string }>('select state from run where tenant_id = $1 and id = $2', run))[0]!.state;
  };
  expect(await told('echo')).toBe('waiting');
  expect(await told('live')).toBe('exited');
});

test('echo: expectations end after the days that were set, and nothing of them stays', async () => {
  await hub.hub.db.tenant(hub.tenantId, (tx) =>
    noteWrites(
      tx,
      [
        {
          connectionId: connection.id,
          object: 'contacts',
          remoteId: 'old',
          field: 'x',
          value: 'y',
          requestId: newId(),
          depth: 1,
        },
      ],
      7,
      hub.clock.now(),
    ),
  );
  const left = async (days: number): Promise<number> => {
    await purge(hub.hub.db, hub.tenantId, new Date(hub.clock.now().getTime() + days * 24 * HOUR));
    return (await rowsOf("select 1 from write_ledger where tenant_id = $1 and remote_id = 'old'")).length;
  };
  expect(await left(6.9)).toBe(1);
  expect(await left(7.1)).toBe(0);
});

test('echo: a second account that is kept the same by somebody else does not make news of our writes', async () => {
  const { remote, id } = await contact();
  vendor.portalId = '8712002';
  mirror = await hub.connect('hubspot', { features: ['read', 'write'] });
  await hub.settle();
  expect(mirror.id).not.toBe(connection.id);
  expect((await hub.api('GET', `/v1/customers/${id}`)).body.sources).toBe(2);
  const before = (await changes(id)).length;
  await write(remote, { jobtitle: 'Director' });
  // Both accounts hold the same records here; each tells of the change by itself.
  await seen(remote);
  vendor.portalId = '8712001';
  await seen(remote);
  const after = (await changes(id)).slice(before + 1);
  expect(after.map(({ origin, depth }) => [origin, depth])).not.toContainEqual(['live', 0]);
  expect(after.filter(({ origin, fields }) => origin === 'live' && fields.includes('job_title'))).toEqual([]);
});
