import { type Ears, TROUBLES, type Trouble } from '../actions/ears.ts';
import type { RequestRow } from '../actions/store.ts';
import type { Tx } from '../base/database.ts';
import { markStale } from '../model/stale.ts';
import { tryBreakers } from './breaker.ts';

/** What a STOP is an answer to: the last message of the sequence on that channel within so many days. */
const STOP_DAYS = 7;

/** A message of a sequence, as far as breakers are concerned. */
export interface SendScope {
  sequence_id: string;
  campaign_id: string | null;
}

/**
 * Notes messages of sequences that left, or that a platform refused for good. When they left is when the last try
 * began, also where that was found out later.
 * @returns the sequences and campaigns of those that failed
 */
export async function noteSends(tx: Tx, requests: readonly RequestRow[], now: Date): Promise<SendScope[]> {
  const facing = requests.filter(
    (one) =>
      one.run_id && one.customer_id && one.class !== 'internal' && (one.state === 'sent' || one.state === 'failed'),
  );
  if (facing.length === 0) return [];
  const { rows } = await tx.query<SendScope & { customer_id: string; sent: boolean }>(
    `insert into sequence_send (tenant_id, request_id, sequence_id, campaign_id, run_id, step_id, customer_id, channel, sent, at, trouble, trouble_at)
     select r.tenant_id, i.id, r.sequence_id, r.campaign_id, r.id, i.step, i.customer, i.channel, i.trouble is null,
       coalesce((select max(a.started_at) from action_attempt a where a.tenant_id = $1 and a.request_id = i.id), $8), i.trouble,
       case when i.trouble is not null then $8::timestamptz end
     from unnest($2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[]) as i(id, run, step, customer, channel, trouble)
       join run r on r.tenant_id = $1 and r.id = i.run and not r.shadow
     order by i.id on conflict do nothing returning sequence_id, campaign_id, customer_id, sent`,
    [
      tx.tenantId,
      facing.map((one) => one.id),
      facing.map((one) => one.run_id),
      facing.map((one) => one.step_id),
      facing.map((one) => one.customer_id),
      facing.map((one) => one.channel),
      facing.map((one) => (one.state === 'sent' ? null : one.reason === 'recipient_invalid' ? 'bounce' : 'failure')),
      now,
    ],
  );
  await markStale(
    tx,
    'credit',
    rows.map((row) => ({ customerId: row.customer_id, depth: 0 })),
  );
  return rows.filter((row) => !row.sent);
}

/** Notes bad news of a message; the worst stays. @returns its sequence and campaign, when it was news */
export async function noteTrouble(
  tx: Tx,
  requestId: string,
  trouble: Trouble,
  now: Date,
): Promise<SendScope | undefined> {
  const milder = TROUBLES.slice(0, TROUBLES.indexOf(trouble));
  const { rows } = await tx.query<SendScope>(
    `update sequence_send set trouble = $3, trouble_at = $4 where tenant_id = $1 and request_id = $2 and (trouble is null or trouble = any($5))
     returning sequence_id, campaign_id`,
    [tx.tenantId, requestId, trouble, now, milder],
  );
  return rows[0];
}

/** The message a STOP answers. */
export async function lastSendTo(tx: Tx, customerId: string, channel: string, now: Date): Promise<string | undefined> {
  const { rows } = await tx.query<{ request_id: string }>(
    `select request_id from sequence_send where tenant_id = $1 and customer_id = $2 and channel = $3 and sent and at <= $4 and at > $5
     order by at desc, request_id desc limit 1`,
    [tx.tenantId, customerId, channel, now, new Date(now.getTime() - STOP_DAYS * 86_400_000)],
  );
  return rows[0]?.request_id;
}

/** Messages stay with the customer their request is of, when customers are joined and taken apart. */
export async function followCustomers(tx: Tx, customerIds: readonly string[]): Promise<void> {
  await tx.query(
    `update sequence_send s set customer_id = q.customer_id from action_request q
     where s.tenant_id = $1 and q.tenant_id = $1 and q.id = s.request_id and s.customer_id = any($2) and q.customer_id is not null and q.customer_id <> s.customer_id`,
    [tx.tenantId, customerIds],
  );
  await tx.query('delete from credit where tenant_id = $1 and customer_id = any($2)', [tx.tenantId, customerIds]);
  await markStale(
    tx,
    'credit',
    customerIds.map((customerId) => ({ customerId, depth: 0 })),
  );
}

/** What campaigns hear of messages: they are counted, and a breaker may trip in the same transaction. */
export const campaignEars: Ears = {
  ended: async (tx, requests, now) => tryBreakers(tx, await noteSends(tx, requests, now), now),
  trouble: async (tx, requestId, trouble, now) => {
    const scope = await noteTrouble(tx, requestId, trouble, now);
    if (scope) await tryBreakers(tx, [scope], now);
  },
  stopped: async (tx, customerId, channel, now) => {
    const requestId = await lastSendTo(tx, customerId, channel, now);
    if (requestId) await campaignEars.trouble(tx, requestId, 'stop', now);
  },
};
