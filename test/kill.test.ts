import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually, killChildren, startChild } from './support/children.ts';
import { survives } from './support/commits.ts';
import { handlersOf } from './support/handlers.ts';
import { MINUTE } from './support/hub.ts';
import { lookAfter } from './support/sending.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

afterEach(() => killChildren());

describe('sending', () => {
  let story: Story;
  let ann: Customer;
  const CONNECTORS = ['hubspot', 'smtp'];

  beforeAll(async () => {
    // Nobody sends here but the processes that are killed, until the test lets this hub take over.
    story = await beginStory({ vendors: ['hubspot', 'smtp'], roles: 'api,sync,engine', alwaysOpen: true });
    ann = await story.customer();
  });
  beforeEach(() => story.vendors.hubspot.server.faults.clear());
  afterAll(() => story?.end());

  const job = () => ({ tenantId: story.tenantId });
  const tasks = (title: string): Row[] =>
    story.vendors.hubspot.state.all('tasks').filter(({ properties }) => properties.hs_task_subject === title);
  const mails = (subject: string) => story.vendors.smtp.mails().filter((mail) => mail.subject === subject);
  const task = (title: string): Promise<Row> =>
    story.plan('create_task', { title, due_in_days: 1 }, { customerId: ann.id });

  /** A second hub takes over. */
  const takeOver = (id: string): Promise<Row> => lookAfter(story, id);

  test('kill: whichever commit of sending is the last thing that happens, exactly one task is made', async () => {
    const seen: string[] = [];
    for (let commits = 1; ; commits++) {
      const title = `Call after ${commits}`;
      const { id } = await task(title);
      const survived = await survives(story.hub.deps, commits, (deps) =>
        handlersOf(story.hub, deps).get('dispatch')!(job()),
      );
      seen.push((await story.action(id)).state);
      expect(await takeOver(id), `stopped after commit ${commits}`).toMatchObject({ state: 'sent' });
      expect(tasks(title), `stopped after commit ${commits}`).toHaveLength(1);
      expect((await story.action(id)).receipt.nativeId).toBe(tasks(title)[0]!.id);
      if (survived) break;
    }
    expect([...new Set(seen)]).toEqual(['committed', 'sending', 'sent']);
  });

  /** Kills a process at the moment the vendor has the call in hand. */
  async function killedWhileCalling(reached: () => boolean): Promise<void> {
    const child = await startChild(story, CONNECTORS);
    const survived = child.survives('dispatch', job());
    await eventually(() => reached() || undefined);
    await child.kill();
    expect(await survived).toBe(false);
  }

  test('kill: the vendor had not acted yet: it is done afterwards, once', async () => {
    const { id } = await task('Held before');
    const { server } = story.vendors.hubspot;
    let reached = false;
    const match = /^POST .*\/tasks$/;
    // It is asked about every request: that is when one is known to have arrived.
    const test = (request: string): boolean => {
      reached ||= /^POST .*\/tasks$/.test(request);
      return reached;
    };
    server.faults.add({ kind: 'silent', match: Object.assign(match, { test }) });
    await killedWhileCalling(() => reached);
    expect(await story.action(id)).toMatchObject({ state: 'sending' });
    expect(tasks('Held before')).toEqual([]);
    server.faults.clear();
    expect(await takeOver(id)).toMatchObject({ state: 'sent', attempts: 2 });
    expect(tasks('Held before')).toHaveLength(1);
  });

  test('kill: the vendor had acted and its answer was on the way: it is found, not done again', async () => {
    const { id } = await task('Held after');
    const { server } = story.vendors.hubspot;
    const hold = (): Promise<never> => new Promise(() => {});
    server.faults.add({ kind: 'rewrite', rewrite: hold, match: /^POST .*\/tasks$/ });
    await killedWhileCalling(() => tasks('Held after').length > 0);
    expect(await story.action(id)).toMatchObject({ state: 'sending' });
    server.faults.clear();
    const done = await takeOver(id);
    expect(done).toMatchObject({ state: 'sent', attempts: 1, receipt: { nativeId: tasks('Held after')[0]!.id } });
    expect(tasks('Held after')).toHaveLength(1);
    expect(done.detail).toBe('Found at the platform afterwards.');
  });

  test('kill: the answer had arrived and was not written down: it is found, not done again', async () => {
    const { id } = await task('Answered');
    const child = await startChild(story, CONNECTORS);
    await child.tell({ do: 'dieOnAnswer' });
    expect(await child.survives('dispatch', job())).toBe(false);
    expect(await story.action(id)).toMatchObject({ state: 'sending' });
    expect(tasks('Answered')).toHaveLength(1);
    expect(await takeOver(id)).toMatchObject({ state: 'sent', attempts: 1 });
    expect(tasks('Answered')).toHaveLength(1);
  });

  test('kill: the gate had let it through and nobody had begun: it goes through the gate again', async () => {
    const { id } = await task('Let through');
    const child = await startChild(story, CONNECTORS);
    await child.tell({ do: 'dieAfterCommits', commits: 1 });
    expect(await child.survives('dispatch', job())).toBe(false);
    expect(await story.action(id)).toMatchObject({ state: 'committed', attempts: 0 });
    await story.must('PUT', '/v1/kill-switches/*', { reason: 'not today' });
    expect(await takeOver(id)).toMatchObject({ state: 'planned', reason: 'kill_switch' });
    expect(tasks('Let through')).toEqual([]);
    await story.must('DELETE', '/v1/kill-switches/*');
    expect(await takeOver(id)).toMatchObject({ state: 'sent', attempts: 1 });
    expect(tasks('Let through')).toHaveLength(1);
  });

  test('kill: a mail server cannot be asked: the mail stays unknown for a person and never goes out by itself again', async () => {
    const { id } = await story.plan(
      'send_email',
      { subject: 'Your visit', text: 'At nine.' },
      { customerId: ann.id, class: 'transactional' },
    );
    const child = await startChild(story, CONNECTORS);
    await child.tell({ do: 'dieOnAnswer' });
    expect(await child.survives('dispatch', job())).toBe(false);
    expect(mails('Your visit')).toHaveLength(1);
    const unknown = await takeOver(id);
    expect(unknown).toMatchObject({ state: 'unknown', attempts: 1 });
    expect(unknown.detail).toMatch(/cannot tell whether it acted.*A person decides\.$/);
    expect(mails('Your visit')).toHaveLength(1);
    // The person looks at the mail server and says what it was.
    const settle = { as: 'sent', reason: 'it is in the log of the server' };
    const decided = await story.must('POST', `/v1/actions/${id}/settle`, settle, {
      'if-match': `"${unknown.version}"`,
    });
    expect(decided).toMatchObject({ state: 'sent' });
    await takeOver(id);
    expect(mails('Your visit')).toHaveLength(1);
  });
});

