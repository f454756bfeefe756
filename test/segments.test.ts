import { afterAll, beforeAll, expect, test } from 'vitest';
import { start, type WebhookSandbox } from '../connectors/webhook/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { mergeMembers, partMembers } from '../src/segments/membership.ts';
import { handlersOf } from './support/handlers.ts';
import { DAY, freePort, HOUR, MINUTE, startTestHub, type TestHub } from './support/hub.ts';

const AT = '2026-03-02T15:00:00Z';

let other: WebhookSandbox;
let hub: TestHub;
let posted = 0;

beforeAll(async () => {
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  other = await start({ clock, app: {} });
  hub = await startTestHub({ at: AT, port: await freePort(), connectors: ['webhook'], zone: 'America/New_York' });
  const made = await hub.api('POST', '/v1/connections', {
    connector: 'webhook',
    settings: { name: 'Own', secret: other.secret, target: `${other.hosts.target}/in` },
  });
  other.hookUrl = made.body.connection.webhookUrl;
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await other?.stop();
});

const must = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) => {
  const answer = await hub.api(method, path, body, headers);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
};
/** The business's own system tells of a record; answers when everything that follows is done. */
const tell = async (type: string, data: Record<string, unknown>): Promise<void> => {
  posted += 1;
  const updated_at = new Date(hub.clock.now().getTime() + posted).toISOString();
  await other.send(type, { updated_at, ...data });
  await hub.settle();
};
const person = async (name: string, more: Record<string, unknown> = {}): Promise<string> => {
  await tell('contact.upserted', { id: name, name, email: `${name}@example.com`, ...more });
  return (await must('GET', `/v1/customers?search=${name}`)).items[0].id;
};
const segment = async (name: string, condition: unknown, more: Record<string, unknown> = {}) => {
  const made = await must('POST', '/v1/segments', { name, condition, settleMinutes: 0, ...more });
  await hub.settle();
  return made.id as string;
};
const members = async (id: string, query = ''): Promise<string[]> =>
  (await must('GET', `/v1/segments/${id}/members${query}`)).items.map((one: { name: string }) => one.name).sort();
/** What triggers were told of a segment: customer, entered or left. */
const told = async (id: string): Promise<string[]> => {
  const rows = await hub.hub.db.tenant(hub.tenantId, (tx) =>
    tx.query<{ name: string; op: string }>(
      "select c.name, h.op from change h left join customer c on c.tenant_id = $1 and c.id = h.customer_id where h.tenant_id = $1 and h.kind = 'segment' and h.entity_id = $2 order by h.id",
      [tx.tenantId, id],
    ),
  );
  return rows.rows.map((row) => `${row.name} ${row.op}`);
};
const tagged = (tag: string) => ({ field: 'customer.tags', has_any: [tag] });

test('segments: who matches at the start is in it and nobody is told; who comes to match enters, who ceases to leaves', async () => {
  await person('amy', { tags: ['gold'] });
  const id = await segment('Gold', tagged('gold'));
  expect(await members(id)).toEqual(['amy']);
  expect(await told(id)).toEqual([]);
  await person('ben', { tags: ['gold'] });
  expect(await members(id)).toEqual(['amy', 'ben']);
  const before = hub.clock.now();
  await hub.advance(HOUR);
  await tell('contact.upserted', { id: 'amy', name: 'amy', email: 'amy@example.com', tags: ['silver'] });
  expect(await members(id)).toEqual(['ben']);
  expect(await told(id)).toEqual(['ben entered', 'amy left']);
  // The past stays known.
  expect(await members(id, `?at=${encodeURIComponent(before.toISOString())}`)).toEqual(['amy', 'ben']);
  expect(await must('GET', `/v1/segments/${id}`)).toMatchObject({ size: 1, problem: null });
});

