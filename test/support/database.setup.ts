import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbedded } from '../../src/base/embedded.ts';
import { createLogger } from '../../src/base/log.ts';
import { migrate } from '../../src/base/migrate.ts';
import { openQueue } from '../../src/base/queue.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Connection string of the server's maintenance database. */
    server: string;
  }
}

/** One database server per run, with a template that has every migration and the queue's tables. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-test-'));
  // As root the server runs as somebody else, who must get in here; otherwise its files go where nobody removes them.
  chmodSync(folder, 0o711);
  const server = await startEmbedded(folder, {
    settings: ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'],
  });
  const admin = new pg.Client({ connectionString: server.url('postgres') });
  await admin.connect();
  await admin.query('create database template_rapport');
  await migrate(server.url('template_rapport'));
  const queue = await openQueue(server.url('template_rapport'), [], createLogger('silent'));
  await queue.stop();
  project.provide('server', server.url('postgres'));
  return async () => {
    await admin.end();
    await server.release();
    rmSync(folder, { recursive: true, force: true });
  };
}
