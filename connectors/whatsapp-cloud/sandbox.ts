import type { FastifyReply, FastifyRequest } from 'fastify';
import { request as httpRequest } from 'undici';
import type { Sandbox, SandboxOptions, SignedPost } from '../../src/kit/index.ts';
import { createSandboxServer, type Delivery, type SandboxServer, samplePeople } from '../../src/kit/sandbox/index.ts';
import { deedsOf } from './sandbox.people.ts';
import { messageValue, preferenceValue, signed, statusValue } from './sandbox.posts.ts';
import { digits, type Refusal, type Sent, WhatsAppState } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface WhatsAppSandbox extends Sandbox {
  state: WhatsAppState;
  server: SandboxServer;
  credentials: Record<'accessToken' | 'phoneNumberId' | 'businessAccountId' | 'appSecret', string>;
  /** A post about changes as Meta signs it, not sent. */
  sign(values: readonly object[], field?: string): SignedPost;
  /** Somebody writes to the number. */
  reply(from: string, text: string, more?: object): Promise<Delivery | undefined>;
  /** A message arrives, or is refused on its way. */
  deliver(id: string): Promise<void>;
  read(id: string): Promise<void>;
  fail(id: string, error: Refusal): Promise<void>;
  /** Somebody uses WhatsApp's own switch for marketing messages. */
  prefer(from: string, value: 'stop' | 'resume'): Promise<void>;
}

/** Starts the simulation of WhatsApp's Cloud API: templates, the window of 24 hours, states, signed posts. */
export async function start(options: SandboxOptions): Promise<WhatsAppSandbox> {
  const state = new WhatsAppState(options.clock);
  const created = createSandboxServer('WhatsApp', options);
  const credentials = {
    accessToken: 'simulated-access-token',
    phoneNumberId: state.phoneNumberId,
    businessAccountId: state.accountId,
    appSecret: 'simulated-app-secret',
  };
  const sandbox = { credentials, state, hookUrl: options.hookUrl };
  const sign = (values: readonly object[], field?: string): SignedPost =>
    signed(state, sandbox.hookUrl ?? '', credentials.appSecret, values, field);
  const tell = async (value: object, field?: string): Promise<Delivery | undefined> => {
    if (!sandbox.hookUrl) return undefined;
    const { url, body, headers } = sign([value], field);
    return created.post(url, body, headers);
  };
  const move = async (id: string, status: string, error?: Refusal): Promise<void> => {
    const message = state.sent.find((one) => one.id === id);
    if (!message) throw new Error(`There is no message ${id}.`);
    message.status = status;
    await tell(statusValue(state, message, status, error));
  };
  installRoutes(created.app, sandbox, options);
  const url = await created.listen();
  const running = Object.assign(sandbox, {
    hosts: { api: url },
    server: { ...created, url },
    sign,
    reply: (from: string, text: string, more?: object) => tell(messageValue(state, state.receive(from, text), more)),
    deliver: async (id: string) => {
      const fate = state.fateOf(state.sent.find((one) => one.id === id) as Sent);
      if (fate) return move(id, 'failed', fate);
      await move(id, 'sent');
      await move(id, 'delivered');
    },
    read: (id: string) => move(id, 'read'),
    fail: (id: string, error: Refusal) => move(id, 'failed', error),
    prefer: async (from: string, value: 'stop' | 'resume') => {
      if (value === 'stop') state.stopped.add(digits(from));
      else state.stopped.delete(digits(from));
      await tell(preferenceValue(state, digits(from), value), 'user_preferences');
    },
    report: () => state.report(),
    fill: () => {
      for (const { phone } of samplePeople(4)) state.receive(phone, 'When do you come?');
    },
    stop: () => created.stop(),
  });
  return created.show(Object.assign(running, { deeds: deedsOf(running), trial: trialOf(running) }));
}

type Call = FastifyRequest<{
  Params: { id: string };
  Querystring: Record<string, string | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: a stranger's body
  Body: Record<string, any> | undefined;
}>;

const refuse = (reply: FastifyReply, { code, message, status = 400 }: Refusal): FastifyReply =>
  reply
    .code(status)
    .send({ error: { message: `(#${code}) ${message}`, type: 'OAuthException', code, fbtrace_id: 'simulated' } });

interface Held {
  state: WhatsAppState;
  credentials: WhatsAppSandbox['credentials'];
  hookUrl: string | undefined;
}

function installRoutes(app: SandboxServer['app'], held: Held, { limits, clock }: SandboxOptions): void {
  const { state, credentials } = held;
  app.addHook('preHandler', async (request, reply) => {
    if (request.headers.authorization !== `Bearer ${credentials.accessToken}`)
      await refuse(reply, { code: 190, message: 'Invalid OAuth access token', status: 401 });
  });
  const unknown = (reply: FastifyReply): FastifyReply =>
    refuse(reply, { code: 100, message: 'Unsupported get request. Object does not exist or permissions are missing' });

  app.get('/:version/:id/phone_numbers', async (request: Call, reply) => {
    if (request.params.id !== state.accountId) return unknown(reply);
    const number = { id: state.phoneNumberId, display_phone_number: '+1 555-078-3881', verified_name: 'Bright Glass' };
    return {
      data: [{ ...number, quality_rating: 'GREEN', status: 'LINKED' }],
      paging: { cursors: { before: 'MAZDZD', after: 'MjQZD' } },
    };
  });
  app.post('/:version/:id/subscribed_apps', async (request: Call, reply) => {
    if (request.params.id !== state.accountId) return unknown(reply);
    const { override_callback_uri: address, verify_token: token } = request.body ?? {};
    if (!address) return { success: true };
    // The address has to answer with what it is asked, in no other words.
    const query = new URLSearchParams({
      'hub.mode': 'subscribe',
      'hub.verify_token': token,
      'hub.challenge': '1158201444',
    });
    const answer = await httpRequest(`${address}?${query}`, { method: 'GET' });
    if (answer.statusCode !== 200 || (await answer.body.text()) !== '1158201444')
      return refuse(reply, { code: 2200, message: 'Callback verification failed' });
    held.hookUrl = address;
    return { success: true };
  });
  app.get('/:version/:id/message_templates', async () => ({
    data: state.templates,
    paging: { cursors: { before: 'MAZDZD', after: 'MjQZD' } },
  }));
  app.post('/:version/:id/messages', async (request: Call, reply) => {
    if (request.params.id !== state.phoneNumberId) return unknown(reply);
    const asked = request.body ?? {};
    const tooFast = limits === false ? undefined : paceOf(state, digits(String(asked.to)), clock.now().getTime());
    const refusal = tooFast ?? state.refusalOf(asked);
    if (refusal) return refuse(reply, refusal);
    const { id, to } = state.send(asked);
    return {
      messaging_product: 'whatsapp',
      contacts: [{ input: asked.to, wa_id: to }],
      messages: [{ id, ...(asked.type === 'template' ? { message_status: 'accepted' } : {}) }],
    };
  });
}

/** 80 messages in any second, and one in six seconds to one person after a burst of 45 (dossier, Limits). */
function paceOf({ sent }: WhatsAppState, to: string, now: number): Refusal | undefined {
  const since = (ms: number): Sent[] => sent.filter(({ at }) => at > now - ms);
  if (since(1000).length >= 80) return { code: 130_429, message: 'Cloud API message throughput has been reached' };
  const toThem = since(45 * 6000).filter((message) => message.to === to);
  return toThem.length >= 45
    ? { code: 131_056, message: 'Business account, consumer account pair rate limit hit' }
    : undefined;
}
