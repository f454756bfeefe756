import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import { createSandboxServer, type Delivery, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { inboundParameters, signatureOf, statusParameters } from './sandbox.posts.ts';
import { newSid, type Refusal, TwilioState } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface TwilioSandbox extends Sandbox {
  state: TwilioState;
  server: SandboxServer;
  /** What to enter at the hub to connect this account. */
  credentials: Record<'accountSid' | 'keySid' | 'keySecret' | 'authToken' | 'messagingServiceSid', string>;
  /** Where the Messaging Service posts what people send; its address is known only after connecting. */
  inboundUrl: string | null;
  /** Adds `OptOutType` to posts about STOP and START, as the vendor's Advanced Opt-Out does. */
  advancedOptOut: boolean;
  /** A person writes to the account. */
  reply(from: string, text: string, extra?: Record<string, string>): Promise<Delivery | undefined>;
  /** The message leaves Twilio for the carrier. */
  handToCarrier(sid: string): Promise<void>;
  /** The carrier delivers a message (or WhatsApp refuses it, outside its 24 hours). */
  deliver(sid: string): Promise<void>;
  /** The person opens a WhatsApp message. */
  read(sid: string): Promise<void>;
  /** The carrier does not deliver a message. */
  fail(sid: string, code: number): Promise<void>;
  /** Posts a state of a message to its callback, once more or out of turn. */
  announce(sid: string, status: string, code?: number): Promise<Delivery | undefined>;
  /** Posts parameters to an address as the vendor signs them. */
  post(url: string, parameters: Record<string, string>, token?: string): Promise<Delivery>;
}

/** Starts the simulation of Twilio: messages with states and callbacks, opt-outs, the Messaging Service, numbers. */
export async function start(options: SandboxOptions): Promise<TwilioSandbox> {
  const { clock } = options;
  const accountSid = `AC${'0123456789abcdef'.repeat(2)}`;
  const state = new TwilioState(clock, accountSid);
  const credentials = {
    accountSid,
    keySid: `SK${'fedcba9876543210'.repeat(2)}`,
    keySecret: 'simulated-key-secret',
    authToken: 'simulated-auth-token',
    messagingServiceSid: state.service.sid,
  };
  state.service.inbound_request_url = options.hookUrl ?? null;
  const created = createSandboxServer('Twilio', options);
  const { app } = created;
  app.addHook('preHandler', async (request, reply) => {
    if (!isAllowed(request, credentials)) await refuse(reply, 401, { code: 20003, message: 'Authenticate' });
    else if (state.accountStatus !== 'active' && request.method === 'POST') {
      await refuse(reply, 403, { code: 20005, message: 'Account is not active' });
    }
  });
  installRoutes(app, state);
  const url = await created.listen();
  const server: SandboxServer = { ...created, url };

  const post = (to: string, parameters: Record<string, string>, token = credentials.authToken): Promise<Delivery> =>
    // Fragments configure the call and are not part of the address.
    server.post(to.split('#')[0] ?? to, new URLSearchParams(parameters).toString(), {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'x-twilio-signature': signatureOf(token, to.split('#')[0] ?? to, parameters),
      'i-twilio-idempotency-token': newSid('IT'),
    });

  const announce = async (sid: string, status: string, code?: number): Promise<Delivery | undefined> => {
    const message = state.find(sid);
    const callback = state.callbacks.get(sid);
    return message && callback ? post(callback, statusParameters(message, status, code)) : undefined;
  };

  async function move(sid: string, status: string, error?: Refusal): Promise<void> {
    const message = state.find(sid);
    if (!message) throw new Error(`The simulation has no message ${sid}.`);
    state.advance(message, status, error);
    await announce(sid, status, error?.code);
  }

  const sandbox: TwilioSandbox = {
    hosts: { api: url, api_ie1: url, api_au1: url, messaging: url },
    state,
    server,
    credentials,
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      state.lateIndexMs = milliseconds;
    },
    get hookUrl() {
      return state.service.inbound_request_url ?? undefined;
    },
    set hookUrl(address) {
      state.service.inbound_request_url = address ?? null;
    },
    get inboundUrl() {
      return state.service.inbound_request_url;
    },
    set inboundUrl(address) {
      state.service.inbound_request_url = address;
    },
    advancedOptOut: false,
    post,
    announce,
    async reply(from, text, extra = {}) {
      const own = from.startsWith('whatsapp:') ? `whatsapp:${state.senders[1]}` : state.number.phone_number;
      const message = state.receive(from, own, text);
      const type = /^\s*(STOP|START|HELP)\s*$/i.exec(text)?.[1]?.toUpperCase();
      const word: Record<string, string> = sandbox.advancedOptOut && type ? { OptOutType: type } : {};
      const inbound = { ...inboundParameters(state, message), ...word, ...extra };
      return sandbox.inboundUrl ? post(sandbox.inboundUrl, inbound) : undefined;
    },
    handToCarrier: (sid) => move(sid, 'sent'),
    async deliver(sid) {
      const message = state.find(sid);
      if (message && !state.isWindowOpen(message)) {
        return move(sid, 'undelivered', {
          code: 63016,
          message: 'Failed to send freeform message outside the window.',
        });
      }
      if (message?.status !== 'sent') await move(sid, 'sent');
      await move(sid, 'delivered');
    },
    read: (sid) => move(sid, 'read'),
    fail: (sid, code) => move(sid, code >= 30_000 ? 'undelivered' : 'failed', { code, message: `Error ${code}` }),
    report: () => state.report(),
    stop: () => server.stop(),
  };
  const trial = trialOf(sandbox, clock);
  return created.show(Object.assign(sandbox, { fill: () => fill(state), deeds: deedsOf(sandbox), trial }));
}

