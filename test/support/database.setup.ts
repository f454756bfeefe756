import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbedded } from '../../src/base/embedded.ts';
import { type Cluster, clusterTemplate, dropDatabase, fillTemplate } from './cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Connection string of the server's maintenance database. */
    server: string;
    /** Where the tests run on a Citus cluster. */
    cluster: Cluster | undefined;
  }
}

/** One database server per run, with a template that has every migration and the queue's tables. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { CITUS_URL, CITUS_WORKER_URLS } = process.env;
  if (CITUS_URL) {
    const cluster = await clusterTemplate(CITUS_URL, CITUS_WORKER_URLS?.split(',') ?? []);
    project.provide('server', CITUS_URL);
    project.provide('cluster', cluster);
    return () => dropDatabase(cluster, cluster.template);
  }
  project.provide('cluster', undefined);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rapport-test-'));
  // As root the server runs as somebody else, who must get in here; otherwise its files go where nobody removes them.
  chmodSync(folder, 0o711);
  const server = await startEmbedded(folder, {
    settings: ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'],
  });
  const admin = new pg.Client({ connectionString: server.url('postgres') });
  await admin.connect();
  await admin.query('create database template_rapport');
  await fillTemplate(server.url('template_rapport'));
  project.provide('server', server.url('postgres'));
  return async () => {
    await admin.end();
    await server.release();
    rmSync(folder, { recursive: true, force: true });
  };
}
