import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COORDINATOR_TABLES, tableKinds } from '../src/base/tables.ts';
import { beginErasure } from '../src/privacy/begin.ts';
import { workOff } from '../src/privacy/erase.ts';
import { HELD } from '../src/privacy/held.ts';
import { HOUR } from './support/hub.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;
let client: pg.Client;
let one: Customer;
let neighbour: Customer;

beforeAll(async () => {
  story = await beginStory();
  client = new pg.Client({ connectionString: story.hub.db.ownerUrl });
  await client.connect();
  await story.playbook('overdue-chase');
  one = await story.chased({ owes: [120, 80] });
  neighbour = await story.customer({ owes: [50] });
  await story.write(one, 'Please call my new number, it is urgent business');
  await story.must('PUT', `/v1/customers/${one.id}/dates/birthday`, { value: '1987-02-14', source: 'customer' });
  await story.must(
    'POST',
    `/v1/customers/${one.id}/consent`,
    { channel: 'email', state: 'granted', evidence: `${one.name} said so on the phone` },
    { 'idempotency-key': 'consent-1' },
  );
}, 120_000);

afterAll(async () => {
  await client?.end();
  await story?.end();
});

/** Every place of the database where a text stands, as `schema.table.column`; columns of bytes are read as they are. */
async function placesOf(texts: readonly string[]): Promise<string[]> {
  const { rows: columns } = await client.query<{ table: string; column: string; type: string }>(
    `select format('%I.%I', n.nspname, c.relname) as table, quote_ident(a.attname) as column, format_type(a.atttypid, null) as type
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('public', 'queue') and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped`,
  );
  const byTable = new Map<string, string[]>();
  for (const { table, column, type } of columns)
    byTable.set(table, [
      ...(byTable.get(table) ?? []),
      type === 'bytea' ? `encode(${column}, 'escape')` : `${column}::text`,
    ]);
  const found: string[] = [];
  for (const [table, all] of byTable)
    for (const column of all) {
      const { rowCount } = await client.query(`select from ${table} where lower(${column}) like any($1) limit 1`, [
        texts.map((text) => `%${text.toLowerCase()}%`),
      ]);
      if (rowCount) found.push(`${table}.${column}`);
    }
  return found;
}

const signsOf = (person: Customer): string[] => [
  person.name,
  person.email,
  person.phone,
  person.phone.slice(2),
  ...person.name.split(' ').filter((word) => word.length > 6),
];

const receipt = async (id: string): Promise<Row> => story.must('GET', `/v1/erasures/${id}`);

test('privacy: for every table it is decided what becomes of a person in it', async () => {
  const { tenant } = await tableKinds(client);
  const decided = HELD.map(({ table }) => table);
  expect([...new Set(decided)].length, 'once each').toBe(decided.length);
  // A new table: say in src/privacy/held.ts what it holds of people, and what becomes of it.
  expect(tenant.filter((table) => !decided.includes(table))).toEqual([]);
  expect(decided.filter((table) => !tenant.includes(table))).toEqual([]);
  for (const { table, title, leftOut, rows, treat } of HELD) {
    // What is exported is found by rows; what is not is left out for a reason.
    expect(title ? rows : (leftOut ?? (treat.how === 'keep' && treat.reason)), table).toBeTruthy();
    if (treat.how !== 'keep') expect(treat.how === 'own' || rows, table).toBeTruthy();
  }
  // No table that names a customer is kept for being about nobody.
  const { rows } = await client.query<{ name: string }>(
    "select c.relname as name from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind = 'r' where a.attname = 'customer_id' and c.relnamespace = 'public'::regnamespace",
  );
  const kept = HELD.filter(({ treat }) => treat.how === 'keep').map(({ table }) => table);
  expect(rows.map(({ name }) => name).filter((name) => kept.includes(name))).toEqual(['erasure']);
  expect(Object.keys(COORDINATOR_TABLES)).toHaveLength(14);
});

test('privacy: the job of the queue names the business and nothing else', async () => {
  const { rows } = await client.query('select distinct data from queue.job union select distinct data from queue.job');
  for (const { data } of rows)
    for (const value of Object.values(data as Row)) expect(String(value)).toMatch(/^[0-9a-f-]{36}$|^[a-z_]+$/);
});

