import { enableCompileCache } from 'node:module';
import type { Connector } from '../src/kit/index.ts';

// A process of its own for one connector: what it costs to know it, and what it costs to use it.
enableCompileCache();
const [id = ''] = process.argv.slice(2);

const memory = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().rss / 1024 / 1024;
};

/** Milliseconds and MB that something takes. */
async function cost<T>(work: () => Promise<T>): Promise<{ ms: number; mb: number; value: T }> {
  const before = memory();
  const started = performance.now();
  const value = await work();
  const ms = performance.now() - started;
  return { ms, mb: memory() - before, value };
}

// What every connector is made of comes first: it is paid for once.
const kit = await cost(() => import('../src/kit/index.ts'));
const known = await cost(async () =>
  id === '' ? undefined : ((await import(`../connectors/${id}/connector.ts`)) as { default: Connector }).default,
);
const used = await cost(async () => known.value?.transport?.());
const figures = ({ ms, mb }: { ms: number; mb: number }): { ms: number; mb: number } => ({ ms, mb });
process.send!({ kit: figures(kit), known: figures(known), used: figures(used) });
process.disconnect();
