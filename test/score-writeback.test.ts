import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { movedFar } from '../src/actions/writeback.sql.ts';
import { tellScores } from '../src/actions/writeback.ts';
import { manualClock } from '../src/base/clock.ts';
import { newId } from '../src/base/ids.ts';
import { addDays, localDate } from '../src/base/time.ts';
import { runScores } from '../src/scoring/jobs.ts';
import { type Api, DAY, freePort, MINUTE, startTestHub, type TestHub } from './support/hub.ts';

type Row = Record<string, any>;
const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';
/** Lists of the simulated account that stand for tags. */
const [AT_RISK, VIP] = ['11', '12'];

let vendor: HubSpotSandbox;
let hub: TestHub;
let connection: Row;

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/hubspot`, limits: false });
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot', 'csv'],
    env: { ...APP, HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! },
  });
  connection = await hub.connect('hubspot', { features: ['read', 'write', 'lists'] });
  await hub.settle();
  const custom = { rapport_score: { path: 'properties.rapport_score' } };
  const { body } = await hub.api('GET', `/v1/connections/${connection.id}/mapping`);
  const applied = await hub.api(
    'POST',
    '/v1/mappings/hubspot/apply',
    { connectionId: connection.id, override: { streams: { contacts: { contact: { custom } } } } },
    { 'if-match': `"${body.version}"` },
  );
  expect(applied.status, JSON.stringify(applied.body)).toBe(202);
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

const sql = async (text: string, ...values: unknown[]): Promise<Row[]> =>
  (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query<Row>(text, [hub.tenantId, ...values]))).rows;

/** Says which platforms are told of scores, and lets it work. */
async function say(to: Row[], api: Api = hub.api) {
  const { headers } = await api('GET', '/v1/settings/scoreWriteBack');
  const answer = await api('PUT', '/v1/settings/scoreWriteBack', { to }, { 'if-match': headers.get('etag')! });
  await hub.settle();
  return answer;
}
const FIELDS = { score: 'rapport_score', band: 'rapport_band', vip: 'rapport_vip' };
const both = (more: Row = {}): Row => ({
  ...{ connection: connection.id, fields: FIELDS, tags: { atRisk: AT_RISK, vip: VIP } },
  ...more,
});

interface Person {
  remote: string;
  id: string;
}
let made = 0;
/** A contact the hub knows, with a job done so many days ago. */
async function contact(daysAgo: number): Promise<Person> {
  // Told of nothing before it is all there.
  await say([]);
  made += 1;
  const email = `told${made}@example.com`;
  const { id: remote } = vendor.state.create('contacts', { firstname: 'Ann', lastname: `Told${made}`, email });
  await seen(remote);
  const { body } = await hub.api('GET', `/v1/customers?search=${email}`);
  const person = { remote, id: body.items[0].id as string };
  await job(person, daysAgo);
  await runScores({ db: hub.hub.db, clock: hub.clock }, hub.tenantId, true);
  return person;
}

async function job({ id }: Person, daysAgo: number): Promise<void> {
  const on = addDays(localDate(hub.clock.now(), 'America/New_York'), -daysAgo);
  await sql(
    `insert into job (tenant_id, stream_id, remote_id, entity_id, customer_id, status, completed_on, mapping_version, updated_at)
     values ($1, $2, $3, $2, $4, 'completed', $5, 'x', $6)`,
    ...[newId(), newId(), id, on, hub.clock.now()],
  );
}

const noJobToday = ({ id }: Person): Promise<Row[]> =>
  sql("delete from job where tenant_id = $1 and customer_id = $2 and completed_on > '2026-01-01'", id);

/** The platform tells of a record a moment later, and the hub looks. */
async function seen(remote: string): Promise<void> {
  hub.clock.advance(1000);
  await vendor.tell('propertyChange', 'contacts', remote);
  await hub.settle();
}

/** Scores everybody anew and lets go out what follows. */
async function pass(): Promise<void> {
  await runScores({ ...hub.hub.deps, tell: tellScores(() => hub.hub.deps) }, hub.tenantId, true);
  await hub.settle();
}

/** What was planned of a customer because of the score, oldest first. */
const planned = ({ id }: Person): Promise<Row[]> =>
  sql(
    "select kind, state, reason, plan->'input' as input from action_request where tenant_id = $1 and customer_id = $2 and created_by = 'score' order by id",
    id,
  );
const props = ({ remote }: Person): Row => vendor.state.find('contacts', remote)!.properties;

test('score write-back: fields and tags of each record hold score, band and VIP; a second pass plans nothing', async () => {
  const [close, lost] = [await contact(3), await contact(500)];
  await say([both()]);
  await pass();
  expect(props(close)).toMatchObject({ rapport_score: '72.73', rapport_band: 'strong', rapport_vip: 'false' });
  expect(props(lost)).toMatchObject({ rapport_band: 'at_risk', rapport_vip: 'false' });
  expect([vendor.state.isMember(AT_RISK, lost.remote), vendor.state.isMember(AT_RISK, close.remote)]).toEqual([
    true,
    false,
  ]);
  expect((await planned(close)).map(({ kind, state }) => [kind, state])).toEqual([['update_field', 'sent']]);
  expect((await planned(lost)).map(({ kind }) => kind)).toEqual(['update_field', 'add_tag']);
  await pass();
  await pass();
  expect([await planned(close), await planned(lost)].map(({ length }) => length)).toEqual([1, 2]);
  // Another band is told once, and the former one again when it comes back.
  await job(lost, 0);
  await pass();
  expect((await planned(lost)).slice(2).map(({ kind, state }) => [kind, state])).toEqual([
    ['update_field', 'sent'],
    ['remove_tag', 'sent'],
  ]);
  expect(vendor.state.isMember(AT_RISK, lost.remote)).toBe(false);
  await noJobToday(lost);
  await pass();
  expect((await planned(lost)).slice(4).map(({ kind, state }) => [kind, state])).toEqual([
    ['update_field', 'sent'],
    ['add_tag', 'sent'],
  ]);
  expect(props(lost).rapport_band).toBe('at_risk');
  // Who was pinned as VIP gets the tag at once, without a whole pass.
  await hub.api('PUT', `/v1/customers/${close.id}/vip`, { vip: true }, { 'if-match': '"0"' });
  await hub.settle();
  expect(vendor.state.isMember(VIP, close.remote)).toBe(true);
  expect(props(close).rapport_vip).toBe('true');
});

test('score write-back: a score that moves by less than half a point is not written until it adds up', async () => {
  expect([movedFar(50, 50.49), movedFar(52.74, 52.24), movedFar(null, 0), movedFar(null, null)]).toEqual([
    ...[false, true, true, false],
  ]);
  const person = await contact(60);
  await say([both({ tags: {} })]);
  await pass();
  const scores: Row[] = [];
  for (let day = 0; day < 4; day++) {
    const [row] = await sql('select score from customer_score where tenant_id = $1 and customer_id = $2', person.id);
    scores.push({ score: row!.score, told: Number(props(person).rapport_score) });
    await hub.advance(DAY);
  }
  // A day costs about a quarter of a point.
  expect(scores.map(({ told }) => told)).toEqual([
    scores[0]!.score,
    scores[0]!.score,
    scores[0]!.score,
    scores[3]!.score,
  ]);
  expect(scores[2]!.score).toBeLessThan(scores[1]!.score);
});

test('score write-back: what was written comes back as an echo: nothing is written again, and no trigger hears of it', async () => {
  const trigger = { name: 'crm.flag', settings: { field: 'custom.rapport_score', operator: 'changes' }, enabled: true };
  expect((await hub.api('POST', '/v1/triggers', trigger)).status).toBeLessThan(300);
  const person = await contact(3);
  await say([both()]);
  await pass();
  await job(person, 400);
  await job(person, 1);
  await pass();
  await seen(person.remote);
  await hub.advance(10 * MINUTE);
  const occurrences = async () =>
    (await hub.api('GET', `/v1/occurrences?customerId=${person.id}&trigger=crm.flag`)).body.items;
  const told = String(props(person).rapport_score);
  const read = "select custom->'hubspot'->>'rapport_score' as score from customer where tenant_id = $1 and id = $2";
  expect(await sql(read, person.id)).toEqual([{ score: told }]);
  expect(await occurrences()).toEqual([]);
  expect((await planned(person)).map(({ state }) => state)).toEqual(['sent', 'sent']);
  const origins = await sql(
    "select distinct origin from change where tenant_id = $1 and entity_id = $2 and 'custom' = any(fields) and op = 'updated'",
    person.id,
  );
  expect(origins).toEqual([{ origin: 'echo' }]);
  // Somebody who sets it is heard, and is not overruled before the score is another.
  vendor.state.update('contacts', person.remote, { rapport_score: '1' });
  await seen(person.remote);
  await pass();
  expect(await occurrences()).toHaveLength(1);
  expect(props(person).rapport_score).toBe('1');
});

test('score write-back: a field that somebody sets back each time is left alone', async () => {
  const person = await contact(500);
  await say([both({ tags: {} })]);
  const states: string[] = [];
  for (let times = 0; times < 4; times++) {
    times % 2 === 0 ? await job(person, 0) : await noJobToday(person);
    await pass();
    const last = (await planned(person)).at(-1)!;
    states.push(last.reason ?? last.state);
    await seen(person.remote);
    vendor.state.update('contacts', person.remote, { rapport_score: '5' });
    await seen(person.remote);
  }
  expect(states).toEqual(['sent', 'sent', 'sent', 'ping_pong']);
  // And the one that began it.
  expect(await planned(person)).toHaveLength(5);
});

test('score write-back: no more records than allowed are told after a pass, the others after the next; two workers plan once', async () => {
  await say([]);
  const people = [await contact(3), await contact(4), await contact(5)];
  const requests = async (): Promise<number> => (await Promise.all(people.map(planned))).flat().length;
  await pass();
  // Others know of everybody else by now.
  await sql('delete from score_written where tenant_id = $1');
  await sql(
    `insert into score_written (tenant_id, stream_id, remote_id, names, score, band, vip, unhappy, revision, written_at)
     select $1, p.stream_id, p.remote_id, $3, s.score, s.band, s.vip, s.unhappy, 100, $4 from contact_projection p
     join customer_score s on s.tenant_id = $1 and s.customer_id = p.entity_id where p.tenant_id = $1 and p.entity_id <> all($2)`,
    people.map(({ id }) => id),
    { fields: FIELDS, tags: {} },
    hub.clock.now(),
  );
  await say([both({ tags: {}, mostPerPass: 1 })]);
  const counts = [await requests()];
  for (let times = 0; times < 3; times++) {
    await pass();
    counts.push(await requests());
  }
  expect(counts).toEqual([1, 2, 3, 3]);
  await say([both({ tags: {} })]);
  for (const person of people) await job(person, 1);
  await runScores({ db: hub.hub.db, clock: hub.clock }, hub.tenantId, true);
  const workers = [1, 2, 3].map(() => tellScores(() => hub.hub.deps)(hub.tenantId));
  expect((await Promise.all(workers)).sort()).toEqual([0, 0, 3]);
  await hub.settle();
});

test('score write-back: what has not left when the score changes again does not arrive after it', async () => {
  const person = await contact(500);
  await hub.hub.db.tenant(hub.tenantId, (tx) =>
    tx.query(
      "insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($1, '*', 'x', 'x', $2) on conflict do nothing",
      [hub.tenantId, hub.clock.now()],
    ),
  );
  await say([both()]);
  await pass();
  await job(person, 0);
  await pass();
  await sql('delete from kill_switch where tenant_id = $1');
  await hub.advance(20 * MINUTE);
  expect((await planned(person)).map(({ kind, state, reason }) => [kind, state === 'sent' ? state : reason])).toEqual([
    ['update_field', 'superseded'],
    ['add_tag', 'superseded'],
    ['update_field', 'sent'],
    ['remove_tag', 'sent'],
  ]);
  expect(props(person).rapport_band).toBe('strong');
});

test('score write-back: switched off nothing more is planned, and other names move what was written', async () => {
  const person = await contact(500);
  await say([both()]);
  await pass();
  expect(vendor.state.isMember(AT_RISK, person.remote)).toBe(true);
  await say([both({ fields: { unhappy: 'sad' }, tags: { atRisk: '21' } })]);
  expect([vendor.state.isMember(AT_RISK, person.remote), vendor.state.isMember('21', person.remote)]).toEqual([
    false,
    true,
  ]);
  expect(props(person).sad).toBe('false');
  await say([]);
  const before = (await planned(person)).length;
  await job(person, 0);
  await pass();
  expect(await planned(person)).toHaveLength(before);
});

test('score write-back: a connection that is another’s, cannot write or may not is refused in words', async () => {
  const other = await hub.otherTenant();
  const mine = (connector: string): Promise<string> =>
    hub.hub.db.tenant(other.tenantId, async (tx) => {
      const id = newId();
      await tx.query(
        `insert into connection (tenant_id, id, connector, name, account, settings, features, granted_scopes, state, state_since, created_at, updated_at)
         values ($1, $2, $3, 'Ours', '{}', '{}', '{read}', '{}', 'active', $4, $4, $4)`,
        [other.tenantId, id, connector, hub.clock.now()],
      );
      return id;
    });
  const [csv, reading] = [await mine('csv'), await mine('hubspot')];
  const refused = async (...to: Row[]): Promise<string> => {
    const { status, body } = await say(to, other.api);
    expect(status).toBe(422);
    return body.detail;
  };
  expect(await refused(both())).toContain('scoreWriteBack.to.0.connection is no connection of this business');
  expect(await refused({ connection: csv, fields: { score: 'x' } })).toContain(
    'scoreWriteBack.to.0.fields cannot be written: Ours cannot update field',
  );
  expect(await refused({ connection: reading, fields: { score: 'x' } })).toContain('connected without "write"');
  expect(await refused({ connection: reading, tags: { vip: '1', unhappy: '1' } })).toMatch(
    /name "1" twice.*connected without "lists"/,
  );
  expect(await refused({ connection: csv })).toContain('names neither fields nor tags');
  const twice = { connection: csv, fields: { score: 'x' } };
  expect(await refused(twice, twice)).toContain('scoreWriteBack.to.1.connection tells Ours twice');
});
