import type { Refusals, SignedPost, StreamTrial, Trial } from '../../src/kit/index.ts';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { messageValue } from './sandbox.posts.ts';
import type { WhatsAppState } from './sandbox.state.ts';

interface Account {
  state: WhatsAppState;
  server: SandboxServer;
  sign(values: readonly object[]): SignedPost;
}

/** WhatsApp's side of the cases every connector is tried with. */
export function trialOf({ state, server, sign }: Account): Trial {
  const number = (n: number): string => `+1614556${String(1000 + n)}`;
  return {
    streams: { messages: messageTrial(state) },
    hook: ({ id, event }) => {
      // Meta numbers no events: a message is one. What a case calls another event of it is a repetition.
      const message = state.inbound.get(id) ?? { id, from: '16145569999', text: event, at: new Date(0) };
      return sign([messageValue(state, message)]);
    },
    actions: {
      send_whatsapp: {
        input: (n) => ({ to: number(n), template: 'visit_reminder', variables: { 1: String(n) } }),
        done: () => state.sent.map(({ id }) => id),
        request: /^POST \/v[\d.]+\/\d+\/messages$/,
        get refused() {
          const to = number(7000 + state.stopped.size);
          state.stopped.add(to.slice(1));
          return [
            { input: { to: number(8001), template: 'Visit reminder' }, kind: 'invalid' as const },
            { input: { to: number(8002), template: 'nobody_made_this' }, kind: 'invalid' as const },
            { input: { to: number(8003), template: 'visit_reminder' }, kind: 'invalid' as const },
            { input: { to: number(8004), template: 'old_reminder' }, kind: 'invalid' as const },
            {
              input: { to, template: 'spring_offer', variables: { first_name: 'Ann', day: 'Friday' } },
              kind: 'recipient_opted_out' as const,
            },
          ];
        },
      },
    },
    refusals,
    calls: () => server.journal.map(({ at, method, path, status }) => ({ at, call: `${method} ${path}`, status })),
  };
}

const messageTrial = (state: WhatsAppState): StreamTrial => {
  let made = 0;
  return {
    create: (count) =>
      Array.from({ length: count }, () => state.receive(`1614555${1000 + (made++ % 9000)}`, `Question ${made}`).id),
    change: (id, mark) => {
      state.inbound.get(id)!.text = mark;
    },
    ids: () => [...state.inbound.keys()],
    announced: true,
    listed: /^LIST nothing$/,
    field: 'body',
    records: () => [],
  };
};

const refusal = (status: number, code: number, message: string, details?: string) =>
  ({
    kind: 'status',
    status,
    body: {
      error: {
        message,
        type: 'OAuthException',
        code,
        ...(details ? { error_data: { details } } : {}),
        fbtrace_id: 'simulated',
      },
    },
  }) as const;

/** Meta's refusals. None of them says when to come back. */
const refusals: Refusals = {
  rateLimited: (until) => (until ? undefined : refusal(400, 130_429, '(#130429) Rate limit hit')),
  revoked: () => refusal(401, 190, 'Error validating access token: the session is invalid.'),
  forbidden: { fault: () => refusal(403, 10, '(#10) Application does not have permission for this action') },
  invalid: (reason) => refusal(400, 100, '(#100) Invalid parameter', reason),
  unavailable: () => refusal(503, 131_057, '(#131057) Account in maintenance mode'),
};
