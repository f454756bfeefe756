import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';

/** The way of hooks is as bad as this; shares from 0 to 1. */
export interface HookTrouble {
  lost: number;
  doubled: number;
  /** Each is held back for up to this long, so that they overtake each other. */
  delayMs: number;
}

/** The address under which everybody reaches the hub: what a load balancer would be, and the internet before it. */
export interface Relay {
  url: string;
  trouble: HookTrouble;
  counts: { told: number; lost: number; doubled: number; accepted: number; refused: number };
  /** Posts that the hub has not taken yet. */
  waiting(): number;
  stop(): Promise<void>;
}

export interface RelayOptions {
  hub: string;
  random: () => number;
  /** Whether a post may get lost: what the hub could find out in no other way may not. */
  mayBeLost: (path: string, body: string) => boolean;
  /** The hub answered a post with success. */
  accepted: (path: string, body: string) => void;
  /** A post is on its way to the hub. */
  passing: () => void;
}

const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'content-length', 'expect']);

/** A vendor tries a post that nobody took again; by the clock of the wall, because its patience is not what is tested. */
const AGAIN_MS = 50;
const AT_MOST_MS = 800;
const ANSWER_MS = 5_000;

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const counts = { told: 0, lost: 0, doubled: 0, accepted: 0, refused: 0 };
  const trouble: HookTrouble = { lost: 0, doubled: 0, delayMs: 0 };
  let waiting = 0;
  let stopped = false;

  async function deliver(url: string, headers: Record<string, string>, body: Buffer): Promise<void> {
    waiting += 1;
    try {
      if (trouble.delayMs > 0) await delay(options.random() * trouble.delayMs);
      for (let tries = 0; !stopped; tries++) {
        options.passing();
        const status = await request(`${options.hub}${url}`, {
          ...{ method: 'POST', headers, body },
          headersTimeout: ANSWER_MS,
        }).then(
          async (answer) => {
            await answer.body.dump();
            return answer.statusCode;
          },
          () => 0,
        );
        if (status >= 200 && status < 300) {
          counts.accepted += 1;
          options.accepted(url, body.toString());
          return;
        }
        if (status >= 400 && status < 500 && status !== 429) {
          counts.refused += 1;
          return;
        }
        await delay(Math.min(AT_MOST_MS, AGAIN_MS * 1.5 ** tries));
      }
    } finally {
      waiting -= 1;
    }
  }

  async function take(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = message.url ?? '/';
    const headers = Object.fromEntries(
      Object.entries(message.headers).flatMap(([name, value]) => (HOP.has(name) ? [] : [[name, String(value)]])),
    );
    if (!url.startsWith('/hooks/')) {
      const answer = await request(`${options.hub}${url}`, {
        method: (message.method ?? 'GET') as 'GET',
        headers,
        ...(body.length > 0 ? { body } : {}),
      });
      const kept = Object.entries(answer.headers).filter(([name]) => !HOP.has(name));
      response.writeHead(answer.statusCode, Object.fromEntries(kept) as Record<string, string>);
      response.end(Buffer.from(await answer.body.arrayBuffer()));
      return;
    }
    response.end();
    counts.told += 1;
    if (options.mayBeLost(url, body.toString()) && options.random() < trouble.lost) {
      counts.lost += 1;
      return;
    }
    void deliver(url, headers, body);
    if (options.random() < trouble.doubled) {
      counts.doubled += 1;
      void deliver(url, headers, body);
    }
  }

  const server = createServer((message, response) => {
    take(message, response).catch(() => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trouble,
    counts,
    waiting: () => waiting,
    stop: async () => {
      stopped = true;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
