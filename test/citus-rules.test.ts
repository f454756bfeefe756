import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { statementsOf } from '../src/base/statements.ts';
import { tableKinds } from '../src/base/tables.ts';
import { CATALOGUE } from '../src/triggers/catalogue.ts';
import { clockLook } from '../src/triggers/clock.ts';
import { testDatabase } from './support/hub.ts';
import { conjuncts } from './support/sql/plan.ts';
import { CONTROL, type Recording, recordStatements } from './support/sql/recorder.ts';
import { type Judge, openJudge } from './support/sql/rules.ts';
import { patternsIn } from './support/sql/sources.ts';
import { beginStory, type Story, staffEmail, ZONE } from './support/story.ts';
import { askEverything } from './support/tenants/attacks.events.ts';
import { ATTACKS } from './support/tenants/attacks.ts';
import { ownerClient, readCatalog } from './support/tenants/catalog.ts';
import { storeFunctions } from './support/tenants/functions.ts';
import { newTenant, storeTenant } from './support/tenants/seed.ts';

// Days of a business are lived, and every function is called, before anything is looked at.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));

/** Work before there are tenants, or on all tables at once. */
const ABOUT_THE_DATABASE = ['citus.ts', 'database.ts', 'embedded.ts', 'migrate.ts', 'tables.ts'].map(
  (file) => `base/${file}`,
);

let database: Awaited<ReturnType<typeof testDatabase>>;
let owner: pg.Client;
let judge: Judge;

// It takes a planner that sees the tables whole: a cluster judges for itself.
const onCluster = inject('cluster') !== undefined;

beforeAll(async () => {
  if (onCluster) return;
  database = await testDatabase();
  owner = await ownerClient(database.url);
  judge = await openJudge(owner, await tableKinds(owner));
});

afterAll(async () => {
  await owner?.end();
  await database?.drop();
});

/** Days of a business: reading, chasing, telling staff, being paid, being asked to stop. */
async function live(story: Story): Promise<void> {
  const { api, must, hub } = story;
  await story.playbook('overdue-chase');
  const ann = await story.escalated();
  await story.press(staffEmail('Rita Manager'), ann);
  await story.pay(ann, 40);
  await story.write(ann, 'STOP');
  const twice = { 'idempotency-key': 'once' };
  for (let n = 0; n < 2; n++)
    await must(
      'POST',
      '/v1/actions',
      { kind: 'create_task', input: { title: 'Call', about: { contact: ann.contact } } },
      twice,
    );
  await story.settle();
  const { paths } = (await api('GET', '/docs/json')).body as { paths: Record<string, Record<string, unknown>> };
  for (const [address, methods] of Object.entries(paths))
    if ('get' in methods) await api('GET', address.replaceAll(/\{\w+\}/g, ann.id));
  // Not everything a trigger looks for happens in the story.
  await hub.db.rehearse(story.tenantId, (tx) => askEverything(tx as never, ann.id));
  // What triggers ask for is put together: of everybody, and of one customer.
  for (const { between, due, nextAt, defaults } of CATALOGUE.filter((one) => clockLook(one) || one.nextAt))
    for (const more of [{}, { customerId: ann.id }])
      await hub.db.rehearse(story.tenantId, async (tx) => {
        const settings = { ...defaults, ...('afterHours' in defaults ? { afterHours: 2 } : {}) };
        const env = { now: hub.clock.now(), zone: ZONE, ...more };
        for (const look of [between, due]) await look?.(tx, '2026-01-01', '2026-01-05', settings, env);
        await nextAt?.(tx, settings, env);
      });
}

/** Every function that works in a tenant's transaction, once, with ids of its own. */
async function callEveryFunction({ hub }: Story): Promise<void> {
  const client = await ownerClient(hub.db.ownerUrl);
  const tenant = newTenant(await readCatalog(client), 'victim');
  await storeTenant(client, tenant).finally(() => client.end());
  const start = async (_tx: unknown, _trigger: unknown, occurrences: readonly { id: string }[]) =>
    occurrences.map(({ id }) => ({ id, outcome: 'started', runId: null }));
  const around = { deps: hub.deps, start: start as never };
  for (const { name, call, at } of await storeFunctions()) {
    const args = ATTACKS.get(name)?.args(tenant, around) ?? [];
    // What it answers is another test's matter; here only what it asks counts.
    await hub.db
      .rehearse(tenant.tenantId, async (tx) => void (await call(...args.slice(0, at), tx, ...args.slice(at))))
      .catch(() => {});
  }
}

