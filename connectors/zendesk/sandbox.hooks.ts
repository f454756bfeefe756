import { randomUUID } from 'node:crypto';
import { hmacSha256, type SignedPost } from '../../src/kit/index.ts';
import type { Kind, ZendeskState } from './sandbox.state.ts';

const upper = (value: unknown): unknown => (typeof value === 'string' ? value.toUpperCase() : value);

/** An event as it is told: ids are texts, and words of a ticket are written in capitals. */
export function eventOf(
  state: ZendeskState,
  what: string,
  kind: Kind,
  id: number,
  event: object,
  key: string = randomUUID(),
): object {
  const { status, priority, type, ...rest } = (state.tables[kind].get(id) ?? { id }) as Record<string, unknown>;
  const texts = Object.entries(rest).map(([name, value]) => [name, typeof value === 'number' ? String(value) : value]);
  const words = kind === 'tickets' ? { status: upper(status), priority: upper(priority), type: upper(type) } : {};
  const told: Record<string, unknown> = Object.fromEntries(texts);
  return {
    account_id: 14_114_603,
    id: key,
    type: `zen:event-type:${what}`,
    subject: `zen:${what.split('.')[0]}:${id}`,
    time: `${state.clock.now().toISOString().slice(0, -1)}672717Z`,
    zendesk_event_version: '2022-11-06',
    detail: { ...told, ...words, id: String(id) },
    event,
  };
}

/** A post as it is signed: the moment as text, and the bytes of the body behind it. */
export function signed(url: string, event: object, at: Date, secret: string): SignedPost {
  const body = JSON.stringify(event);
  const timestamp = at.toISOString();
  return {
    url,
    body,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'x-zendesk-account-id': '14114603',
      'x-zendesk-webhook-invocation-id': randomUUID(),
      'x-zendesk-webhook-signature': hmacSha256(secret, `${timestamp}${body}`).toString('base64'),
      'x-zendesk-webhook-signature-timestamp': timestamp,
    },
  };
}
