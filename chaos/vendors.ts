import { sampleBusiness } from '../demo/business.ts';
import { fillVendors } from '../demo/vendors.ts';
import type { Sandbox } from '../src/kit/index.ts';
import { type Exchange, type Fault, type Faults, seededRandom } from '../src/kit/sandbox/index.ts';
import { environmentOf, startVendors, type VendorName } from '../test/support/vendors.ts';
import { sharedClock } from './clock.ts';
import {
  hubspotWrite,
  keyOf,
  type Ledger,
  readsPage,
  slackWrite,
  tokenUse,
  twilioWrite,
  type Write,
} from './ledger.ts';
import { startRelay } from './relay.ts';
import { People } from './world.ts';

// The vendors, in a process of their own that is never killed: simulations, what their users do, and the ledger of
// everything that happened there. Started by `startWorld`, told what to do over IPC.

/** What is worth waiting for with a kill. */
export type Moment = 'write' | 'page' | 'token' | 'hook';

export type Order =
  | { do: 'start'; clock: string; hubPort: number; seed: number; customers: number; start: string }
  /** Kills these processes when the moment comes; before the vendor's answer leaves when there is no delay. */
  | { do: 'aim'; moment: Moment; pids: number[]; delayMs: number }
  | { do: 'act'; times: number }
  /** How often calls are struck by a fault, from 0 to 1; and how bad the way of hooks is. */
  | { do: 'trouble'; faults: number; hooks: number }
  | { do: 'expireTokens' }
  /** Whether a call is being answered or a post on its way. */
  | { do: 'busy' }
  | { do: 'ledger' };

const NAMES = ['hubspot', 'quickbooks', 'twilio', 'slack', 'smtp'] as const satisfies VendorName[];

/** Not the exchange of tokens: a lost answer there ends the access, which is the vendor's rule and no fault of a hub. */
const ANY_CALL = /^\w+ (?!\/oauth|\/connect|\/oauth2|\/api\/oauth)/;

/** Kinds of trouble with their part of the whole. */
const TROUBLE: readonly [number, Fault][] = [
  [0.25, { kind: 'status', status: 503, body: {} }],
  [0.2, { kind: 'status', status: 429, body: {}, headers: { 'retry-after': '1' } }],
  [0.2, { kind: 'cut' }],
  [0.2, { kind: 'cut_after' }],
  [0.15, { kind: 'slow', milliseconds: 300 }],
];

type World = Awaited<ReturnType<typeof open>>;
let world: World | undefined;