describe('what is held', () => {
  test('privacy: the export holds a row of every table that knows the person', async () => {
    const answer = await story.api('GET', `/v1/customers/${one.id}/export`);
    expect(answer.status).toBe(200);
    const sections = new Map<string, Row[]>(
      answer.body.sections.map((section: Row) => [section.table, section.rows as Row[]]),
    );
    const out = new Set<string>(answer.body.leftOut.map((item: Row) => item.what));
    // Every place where something of the person stands is exported, or left out for a reason.
    const missing = (await placesOf(signsOf(one)))
      .map((place) => place.replace(/^public\./, '').split('.')[0]!)
      .filter((table) => !(sections.get(table)?.length ?? 0) && !out.has(table));
    expect([...new Set(missing)]).toEqual([]);
    for (const table of [
      'source_record',
      'customer',
      'invoice',
      'action_request',
      'run',
      'consent_event',
      'audit_event',
    ])
      expect(sections.get(table)!.length, table).toBeGreaterThan(0);
    expect(JSON.stringify(sections.get('action_request'))).toContain(one.email);
    expect(sections.get('field_override')).toMatchObject([{ value: '1987-02-14', source: 'customer' }]);
    expect(answer.body.leftOut.every((item: Row) => item.why.length > 5)).toBe(true);
    // Nothing of anybody else.
    for (const sign of signsOf(neighbour).slice(0, 2)) expect(JSON.stringify(answer.body)).not.toContain(sign);
    expect((await story.audit(one)).map((event) => event.action)).toContain('person.exported');
  });

  test('privacy: only who may is given it, and who confirms somebody else erases nobody', async () => {
    const erase = (body: Row) => story.api('POST', `/v1/customers/${one.id}/erasure`, body);
    expect(await erase({ ground: 'objection', confirm: neighbour.name })).toMatchObject({
      status: 422,
      body: { fields: [{ path: 'confirm' }] },
    });
    expect((await erase({ ground: 'because', confirm: one.name })).status).toBe(400);
    expect((await story.must('GET', '/v1/erasures')).items).toEqual([]);
    expect((await story.api('GET', `/v1/customers/${one.id}`)).status).toBe(200);
  });
});

describe('erased', () => {
  let id: string;
  let mails: number;

  beforeAll(async () => {
    expect((await placesOf(signsOf(one))).length).toBeGreaterThan(15);
    mails = story.mailsTo(one).length;
    // One more is queued for them, and waits.
    await story.must('PUT', '/v1/kill-switches/channel:email', { reason: 'A test' });
    await story.plan('send_email', { to: one.email, subject: 'Soon', text: 'Hello' }, { customerId: one.id });
    await story.settle();
    const answer = await story.must('POST', `/v1/customers/${one.id}/erasure`, {
      ground: 'request_of_the_person',
      confirm: ` ${one.name.toUpperCase()} `,
    });
    id = answer.id;
    expect(answer).toMatchObject({ state: 'running', customerId: one.id });
    await story.must('DELETE', '/v1/kill-switches/channel:email');
    await story.settle();
  }, 60_000);

  test('privacy: nothing of the person is left anywhere in the database', async () => {
    expect(await placesOf([...signsOf(one), 'urgent business', 'said so on the phone'])).toEqual([]);
    expect((await story.api('GET', `/v1/customers/${one.id}`)).status).toBe(404);
  });

  test('privacy: nobody else is touched', async () => {
    expect(await story.must('GET', `/v1/customers/${neighbour.id}`)).toMatchObject({ name: neighbour.name });
    const { invoice } = await story.must('GET', `/v1/customers/${neighbour.id}/documents`);
    expect(invoice).toHaveLength(1);
  });

  test('privacy: of the documents amounts and days stay, and no word', async () => {
    const rows = await story.rows(
      'select * from invoice where tenant_id = $1 and customer_id = $2 order by total',
      one.id,
    );
    expect(rows.map((row) => Number(row.total))).toEqual([80, 120]);
    for (const row of rows)
      expect(row).toMatchObject({
        ...{ number: null, email: null, lines: null, custom: null, customer_ref: null, currency: 'USD' },
        remote_id: `erased:${row.entity_id}`,
        issued_on: expect.anything(),
        deleted_at: expect.any(Date),
      });
  });

  test('privacy: the receipt says what was done and what is out of reach', async () => {
    const found = await receipt(id);
    expect(found).toMatchObject({ state: 'done', ground: 'request_of_the_person', customerId: one.id });
    expect(found.rows).toMatchObject({ customer: 1, invoice: 2, source_record: expect.any(Number), run: 1 });
    expect(found.hashes.length).toBeGreaterThan(1);
    expect(found.outOfReach.join(' ')).toMatch(/platforms themselves.*Messages/s);
    // Asked for again, there is nothing more to do: the same receipt.
    const again = await story.must('POST', `/v1/customers/${one.id}/erasure`, {
      ground: 'objection',
      confirm: one.name,
    });
    expect(again).toEqual(found);
    expect((await story.must('GET', '/v1/erasures')).items).toEqual([found]);
  });

  test('privacy: the audit chain still verifies, and tells of each body that was taken out', async () => {
    expect((await story.api('POST', '/v1/audit/verify')).body).toMatchObject({ ok: true });
    const events = await story.audit(one);
    const bodies = events.filter((event) => !event.action.startsWith('person.'));
    expect(bodies.length).toBeGreaterThan(3);
    expect(bodies.every((event) => event.data.erased === true && event.redactedBy)).toBe(true);
    // Taken out behind the hub's back, it is found.
    const [victim] = await story.rows(
      "select id, data from audit_event where tenant_id = $1 and redacted_by is null and action = 'connection.authorised' limit 1",
    );
    const set = (data: unknown, by: string | null) =>
      client.query('update audit_event set data = $2, redacted_by = $3 where id = $1', [victim!.id, data, by]);
    await set({ erased: true }, null);
    expect((await story.api('POST', '/v1/audit/verify')).body.broken.reason).toContain('was changed after');
    await set({ erased: true }, bodies[0]!.redactedBy);
    expect((await story.api('POST', '/v1/audit/verify')).body.broken.reason).toContain('no event tells why');
    await set(victim!.data, null);
    expect((await story.api('POST', '/v1/audit/verify')).body.ok).toBe(true);
  });

  test('privacy: nobody can take bodies out of the trail of another business', async () => {
    const [event] = await story.rows('select id from audit_event where tenant_id = $1 and redacted_by is null limit 1');
    const redact = (as: string, of: string) =>
      story.hub.db.tenant(as, (tx) => tx.query('select redact_audit($1, $2, $3)', [of, [event!.id], one.id]));
    await expect(redact(neighbour.id, story.tenantId)).rejects.toThrow(/only redact its own/);
    await redact(neighbour.id, neighbour.id);
    expect((await story.api('POST', '/v1/audit/verify')).body.ok).toBe(true);
  });

  test('privacy: nothing goes out to them any more, and their enrolments are over', async () => {
    expect(story.mailsTo(one)).toHaveLength(mails);
    const runs = await story.rows(
      'select state, end_reason from run where tenant_id = $1 and customer_id = $2',
      one.id,
    );
    expect(runs).toMatchObject([{ state: 'exited' }]);
    const open = await story.rows(
      "select 1 from action_request where tenant_id = $1 and customer_id = $2 and state in ('planned', 'committed', 'sending')",
      one.id,
    );
    expect(open).toEqual([]);
    const kept = await story.rows(
      'select channel, state, evidence from consent_event where tenant_id = $1 and customer_id = $2',
      one.id,
    );
    expect(kept).toMatchObject([
      { channel: 'email', state: 'granted', evidence: { addressHashes: expect.any(Array) } },
    ]);
  });

  test('privacy: what the platforms still send of them is not taken, and counted', async () => {
    await story.invoice(one, 33, '2026-03-20');
    for (const connection of Object.values(story.connections))
      await story.api('POST', `/v1/connections/${connection.id}/sync`, { full: true });
    await story.settle();
    await story.advance(HOUR);
    expect(await placesOf(signsOf(one))).toEqual([]);
    expect((await receipt(id)).blocked.hits).toBeGreaterThan(2);
    expect((await story.must('GET', `/v1/customers?search=${encodeURIComponent(one.email)}`)).items).toEqual([]);
    expect(await story.must('GET', `/v1/customers/${neighbour.id}`)).toMatchObject({ name: neighbour.name });
  });

  test('privacy: lifted, the person can come back, and their addresses stay closed', async () => {
    expect(await story.must('POST', `/v1/erasures/${id}/lift`)).toMatchObject({
      blocked: { liftedAt: expect.any(String) },
    });
    for (const connection of Object.values(story.connections))
      await story.api('POST', `/v1/connections/${connection.id}/sync`, { full: true });
    await story.settle();
    const { items } = await story.must('GET', `/v1/customers?search=${encodeURIComponent(one.email)}`);
    expect(items).toMatchObject([{ name: one.name }]);
    expect(items[0].id).not.toBe(one.id);
    const closed = await story.rows(
      'select channel, scope from suppression where tenant_id = $1 and lifted_at is null',
    );
    expect(closed).toEqual(
      expect.arrayContaining([
        { channel: 'email', scope: 'all' },
        { channel: 'sms', scope: 'all' },
      ]),
    );
  });
});

