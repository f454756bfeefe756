import type { Clock, Refusals, Trial } from '../../src/kit/index.ts';
import type { ReceivedPost } from './sandbox.people.ts';

/** The receiver's side of posting. */
export function actionsOf({ received }: { received: Map<string, ReceivedPost> }): Trial['actions'] {
  return {
    post_webhook: {
      input: (n) => ({ type: 'invoice.overdue', data: { invoice: `i-${n}`, days: n } }),
      // A repetition under the same id is not another event.
      done: () => [...received.keys()],
      request: /^POST \/events$/,
      refused: [{ input: { type: 'not a type', data: null }, kind: 'invalid' }],
    },
  };
}

/** A receiver's refusals: their status, and nothing that is read. */
export function refusalsOf(clock: Clock): Refusals {
  return {
    rateLimited: (until) => ({
      kind: 'status',
      status: 429,
      headers: until ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) } : {},
    }),
    unavailable: () => ({ kind: 'status', status: 503 }),
  };
}