/** What is wrong with a statement whose $1 is the tenant. */
const wrongWith = (text: string): Promise<string[]> => judge.violations({ text, tenantAt: [1] });

describe.skipIf(onCluster)('the judge', () => {
  test('citus: conditions that must hold are told from those that may', () => {
    expect(conjuncts("((t.tenant_id = $1) AND ((t.a = 1) OR (t.b = ' AND (')) AND t.c)")).toEqual([
      't.tenant_id = $1',
      "(t.a = 1) OR (t.b = ' AND (')",
      't.c',
    ]);
    expect(conjuncts('((t.tenant_id = $1) OR (t.a = 2))')).toEqual(['(t.tenant_id = $1) OR (t.a = 2)']);
    expect(conjuncts('(t.tenant_id = $1)')).toEqual(['t.tenant_id = $1']);
  });

  test('citus: a text is divided into its statements where they end, and nowhere else', () => {
    expect(statementsOf("select ';'; -- a; b\nselect $$;$$; /* ; */ ; select 1")).toEqual([
      "select ';'",
      '-- a; b\nselect $$;$$',
      'select 1',
    ]);
    expect(statementsOf("do $do$ begin perform 1; end $do$; select E'\\';' as \"a;b\";")).toEqual([
      'do $do$ begin perform 1; end $do$',
      `select E'\\';' as "a;b"`,
    ]);
  });

  test('citus: statements that name the tenant of every table pass, however they do it', async () => {
    for (const text of [
      'select * from customer where tenant_id = $1 and id = $2',
      'select * from customer c left join company o on o.tenant_id = c.tenant_id and o.id = c.company_id where c.tenant_id = $1',
      'select * from customer c, company o where o.tenant_id = $1 and c.tenant_id = $1 and o.id = c.company_id',
      'select 1 from run r where tenant_id = $1 and exists (select from sequence s where s.tenant_id = r.tenant_id and s.id = r.sequence_id)',
      'select id from run where tenant_id = $1 and wake_at <= $2 order by wake_at limit $3 for update skip locked',
      'update change set processed = true where tenant_id = $1 and id in (select id from change where tenant_id = $1 and not processed limit $2 for update skip locked)',
      'update run r set state = i.state from unnest($2::uuid[], $3::text[]) as i(id, state) where r.tenant_id = $1 and r.id = i.id',
      'insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($1, $2, $3, $4, $5) on conflict (tenant_id, scope) do update set set_at = excluded.set_at',
      'insert into action_attempt (tenant_id, request_id, number, started_at) select $1, id, 1, $3 from unnest($2::uuid[]) as i(id) on conflict do nothing',
      'delete from touch where tenant_id = $1 and request_id = any($2)',
      'with gone as (delete from touch where tenant_id = $1 returning request_id) select count(*) from gone',
      'select count(*) from tenant_due where next_due < $1',
      'select 1',
    ])
      expect(await wrongWith(text), text).toEqual([]);
  });

  test('citus: statements that Citus refuses, or that leave a tenant out, are found, each for its reason', async () => {
    for (const [text, reason] of [
      ['select * from customer where id = $1', /does not hold customer/],
      ['select * from customer where tenant_id = $2 and id = $1', /does not hold customer/],
      ['select * from customer where tenant_id = $1 or id = $2', /does not hold customer/],
      ['select * from customer where tenant_id is not distinct from $1', /does not hold customer/],
      [
        'select * from customer c join company o on o.id = c.company_id where c.tenant_id = $1',
        /does not hold company/,
      ],
      ['select * from customer c left join company o on o.id = c.company_id and c.tenant_id = $1', /does not hold c/],
      [
        'select 1 from run where tenant_id = $1 and exists (select from sequence where id = sequence_id)',
        /does not hold sequence/,
      ],
      ['select (select count(*) from company) from customer where tenant_id = $1', /does not hold company/],
      ['select id from run where wake_at <= $1 for update skip locked', /does not hold run/],
      ['update run set state = $2 where id = $1', /does not hold run/],
      ['delete from touch where request_id = $1', /does not hold touch/],
      [
        'select id from customer where tenant_id = $1 union select id from company where id = $2',
        /does not hold company/,
      ],
      [
        "insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($2, $1, 'r', 'x', '2026-01-01')",
        /as the tenant of kill_switch/,
      ],
      [
        "insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($1, 's', 'r', 'x', '2026-01-01') on conflict (tenant_id, scope) do update set set_at = now()",
        /uses now in ON CONFLICT/,
      ],
      [
        "insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($1, 's', 'r', 'x', '2026-01-01') on conflict (tenant_id, scope) do update set set_at = current_timestamp",
        /present moment .* in ON CONFLICT/,
      ],
      [
        "insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($1, 's', 'r', 'x', '2026-01-01') on conflict (tenant_id, scope) do update set reason = 'r' || random()",
        /uses random in ON CONFLICT/,
      ],
      ['update run set row_version = (random() * 10)::int where tenant_id = $1', /volatile random in update/],
      [
        "update run set wake_at = wake_at + interval '1 day' where tenant_id = $1",
        /gives a column to timestamptz_pl_interval/,
      ],
      [
        "update run set wake_at = case when visit = 1 then $2::timestamptz + interval '1 day' end where tenant_id = $1",
        /within CASE or COALESCE/,
      ],
      ['merge into kill_switch k using (select 1) s on k.tenant_id = $1 when matched then delete', /is a MERGE/],
      [
        'select * from membership m join user_account a on a.id = m.user_id where m.tenant_id = $1',
        /joins membership with user_account/,
      ],
      ['select * from customer c, queue.job where c.tenant_id = $1', /joins customer with queue.job/],
      [
        "insert into kill_switch (tenant_id, scope, reason, set_by, set_at) values ($1, 's', (select name from customer where tenant_id = $1 limit 1), 'x', '2026-01-01')",
        /subquery among the values/,
      ],
      ['select 1; select 2', /several statements/],
      ['alter table customer add column x int', /cannot be judged/],
    ] as const)
      expect((await wrongWith(text)).join('; '), text).toMatch(reason);
  });
});

