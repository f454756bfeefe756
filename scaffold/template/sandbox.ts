import { createHmac } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock, Sandbox, SandboxOptions, SignedPost } from '../../src/kit/index.ts';
import { createSandboxServer, type Delivery, type SandboxServer, samplePeople } from '../../src/kit/sandbox/index.ts';
import { trialOf } from './sandbox.trial.ts';

// REPLACE: what the vendor keeps, in its own words.
export interface AcmePerson {
  id: string;
  name: string;
  email: string;
  phone: string;
  deleted: boolean;
  updated_at: string;
}

export interface AcmeSandbox extends Sandbox {
  server: SandboxServer;
  credentials: { apiKey: string; signingSecret: string };
  people: Map<string, AcmePerson>;
  notes: Map<string, { id: string; person: string; text: string; url: string }>;
  addPerson(fields: Pick<AcmePerson, 'name' | 'email' | 'phone'>): AcmePerson;
  /** A person in the account changes somebody's record; the hub is told. */
  change(id: string, fields: Partial<AcmePerson>): Promise<Delivery | undefined>;
  /** A post as the vendor signs it, not sent. */
  sign(body: object, at: Date): SignedPost;
}

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string | undefined>;
  Body: Record<string, string> | undefined;
}>;

const refuse = (reply: FastifyReply, status: number, code: string, message: string): FastifyReply =>
  reply.code(status).send({ error: { code, message } });

/** Starts the simulation of Acme: people, notes, posts. Faults, its page and the journal come with the server. */
export async function start(options: SandboxOptions): Promise<AcmeSandbox> {
  const { clock } = options;
  const created = createSandboxServer('Acme', options);
  let events = 0;
  const sandbox: Omit<AcmeSandbox, 'server' | 'hosts'> = {
    credentials: { apiKey: 'simulated-api-key', signingSecret: 'simulated-signing-secret' },
    people: new Map(),
    notes: new Map(),
    lateIndexMs: 0,
    // Entered by the hub when it connects.
    hookUrl: options.hookUrl,
    addPerson: (fields) => {
      const id = `p${sandbox.people.size + 1}`;
      const person = { id, ...fields, deleted: false, updated_at: clock.now().toISOString() };
      sandbox.people.set(id, person);
      return person;
    },
    change: async (id, fields) => {
      const person = sandbox.people.get(id);
      if (!person) throw new Error(`There is no person ${id}.`);
      Object.assign(person, fields, { updated_at: clock.now().toISOString() });
      if (!sandbox.hookUrl) return undefined;
      const { url, body, headers } = sandbox.sign({ event_id: `${id}-${++events}`, person_id: id }, clock.now());
      return created.post(url, body, headers);
    },
    sign: (told, at) => {
      const body = JSON.stringify(told);
      const time = String(Math.floor(at.getTime() / 1000));
      const signature = createHmac('sha256', sandbox.credentials.signingSecret).update(`${time}.${body}`).digest('hex');
      const headers = { 'content-type': 'application/json', 'acme-timestamp': time, 'acme-signature': signature };
      return { url: sandbox.hookUrl!, body, headers };
    },
    report: () => ({ people: sandbox.people.size, notes: sandbox.notes.size }),
    // REPLACE: what it holds when it is started by hand, and what people can do there.
    fill: () => {
      for (const { first, last, email, phone } of samplePeople())
        sandbox.addPerson({ name: `${first} ${last}`, email, phone });
    },
    deeds: [
      {
        name: 'change-person',
        title: 'Change a person',
        fields: () => ({ id: [...sandbox.people.keys()][0] ?? '', phone: '+16145550199' }),
        act: async ({ id = '', phone = '' }) => {
          await sandbox.change(id, { phone });
          return `The number of ${id} is now ${phone}.`;
        },
      },
    ],
    stop: () => created.stop(),
  };
  installRoutes(created.app, sandbox, options);
  const url = await created.listen();
  const running = Object.assign(sandbox, { hosts: { api: url }, server: { ...created, url } });
  return created.show(Object.assign(running, { trial: trialOf(running, clock) }));
}

/** REPLACE: the vendor's limit: 100 calls in any ten seconds. @returns whether this call is one too many */
function createLimiter(clock: Clock): () => boolean {
  let times: number[] = [];
  return () => {
    const now = clock.now().getTime();
    times = times.filter((time) => time > now - 10_000);
    return times.push(now) > 100;
  };
}

/** REPLACE: the vendor's API, as far as the connector uses it. */
function installRoutes(
  app: SandboxServer['app'],
  sandbox: Omit<AcmeSandbox, 'server' | 'hosts'>,
  { clock, limits }: SandboxOptions,
): void {
  const { people, notes } = sandbox;
  const tooFast = limits === false ? () => false : createLimiter(clock);
  app.addHook('preHandler', async (request, reply) => {
    if (request.headers.authorization !== `Bearer ${sandbox.credentials.apiKey}`)
      await refuse(reply, 401, 'unauthorized', 'The API key is not valid.');
    else if (tooFast()) await refuse(reply, 429, 'too_fast', 'Slow down, please.');
  });
  app.get('/v1/me', async () => ({ id: 'acme-1', name: 'Main Street Services' }));
  app.put('/v1/webhook', async (request: Call) => {
    sandbox.hookUrl = request.body?.url;
    return { url: sandbox.hookUrl };
  });
  app.get('/v1/people', async (request: Call) => {
    const { limit, after, updated_since: since } = request.query;
    const visible = clock.now().getTime() - (sandbox.lateIndexMs ?? 0);
    const found = [...people.values()].filter(
      ({ updated_at }) => Date.parse(updated_at) <= visible && (!since || Date.parse(updated_at) >= Date.parse(since)),
    );
    const from = Number(after ?? 0);
    const page = found.slice(from, from + Math.min(100, Number(limit ?? 100)));
    const end = from + page.length;
    return { people: page, next: end < found.length ? String(end) : null };
  });
  app.get('/v1/people/:id', async (request: Call, reply) => {
    return people.get(request.params.id!) ?? refuse(reply, 404, 'not_found', 'There is no such person.');
  });
  app.post('/v1/people/:id/notes', async (request: Call, reply) => {
    const person = request.params.id!;
    if (!people.has(person)) return refuse(reply, 404, 'not_found', 'There is no such person.');
    const key = String(request.headers['idempotency-key'] ?? notes.size);
    const id = `n${notes.size + 1}`;
    const note = notes.get(key) ?? { id, person, text: request.body?.text ?? '', url: `https://acme.example/${id}` };
    notes.set(key, note);
    return reply.code(201).send(note);
  });
}
