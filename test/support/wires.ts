import http from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { request } from 'undici';
import { freePort } from './hub.ts';

/** A wire in front of a server: everything passes through, until it is cut or held. */
export interface Wire {
  port: number;
  /** Refuses and breaks every connection. */
  cut(): void;
  /** Takes connections and says nothing. */
  silence(): void;
  mend(): Promise<void>;
  stop(): Promise<void>;
}

export async function wireTo(host: string, port: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let silent = false;
  let server: Server;
  const own = await freePort();
  const open = (): Promise<void> =>
    new Promise((resolve) => {
      server = createServer((near) => {
        sockets.add(near);
        near.on('error', () => {}).on('close', () => sockets.delete(near));
        if (silent) return;
        const far = connect(port, host);
        sockets.add(far);
        far
          .on('error', () => near.destroy())
          .on('close', () => {
            sockets.delete(far);
            near.destroy();
          });
        near.on('close', () => far.destroy());
        near.pipe(far);
        far.pipe(near);
      }).listen(own, '127.0.0.1', resolve);
    });
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  await open();
  return {
    port: own,
    cut: () => {
      server.close();
      breakAll();
    },
    silence: () => {
      silent = true;
      breakAll();
    },
    mend: async () => {
      silent = false;
      breakAll();
      if (!server.listening) await open();
    },
    stop: async () => {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A door in front of a vendor: answers to requests that match wait behind it until they are let through. */
export interface Gate {
  url: string;
  /** Requests whose answers wait: the vendor has acted on them already. */
  waiting(): number;
  hold(match: RegExp): void;
  release(): void;
  stop(): Promise<void>;
}

export async function gateTo(target: string): Promise<Gate> {
  let match: RegExp | undefined;
  let held: (() => void)[] = [];
  const server = http.createServer(async (incoming, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = incoming.headers;
    const answer = await request(`${target}${incoming.url}`, {
      method: incoming.method as 'GET',
      headers: headers as Record<string, string>,
      ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
    });
    const body = await answer.body.text();
    if (match?.test(`${incoming.method} ${incoming.url}`)) await new Promise<void>((resolve) => held.push(resolve));
    reply.writeHead(answer.statusCode, { 'content-type': String(answer.headers['content-type'] ?? '') });
    reply.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const release = (): void => {
    match = undefined;
    for (const go of held) go();
    held = [];
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting: () => held.length,
    hold: (what) => {
      match = what;
    },
    release,
    stop: async () => {
      release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
