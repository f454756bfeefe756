import { createPublicKey, type KeyObject, verify as verifySignature } from 'node:crypto';
import { defineWebhooks, type HookEvent, jsonOf, type RawHook, textAt, type Verdict } from '../../src/kit/index.ts';

const SIGNATURE = 'x-twilio-email-event-webhook-signature';
const TIMESTAMP = 'x-twilio-email-event-webhook-timestamp';

const keys = new Map<string, KeyObject>();

function keyOf(text: string): KeyObject {
  const known = keys.get(text);
  if (known) return known;
  const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
  if (keys.size > 500) keys.clear();
  keys.set(text, key);
  return key;
}

/**
 * ECDSA over the timestamp and the bytes as they came, the final line break included (dossier, Webhooks). The age is not
 * judged: whether a post that is tried again for a day keeps its timestamp is not known; events have ids.
 */
function verify({ headers, body }: RawHook, publicKey: string | undefined): Verdict {
  const [signature, timestamp] = [headers[SIGNATURE], headers[TIMESTAMP]];
  if (!publicKey || !signature || !timestamp) return { ok: false, reason: 'missing_signature' };
  const signed = Buffer.concat([Buffer.from(timestamp), body]);
  const good = verifySignature('sha256', signed, keyOf(publicKey), Buffer.from(signature, 'base64'));
  return good ? { ok: true } : { ok: false, reason: 'bad_signature' };
}

type Outcome = NonNullable<Extract<HookEvent, { type: 'receipt' }>['outcome']>;

/** What a mail came to, by the event and its reason (dossier, Errors and Opt-out). */
function outcomeOf(event: string, type: string | undefined, reason: string): Outcome | undefined {
  if (event === 'delivered') return 'delivered';
  // A block is about this mail or this moment; the address may be as good as ever.
  if (event === 'bounce') return type === 'blocked' ? 'failed' : 'invalid_recipient';
  if (event === 'spamreport') return 'opted_out';
  if (event !== 'dropped') return undefined;
  if (/unsubscribed|spam/i.test(reason)) return 'opted_out';
  return /bounced|invalid/i.test(reason) ? 'invalid_recipient' : 'failed';
}

/** Our id of a mail is the part of SendGrid's before the first dot, as the answer to the send had it. */
const messageOf = (event: unknown): string | undefined => textAt(event, 'sg_message_id')?.split('.')[0];

function receiptOf(event: unknown, base: { key: string; at: Date }): HookEvent[] {
  const [nativeId, what] = [messageOf(event), textAt(event, 'event') ?? ''];
  if (!nativeId) return [];
  const reason = textAt(event, 'reason') ?? textAt(event, 'response') ?? '';
  const outcome = outcomeOf(what, textAt(event, 'type'), reason);
  const requestId = textAt(event, 'hub_send_id');
  const detail = reason || textAt(event, 'url');
  return [
    {
      ...base,
      ...{ type: 'receipt', nativeId, state: what },
      ...(requestId ? { requestId } : {}),
      ...(detail ? { detail } : {}),
      ...(outcome ? { outcome } : {}),
      ...(textAt(event, 'sg_machine_open') === 'true' ? { machine: true } : {}),
    },
  ];
}

/** The topic an unsubscribe group stands for, by the settings of the connection. */
const topicOf = (group: string | undefined, settings: Record<string, unknown>): string | undefined =>
  Object.entries((settings.groups ?? {}) as Record<string, unknown>).find(([, id]) => String(id) === group)?.[0];

/** What somebody said about mails to them. A group nobody named a topic for stands for all: nobody is written to too much. */
function choiceOf(event: unknown, base: { key: string; at: Date }, settings: Record<string, unknown>): HookEvent[] {
  const what = textAt(event, 'event') ?? '';
  const address = textAt(event, 'email')?.toLowerCase();
  if (!address) return [];
  const told = { channel: 'email', address, evidence: `SendGrid: ${what}` };
  const topic = topicOf(textAt(event, 'asm_group_id'), settings);
  const about = topic === undefined ? {} : { topic };
  const listed = (stream: string): HookEvent => ({
    ...{ ...base, key: `${base.key}:list` },
    ...{ type: 'record', stream, id: address, change: 'changed' },
  });
  const key = `${base.key}:choice`;
  if (what === 'unsubscribe') return [{ ...base, key, type: 'opt_out', ...told }, listed('unsubscribes')];
  if (what === 'spamreport') return [{ ...base, key, type: 'opt_out', ...told }, listed('spam_reports')];
  if (what === 'group_unsubscribe') return [{ ...base, key, type: 'opt_out', ...told, ...about }];
  // Who comes back to a group nobody knows comes back to nothing that could be named.
  if (what === 'group_resubscribe' && topic !== undefined) return [{ ...base, key, type: 'opt_in', ...told, ...about }];
  return [];
}

export const webhooks = defineWebhooks({
  scope: 'connection',
  subscribes: true,
  verify: (hook, secrets) => verify(hook, secrets.connection.eventKey),
  events: (hook, connection) => {
    const events = jsonOf(hook);
    if (!Array.isArray(events)) throw new Error('SendGrid posts lists of events; this is none.');
    return events.flatMap((event) => {
      const at = new Date(Number(textAt(event, 'timestamp')) * 1000);
      const base = { key: textAt(event, 'sg_event_id') ?? '', at };
      if (base.key === '' || Number.isNaN(at.getTime())) return [];
      return [...receiptOf(event, base), ...choiceOf(event, base, connection?.settings ?? {})];
    });
  },
});
