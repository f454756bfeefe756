import { lookup } from 'node:dns/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { webhookTransport } from '../connectors/webhook/transport.ts';
import type { PreparedRequest } from '../src/kit/connector.ts';
import { createHttpClient } from '../src/kit/http.ts';
import { isPrivateAddress, publicAddress } from '../src/kit/index.ts';
import { startTestHub, type TestHub } from './support/hub.ts';

// Names are answered as a test says, so that a name server can lie; everything else is asked for real.
vi.mock('node:dns/promises', async (original) => {
  const real = await original<typeof import('node:dns/promises')>();
  return { ...real, lookup: vi.fn(real.lookup) };
});

const answers = vi.mocked(lookup);
const found = (...addresses: string[]) =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
/** A name server that answers each question with the next list, and then always with the last. */
const dns = (...lists: string[][]): void => {
  let asked = 0;
  answers.mockImplementation((async () => found(...lists[Math.min(asked++, lists.length - 1)]!)) as never);
};

const PUBLIC = '93.184.216.34';

/** A server nobody may reach, and what reached it all the same. */
let inner: Server;
let innerPort: number;
let reached: string[] = [];
let redirecting: Server;
let redirectPort: number;

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));

beforeAll(async () => {
  inner = createServer((request, reply) => {
    reached.push(`${request.method} ${request.url}`);
    reply.end('{}');
  });
  innerPort = await listen(inner);
  redirecting = createServer((_request, reply) => {
    reply.writeHead(307, { location: `http://127.0.0.1:${innerPort}/metadata` }).end();
  });
  redirectPort = await listen(redirecting);
});

afterEach(async () => {
  const real = await vi.importActual<typeof import('node:dns/promises')>('node:dns/promises');
  answers.mockReset().mockImplementation(real.lookup as never);
  reached = [];
});