describe('erased with trouble on the way', () => {
  test('privacy: killed between any two tables and begun by two at once, it ends once, with the same receipt', async () => {
    const other = await story.chased({ owes: [70], phone: null });
    const { hub, tenantId } = story;
    const request = { ground: 'consent_withdrawn', confirm: other.email, by: 'test' } as const;
    const begun = await Promise.all([1, 2].map(() => beginErasure(hub.deps, tenantId, other.id, request)));
    const { id } = begun[0]!;
    expect(begun[1]!.id).toBe(id);
    const runs = await story.rows('select end_reason from run where tenant_id = $1 and customer_id = $2', other.id);
    expect(runs).toMatchObject([{ end_reason: 'erased' }]);
    for (let allowed = 2; ; allowed += 4) {
      let left = allowed;
      const tenant = ((of, work) => {
        left -= 1;
        if (left < 0) throw new Error('killed');
        return hub.db.tenant(of, work);
      }) as typeof hub.db.tenant;
      const deps = { ...hub.deps, db: { ...hub.db, tenant } };
      const end = await workOff(deps, tenantId, id).catch((error: Error) => error.message);
      if (end !== 'killed') break;
    }
    const both = await Promise.all([1, 2].map(() => workOff(hub.deps, tenantId, id)));
    expect(both[0]).toEqual(both[1]);
    expect(both[0]).toMatchObject({ state: 'done', scope: null, rows: { customer: 1, run: 1, invoice: 1 } });
    expect(await placesOf([other.name, other.email])).toEqual([]);
  });
});
