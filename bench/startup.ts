import { spawnSync } from 'node:child_process';
import { startEmbedded } from '../src/base/embedded.ts';
import { type Result, ratio, spread } from './figures.ts';
import { freePort, startProgram, tempFolder } from './hub.ts';

const TIMES = 7;
/** Memory is read when the first garbage is collected and nothing happens. */
const IDLE_MS = 10_000;

/**
 * Cold start to ready with the embedded database, and memory when idle. Floors of the same run: an empty Node process,
 * and the database alone.
 */
export async function startup(): Promise<Result> {
  const { folder, remove } = tempFolder();
  const raw: Record<string, number[]> = { first_ms: [], start_ms: [], node_ms: [], postgres_ms: [], rss_mb: [] };
  try {
    const port = await freePort();
    const first = await startProgram(folder, port);
    raw.first_ms!.push(first.readyMs);
    await first.stop();
    for (let n = 0; n < TIMES; n++) {
      const before = performance.now();
      spawnSync(process.execPath, ['-e', '0']);
      raw.node_ms!.push(performance.now() - before);

      const database = performance.now();
      const server = await startEmbedded(folder);
      raw.postgres_ms!.push(performance.now() - database);
      await server.release();

      const hub = await startProgram(folder, port);
      raw.start_ms!.push(hub.readyMs);
      if (n === TIMES - 1) {
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        raw.rss_mb!.push(await hub.rssMb());
      }
      await hub.stop();
    }
  } finally {
    remove();
  }
  const start = spread(raw.start_ms!);
  const floor = spread(raw.node_ms!).p50 + spread(raw.postgres_ms!).p50;
  const rss = Math.round(raw.rss_mb![0]!);
  return {
    name: 'startup',
    what: 'From starting the process to a good answer of /ready, with the embedded Postgres stopped before; memory after ten idle seconds.',
    figures: {
      first_start_with_new_database_ms: Math.round(raw.first_ms![0]!),
      start_ms: start,
      floor_empty_node_ms: spread(raw.node_ms!),
      floor_postgres_alone_ms: spread(raw.postgres_ms!),
      rss_idle_mb: rss,
    },
    ratios: { start_by_floor: ratio(start.p50, floor) },
    aim: 'ready in 3 s, 150 MB idle',
    met: start.p50 <= 3000 && rss <= 150,
    raw,
  };
}
