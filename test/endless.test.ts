import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hubspotTransport } from '../connectors/hubspot/transport.ts';
import { slackTransport } from '../connectors/slack/transport.ts';
import { createHttpClient } from '../src/kit/http.ts';
import { type PreparedRequest, type Transport, VendorError } from '../src/kit/index.ts';

let server: Server;
let origin: string;
/** What the server does with the next answer. */
let pour: (answer: ServerResponse) => void;
let closed: Promise<unknown>;

beforeAll(async () => {
  server = createServer((_request, answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    closed = once(answer, 'close');
    pour(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
});

const client = createHttpClient(['127.0.0.1']);
const TRANSPORTS: [string, () => Promise<Transport>][] = [
  ['the common one', async () => client.send],
  ['HubSpot’s', hubspotTransport],
  ['Slack’s', slackTransport],
];
const request = (signal: AbortSignal): PreparedRequest => ({
  ...{ method: 'GET', path: '/list', origin, headers: {}, secrets: {}, settings: {}, signal },
  ...{ guarded: false, allowedHosts: ['127.0.0.1'] },
});

test.each(TRANSPORTS)('answers: %s transport does not read an answer that grows for ever', async (_name, transport) => {
  const chunk = Buffer.alloc(256 * 1024, '"x",');
  pour = (answer) => {
    answer.write('[');
    const more = (): void => {
      while (!answer.destroyed && answer.write(chunk));
      if (!answer.destroyed) answer.once('drain', more);
    };
    more();
  };
  const send = await transport();
  const before = process.memoryUsage().rss;
  const failure = await send(request(AbortSignal.timeout(30_000))).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(VendorError);
  expect(failure).toMatchObject({ kind: 'malformed', mayHaveActed: true });
  expect((failure as Error).message).toContain('larger than 64 MB');
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
  // The line is given back, not kept pouring.
  await closed;
});

test.each(TRANSPORTS)(
  'answers: %s transport does not wait for an answer that drips for ever',
  async (_name, transport) => {
    pour = (answer) => {
      const timer = setInterval(() => answer.write(' '), 20);
      answer.once('close', () => clearInterval(timer));
    };
    const send = await transport();
    const failure = await send(request(AbortSignal.timeout(300))).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'transient', mayHaveActed: true });
    expect((failure as Error).message).toMatch(/did not answer in time|stopped before its answer/);
    await closed;
  },
);
