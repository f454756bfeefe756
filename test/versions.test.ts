import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import { DAY, startTestHub, type TestHub } from './support/hub.ts';

type Row = Record<string, any>;

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'], zone: 'America/New_York' });
});
afterAll(() => hub?.stop());

const must = async (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Row> => {
  const answer = await hub.api(method, path, body, headers);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
};
const rows = async (sql: string, ...values: unknown[]): Promise<Row[]> =>
  (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query<Row>(sql, [hub.tenantId, ...values]))).rows;
const tag = async (key: string): Promise<Record<string, string>> => ({
  'if-match': (await hub.api('GET', `/v1/sequences/${key}`)).headers.get('etag')!,
});
const enrolment = async (id: string): Promise<Row> => (await must('GET', `/v1/enrolments/${id}`)).enrolment;

let count = 0;
const definition = (key: string, steps: unknown[]) => ({
  ...{ key, title: key, class: 'transactional', topic: 'news', per: 'customer', exits: [] },
  ...{ triggers: [{ name: 'manual' }], again: { policy: 'always' }, steps },
});

/** A sequence that is on, with somebody in it. */
async function running(steps: unknown[]): Promise<{ key: string; id: string }> {
  count += 1;
  const key = `v${count}`;
  await must('POST', '/v1/sequences', definition(key, steps));
  await must('POST', `/v1/sequences/${key}/switch`, { on: true }, await tag(key));
  return { key, id: await enrol(key) };
}

async function enrol(key: string): Promise<string> {
  const [id, at] = [newId(), hub.clock.now()];
  await rows(
    `insert into customer (tenant_id, id, name, email, created_at, updated_at, provenance, sources) values ($1, $2, 'x', $3, $4, $4, '{}', 1)`,
    id,
    `${id}@example.com`,
    at,
  );
  const { items } = await must('POST', '/v1/enrolments', { sequence: key, customers: [id], reason: 'a test' });
  return items[0].enrolmentId;
}

const edit = async (key: string, steps: unknown[]): Promise<Row> =>
  must('PUT', `/v1/sequences/${key}`, definition(key, steps), await tag(key));
const publish = async (key: string, body: Row): Promise<Row> =>
  must('POST', `/v1/sequences/${key}/publish`, body, await tag(key));
const wait = (id: string, days: number): Row => ({ id, wait: { days } });
const task = (title: string): Row => ({ id: 'task', do: { kind: 'create_task', input: { title } } });

test('versions: other words are taken over by who waits, in the same place and at the same time', async () => {
  const { key, id } = await running([wait('rest', 5), task('old')]);
  const before = await enrolment(id);
  await edit(key, [wait('rest', 5), task('new')]);
  expect(await must('GET', `/v1/sequences/${key}/publish`)).toMatchObject({
    ...{ from: 1, to: 2, sameStructure: true, missing: [] },
    counts: { adopts: 1, moves: 0, ends: 0, stays: 0 },
    items: [{ enrolmentId: id, what: 'adopts', step: { now: 'rest', then: 'rest' } }],
  });
  await publish(key, { running: 'move' });
  expect(await enrolment(id)).toMatchObject({ sequenceVersion: 2, step: 'rest', wakeAt: before.wakeAt });
  await hub.advance(5 * DAY);
  const [request] = await rows('select plan from action_request where tenant_id = $1 and run_id = $2', id);
  expect(request!.plan.input.title).toBe('new');
});

test('versions: for new entries only, those who are in it finish what they began', async () => {
  const { key, id } = await running([wait('rest', 1), wait('more', 1)]);
  await edit(key, [wait('other', 9)]);
  await publish(key, { running: 'keep' });
  const later = await enrol(key);
  expect(await enrolment(later)).toMatchObject({ sequenceVersion: 2, step: 'other' });
  await hub.advance(DAY);
  expect(await enrolment(id)).toMatchObject({ sequenceVersion: 1, step: 'more' });
});

