import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { manualClock } from '../../base/clock.ts';
import { loadConfig } from '../../base/config.ts';
import { Problem } from '../../base/errors.ts';
import { createLogger } from '../../base/log.ts';
import { startHub } from '../../hub.ts';
import { loadRegistry } from '../../registry.ts';
import type { Outcome } from './compare.ts';
import { rehearse } from './run.ts';
import { readCases } from './schema.ts';
import { type StageRecords, stageConnector } from './stage.ts';

/** Settings of a database that is thrown away. */
const THROW_AWAY = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Plays the cases of a file on a hub of its own, with an empty database that is thrown away afterwards.
 * @param named only cases with this in their name; all when absent
 * @throws Problem when the file cannot be read, or has no such case
 */
export async function rehearseFile(file: string, named?: string): Promise<Outcome[]> {
  const cases = readCases(file);
  const wanted = cases.cases.filter(({ name }) => named === undefined || name.includes(named));
  if (wanted.length === 0)
    throw new Problem(404, 'not_found', `${path.basename(file)} has no case with "${named}" in its name.`, {
      fix: `Its cases are: ${cases.cases.map(({ name }) => name).join('; ')}.`,
    });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-rehearsal-'));
  // As root the database runs as another user, who must be able to enter.
  chmodSync(folder, 0o711);
  const records: StageRecords = new Map();
  const stage = stageConnector((await loadRegistry(['webhook'])).find('webhook')!, records);
  const clock = manualClock('2026-01-01T00:00:00Z');
  try {
    const hub = await startHub({
      config: loadConfig({
        RAPPORT_DATA: folder,
        RAPPORT_KEYS: `rehearsal:${randomBytes(32).toString('base64')}`,
        PORT: String(await freePort()),
        RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
      }),
      clock,
      log: createLogger(process.env.LOG_LEVEL ?? 'error'),
      registry: { all: () => [stage], find: (id) => (id === stage.id ? stage : undefined) },
      databaseSettings: THROW_AWAY,
      sweep: false,
      memoryQueue: true,
      perMinute: 1_000_000,
      shedLoad: false,
    });
    try {
      const outcomes: Outcome[] = [];
      for (const one of wanted) outcomes.push(await rehearse({ hub, clock, records }, path.dirname(file), cases, one));
      return outcomes;
    } finally {
      await hub.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
