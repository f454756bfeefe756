import { PgBoss } from 'pg-boss';
import { Agent } from 'undici';
import { type Result, ratio } from './figures.ts';
import { startSending } from './sending.ts';

const TOTAL = 4_000;
const WARM_UP = 500;
const ROUNDS = 3;
/** As the hub takes and sends them. */
const BATCH = 50;
const AT_ONCE = 16;

/** The same calls by pg-boss alone: jobs in batches, each job one call, done together. */
async function floor(ownerUrl: string, origin: string, count: number, name: string): Promise<number> {
  const boss = new PgBoss({ connectionString: ownerUrl, schema: 'bench', max: 4, useListenNotify: true });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue(name, { notify: true });
  await boss.insert(
    name,
    Array.from({ length: count }, (_, n) => ({ data: { to: `+1614${2_000_000 + n}`, text: `Hello ${n}` } })),
  );
  const agent = new Agent();
  let done = 0;
  const started = performance.now();
  const took = new Promise<number>((resolve, reject) => {
    const send = async (data: unknown): Promise<void> => {
      const answer = await agent.request({
        origin,
        path: '/messages',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(data),
      });
      await answer.body.json();
      if (answer.statusCode !== 201) throw new Error(`The platform answered ${answer.statusCode}.`);
    };
    const options = { batchSize: BATCH, burstWhenBatchFull: true, notifyPollingIntervalSeconds: 2 };
    const work = async (jobs: { data: unknown }[]): Promise<void> => {
      for (let start = 0; start < jobs.length; start += AT_ONCE)
        await Promise.all(jobs.slice(start, start + AT_ONCE).map((job) => send(job.data)));
      done += jobs.length;
      if (done === count) resolve(performance.now() - started);
    };
    // Two workers, as the hub has.
    Promise.all([boss.work(name, options, work), boss.work(name, options, work)]).catch(reject);
  });
  const milliseconds = await took;
  await boss.stop({ graceful: true, timeout: 5_000, close: true });
  await agent.close();
  return milliseconds;
}

/**
 * Planned messages to as many customers through gate, budget and a local platform that answers at once. Floor of the
 * same run: pg-boss alone working off as many jobs with the same call.
 */
export async function dispatch(): Promise<Result> {
  const sending = await startSending();
  const raw: Record<string, number[]> = { floor_ms: [], dispatch_ms: [] };
  const through = async (count: number, name: string): Promise<number> => {
    const business = await sending.business(name, 0);
    await business.plan(count);
    const started = performance.now();
    await sending.hub.queue.wake('dispatch', { tenantId: business.tenantId });
    await sending.hub.queue.idle();
    const took = performance.now() - started;
    const sent = await business.sent();
    if (sent !== count) throw new Error(`${sent} of ${count} messages were sent.`);
    return took;
  };
  try {
    await through(WARM_UP, 'Warm-up');
    await floor(sending.hub.db.ownerUrl, sending.origin, WARM_UP, 'warm');
    for (let round = 0; round < ROUNDS; round++) {
      raw.floor_ms!.push(await floor(sending.hub.db.ownerUrl, sending.origin, TOTAL, `floor${round}`));
      raw.dispatch_ms!.push(await through(TOTAL, `Round ${round}`));
    }
  } finally {
    await sending.stop();
  }
  const best = (name: string): number => Math.min(...raw[name]!);
  const perSecond = (ms: number): number => Math.round(TOTAL / (ms / 1000));
  const value = ratio(best('floor_ms'), best('dispatch_ms'));
  return {
    name: 'dispatch',
    what: `${TOTAL} messages through gate, budget and a local platform, against pg-boss with the same call.`,
    figures: { dispatch_per_second: perSecond(best('dispatch_ms')), floor_per_second: perSecond(best('floor_ms')) },
    ratios: { ratio: value },
    aim: 'ratio 0.5',
    met: value >= 0.5,
    raw,
  };
}