test('versions: who is moved to another step keeps the date, does nothing again, and can be put back', async () => {
  const { key, id } = await running([task('first'), wait('rest', 5), wait('gone', 5), wait('end-here', 1)]);
  await rows("update action_request set state = 'skipped' where tenant_id = $1 and run_id = $2", id);
  await rows(
    "update run set step_id = 'gone', waiting_for = 'time', wake_at = $3 where tenant_id = $1 and id = $2",
    id,
    new Date(hub.clock.now().getTime() + 3 * DAY),
  );
  const before = await enrolment(id);
  await edit(key, [task('first'), wait('rest', 5), wait('instead', 2), wait('end-here', 1)]);
  const blind = await must('GET', `/v1/sequences/${key}/publish`);
  expect(blind).toMatchObject({ sameStructure: false, missing: ['gone'], counts: { stays: 1 } });
  expect(blind.items[0].reason).toContain('no step "gone"');
  const preview = await must('GET', `/v1/sequences/${key}/publish?steps=gone:instead`);
  expect(preview.items[0]).toMatchObject({
    ...{ what: 'moves', step: { now: 'gone', then: 'instead' } },
    nextAt: { now: before.wakeAt, then: before.wakeAt },
  });
  await publish(key, { running: 'move', steps: { gone: 'instead' } });
  expect(await enrolment(id)).toMatchObject({ sequenceVersion: 2, step: 'instead', wakeAt: before.wakeAt });
  expect(await must('POST', `/v1/sequences/${key}/publish/undo`, undefined, await tag(key))).toEqual({ putBack: 1 });
  expect(await enrolment(id)).toMatchObject({ sequenceVersion: 1, step: 'gone', wakeAt: before.wakeAt });
  await publish(key, { running: 'move', steps: { gone: 'instead' } });
  await hub.advance(3 * DAY);
  // The wait of the new step begins when the old date comes.
  expect(await enrolment(id)).toMatchObject({ step: 'instead', state: 'waiting', waitingFor: 'time' });
  await hub.advance(2 * DAY);
  expect(await enrolment(id)).toMatchObject({ step: 'end-here' });
  const tasks = await rows('select id from action_request where tenant_id = $1 and run_id = $2', id);
  expect(tasks).toHaveLength(1);
  // What went on since is not put back.
  expect(await must('POST', `/v1/sequences/${key}/publish/undo`, undefined, await tag(key))).toEqual({ putBack: 0 });
});

test('versions: what is in the hands of a platform stays in its version', async () => {
  const { key, id } = await running([task('first'), wait('rest', 5)]);
  // What is still at work on the first step would move the run on.
  await hub.settle();
  await rows(
    "update run set waiting_for = 'action', state = 'waiting', step_id = 'task' where tenant_id = $1 and id = $2",
    id,
  );
  await edit(key, [wait('rest', 5)]);
  expect(await publish(key, { running: 'move', steps: { task: 'rest' } })).toMatchObject({ stays: 1, moves: 0 });
  expect(await enrolment(id)).toMatchObject({ sequenceVersion: 1, step: 'task' });
});

test('versions: finishing lets nobody new in, and those who are in it go on', async () => {
  const { key, id } = await running([wait('rest', 1), wait('more', 1)]);
  await publish(key, { running: 'finish' });
  const refused = await hub.api('POST', '/v1/enrolments', { sequence: key, customers: ['x'], reason: 'a test' });
  expect(refused.status).toBe(409);
  await hub.advance(DAY);
  expect(await enrolment(id)).toMatchObject({ step: 'more', state: 'waiting' });
});

test('versions: a sequence is deleted with those who are in it, or they finish', async () => {
  const stopped = await running([wait('rest', 1)]);
  const finishes = await running([wait('rest', 1)]);
  const gone = `/v1/sequences/${stopped.key}?runs=stop`;
  expect((await hub.api('DELETE', gone, undefined, { 'if-match': '"99"' })).status).toBe(412);
  expect(await must('DELETE', gone, undefined, await tag(stopped.key))).toEqual({ stopped: 1 });
  await must('DELETE', `/v1/sequences/${finishes.key}?runs=finish`, undefined, await tag(finishes.key));
  expect(await enrolment(stopped.id)).toMatchObject({ state: 'stopped', endReason: 'the sequence was deleted' });
  await hub.advance(DAY);
  expect(await enrolment(finishes.id)).toMatchObject({ state: 'done' });
  expect((await must('GET', `/v1/sequences/${finishes.key}`)).state).toBe('archived');
});

test('versions: somebody who saw an older state publishes nothing', async () => {
  const { key } = await running([wait('rest', 1)]);
  const old = await tag(key);
  await edit(key, [wait('rest', 2)]);
  expect((await hub.api('POST', `/v1/sequences/${key}/publish`, { running: 'move' }, old)).status).toBe(412);
  expect((await hub.api('GET', `/v1/sequences/${key}/publish?steps=rest:nowhere`)).status).toBe(422);
});
