import type { Tx } from '../base/database.ts';
import type { ActionKind } from '../kit/index.ts';
import type { Channel } from '../settings/schema.ts';
import type { Person } from './context.ts';
import type { ActionDeps } from './deps.ts';

/** The action that carries a message on a channel. */
export const KIND_OF_CHANNEL: Record<Channel, ActionKind> = {
  email: 'send_email',
  sms: 'send_sms',
  whatsapp: 'send_whatsapp',
  chat: 'send_chat',
  push: 'send_push',
  in_app: 'send_in_app',
  call: 'place_call',
};

/** Where a person is reached on a channel. */
export function addressOf(person: Person, channel: string): string | undefined {
  if (channel === 'email') return person.email ?? undefined;
  return channel === 'sms' || channel === 'whatsapp' || channel === 'call' ? (person.phone ?? undefined) : undefined;
}

/** Puts a job for the requests planned in this transaction. */
export const wakeDispatch = (deps: Pick<ActionDeps, 'queue'>, tx: Tx): Promise<void> =>
  deps.queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
