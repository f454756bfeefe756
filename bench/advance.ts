import pg from 'pg';
import type { Definition } from '../src/sequences/schema.ts';
import { insertSequence, setSequenceState } from '../src/sequences/store.ts';
import { type Result, ratio } from './figures.ts';
import type { Business, Sending } from './sending.ts';
import { startSending } from './sending.ts';

/** Enrolments that wait, and of those the ones that fall due in a round. */
const RUNS = Number(process.env.ADVANCE_RUNS ?? 1_000_000);
const DUE = Number(process.env.ADVANCE_DUE ?? 4_000);
const WARM_UP = 400;
const ROUNDS = 3;
/** As the engine claims them. */
const BATCH = 200;

/** A wait, a message, and a long wait: what falls due leaves the first, plans the second and comes to rest in the third. */
const DEFINITION: Definition = {
  key: 'bench',
  title: 'Bench',
  class: 'transactional',
  topic: 'bench',
  triggers: [{ name: 'manual' }],
  per: 'customer',
  again: { policy: 'always' },
  exits: [],
  steps: [
    { id: 'pause', wait: { days: 1 } },
    { id: 'hello', message: { channels: ['sms'], template: 'hello' } },
    { id: 'rest', wait: { days: 365 } },
  ],
};

/** Customers who can be reached, each in the sequence and waiting for next year; written set-based, that is not measured. */
async function seed({ hub }: Sending, { tenantId }: Business): Promise<void> {
  const now = hub.clock.now();
  await hub.db.tenant(tenantId, async (tx) => {
    const id = (await insertSequence(tx, {
      ...{ key: DEFINITION.key, title: DEFINITION.title, playbook: null, definition: DEFINITION, by: 'bench', now },
    }))!;
    await setSequenceState(tx, id, { state: 'active', activeVersion: 1, expected: 1, now });
    // In shadow everything is decided and written down; what a platform takes to answer is measured elsewhere.
    await tx.query("update sequence set mode = 'shadow' where tenant_id = $1 and id = $2", [tenantId, id]);
    await tx.query(
      `insert into template (tenant_id, key, channel, locale, body, updated_at, updated_by)
       values ($1, 'hello', 'sms', 'en', 'Hello {{ customer.name }}', $2, 'bench')`,
      [tenantId, now],
    );
    await tx.query(
      `insert into customer (tenant_id, id, name, phone, country, time_zone, provenance, sources, created_at, updated_at)
       select $1, gen_random_uuid(), 'Customer ' || n, '+1614' || lpad(n::text, 7, '0'), 'US', 'America/New_York', '{}', 1, $3, $3
       from generate_series(1, $2::int) as n`,
      [tenantId, RUNS, now],
    );
    await tx.query(
      `insert into run (tenant_id, id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, wake_at, waiting_for, start_on, zone, cause, shadow, started_at, updated_at, entered_at)
       select c.tenant_id, gen_random_uuid(), $2, 1, c.id, 'customer', 1, 'waiting', 'pause', $3::timestamptz + interval '1 year', 'time', $3::date, 'America/New_York', '{}', true,
         $3::timestamptz - interval '1 day', $3, $3::timestamptz - interval '1 day'
       from customer c where c.tenant_id = $1`,
      [tenantId, id, now],
    );
  });
}

/** So many of those at the first step fall due now. */
const fallDue = ({ hub }: Sending, { tenantId }: Business, count: number): Promise<unknown> =>
  hub.db.tenant(tenantId, (tx) =>
    tx.query(
      `update run set wake_at = $2 where tenant_id = $1 and id in (
         select id from run where tenant_id = $1 and state = 'waiting' and step_id = 'pause' order by id limit $3)`,
      [tenantId, hub.clock.now(), count],
    ),
  );