afterAll(async () => {
  for (const server of [inner, redirecting]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const prepared = (
  origin: string,
  allowedHosts: string[] = [],
  more: Partial<PreparedRequest> = {},
): PreparedRequest => ({
  method: 'POST',
  path: '/',
  origin,
  headers: { 'webhook-id': 'msg_1', 'webhook-timestamp': '1772463600' },
  secrets: {},
  settings: {},
  signal: AbortSignal.timeout(5_000),
  guarded: true,
  allowedHosts,
  json: {},
  ...more,
});

describe('addresses', () => {
  test('guard: every form of an address inside is known as one', () => {
    const inside = [
      ...['127.0.0.1', '127.255.255.254', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
      ...['169.254.169.254', '100.64.0.1', '100.100.100.200', '0.0.0.0', '192.0.2.1', '198.18.0.1', '198.51.100.7'],
      ...['203.0.113.9', '224.0.0.1', '255.255.255.255', '240.0.0.1'],
      ...['::', '::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1', 'fec0::1', 'ff02::1', '2001:db8::1', '100::1'],
      // The same machines, written the long way, or wrapped into IPv6.
      ...['0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:10.0.0.1', '0:0:0:0:0:ffff:a9fe:a9fe'],
      ...['::127.0.0.1', '::a00:1', '64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::', '2002:a9fe:a9fe::1'],
      ...['2001:0:4136:e378:8000:63bf:3fff:fdd2', '3fff::1', '5f00::1', 'fe80::1%eth0'],
    ];
    for (const address of inside) expect(isPrivateAddress(address), address).toBe(true);
  });

  test('guard: the public internet stays reachable', () => {
    const outside = [PUBLIC, '8.8.8.8', '172.32.0.1', '100.128.0.1', '192.0.3.1', '2606:4700::1111', '2a00:1450::1'];
    for (const address of [...outside, '::ffff:8.8.8.8']) expect(isPrivateAddress(address), address).toBe(false);
  });

  test('guard: a name counts by what it stands for, however it is written', async () => {
    for (const name of ['localhost', 'LOCALHOST', '127.1', '2130706433', '0x7f000001', '[::1]', '[::ffff:127.0.0.1]'])
      await expect(publicAddress(name, []), name).rejects.toThrow(/private network|cannot be found/);
    dns([PUBLIC]);
    await expect(publicAddress('crm.example', [])).resolves.toMatchObject({ address: PUBLIC });
  });

  test('guard: one bad address among good ones is enough', async () => {
    dns([PUBLIC, '10.0.0.1']);
    await expect(publicAddress('mixed.example', [])).rejects.toThrow(/private network/);
    dns([PUBLIC, '::1']);
    await expect(publicAddress('mixed6.example', [])).rejects.toThrow(/private network/);
  });

  test('guard: a neighbour that the operator named may be reached, and only under that name', async () => {
    dns(['10.0.0.5']);
    await expect(publicAddress('crm.intern', ['crm.intern'])).resolves.toMatchObject({ address: '10.0.0.5' });
    await expect(publicAddress('evil.intern', ['crm.intern'])).rejects.toThrow(/RAPPORT_ALLOW_PRIVATE/);
  });
});

describe('connecting', () => {
  test('guard: a name that answers differently the second time leads nowhere', async () => {
    const client = createHttpClient([]);
    try {
      dns([PUBLIC], ['127.0.0.1']);
      await expect(client.send(prepared('https://rebind.example'))).rejects.toThrow(/private network/);
      expect(answers.mock.calls.length).toBeGreaterThan(1);
    } finally {
      await client.close();
    }
  });

  test('guard: a webhook goes to the address that was checked, without asking again', async () => {
    const send = await webhookTransport();
    dns(['127.0.0.1'], [PUBLIC]);
    const reply = await send(prepared(`http://own.example:${innerPort}`, ['own.example']));
    expect(reply.status).toBe(200);
    expect(reached).toEqual(['POST /']);
    expect(answers).toHaveBeenCalledTimes(1);
  });

  test('guard: nobody is followed anywhere', async () => {
    const client = createHttpClient(['127.0.0.1']);
    const webhook = await webhookTransport();
    try {
      for (const send of [client.send, webhook]) {
        const reply = await send(prepared(`http://127.0.0.1:${redirectPort}`, ['127.0.0.1'], { expect: 'none' }));
        expect(reply.status).toBe(307);
      }
      expect(reached).toEqual([]);
    } finally {
      await client.close();
    }
  });

  test('guard: only encrypted, only on the usual port', async () => {
    const client = createHttpClient([]);
    const webhook = await webhookTransport();
    dns([PUBLIC]);
    try {
      for (const send of [client.send, webhook]) {
        await expect(send(prepared('http://plain.example'))).rejects.toThrow(/https:\/\//);
        await expect(send(prepared('https://odd.example:6379'))).rejects.toThrow(/port 6379 is not allowed/);
      }
      expect(answers).not.toHaveBeenCalled();
    } finally {
      await client.close();
    }
  });
});

describe('the hub', () => {
  let hub: TestHub;
  beforeAll(async () => {
    hub = await startTestHub({ connectors: ['webhook', 'smtp'], env: { RAPPORT_ALLOW_PRIVATE: '' } });
  });
  afterAll(() => hub?.stop());

  test('guard: a mail server inside is refused in words, whoever enters it', async () => {
    for (const host of ['localhost', '127.0.0.1', '169.254.169.254', '2130706433', '[::1]', '::ffff:10.0.0.1']) {
      const answer = await hub.api('POST', '/v1/connections', {
        connector: 'smtp',
        settings: { host, port: innerPort, fromName: 'A', fromAddress: 'a@example.com' },
      });
      expect(answer.status, host).toBe(422);
      expect(answer.body.detail, host).toMatch(/private network/);
    }
    expect(reached).toEqual([]);
  });

  test('guard: a webhook to an address inside is not sent, and the reason is kept', async () => {
    const secret = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
    const targets = [
      `https://127.0.0.1:${innerPort}/`,
      'https://[::1]/',
      'https://169.254.169.254/latest',
      'https://0x7f.1/',
    ];
    for (const target of targets) {
      const { body } = await hub.api('POST', '/v1/connections', { connector: 'webhook', settings: { secret, target } });
      const asked = await hub.api('POST', '/v1/actions', {
        kind: 'post_webhook',
        connectionId: body.connection.id,
        input: { type: 'invoice.overdue', data: {} },
      });
      expect(asked.status, target).toBe(202);
      await hub.settle();
      const action = (await hub.api('GET', `/v1/actions/${asked.body.id}`)).body;
      expect(action.state, target).toBe('failed');
      expect(JSON.stringify(action), target).toMatch(/private network|port \d+ is not allowed/);
    }
    expect(reached).toEqual([]);
  });
});
