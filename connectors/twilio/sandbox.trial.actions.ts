import type { ActionTrial, Clock, Refusals, Trial } from '../../src/kit/index.ts';
import type { TwilioState } from './sandbox.state.ts';

const TEMPLATE = `HX${'0123456789abcdef'.repeat(2)}`;
const REQUEST = /^POST \/2010-04-01\/Accounts\/[^/]+\/Messages\.json$/;

/** Twilio's side of each action. */
export function actionsOf(state: TwilioState): Trial['actions'] {
  const number = (n: number): string => `+1614556${String(1000 + n)}`;
  const sent =
    (whatsapp: boolean): ActionTrial['done'] =>
    () =>
      state.messages
        .filter(({ direction, to }) => direction === 'outbound-api' && to.startsWith('whatsapp:') === whatsapp)
        .map(({ sid }) => sid)
        .reverse();
  let stopped = 9000;
  return {
    send_sms: {
      input: (n) => ({ to: number(n), text: `Your visit ${n} is tomorrow.` }),
      done: sent(false),
      request: REQUEST,
      get refused() {
        const to = `+1614557${stopped++}`;
        state.optedOut.add(to);
        return [{ input: { to, text: 'After STOP' }, kind: 'recipient_opted_out' as const }];
      },
    },
    send_whatsapp: {
      input: (n) => {
        state.templates.set(TEMPLATE, 'Your visit {{1}} is tomorrow.');
        return { to: number(n), template: TEMPLATE, variables: { 1: String(n) } };
      },
      done: sent(true),
      request: REQUEST,
      get refused() {
        return [{ input: { to: `+1614557${stopped++}`, template: 'visit_reminder' }, kind: 'invalid' as const }];
      },
    },
  };
}

/** Twilio's refusals. */
export function refusalsOf(clock: Clock): Refusals {
  const refusal = (status: number, code: number, message: string) =>
    ({
      kind: 'status',
      status,
      body: { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status },
    }) as const;
  const later = (until: Date | undefined): { headers: Record<string, string> } => ({
    headers: until ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) } : {},
  });
  return {
    rateLimited: (until) => ({ ...refusal(429, 20429, 'Too Many Requests'), ...later(until) }),
    quotaExhausted: (until) => ({
      ...refusal(429, 63038, 'Account exceeded the daily messages limit'),
      ...later(until),
    }),
    revoked: () => refusal(401, 20003, 'Authenticate'),
    forbidden: { fault: () => refusal(403, 20403, 'The API key has no permission for this resource.') },
    invalid: (reason) => refusal(400, 21_999, reason),
    unavailable: () => refusal(503, 20503, 'Service unavailable'),
  };
}