describe.skipIf(onCluster)('what was watched', () => {
  let recording: Recording;
  let story: Story;

  beforeAll(async () => {
    recording = recordStatements();
    story = await beginStory({ alwaysOpen: true });
    await live(story);
    await callEveryFunction(story);
  });

  afterAll(async () => {
    recording?.stop();
    await story?.end();
  });

  test('citus: every statement in a transaction of a tenant is one that a distributed database takes', async () => {
    const wrong: string[] = [];
    for (const seen of recording.inTenants.values())
      for (const reason of await judge.violations(seen)) wrong.push(`${reason}: ${seen.text}`);
    expect(recording.inTenants.size).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });

  test('citus: statements of the sources that nobody sent were judged as they stand there', async () => {
    const texts = [...recording.inTenants.keys(), ...recording.elsewhere];
    const unseen = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !ABOUT_THE_DATABASE.includes(file))
      .flatMap((file) => patternsIn(file, readFileSync(path.join(SOURCE, file), 'utf8')))
      .filter(({ text }) => !texts.some((seen) => text.test(seen)));
    const wrong: string[] = [];
    for (const { where, possible } of unseen) {
      // What is put together from parts is judged with parts that may stand there; when none fits, it must be watched.
      const found: string[][] = [];
      for (const text of possible) found.push(CONTROL.test(text) ? [] : await wrongWith(text));
      if (!found.some((reasons) => reasons.length === 0))
        wrong.push(`${[...new Set(found.flat())].join('; ')}: ${where}`);
    }
    expect(wrong).toEqual([]);
  });
});
