import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach } from 'vitest';
import { readOptions } from '../../sandbox/options.ts';
import { type Started, startByHand } from '../../sandbox/run.ts';
import { connectorNames } from '../../src/registry.ts';

/** Platforms there is a simulation of. */
export const NAMES = connectorNames();

const running = new Set<Started>();
afterEach(async () => {
  await Promise.all([...running].map((started) => started.stop()));
  running.clear();
});

/** Starts a simulation as the command line does; it ends with the test. */
export async function byHand(args: readonly string[], environment?: Record<string, string>): Promise<Started> {
  const started = await startByHand(readOptions(args, NAMES), environment);
  running.add(started);
  return started;
}

/** What the page of a simulation says. */
export const pageOf = async (started: Started): Promise<string> => (await fetch(started.page)).text();

/** Sends a form of the page; answers the page that follows. */
export async function press(
  started: Started,
  form: string,
  fields: Record<string, string> = {},
): Promise<{ status: number; html: string }> {
  const answer = await fetch(`${started.page}/${form}`, { method: 'POST', body: new URLSearchParams(fields) });
  return { status: answer.status, html: await answer.text() };
}

/** What comes back of a request, or why nothing does. */
export async function ask(url: string): Promise<{ status: number; text: string } | { error: string }> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(300) });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    return { error: (error as Error).name };
  }
}

/** A server that takes every post. */
export async function listen(take: (body: string) => void): Promise<{ url: string; close: () => Promise<unknown> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      take(Buffer.concat(chunks).toString());
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
