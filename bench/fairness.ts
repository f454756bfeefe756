import type { Result } from './figures.ts';
import { type Business, startSending } from './sending.ts';

const CROWD = 5_000;
const FEW = 10;
/** Milliseconds the platform takes for a call of the busy business. */
const SLOW_MS = 100;
/** Milliseconds the small ones may take beyond their own work. */
const AIM_MS = 500;

async function ended(business: Business, since: number): Promise<number> {
  while ((await business.sent()) < FEW) await new Promise((resolve) => setTimeout(resolve, 5));
  return performance.now() - since;
}

/**
 * Two businesses with ten messages each, asked for while another works off five thousand slow ones. Their own work alone
 * is measured before, on the same hub without the crowd.
 */
export async function fairness(): Promise<Result> {
  const sending = await startSending();
  const raw: Record<string, number[]> = { alone_ms: [], beside_ms: [] };
  try {
    const wake = ({ tenantId }: Business): Promise<void> => sending.hub.queue.wake('dispatch', { tenantId });
    const small = async (name: string): Promise<Business> => {
      const business = await sending.business(name, 0);
      await business.plan(FEW);
      return business;
    };
    for (const name of ['Warm-up', 'One alone', 'Other alone']) {
      const business = await small(name);
      const since = performance.now();
      await wake(business);
      const took = await ended(business, since);
      if (name !== 'Warm-up') raw.alone_ms!.push(took);
    }
    const crowd = await sending.business('Crowd', SLOW_MS);
    await crowd.plan(CROWD);
    const few = [await small('One'), await small('Other')];
    // As many wake-ups as there are requests: the crowd fills the queue ahead of the others.
    for (let at = 0; at < CROWD; at += 50) await wake(crowd);
    while ((await crowd.sent()) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const since = performance.now();
    await Promise.all(few.map(wake));
    raw.beside_ms!.push(...(await Promise.all(few.map((business) => ended(business, since)))));
    const left = CROWD - (await crowd.sent());
    if (left < CROWD / 2) throw new Error(`Only ${left} of the crowd were left: nothing was shown.`);
  } finally {
    await sending.stop();
  }
  const worst = Math.round(Math.max(...raw.beside_ms!));
  const alone = Math.round(Math.min(...raw.alone_ms!));
  return {
    name: 'fairness',
    what: `${FEW} messages of each of two businesses, beside ${CROWD} slow ones of another that were there first.`,
    figures: { alone_ms: alone, beside_ms: worst },
    ratios: {},
    aim: `under ${AIM_MS} ms beyond their own work`,
    met: worst - alone < AIM_MS,
    raw,
  };
}