/** The engine and the gate work them off, each with its own worker. @returns milliseconds */
async function advance(sending: Sending, business: Business, count: number): Promise<number> {
  const { hub } = sending;
  const through = async (): Promise<number> => {
    const { rows } = await hub.db.tenant(business.tenantId, (tx) =>
      tx.query<{ n: number }>("select count(*)::int as n from run where tenant_id = $1 and step_id = 'rest'", [
        tx.tenantId,
      ]),
    );
    return rows[0]!.n;
  };
  const before = await through();
  await fallDue(sending, business, count);
  const begun = performance.now();
  await hub.queue.wake('runs', { tenantId: business.tenantId });
  await hub.queue.idle();
  const took = performance.now() - begun;
  const moved = (await through()) - before;
  if (moved !== count) throw new Error(`${moved} of ${count} enrolments went on.`);
  return took;
}

/** As many rows of as large a table, claimed past the locks of others, changed, and one row written for each. */
async function floor(client: pg.Client, count: number): Promise<number> {
  await client.query(
    'update bench_run set wake_at = $1 where id in (select id from bench_run where not done limit $2)',
    [new Date(0), count],
  );
  const begun = performance.now();
  for (let left = count; left > 0; left -= BATCH) {
    await client.query('begin');
    const { rows } = await client.query<{ id: string }>(
      "select id from bench_run where state = 'waiting' and wake_at <= $1 order by wake_at limit $2 for update skip locked",
      [new Date(), BATCH],
    );
    const ids = rows.map(({ id }) => id);
    await client.query(
      "update bench_run set step_id = 'rest', done = true, wake_at = $2, updated_at = $2 where id = any($1)",
      [ids, new Date(Date.now() + 365 * 86_400_000)],
    );
    await client.query(
      "insert into bench_step (run_id, step_id, entered_at) select id, 'rest', $2 from unnest($1::uuid[]) as i(id)",
      [ids, new Date()],
    );
    await client.query('commit');
  }
  return performance.now() - begun;
}

async function floorTables(client: pg.Client): Promise<void> {
  await client.query(
    `create table bench_run as select id, state, step_id, wake_at, updated_at, business_key, zone, cause, false as done from run;
     alter table bench_run add primary key (id);
     create index bench_run_due on bench_run (wake_at) where state = 'waiting';
     create table bench_step (run_id uuid, step_id text, entered_at timestamptz, primary key (run_id, step_id));
     analyze`,
  );
}

/**
 * Enrolments that fall due among many that wait, through claim, gate and commit. Floor of the same run: the same number of
 * rows of a copy of the same table, claimed with SKIP LOCKED in batches of the same size, updated, one row inserted each.
 */
export async function advanceBench(): Promise<Result> {
  const sending = await startSending('engine,dispatch');
  const client = new pg.Client({ connectionString: sending.hub.db.ownerUrl });
  const raw: Record<string, number[]> = { floor_ms: [], advance_ms: [] };
  try {
    const business = await sending.business('Bench', 0);
    await seed(sending, business);
    await client.connect();
    await floorTables(client);
    await advance(sending, business, WARM_UP);
    await floor(client, WARM_UP);
    for (let round = 0; round < ROUNDS; round++) {
      raw.floor_ms!.push(await floor(client, DUE));
      raw.advance_ms!.push(await advance(sending, business, DUE));
    }
  } finally {
    await client.end().catch(() => {});
    await sending.stop();
  }
  const best = (name: string): number => Math.min(...raw[name]!);
  const perSecond = (ms: number): number => Math.round(DUE / (ms / 1000));
  const value = ratio(best('floor_ms'), best('advance_ms'));
  return {
    name: 'advance',
    what: `${DUE} of ${RUNS} waiting enrolments fall due: claimed, their message planned, decided by the gate and written down in shadow, and brought to rest.`,
    figures: { advance_per_second: perSecond(best('advance_ms')), floor_per_second: perSecond(best('floor_ms')) },
    ratios: { ratio: value },
    aim: 'ratio 0.4',
    met: value >= 0.4,
    raw,
  };
}