function isAllowed(request: FastifyRequest, known: TwilioSandbox['credentials']): boolean {
  const given = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /i, ''), 'base64').toString();
  return given === `${known.keySid}:${known.keySecret}` || given === `${known.accountSid}:${known.authToken}`;
}

const refuse = (reply: FastifyReply, status: number, { code, message }: Refusal): FastifyReply =>
  reply.code(status).send({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status });

const notFound = (reply: FastifyReply, path: string): FastifyReply =>
  refuse(reply, 404, { code: 20404, message: `The requested resource ${path} was not found` });

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string>;
  Body: Record<string, string> | undefined;
}>;

function installRoutes(app: SandboxServer['app'], state: TwilioState): void {
  const base = `/2010-04-01/Accounts/${state.accountSid}`;
  const since = 'Thu, 30 Jul 2015 20:00:00 +0000';

  app.get(`${base}.json`, async () => ({
    sid: state.accountSid,
    owner_account_sid: state.accountSid,
    friendly_name: 'Main Street Services',
    status: state.accountStatus,
    type: 'Full',
    auth_token: 'simulated-auth-token',
    date_created: since,
    date_updated: since,
    uri: `${base}.json`,
    subresource_uris: { messages: `${base}/Messages.json` },
  }));

  app.get(`${base}/Messages.json`, async (request: Call) => {
    const { messages, next } = state.page(request.query);
    const number = Number(request.query.Page ?? 0);
    const { Page: _page, PageToken: _token, ...filters } = request.query;
    const uri = (page: number, token?: string): string =>
      `${base}/Messages.json?${new URLSearchParams({ ...filters, Page: String(page), ...(token ? { PageToken: token } : {}) })}`;
    return {
      messages,
      page: number,
      page_size: Number(request.query.PageSize ?? 50),
      start: 0,
      end: Math.max(0, messages.length - 1),
      uri: uri(number, request.query.PageToken),
      first_page_uri: uri(0),
      next_page_uri: next ? uri(number + 1, next) : null,
      previous_page_uri: null,
    };
  });
  app.post(`${base}/Messages.json`, async (request: Call, reply) => {
    const form = request.body ?? {};
    const refusal = state.refusal(form);
    return refusal ? refuse(reply, 400, refusal) : reply.code(201).send(state.send(form));
  });
  app.get(`${base}/Messages/:sid([A-Za-z0-9]+).json`, async (request: Call, reply) => {
    const message = state.find(request.params.sid ?? '');
    return message ?? notFound(reply, request.url);
  });

  const number = () => ({ ...state.number, account_sid: state.accountSid, sms_method: 'POST' });
  app.get(`${base}/IncomingPhoneNumbers.json`, async (request: Call) => ({
    incoming_phone_numbers: request.query.PhoneNumber === state.number.phone_number ? [number()] : [],
    page: 0,
    page_size: 50,
    next_page_uri: null,
  }));
  app.post(`${base}/IncomingPhoneNumbers/:sid([A-Za-z0-9]+).json`, async (request: Call, reply) => {
    if (request.params.sid !== state.number.sid) return notFound(reply, request.url);
    state.number.sms_url = request.body?.SmsUrl ?? state.number.sms_url;
    return number();
  });

  const service = () => ({
    sid: state.service.sid,
    account_sid: state.accountSid,
    friendly_name: 'Follow-up',
    inbound_request_url: state.service.inbound_request_url,
    inbound_method: 'POST',
    use_inbound_webhook_on_number: false,
    date_created: '2015-07-30T20:12:31Z',
    date_updated: '2015-07-30T20:12:31Z',
  });
  app.get('/v1/Services/:sid', async (request: Call, reply) =>
    request.params.sid === state.service.sid ? service() : notFound(reply, request.url),
  );
  app.post('/v1/Services/:sid', async (request: Call, reply) => {
    if (request.params.sid !== state.service.sid) return notFound(reply, request.url);
    state.service.inbound_request_url = request.body?.InboundRequestUrl ?? state.service.inbound_request_url;
    return service();
  });
}
