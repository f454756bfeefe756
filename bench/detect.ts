import { createTenant } from '../src/access/identity.ts';
import { manualClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import { createLogger } from '../src/base/log.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { triggerDefinition } from '../src/triggers/catalogue.ts';
import { runDetection, type TriggerJobDeps } from '../src/triggers/jobs.ts';
import { insertTrigger } from '../src/triggers/store.ts';
import { SEED } from './detect.seed.ts';
import { type Result, ratio, spread } from './figures.ts';
import { tempFolder } from './hub.ts';

/** Customers of the two businesses; DETECT_SIZES=100000,1000000 runs others. */
const SIZES = (process.env.DETECT_SIZES ?? '30000,300000').split(',').map(Number);
const WARM_UP = 3000;
const AIM = 1.5;
const DUE = 2000;
const TODAY = '2026-03-02';
/** Further looks on the same day, after the first. */
const AGAIN = 5;

const TRIGGERS = ['invoice.overdue', 'service.due', 'warranty.expiring', 'client.inactive', 'birthday'];

const started: TriggerJobDeps['start'] = async (_tx, _trigger, occurrences) =>
  occurrences.map(({ id }) => ({ id, outcome: 'started', runId: null }));

async function seed(hub: Hub, customers: number, at: Date): Promise<string> {
  const tenantId = await createTenant(hub.access, { business: `Bench ${customers}`, country: 'US', currency: 'USD' });
  await hub.db.tenant(tenantId, async (tx) => {
    for (const text of SEED) await tx.query(text, [tenantId, customers, TODAY, DUE / TRIGGERS.length]);
    for (const name of TRIGGERS) {
      const { title, defaults } = triggerDefinition(name);
      const settings = defaults as Record<string, unknown>;
      await insertTrigger(tx, { name, title, settings, sequence_id: null, enabled: true }, at);
    }
  });
  return tenantId;
}

/**
 * One look of the clock with 2,000 due subjects of five triggers, at two numbers of customers with ten jobs and ten
 * invoices each: the first look, which records them, and looks after it, which find nothing new. Customers, documents
 * and derived dates are written set-based straight into the model, not read from a platform.
 */
export async function detect(): Promise<Result> {
  const { folder, remove } = tempFolder();
  const clock = manualClock(`${TODAY}T00:00:00Z`);
  const hub = await startHub({
    config: loadConfig({ RAPPORT_DATA: folder, ROLES: 'api', PORT: '0' }),
    clock,
    log: createLogger('silent'),
    sweep: false,
    port: 0,
  });
  const raw: Record<string, number[]> = {};
  try {
    const deps: TriggerJobDeps = { db: hub.db, clock, start: started, wake: async () => {} };
    const tenants: [number, string][] = [];
    // The smallest first, unmeasured: compiled code and warm pools.
    for (const size of [WARM_UP, ...SIZES]) tenants.push([size, await seed(hub, size, clock.now())]);
    await analyse(hub.db.ownerUrl);
    clock.set(`${TODAY}T12:00:00Z`);
    // The calendars of everybody are brought up to date once after a first load; that is not what is measured.
    for (const [size, tenantId] of tenants) {
      await hub.db.tenant(tenantId, (tx) =>
        tx.query("insert into calendar_pass (tenant_id, zone) values ($1, 'UTC') on conflict do nothing", [tenantId]),
      );
      const measure = async (): Promise<number> => {
        const since = performance.now();
        await runDetection(deps, tenantId);
        return performance.now() - since;
      };
      raw[`first_${size}_ms`] = [await measure()];
      const { rows } = await hub.db.tenant(tenantId, (tx) =>
        tx.query<{ n: number }>(
          "select count(*)::int as n from occurrence where tenant_id = $1 and outcome = 'started'",
          [tenantId],
        ),
      );
      if (rows[0]!.n !== DUE) throw new Error(`${rows[0]!.n} instead of ${DUE} were found among ${size} customers.`);
      raw[`again_${size}_ms`] = [];
      for (let n = 0; n < AGAIN; n++) raw[`again_${size}_ms`]!.push(await measure());
    }
  } finally {
    await hub.stop();
    remove();
  }
  const [small, large] = SIZES as [number, number];
  const first = (size: number): number => raw[`first_${size}_ms`]![0]!;
  const again = (size: number): number => spread(raw[`again_${size}_ms`]!).p50;
  const ratios = {
    firstLargeToSmall: ratio(first(large), first(small)),
    againLargeToSmall: ratio(again(large), again(small)),
  };
  return {
    name: 'detect',
    what: `${DUE} due subjects at ${small} and at ${large} customers with ten jobs and ten invoices each, seeded set-based.`,
    figures: Object.fromEntries(
      SIZES.flatMap((size) => [
        [`first_${size}_ms`, Math.round(first(size))],
        [`again_${size}_ms`, spread(raw[`again_${size}_ms`]!)],
      ]),
    ),
    ratios,
    aim: `both ratios at most ${AIM}`,
    met: Object.values(ratios).every((value) => value <= AIM),
    raw,
  };
}

async function analyse(ownerUrl: string): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query('vacuum analyze');
  await client.end();
}