test('segments: a change that does not last is no change', async () => {
  const id = await segment('Patient', tagged('blue'), { settleMinutes: 10 });
  const eve = (...tags: string[]) =>
    tell('contact.upserted', { id: 'eve', name: 'eve', email: 'eve@example.com', tags });
  await eve('blue');
  expect(await members(id)).toEqual([]);
  await hub.advance(5 * MINUTE);
  await eve('red');
  await hub.advance(20 * MINUTE);
  expect(await members(id)).toEqual([]);
  await eve('blue');
  await hub.advance(9 * MINUTE);
  expect(await members(id)).toEqual([]);
  await hub.advance(2 * MINUTE);
  expect(await members(id)).toEqual(['eve']);
  await eve('red');
  await hub.advance(5 * MINUTE);
  await eve('blue');
  await hub.advance(HOUR);
  expect(await told(id)).toEqual(['eve entered']);
});

test('segments: what hangs on the day is looked at where the day begins', async () => {
  await person('ada', { timezone: 'Pacific/Auckland' });
  await person('lea', { timezone: 'America/Los_Angeles' });
  for (const [at, who] of ['ada', 'lea'].entries())
    await tell('job.upserted', { id: `j${at}`, contact_id: who, status: 'completed', completed_on: '2026-03-01' });
  const id = await segment('Lapsed', { latest: 'job.completed_on', more_than_ago: { days: 3 } });
  expect(await members(id)).toEqual([]);
  // 5 March begins in Auckland at 11:00 UTC of the 4th, in Los Angeles at 08:00 UTC of the 5th.
  await hub.advance(Date.parse('2026-03-04T10:30:00Z') - hub.clock.now().getTime());
  expect(await members(id)).toEqual([]);
  await hub.advance(HOUR);
  expect(await members(id)).toEqual(['ada']);
  await hub.advance(Date.parse('2026-03-05T07:30:00Z') - hub.clock.now().getTime());
  expect(await members(id)).toEqual(['ada']);
  await hub.advance(HOUR);
  expect(await members(id)).toEqual(['ada', 'lea']);
  expect(await told(id)).toEqual(['ada entered', 'lea entered']);
});

test('segments: a choice about messages is a change: whoever agrees is in at once, whoever objects is out', async () => {
  const id = await segment('Agreed', { consent: 'email', topic: 'news', is: 'granted' });
  const fay = await person('fay');
  const choose = async (state: string): Promise<void> => {
    await hub.advance(MINUTE);
    await must('POST', `/v1/customers/${fay}/consent`, { channel: 'email', topic: 'news', state, evidence: 'Said so' });
    await hub.settle();
  };
  await choose('granted');
  expect(await members(id)).toEqual(['fay']);
  await choose('denied');
  expect(await members(id)).toEqual([]);
  expect(await told(id)).toEqual(['fay entered', 'fay left']);
});

test('segments: one can ask for another; a circle is refused, and one that is used cannot be removed', async () => {
  const green = await segment('Green', tagged('green'));
  const both = await segment('Green in Bonn', { all: [{ segment: green }, { field: 'customer.city', is: 'Bonn' }] });
  await person('gil', { tags: ['green'], address: { city: 'Bonn' } });
  expect(await members(both)).toEqual(['gil']);
  expect(await told(both)).toEqual(['gil entered']);
  await tell('contact.upserted', {
    id: 'gil',
    name: 'gil',
    email: 'gil@example.com',
    tags: [],
    address: { city: 'Bonn' },
  });
  expect(await members(both)).toEqual([]);
  const version = { 'if-match': `"${(await must('GET', `/v1/segments/${green}`)).version}"` };
  const circle = await hub.api('PATCH', `/v1/segments/${green}`, { condition: { segment: both } }, version);
  expect(circle.status).toBe(422);
  expect(circle.body.detail).toContain('Green in Bonn > Green');
  const removed = await hub.api('DELETE', `/v1/segments/${green}`);
  expect(removed).toMatchObject({ status: 409 });
  expect(removed.body.detail).toContain('"Green in Bonn"');
  expect((await hub.api('DELETE', `/v1/segments/${both}`)).status).toBe(204);
  expect((await hub.api('DELETE', `/v1/segments/${green}`)).status).toBe(204);
});

