import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { request as httpRequest } from 'undici';
import type { Clock } from '../../base/clock.ts';
import { createFaults, type Faults } from './faults.ts';

/** One call the simulation answered: what a test compares with the vendor's published description. */
export interface Exchange {
  at: Date;
  method: string;
  path: string;
  query: Record<string, unknown>;
  headers: Record<string, string>;
  body: unknown;
  status: number;
  reply: unknown;
}

/** One post of the simulation to the hub. */
export interface Delivery {
  url: string;
  status: number;
  body: string;
}

export interface SandboxServer {
  app: FastifyInstance;
  url: string;
  faults: Faults;
  journal: Exchange[];
  deliveries: Delivery[];
  /** Posts to the hub as the vendor would. */
  post(url: string, body: string, headers: Record<string, string>): Promise<Delivery>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  name: string;
  clock: Clock;
  port?: number | undefined;
  /** Calls kept in the journal; 0 keeps none, for load. */
  journal?: number;
  /** State in words for the page a person can open. */
  report: () => Record<string, number>;
}

const escapeHtml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/**
 * A small HTTP server that plays a vendor: bodies parsed, calls noted, faults struck. Routes are added to `app` before
 * `listen`, which `start` of a simulation calls last.
 */
export function createSandboxServer(
  options: ServerOptions,
): Omit<SandboxServer, 'url'> & { listen(): Promise<string> } {
  const faults = createFaults();
  const journal: Exchange[] = [];
  const deliveries: Delivery[] = [];
  const limit = options.journal ?? 5000;
  const app = Fastify({ bodyLimit: 16 * 1024 * 1024, routerOptions: { maxParamLength: 1000 } });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) =>
    done(null, parse(body as Buffer, request.headers['content-type'] ?? '')),
  );

  app.addHook('onRequest', async (request, reply) => {
    const fault = faults.strike(`${request.method} ${request.url.split('?')[0]}`);
    if (!fault) return;
    (request as Faulty).fault = fault;
    switch (fault.kind) {
      case 'status':
        await reply
          .code(fault.status)
          .headers(fault.headers ?? {})
          .send(fault.body ?? {});
        return;
      case 'cut':
        request.raw.socket.destroy();
        return;
      case 'silent':
        await new Promise((resolve) => request.raw.socket.once('close', resolve));
        return;
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
    }
  });
  app.addHook('preSerialization', async (request, _reply, payload) => {
    const fault = (request as Faulty).fault;
    return fault?.kind === 'rewrite' ? fault.rewrite(payload) : payload;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    note(request, reply, payload);
    const fault = (request as Faulty).fault;
    if (fault?.kind === 'cut_after') request.raw.socket.destroy();
    if (fault?.kind === 'malformed') return '{"broken": [1, 2';
    if (fault?.kind === 'truncated') {
      reply.raw.writeHead(reply.statusCode, {
        'content-type': 'application/json',
        'content-length': String(String(payload).length),
      });
      reply.raw.write(String(payload).slice(0, Math.floor(String(payload).length / 2)));
      setImmediate(() => request.raw.socket.destroy());
      reply.hijack();
    }
    return payload;
  });

  function note(request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    if (limit === 0 || request.url.startsWith('/_sandbox')) return;
    if (journal.length >= limit) journal.shift();
    const text = typeof payload === 'string' ? payload : '';
    journal.push({
      at: options.clock.now(),
      method: request.method,
      path: request.url.split('?')[0]!,
      query: request.query as Record<string, unknown>,
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      body: request.body,
      status: reply.statusCode,
      reply: jsonOrText(text),
    });
  }

  app.get('/_sandbox', async (_request, reply) => {
    const rows = Object.entries(options.report()).map(
      ([name, count]) => `<tr><td>${escapeHtml(name)}</td><td>${count}</td></tr>`,
    );
    return reply
      .type('text/html')
      .send(
        `<!doctype html><title>${escapeHtml(options.name)} (simulation)</title><h1>${escapeHtml(options.name)}, simulated</h1><p>This is a simulation of the vendor's API, not the vendor.</p><table>${rows.join('')}</table>`,
      );
  });

  return {
    app,
    faults,
    journal,
    deliveries,
    async post(url, body, headers) {
      const answer = await httpRequest(url, { method: 'POST', body, headers });
      const delivery = { url, status: answer.statusCode, body: await answer.body.text() };
      deliveries.push(delivery);
      return delivery;
    },
    async listen() {
      await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    },
    async stop() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

type Faulty = FastifyRequest & { fault?: ReturnType<Faults['strike']> };

function parse(body: Buffer, type: string): unknown {
  if (body.length === 0) return undefined;
  if (type.includes('application/x-www-form-urlencoded')) {
    const form: Record<string, string | string[]> = {};
    for (const [name, value] of new URLSearchParams(body.toString())) {
      const before = form[name];
      form[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    }
    return form;
  }
  return jsonOrText(body.toString());
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
