import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { request as httpRequest } from 'undici';
import type { Sandbox, SandboxOptions } from '../connector.ts';
import { type Delivery, type Exchange, exchangeOf, jsonOrText } from './exchanges.ts';
import { createFaults, type Fault, type Faults } from './faults.ts';
import { createPage, PAGE } from './page.ts';

export interface SandboxServer {
  app: FastifyInstance;
  url: string;
  faults: Faults;
  journal: Exchange[];
  deliveries: Delivery[];
  /** Posts to the hub as the vendor would. A post nobody takes is noted like the others. */
  post(url: string, body: string, headers: Record<string, string>): Promise<Delivery>;
  stop(): Promise<void>;
}

/** A server that does not listen yet. */
export interface NewSandboxServer extends Omit<SandboxServer, 'url'> {
  /** @returns its address */
  listen(): Promise<string>;
  /** Shows the simulation on its page, with faults on demand, and hands it on. */
  show<Simulation extends Sandbox>(sandbox: Simulation): Simulation & { faults: Faults };
}

/** How requests are named where method and path do not tell what is asked for, as with one address for everything. */
export interface CallNames {
  /** @returns `METHOD /path` with what tells the calls apart behind it; asked once the body was read */
  callOf?: (request: FastifyRequest) => string;
}

/**
 * A small HTTP server that plays a vendor: bodies parsed, calls noted, faults struck, a page at `/_sandbox` for people.
 * Routes are added to `app` before `listen`, which `start` of a simulation calls last.
 */
export function createSandboxServer(name: string, options: SandboxOptions, names: CallNames = {}): NewSandboxServer {
  const faults = createFaults(options.seed);
  const journal: Exchange[] = [];
  const deliveries: Delivery[] = [];
  const limit = options.journal ?? 5000;
  let shown: Sandbox | undefined;
  const page = createPage(() => ({ name, sandbox: shown, journal, deliveries, journalLimit: limit }));
  const app = Fastify({
    bodyLimit: 16 * 1024 * 1024,
    routerOptions: { maxParamLength: 1000 },
    serverFactory: (handle) =>
      // Idle connections stay open for long: a connection that breaks is a fault, and faults come on demand only.
      createServer({ keepAliveTimeout: 72_000, requestTimeout: 0 }, (request, response) => {
        if (request.url?.startsWith(PAGE)) void page.then((ready) => ready.handle(request, response));
        else handle(request, response);
      }),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) =>
    done(null, parse(body as Buffer, request.headers['content-type'] ?? '')),
  );
  // The vendor's clock is that of the play, not of the machine.
  app.addHook('onRequest', async (_request, reply) => void reply.header('date', options.clock.now().toUTCString()));
  if (limit > 0) {
    app.addHook('onSend', async (request, reply, payload) => {
      if (journal.length >= limit) journal.shift();
      journal.push(exchangeOf(options.clock.now(), request, reply, payload, (request as Faulty).fault?.kind));
      return payload;
    });
  }
  // After the journal, which keeps what the vendor would have answered.
  installFaults(app, faults, names.callOf);

  return {
    app,
    faults,
    journal,
    deliveries,
    show: (sandbox) => {
      const shownWithFaults = Object.assign(sandbox, { faults });
      shown = shownWithFaults;
      return shownWithFaults;
    },
    async post(url, body, headers) {
      const delivery = await httpRequest(url, { method: 'POST', body, headers }).then(
        async (answer) => ({ url, status: answer.statusCode, body: await answer.body.text() }),
        (error: Error) => ({ url, status: 0, body: error.message || error.name }),
      );
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
      await (await page).close();
    },
  };
}

type Faulty = FastifyRequest & { fault?: Fault | undefined };

function installFaults(app: FastifyInstance, faults: Faults, callOf: CallNames['callOf']): void {
  app.addHook(callOf ? 'preValidation' : 'onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    const fault = faults.strike(callOf?.(request) ?? `${request.method} ${request.url.split('?')[0]}`);
    if (!fault) return;
    (request as Faulty).fault = fault;
    switch (fault.kind) {
      case 'status':
        await reply
          .code(fault.status)
          .headers(fault.headers ?? {})
          .send(fault.body ?? {});
        return;
      // Taken out of the server's hands, so that nothing is done about it.
      case 'cut':
        reply.hijack();
        request.raw.socket.destroy();
        return;
      case 'silent':
        reply.hijack();
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
    const fault = (request as Faulty).fault;
    if (fault?.kind === 'cut_after') request.raw.socket.destroy();
    if (fault?.kind === 'truncated') breakOff(request, reply);
    if (fault?.kind !== 'malformed') return payload;
    if (reply.statusCode === 204) reply.code(200);
    return '{"broken": [1, 2';
  });
}

/** The head promises the whole answer; half of it follows. */
function breakOff({ raw: { socket } }: FastifyRequest, { raw }: FastifyReply): void {
  raw.end = ((chunk: string | Buffer | null | undefined) => {
    if (chunk) raw.write(Buffer.from(chunk as string).subarray(0, Math.floor(Buffer.byteLength(chunk) / 2)));
    setImmediate(() => socket.destroy());
    return raw;
  }) as typeof raw.end;
}

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