test('segments: another condition looks at everybody anew and tells nobody', async () => {
  await person('ira', { tags: ['one'] });
  await person('jon', { tags: ['two'] });
  const id = await segment('Changing', tagged('one'));
  expect(await members(id)).toEqual(['ira']);
  const changed = await hub.api('PATCH', `/v1/segments/${id}`, { condition: tagged('two') }, { 'if-match': '"1"' });
  expect(changed.status).toBe(200);
  await hub.settle();
  expect(await members(id)).toEqual(['jon']);
  expect(await told(id)).toEqual([]);
  expect((await hub.api('PATCH', `/v1/segments/${id}`, { name: 'Late' }, { 'if-match': '"1"' })).status).toBe(412);
  expect((await hub.api('POST', '/v1/segments', { name: 'changing', condition: tagged('x') })).status).toBe(409);
});

test('segments: a sentence does as well, and is what a condition is told as', async () => {
  const id = await segment('In words', 'has at least 1 completed jobs and balance due over 100');
  const shown = await must('GET', `/v1/segments/${id}`);
  expect(shown.sentence).toContain('balance due over 100');
  expect(shown.condition.all).toHaveLength(2);
  const again = await hub.api('PATCH', `/v1/segments/${id}`, { condition: shown.sentence }, { 'if-match': '"1"' });
  expect(again.body.condition).toEqual(shown.condition);
});

test('segments: a condition with mistakes is refused with the place of each', async () => {
  const { status, body } = await hub.api('POST', '/v1/segments', {
    name: 'Wrong',
    condition: {
      all: [
        { field: 'customer.citty', is: 'Bonn' },
        { field: 'customer.city', above: 3 },
      ],
    },
  });
  expect(status).toBe(422);
  expect(body.fields.map((field: { path: string }) => field.path)).toEqual([
    expect.stringContaining('all[0]'),
    expect.stringContaining('all[1]'),
  ]);
});

test('segments: looked at twice, and by two at once, nobody enters twice and nobody is told twice', async () => {
  const id = await segment('Twice', tagged('twice'));
  const handlers = handlersOf(hub.hub);
  for (const name of ['kim', 'lou']) {
    await other.send('contact.upserted', {
      id: name,
      name,
      email: `${name}@example.com`,
      tags: ['twice'],
      updated_at: hub.clock.now().toISOString(),
    });
    await hub.settle();
    const run = () => handlers.get('segments')!({ tenantId: hub.tenantId });
    await Promise.all([run(), run()]);
    await run();
  }
  expect(await members(id)).toEqual(['kim', 'lou']);
  expect(await told(id)).toEqual(['kim entered', 'lou entered']);
});

test('segments: one that cannot be evaluated says why and holds nobody else up', async () => {
  const broken = await segment('Broken', tagged('ok'));
  const fine = await segment('Fine', tagged('ok'));
  await hub.hub.db.tenant(hub.tenantId, (tx) =>
    tx.query('update segment set condition = $3 where tenant_id = $1 and id = $2', [
      tx.tenantId,
      broken,
      JSON.stringify({ field: 'customer.no_such_column', is: 'x' }),
    ]),
  );
  await person('max', { tags: ['ok'] });
  expect(await members(fine)).toEqual(['max']);
  const shown = await hub.hub.db.tenant(hub.tenantId, (tx) =>
    tx.query<{ problem: string }>('select problem from segment where tenant_id = $1 and id = $2', [
      tx.tenantId,
      broken,
    ]),
  );
  expect(shown.rows[0]!.problem).toContain('no_such_column');
  await hub.hub.db.tenant(hub.tenantId, (tx) =>
    tx.query('delete from segment where tenant_id = $1 and id = $2', [tx.tenantId, broken]),
  );
});