describe('reading', () => {
  let story: Story;
  const CONTACTS = 1_200;
  const PAGE = 100;
  const job = () => ({ tenantId: story.tenantId, connectionId: story.connections.hubspot.id as string });
  const stream = async (): Promise<Row> =>
    (await story.rows("select * from stream where tenant_id = $1 and name = 'contacts'"))[0]!;
  /** Pages of contacts that were asked for, by where they start. */
  const pages = (): string[] =>
    story.vendors.hubspot.server.journal
      .filter(
        ({ method, path, query }) =>
          method === 'GET' && /\/objects\/.*\/contacts$/.test(path) && query.archived === 'false',
      )
      .map(({ query }) => String(query.after ?? ''));

  beforeAll(async () => {
    story = await beginStory({ vendors: ['hubspot'], roles: 'api' });
    const { state } = story.vendors.hubspot;
    for (let n = 0; n < CONTACTS; n++)
      state.create('contacts', { firstname: 'Ann', lastname: `Miller ${n}`, email: `ann${n}@example.com` });
    await story.rows("update stream set next_due_at = 'infinity' where tenant_id = $1 and name <> 'contacts'");
  });
  afterAll(() => story?.end());

  test('kill: a first load goes on from where it stood, again and again, and nothing is missing or doubled', async () => {
    const { state, server } = story.vendors.hubspot;
    // A vendor so slow that its pages are stored one by one.
    let arrived = 0;
    const match = /^GET .*\/contacts$/;
    const test = (request: string): boolean => {
      const hit = /^GET .*\/contacts$/.test(request);
      if (hit) arrived += 1;
      return hit;
    };
    server.faults.add({ kind: 'slow', milliseconds: 60, match: Object.assign(match, { test }) });
    const begun: Date[] = [];
    let asked = 0;
    /** Each process begins with the first page that was not stored, and asks for no other twice. */
    const checkPages = async (from: Row | null): Promise<void> => {
      // Also what the vendor answered when nobody was there any more.
      await eventually(() => pages().length >= arrived || undefined);
      const mine = pages().slice(asked);
      asked += mine.length;
      expect(mine[0]).toBe(from?.token ?? '');
      expect(new Set(mine).size).toBe(mine.length);
    };
    let position: Row | null = null;
    // The lease and the beginning, then a page and a wake-up after each.
    for (const commits of [5, 4]) {
      const child = await startChild(story, ['hubspot']);
      await child.tell({ do: 'dieAfterCommits', commits });
      expect(await child.survives('read', job())).toBe(false);
      await checkPages(position);
      const left = await stream();
      expect(left.position.pages).toBeGreaterThan(position?.pages ?? 0);
      position = left.position as Row;
      begun.push(left.run_started_at);
      // Somebody changes what was read already, while nobody reads.
      state.update('contacts', state.all('contacts')[begun.length]!.id, { lastname: 'Changed meanwhile' });
      // Whoever died holds its place for two minutes.
      story.clock.advance(3 * MINUTE);
    }
    // The third is killed while the vendor has the next page in hand.
    const child = await startChild(story, ['hubspot']);
    server.faults.clear();
    server.faults.add({ kind: 'silent', match: /^GET .*\/contacts$/ });
    const survived = child.survives('read', job());
    await eventually(async () => (await stream()).lease_until > story.clock.now() || undefined);
    await child.kill();
    expect(await survived).toBe(false);
    server.faults.clear();
    expect((await stream()).position).toEqual(position);
    story.clock.advance(3 * MINUTE);
    await handlersOf(story.hub).get('read')!(job());
    await checkPages(position);
    const after = await stream();
    expect(after).toMatchObject({ phase: 'incremental', position: null, error: null, run_seen: CONTACTS });
    // The load is one run from the first page to the last, and the cursor stands before its beginning.
    expect(begun[1]).toEqual(begun[0]);
    expect(Date.parse(after.cursor.since)).toBe(begun[0]!.getTime() - 120_000);
    expect(new Set(pages()).size).toBe(CONTACTS / PAGE);
    const [count] = await story.rows(
      `select (select count(*)::int from source_record where tenant_id = $1 and stream_id = $2) as records, (select count(*)::int from customer where tenant_id = $1) as customers,
         (select count(*)::int from change where tenant_id = $1 and kind = 'contact') as changes, (select count(distinct entity_id)::int from change where tenant_id = $1 and kind = 'contact') as changed`,
      after.id,
    );
    expect(count).toEqual({ records: CONTACTS, customers: CONTACTS, changes: CONTACTS, changed: CONTACTS });
    // The next reading finds what changed behind the back of the load.
    await story.must('POST', `/v1/connections/${job().connectionId}/sync`, { streams: ['contacts'] });
    await handlersOf(story.hub).get('read')!(job());
    const found = await story.rows("select 1 from customer where tenant_id = $1 and last_name = 'Changed meanwhile'");
    expect(found).toHaveLength(2);
  });

  test('kill: whichever commit of taking a webhook is the last thing that happens, the change is taken once', async () => {
    const { hubspot } = story.vendors;
    for (let commits = 1; ; commits++) {
      const name = `Number ${commits}`;
      const made = hubspot.state.create('contacts', { firstname: 'Hook', email: `hook${commits}@example.com` });
      await hubspot.change('contacts', made.id, { lastname: name });
      const { rows } = await story.hub.db.statement<{ id: string }>(
        'select id from hook_inbox order by id desc limit 1',
      );
      const hookId = rows[0]!.id;
      const take = async (deps = story.hub.deps): Promise<void> => {
        const handlers = handlersOf(story.hub, deps);
        await handlers.get('inbox')!({ hookId });
        await handlers.get('refetch')!(job());
      };
      const survived = await survives(story.hub.deps, commits, take);
      // The queue gives what a dead process had in hand to somebody else.
      await take();
      const changes = await story.rows(
        `select c.op from change c join customer p on p.tenant_id = c.tenant_id and p.id = c.entity_id where c.tenant_id = $1 and p.last_name = $2`,
        name,
      );
      expect(changes, `stopped after commit ${commits}`).toEqual([{ op: 'created' }]);
      if (!survived) continue;
      expect(commits).toBeGreaterThan(3);
      break;
    }
  });
});
