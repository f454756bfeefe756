import type { Clock, Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import { createSandboxServer, type SandboxServer } from '../../src/kit/sandbox/index.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { installMail, installMarketing, refuse } from './sandbox.routes.ts';
import { SendGridState } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';

export interface SendGridSandbox extends Sandbox {
  state: SendGridState;
  server: SandboxServer;
  credentials: { apiKey: string; fromAddress: string };
  /** Posts events to everybody who gets them, in one batch. */
  tell(events: object[]): Promise<void>;
}

const API_KEY = 'SG.simulated-key-identifier.simulated-key-secret-of-sendgrid';

/** Starts the simulation of SendGrid: mails, lists of suppressed addresses, marketing contacts, signed batches of events. */
export async function start(options: SandboxOptions): Promise<SendGridSandbox> {
  const { clock } = options;
  const state = new SendGridState(clock);
  const created = createSandboxServer('SendGrid', options);
  const tooFast = options.limits === false ? () => undefined : createLimiter(clock);
  created.app.addHook('preHandler', async (request, reply) => {
    if (request.headers.authorization !== `Bearer ${API_KEY}`) {
      await refuse(reply, 401, 'The provided authorization grant is invalid, expired, or revoked');
      return;
    }
    const reset = tooFast(`${request.method} ${request.url.split('?')[0]}`);
    if (reset !== undefined) await refuse(reply.header('x-ratelimit-reset', String(reset)), 429, 'too many requests');
  });
  const tell = async (events: object[]): Promise<void> => {
    for (const { url, enabled } of state.receivers) {
      if (!enabled) continue;
      const post = state.post(url, events);
      await created.post(post.url, post.body, post.headers);
    }
  };
  installMail(created.app, state, { tell });
  installMarketing(created.app, state);
  const sandbox = {
    ...{ state, tell, hookUrl: options.hookUrl },
    credentials: { apiKey: API_KEY, fromAddress: state.verified },
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds: number) {
      state.lateIndexMs = milliseconds;
    },
    report: () => state.report(),
    stop: () => created.stop(),
  };
  const url = await created.listen();
  const hosts = { api: url, eu: url, marketing: url };
  const running = Object.assign(sandbox, { hosts, server: { ...created, url } });
  const offered = { fill: () => fill(state), deeds: deedsOf(running), trial: trialOf(running) };
  return created.show(Object.assign(running, offered));
}

/** 600 calls in any minute, three upserts of contacts in any two seconds (dossier, Limits). */
function createLimiter(clock: Clock): (call: string) => number | undefined {
  const windows = [
    { match: /./, calls: 600, seconds: 60, times: [] as number[] },
    { match: /^PUT \/v3\/marketing\/contacts$/, calls: 3, seconds: 2, times: [] as number[] },
  ];
  return (call) => {
    const now = clock.now().getTime();
    const applying = windows.filter(({ match }) => match.test(call));
    for (const one of applying) one.times = one.times.filter((time) => time > now - one.seconds * 1000);
    const full = applying.find(({ times, calls }) => times.length >= calls);
    if (full) return Math.ceil((full.times[0]! + full.seconds * 1000) / 1000);
    for (const { times } of applying) times.push(now);
    return undefined;
  };
}