test('segments: who is deleted leaves without a word; two who become one are in it once, and both after they are parted', async () => {
  const id = await segment('Kept', tagged('kept'));
  const [nia, oda] = [await person('nia', { tags: ['kept'] }), await person('oda', { tags: ['kept'] })];
  await hub.hub.db.tenant(hub.tenantId, (tx) => mergeMembers(tx, nia, oda));
  expect(await members(id)).toEqual(['nia']);
  await hub.hub.db.tenant(hub.tenantId, (tx) => partMembers(tx, nia, oda, hub.clock.now()));
  expect(await members(id)).toEqual(['nia', 'oda']);
  const before = (await told(id)).length;
  await hub.hub.db.tenant(hub.tenantId, async (tx) => {
    await tx.query('update customer set deleted_at = $3 where tenant_id = $1 and id = $2', [
      tx.tenantId,
      oda,
      hub.clock.now(),
    ]);
    await tx.query("insert into customer_stale (tenant_id, reader, customer_id) values ($1, 'segments', $2)", [
      tx.tenantId,
      oda,
    ]);
  });
  await handlersOf(hub.hub).get('segments')!({ tenantId: hub.tenantId });
  expect(await members(id)).toEqual(['nia']);
  expect((await told(id)).length).toBe(before);
});

test('segments: a trigger of a condition of its own fires when somebody comes to match, and again after they did not', async () => {
  const pia = await person('pia', { tags: ['slow'] });
  const wrong = await hub.api('POST', '/v1/triggers', {
    name: 'custom',
    settings: { condition: { field: 'customer.city', above: 3 } },
  });
  expect(wrong.status).toBe(422);
  expect(wrong.body.fields[0].path).toContain('settings.condition');
  const trigger = await must('POST', '/v1/triggers', {
    name: 'custom',
    title: 'Slow payer',
    settings: { condition: tagged('slow'), settleMinutes: 0 },
    enabled: true,
  });
  await hub.settle();
  const fired = async (): Promise<string[]> =>
    (await must('GET', `/v1/occurrences?trigger=custom`)).items.map((one: { customerId: string }) => one.customerId);
  const set = (...tags: string[]) =>
    tell('contact.upserted', { id: 'pia', name: 'pia', email: 'pia@example.com', tags });
  expect(await fired()).toEqual([]);
  await set('fast');
  await hub.advance(MINUTE);
  await set('slow');
  expect(await fired()).toEqual([pia]);
  await set('slow', 'other');
  expect(await fired()).toEqual([pia]);
  await hub.advance(MINUTE);
  await set();
  await hub.advance(MINUTE);
  await set('slow');
  expect(await fired()).toEqual([pia, pia]);
  // Tried on her, it says so too.
  const tried = await must('POST', '/v1/triggers/try', { triggerId: trigger.id, customer: pia });
  expect(tried.items).toHaveLength(2);
  // It is nobody's segment, and goes with its trigger.
  const own = async () =>
    (
      await hub.hub.db.tenant(hub.tenantId, (tx) =>
        tx.query('select 1 from segment where tenant_id = $1 and trigger_id = $2', [tx.tenantId, trigger.id]),
      )
    ).rowCount;
  expect((await must('GET', '/v1/segments')).items.map((one: { name: string }) => one.name)).not.toContain(
    'Slow payer',
  );
  expect(await own()).toBe(1);
  expect((await hub.api('DELETE', `/v1/triggers/${trigger.id}`)).status).toBe(204);
  expect(await own()).toBe(0);
});

test('segments: another business sees none of it', async () => {
  const id = await segment('Private', tagged('private'));
  const { api } = await hub.otherTenant();
  expect((await api('GET', `/v1/segments/${id}`)).status).toBe(404);
  expect((await api('GET', `/v1/segments/${id}/members`)).status).toBe(404);
  expect((await api('DELETE', `/v1/segments/${id}`)).status).toBe(404);
  expect((await api('GET', '/v1/segments')).body.items).toEqual([]);
  await hub.advance(DAY);
});
