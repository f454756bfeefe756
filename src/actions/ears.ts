import type { Tx } from '../base/database.ts';
import type { HookEvent } from '../kit/index.ts';
import type { RequestRow } from './store.ts';

/** What is bad news about a message, the worst last. */
export const TROUBLES = ['failure', 'bounce', 'stop', 'complaint'] as const;
export type Trouble = (typeof TROUBLES)[number];

/** What rooms above hear of messages, in the transaction that notes it: what must stop, stops with the news. */
export interface Ears {
  /** Requests that were sent or failed, of whatever kind. */
  ended(tx: Tx, requests: readonly RequestRow[], now: Date): Promise<void>;
  /** A platform tells bad news of a message that had been sent. */
  trouble(tx: Tx, requestId: string, trouble: Trouble, now: Date): Promise<void>;
  /** Somebody wrote STOP on a channel. */
  stopped(tx: Tx, customerId: string, channel: string, now: Date): Promise<void>;
}

const LOST = /^(undelivered|failed|bounced?|hard_?bounce|soft_?bounce|dropped|rejected)$/i;
const COMPLAINT = /complain|spam|abuse|junk/i;

/** What bad news a report of a platform is, if any. @param event a receipt */
export function troubleOf(event: Extract<HookEvent, { type: 'receipt' }>): Trouble | undefined {
  if (COMPLAINT.test(event.state)) return 'complaint';
  if (event.outcome === 'opted_out') return 'stop';
  if (event.outcome === 'invalid_recipient' || event.outcome === 'failed' || LOST.test(event.state)) return 'bounce';
  return undefined;
}
