import pg from 'pg';
import { createTenant } from '../src/access/identity.ts';
import { loadConfig } from '../src/base/config.ts';
import type { Tx } from '../src/base/database.ts';
import { createLogger } from '../src/base/log.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { markStale } from '../src/model/stale.ts';
import { evaluateChanged, evaluateWhole } from '../src/segments/evaluate.ts';
import { insertSegment } from '../src/segments/store.ts';
import { type Result, ratio } from './figures.ts';
import { tempFolder } from './hub.ts';

const CUSTOMERS = Number(process.env.SEGMENTS_CUSTOMERS ?? 100_000);
const SEGMENTS = 50;
const FEW = 1_000;
const MANY = Number(process.env.SEGMENTS_CHANGED ?? 8_000);
const ROUNDS = 5;
/** Time for a changed customer among many, by that among few: proportional is 1. */
const AIM = 1.3;

/** Conditions as businesses write them, each with other figures. */
const conditions = (n: number): unknown[] => [
  { field: 'customer.tags', has_any: [`tag-${n}`] },
  {
    all: [
      { field: 'customer.city', is: `City ${n}` },
      { count: 'job', where: { field: 'job.status', is: 'completed' }, at_least: 2 },
    ],
  },
  { latest: 'job.completed_on', more_than_ago: { days: 30 + n } },
  { sum: 'invoice.balance', above: 100 * n },
  {
    all: [
      { exists: 'invoice', where: { field: 'invoice.due_on', more_than_ago: { days: n } } },
      { not: { field: 'customer.country', is: 'DE' } },
    ],
  },
];

/** Customers with three jobs and two invoices each, written by set-based statements: how they came is not measured. */
async function seed(hub: Hub, tenantId: string): Promise<void> {
  await hub.db.tenant(tenantId, async (tx) => {
    await tx.query(
      `insert into customer (tenant_id, id, name, email, city, country, tags, provenance, sources, created_at, updated_at)
       select $1, gen_random_uuid(), 'Customer ' || n, 'c' || n || '@example.com', 'City ' || n % 40, case when n % 3 = 0 then 'DE' else 'US' end,
         array['tag-' || n % 37], '{}', 1, $3, $3 from generate_series(1, $2::int) as n`,
      [tenantId, CUSTOMERS, new Date()],
    );
    const stream = 'gen_random_uuid(), c.id || $1::text || n, gen_random_uuid()';
    await tx.query(
      `insert into job (tenant_id, stream_id, remote_id, entity_id, status, completed_on, customer_id, mapping_version, updated_at)
       select c.tenant_id, ${stream}, 'completed', date '2026-01-01' - (hashtext(c.id::text || n) % 400), c.id, 'b', $2
       from customer c, generate_series(1, 3) as n where c.tenant_id = $3`,
      ['j', new Date(), tenantId],
    );
    await tx.query(
      `insert into invoice (tenant_id, stream_id, remote_id, entity_id, status, due_on, total, balance, currency, customer_id, mapping_version, updated_at)
       select c.tenant_id, ${stream}, 'open', date '2026-01-01' - (hashtext(c.id::text || n) % 90), 500, abs(hashtext(n || c.id::text)) % 500, 'USD', c.id, 'b', $2
       from customer c, generate_series(1, 2) as n where c.tenant_id = $3`,
      ['i', new Date(), tenantId],
    );
  });
}

async function changeSome(tx: Tx, count: number, round: number): Promise<void> {
  const { rows } = await tx.query<{ id: string }>(
    `update customer set tags = array['tag-' || $3::int], city = 'City ' || $3::int where tenant_id = $1 and id in (
       select id from customer where tenant_id = $1 order by md5(id::text || $3::text) limit $2) returning id`,
    [tx.tenantId, count, round],
  );
  await markStale(
    tx,
    'segments',
    rows.map(({ id }) => ({ customerId: id, depth: 0 })),
  );
}

/** Fifty segments over 100,000 customers: everybody at first, then only those who changed. */
export async function segments(): Promise<Result> {
  const { folder, remove } = tempFolder();
  const hub = await startHub({
    config: loadConfig({ RAPPORT_DATA: folder, ROLES: 'dispatch', LOG_LEVEL: 'warn' }),
    log: createLogger('warn'),
    sweep: false,
  });
  const raw: Record<string, number[]> = { few_ms: [], many_ms: [], none_ms: [] };
  let whole = 0;
  try {
    const tenantId = await createTenant(hub.access, { business: 'Bench', country: 'US', currency: 'USD' });
    const tenant = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => hub.db.tenant(tenantId, work);
    await seed(hub, tenantId);
    await tenant(async (tx) => {
      for (let n = 0; n < SEGMENTS; n++) {
        const condition = conditions(Math.floor(n / 5) + 1)[n % 5]!;
        await insertSegment(
          tx,
          { name: `Segment ${n}`, condition, settleMinutes: 0, timed: n % 5 === 2 },
          'bench',
          new Date(),
        );
      }
    });
    // As the database does by itself a minute after so many rows came; before that its plans are for empty tables.
    const owner = new pg.Client({ connectionString: hub.db.ownerUrl });
    await owner.connect();
    await owner.query('analyze');
    await owner.end();
    const since = performance.now();
    await tenant((tx) => evaluateWhole(tx, new Date()));
    whole = performance.now() - since;
    const measure = async (count: number, round: number): Promise<number> => {
      await tenant((tx) => changeSome(tx, count, round));
      const begun = performance.now();
      while ((await tenant((tx) => evaluateChanged(tx, new Date()))).looked > 0);
      return performance.now() - begun;
    };
    await measure(FEW, 0);
    for (let round = 1; round <= ROUNDS; round++) {
      raw.few_ms!.push(await measure(FEW, round));
      raw.many_ms!.push(await measure(MANY, round + ROUNDS));
      raw.none_ms!.push(await measure(0, round));
    }
  } finally {
    await hub.stop();
    remove();
  }
  const median = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const [few, many, none] = [median(raw.few_ms!), median(raw.many_ms!), median(raw.none_ms!)];
  const proportional = ratio(many / MANY, few / FEW);
  return {
    name: 'segments',
    what: `${SEGMENTS} segments over ${CUSTOMERS} customers with three jobs and two invoices each (written set-based): everybody once, then ${FEW} and ${MANY} changed customers.`,
    figures: {
      whole_ms: Math.round(whole),
      few_ms: Math.round(few),
      many_ms: Math.round(many),
      none_ms: Math.round(none),
    },
    ratios: { manyByFewEach: proportional, fewByWhole: ratio(few, whole) },
    aim: `a changed customer among ${MANY} takes at most ${AIM} times as long as among ${FEW}`,
    met: proportional <= AIM,
    raw,
  };
}