async function open(order: Extract<Order, { do: 'start' }>) {
  const clock = sharedClock(order.clock);
  const random = seededRandom(order.seed);
  const ledger: Omit<Ledger, 'records' | 'deeds' | 'hooks'> & { writes: Write[] } = {
    writes: [],
    stops: [],
    tokens: [],
    refusedSms: [],
    faults: {},
    calls: 0,
  };
  let aimed: { moment: Moment; pids: number[]; delayMs: number } | undefined;
  let answering = 0;

  function comes(moment: Moment): void {
    if (aimed?.moment !== moment) return;
    const { pids, delayMs } = aimed;
    aimed = undefined;
    const shoot = (): void => {
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It was faster.
        }
      }
      process.send!({ fired: moment });
    };
    if (delayMs === 0) shoot();
    else setTimeout(shoot, delayMs);
  }

  const relay = await startRelay({
    hub: `http://127.0.0.1:${order.hubPort}`,
    random: seededRandom(order.seed + 1),
    // What reading finds out later may get lost. A merge is told only once, and STOP is never to get lost.
    mayBeLost: (path, body) => /^\/hooks\/(hubspot|quickbooks)/.test(path) && !/merge/i.test(body),
    passing: () => comes('hook'),
    accepted: (path, body) => {
      if (!path.startsWith('/hooks/twilio')) return;
      const form = new URLSearchParams(body);
      const phone = form.get('From') ?? '';
      if (form.get('Body') === 'STOP' && !ledger.stops.some((stop) => stop.phone === phone))
        ledger.stops.push({ phone, acceptedAt: clock.now().getTime() });
    },
  });
  const port = Number(new URL(relay.url).port);
  const vendors = await startVendors(NAMES, clock, port);
  const customers = sampleBusiness(order.customers);
  fillVendors({ ...vendors, env: {}, stop: async () => {} } as never, customers, new Date(order.start));

  function note(name: VendorName, exchange: Exchange): void {
    ledger.calls += 1;
    if (exchange.fault) ledger.faults[exchange.fault] = (ledger.faults[exchange.fault] ?? 0) + 1;
    const use = tokenUse(name, exchange);
    if (use) ledger.tokens.push(use);
    const sms = name === 'twilio' ? twilioWrite(exchange) : {};
    if (sms.refused) ledger.refusedSms.push(sms.refused);
    const taken = name === 'hubspot' ? hubspotWrite(exchange) : name === 'slack' ? slackWrite(exchange) : sms.taken;
    if (taken) ledger.writes.push(taken);
    if (taken) comes('write');
    else if (use) comes('token');
    else if (readsPage(exchange)) comes('page');
  }
  for (const name of ['hubspot', 'quickbooks', 'twilio', 'slack'] as const) {
    const { journal, app } = vendors[name].server;
    // The journal is told of each call after the vendor acted and before its answer leaves; nothing is kept there.
    journal.push = (exchange) => {
      note(name, exchange);
      return 0;
    };
    app.server.on('request', (_request, response) => {
      answering += 1;
      response.once('close', () => {
        answering -= 1;
      });
    });
  }
  const strike = vendors.smtp.faults.strike;
  vendors.smtp.faults.strike = (step) => {
    const fault = strike(step);
    if (fault) ledger.faults[fault.kind] = (ledger.faults[fault.kind] ?? 0) + 1;
    // The mail is taken in this very turn, and the answer leaves after it.
    if (step.startsWith('DATA') && (!fault || fault.kind === 'cut_after' || fault.kind === 'slow')) comes('write');
    return fault;
  };
  const faultsOf = (name: VendorName): Faults =>
    name === 'smtp' ? vendors.smtp.faults : (vendors[name] as Sandbox & { faults: Faults }).faults;
  const people = new People(vendors, clock, random, customers);

  return {
    env: environmentOf(vendors),
    hub: relay.url,
    twilio: { credentials: vendors.twilio.credentials, state: { service: { sid: vendors.twilio.state.service.sid } } },
    smtp: { credentials: vendors.smtp.credentials },
    slackUsers: [...vendors.slack.state.users.values()].filter((user) => !user.is_bot).map((user) => user.id),
    aim: (next: typeof aimed) => {
      aimed = next;
    },
    act: (times: number) => people.act(times),
    trouble(faults: number, hooks: number) {
      for (const name of NAMES) {
        faultsOf(name).clear();
        faultsOf(name).seed(order.seed + name.length);
        if (faults > 0) for (const [part, fault] of TROUBLE) add(name, fault, faults * part);
      }
      Object.assign(relay.trouble, { lost: hooks, doubled: hooks * 1.5, delayMs: hooks > 0 ? 120 : 0 });
    },
    expireTokens: () => {
      vendors.hubspot.oauth.expireAll();
      vendors.quickbooks.oauth.expireAll();
    },
    busy: () => (answering > 0 ? 'a call' : relay.waiting() > 0 ? 'a webhook on its way' : null),
    ledger: (): Ledger => ({
      ...ledger,
      writes: [...ledger.writes, ...vendors.smtp.mails().map(mailWrite)].sort((a, b) => a.at - b.at),
      records: people.records(),
      deeds: people.deeds,
      hooks: { ...relay.counts },
    }),
  };

  function add(name: VendorName, fault: Fault, chance: number): void {
    if (name !== 'smtp') faultsOf(name).add({ ...fault, match: ANY_CALL, chance });
    else if (fault.kind === 'status')
      faultsOf(name).add({ kind: 'status', status: 451, body: '4.3.0 Try later', match: /^DATA/, chance });
    else faultsOf(name).add({ ...fault, match: /^DATA/, chance });
  }
}

const mailWrite = (mail: ReturnType<Awaited<ReturnType<typeof startVendors>>['smtp']['mails']>[number]): Write => ({
  at: mail.at.getTime(),
  vendor: 'smtp',
  kind: 'send_email',
  nativeId: mail.headers['message-id']?.[0] ?? '',
  request: /<([^@>]+)@/.exec(mail.headers['message-id']?.[0] ?? '')?.[1] ?? null,
  to: mail.envelope.to[0] ?? '',
  text: `${mail.subject}\n${mail.text}`,
  key: keyOf(mail.subject),
});

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'start') {
    world = await open(order);
    const { env, hub, twilio, smtp, slackUsers } = world;
    return { env, hub, twilio, smtp, slackUsers };
  }
  switch (order.do) {
    case 'aim':
      return world!.aim(order);
    case 'act':
      return world!.act(order.times);
    case 'trouble':
      return world!.trouble(order.faults, order.hooks);
    case 'expireTokens':
      return world!.expireTokens();
    case 'busy':
      return world!.busy();
    case 'ledger':
      return world!.ledger();
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  obey(order).then(
    (result) => process.send!({ id, result }),
    (error: Error) => process.send!({ id, error: error.stack ?? String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
