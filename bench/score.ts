import { createTenant } from '../src/access/identity.ts';
import { systemClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import type { Tx } from '../src/base/database.ts';
import { createLogger } from '../src/base/log.ts';
import { localDate } from '../src/base/time.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { scorePass } from '../src/scoring/pass.ts';
import { type Result, ratio } from './figures.ts';
import { tempFolder } from './hub.ts';

const SIZES = (process.env.BENCH_SCORE_SIZES ?? '10000,100000,1000000').split(',').map(Number);
const PER_CUSTOMER = 10;
const DAY_MS = 86_400_000;

/** An id made of a number, so that rows can be made by the database itself: seeding row by row would take hours. */
const id = (kind: number, n: string): string =>
  `(lpad(to_hex(${kind}), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;

/** Customers with ten jobs, ten payments and ten invoices each on average, and some answers, made set by set. */
async function seed(hub: Hub, tenantId: string, customers: number, today: string): Promise<void> {
  const made = `'bench', now()`;
  const stream = id(9, '1');
  const documents = customers * PER_CUSTOMER;
  // Spread without order: the next document of a customer stands far from the one before, as in a business that lives.
  const owner = `1 + (n * 7919::bigint) % ${customers}`;
  const fields = 'tenant_id, stream_id, remote_id, entity_id, mapping_version, updated_at, customer_id';
  const common = (kind: number): string => `$1::uuid, ${stream}, n::text, ${id(kind, 'n')}, ${made}, ${id(1, owner)}`;
  const day = (back: number): string => `$2::date - (n * 104729::bigint % ${back})::int`;
  const run = (text: string, values: unknown[] = [tenantId, today]): Promise<void> =>
    hub.db.tenant(tenantId, async (tx) => void (await tx.query(text, values)));
  await run(
    `insert into customer (tenant_id, id, name, provenance, sources, created_at, updated_at) select $1::uuid, ${id(1, 'n')}, 'Customer ' || n, '{}', 1, now(), now() from generate_series(1, ${customers}) n`,
    [tenantId],
  );
  await run(
    `insert into job (${fields}, status, completed_on, amount, currency) select ${common(2)}, case n % 10 when 0 then 'scheduled' else 'completed' end, ${day(1500)}, 100, 'USD' from generate_series(1, ${documents}) n`,
  );
  await run(
    `insert into payment (${fields}, amount, currency, kind, status, paid_on) select ${common(3)}, (n * 31 % 50000) / 100.0, 'USD', case n % 40 when 0 then 'refund' else 'payment' end, 'succeeded', ${day(1500)} from generate_series(1, ${documents}) n`,
  );
  await run(
    `insert into invoice (${fields}, status, total, balance, currency, issued_on) select ${common(4)}, 'paid', (n * 31 % 50000) / 100.0, 0, 'USD', ${day(1500)} from generate_series(1, ${documents}) n`,
  );
  await run(
    `insert into survey_response (${fields}, kind, score, answered_at) select ${common(5)}, 'nps', n % 11, (${day(700)})::timestamp from generate_series(1, ${Math.ceil(customers / 2)}) n`,
  );
  await run(
    `insert into message_engagement (tenant_id, key, customer_id, channel, delivered_at, opened_at) select $1::uuid, n::text, ${id(1, owner)}, 'email', (${day(200)})::timestamp, case when n % 3 = 0 then $2::date::timestamp end from generate_series(1, ${customers}) n`,
  );
  for (const table of ['customer', 'job', 'payment', 'invoice', 'survey_response', 'message_engagement'])
    await hub.db.statement(`analyze ${table}`).catch(() => {});
}

/** The floor: the same aggregates, joined and written by one plain statement into a table with the same key. */
const FLOOR = `insert into score_floor select $1::uuid, c.id, j.last_on, j.n, p.total, a.score, a.at, e.delivered, e.opened from customer c
  left join (select customer_id, max(completed_on) as last_on, count(*) filter (where completed_on > $2::date - 365) as n from job
    where tenant_id = $1 and status = 'completed' and deleted_at is null and completed_on <= $2::date group by customer_id) j on j.customer_id = c.id
  left join (select customer_id, sum(case kind when 'refund' then -amount else amount end) as total from payment
    where tenant_id = $1 and status = 'succeeded' and deleted_at is null and paid_on <= $2::date group by customer_id) p on p.customer_id = c.id
  left join (select distinct on (customer_id) customer_id, score, answered_at as at from survey_response
    where tenant_id = $1 and deleted_at is null order by customer_id, answered_at desc) a on a.customer_id = c.id
  left join (select customer_id, count(*) as delivered, count(opened_at) as opened from message_engagement
    where tenant_id = $1 and delivered_at > $2::date - 180 group by customer_id) e on e.customer_id = c.id
  where c.tenant_id = $1`;

const FLOOR_TABLE = `create table score_floor (tenant_id uuid not null, customer_id uuid not null, last_on date, n int, total numeric, score numeric,
  at timestamptz, delivered int, opened int, primary key (tenant_id, customer_id))`;

interface Taken {
  floor: number;
  first: number;
  second: number;
  nextDay: number;
  changed: number;
  nextDayWritten: number;
}

async function measure(hub: Hub, owner: (text: string) => Promise<unknown>, customers: number): Promise<Taken> {
  const tenantId = await createTenant(hub.access, { business: `Bench ${customers}`, country: 'US', currency: 'USD' });
  const now = new Date();
  await seed(hub, tenantId, customers, localDate(now, 'UTC'));
  const tenantTx = async <T>(work: (tx: Tx) => Promise<T>): Promise<{ ms: number; result: T }> => {
    const began = performance.now();
    const result = await hub.db.tenant(tenantId, work);
    return { ms: performance.now() - began, result };
  };
  await owner('drop table if exists score_floor');
  await owner(FLOOR_TABLE);
  await owner('grant all on score_floor to rapport_app');
  const floors: number[] = [];
  // Twice: the first one warms what both find in memory afterwards.
  for (let n = 0; n < 2; n++) {
    await owner('truncate score_floor');
    floors.push((await tenantTx((tx) => tx.query(FLOOR, [tenantId, localDate(now, 'UTC')]))).ms);
  }
  const passOn = (at: Date, force = false) => tenantTx((tx) => scorePass(tx, at, force));
  const first = await passOn(now);
  if (first.result.written !== customers) throw new Error(`The first pass wrote ${first.result.written} scores.`);
  const second = await passOn(now, true);
  if (second.result.written !== 0 || second.result.kept !== 0)
    throw new Error(`A second pass wrote ${second.result.written} scores.`);
  const nextDay = await passOn(new Date(now.getTime() + DAY_MS));
  return {
    floor: Math.min(...floors),
    first: first.ms,
    second: second.ms,
    nextDay: nextDay.ms,
    changed: second.result.written,
    nextDayWritten: nextDay.result.written,
  };
}

/**
 * The daily pass over customers with ten jobs, ten payments and ten invoices each. Floor of the same run: a plain
 * `insert ... select` of the same joined aggregates, as the same role. The database is the product's own, with its settings.
 */
export async function score(): Promise<Result> {
  const { folder, remove } = tempFolder();
  const hub = await startHub({
    config: loadConfig({ RAPPORT_DATA: folder, LOG_LEVEL: 'warn', ROLES: 'engine' }),
    clock: systemClock,
    log: createLogger('warn'),
    sweep: false,
  });
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: hub.db.ownerUrl });
  await client.connect();
  const figures: Result['figures'] = {};
  const ratios: Result['ratios'] = {};
  const raw: Result['raw'] = {};
  let met = true;
  try {
    for (const size of SIZES) {
      const taken = await measure(hub, (text) => client.query(text), size);
      const name = size >= 1_000_000 ? `${size / 1_000_000}m` : `${size / 1000}k`;
      const whole = (value: number): number => Math.round(value);
      Object.assign(figures, {
        [`floor_ms_${name}`]: whole(taken.floor),
        [`first_pass_ms_${name}`]: whole(taken.first),
        [`same_day_again_ms_${name}`]: whole(taken.second),
        [`same_day_again_rows_${name}`]: taken.changed,
        [`next_day_ms_${name}`]: whole(taken.nextDay),
        [`next_day_rows_${name}`]: taken.nextDayWritten,
      });
      Object.assign(ratios, {
        [`next_day_by_floor_${name}`]: ratio(taken.nextDay, taken.floor),
        [`first_pass_by_floor_${name}`]: ratio(taken.first, taken.floor),
        [`same_day_again_by_floor_${name}`]: ratio(taken.second, taken.floor),
      });
      raw[name] = Object.values(taken);
      if (size === Math.max(...SIZES)) met = ratio(taken.nextDay, taken.floor) <= 3 && taken.changed === 0;
      process.stderr.write(`score ${name}: ${JSON.stringify(taken)}\n`);
      // One business at a time: the next one must not read past the rows of the one before.
      for (const table of [
        'customer_score',
        'score_history',
        'job',
        'payment',
        'invoice',
        'survey_response',
        'message_engagement',
        'customer',
      ])
        await client.query(`truncate ${table}`);
    }
  } finally {
    await client.end();
    await hub.stop();
    remove();
  }
  return {
    name: 'score',
    what: `the daily pass of the relationship score over ${SIZES.join(', ')} customers with ten jobs, payments and invoices each (seeded set by set, not through sync)`,
    figures,
    ratios,
    aim: `the daily pass at ${Math.max(...SIZES)} customers within 3 times a plain insert ... select of the same joined aggregates; a second pass of the day writes no row`,
    met,
    raw,
  };
}
