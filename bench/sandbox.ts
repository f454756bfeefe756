import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Agent, type Dispatcher } from 'undici';
import { type Result, ratio, spread } from './figures.ts';
import type { List } from './sandbox.vendors.ts';

const ROUNDS = 7;
const ROUND_MS = 500;
/** As a hub reads: several calls at once. */
const AT_ONCE = 8;

/** Requests a second that are answered. */
async function answered(agent: Agent, url: string, how: Partial<List>): Promise<number> {
  const { origin, pathname, search } = new URL(url);
  const call: Dispatcher.RequestOptions = {
    origin,
    path: `${pathname}${search}`,
    method: how.method ?? 'GET',
    ...(how.headers ? { headers: how.headers } : {}),
    ...(how.body ? { body: how.body } : {}),
  };
  let count = 0;
  const started = performance.now();
  const ask = async (): Promise<void> => {
    while (performance.now() - started < ROUND_MS) {
      const { statusCode, body } = await agent.request(call);
      await body.dump({ limit: Number.MAX_SAFE_INTEGER });
      if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}.`);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return count / ((performance.now() - started) / 1000);
}

/**
 * How fast simulations answer a page of a list, against a bare server that answers with the same payload. A simulation
 * must never be what a test of the hub waits for.
 */
export async function sandbox(): Promise<Result> {
  const child = fork(fileURLToPath(new URL('./sandbox.vendors.ts', import.meta.url)));
  const agent = new Agent({ connections: AT_ONCE });
  const raw: Record<string, number[]> = {};
  let lists: List[];
  try {
    lists = (await Promise.race([
      once(child, 'message').then(([message]) => message),
      once(child, 'exit').then(() => Promise.reject(new Error('The simulations did not start.'))),
    ])) as List[];
    // In turns, so that what else the machine does falls on both.
    for (let round = -1; round < ROUNDS; round++) {
      for (const list of lists) {
        const simulated = await answered(agent, list.url, list);
        const bare = await answered(agent, list.bare, {});
        if (round < 0) continue;
        raw[`${list.name}_per_s`] = [...(raw[`${list.name}_per_s`] ?? []), simulated];
        raw[`${list.name}_floor_per_s`] = [...(raw[`${list.name}_floor_per_s`] ?? []), bare];
      }
    }
  } finally {
    await agent.close();
    child.kill();
  }
  const median = (name: string): number => spread(raw[name]!).p50;
  const ratios = Object.fromEntries(
    lists.map(({ name }) => [name, ratio(median(`${name}_per_s`), median(`${name}_floor_per_s`))]),
  );
  const records = lists.map(({ name, records: n }): [string, number] => [
    `${name}_records_per_s`,
    Math.round(median(`${name}_per_s`) * n),
  ]);
  return {
    name: 'sandbox',
    what: 'Requests a second a simulation answers for a page of a list, eight at once; floor: a bare server with the same payload.',
    figures: {
      ...Object.fromEntries(records),
      ...Object.fromEntries(Object.keys(raw).map((name) => [name, median(name)])),
    },
    ratios: { ...ratios, ratio: Math.min(...Object.values(ratios)) },
    // Several times what a hub can take in, so that no test of a hub waits for a simulation.
    aim: 'every list at least a third as fast as the bare server, and 20,000 records a second',
    met: Object.values(ratios).every((value) => value >= 1 / 3) && records.every(([, value]) => value >= 20_000),
    raw,
  };
}
