import type { Tx } from '../base/database.ts';
import { markStale } from '../model/stale.ts';
import type { ChangeListener } from '../model/types.ts';

/** What became of a message, in the words platforms use for it. */
const MEANING: Readonly<Record<string, 'delivered' | 'opened' | 'clicked' | 'lost'>> = {
  delivered: 'delivered',
  partially_delivered: 'delivered',
  read: 'opened',
  open: 'opened',
  opened: 'opened',
  seen: 'opened',
  click: 'clicked',
  clicked: 'clicked',
  undelivered: 'lost',
  failed: 'lost',
  bounced: 'lost',
  bounce: 'lost',
  dropped: 'lost',
};

/** A message to a customer. */
export interface SentMessage {
  id: string;
  customerId: string;
  channel: string;
  /** Whether the platform will say that it was delivered; where it will not, sent is all there is to know. */
  tellsDelivery: boolean;
}

/** How long after a message what a customer writes counts as the answer to it. */
const REPLY_DAYS = 30;

const keyOf = (requestId: string): string => `request:${requestId}`;

/** Notes messages that went out just now. */
export async function noteSent(tx: Tx, messages: readonly SentMessage[], now: Date): Promise<void> {
  if (messages.length === 0) return;
  await tx.query(
    `insert into message_engagement (tenant_id, key, customer_id, channel, delivered_at)
     select $1::uuid, i.key, i.customer_id, i.channel, case when i.tells then null else $6::timestamptz end
     from unnest($2::text[], $3::uuid[], $4::text[], $5::boolean[]) as i(key, customer_id, channel, tells) on conflict do nothing`,
    [
      tx.tenantId,
      messages.map(({ id }) => keyOf(id)),
      messages.map(({ customerId }) => customerId),
      messages.map(({ channel }) => channel),
      messages.map(({ tellsDelivery }) => tellsDelivery),
      now,
    ],
  );
  await markStale(
    tx,
    'score',
    messages.map(({ customerId }) => ({ customerId, depth: 0 })),
  );
}

/**
 * Takes what a platform says became of a message. What a machine opened or clicked (a scanner of mail, a preview) counts
 * for nothing, and a person who comes after it counts as if it had not been there.
 * @param state the platform's word; one without a meaning here changes nothing
 */
export async function noteOutcome(
  tx: Tx,
  message: Omit<SentMessage, 'tellsDelivery'>,
  state: string,
  machine: boolean,
  now: Date,
): Promise<void> {
  const meaning = MEANING[state.toLowerCase()];
  if (!meaning) return;
  const { rowCount } = await tx.query(
    `insert into message_engagement as e (tenant_id, key, customer_id, channel, delivered_at, opened_at, clicked_at, machine)
     values ($1, $2, $3, $4, case when $5::text = 'lost' then null else $7::timestamptz end, case when $5::text = 'opened' then $7::timestamptz end,
       case when $5::text = 'clicked' then $7::timestamptz end, $6::boolean)
     on conflict (tenant_id, key) do update set
       delivered_at = case when $5::text = 'lost' then null else coalesce(e.delivered_at, excluded.delivered_at) end,
       opened_at = case when $5::text = 'opened' and (e.opened_at is null or (e.machine and not $6::boolean)) then excluded.opened_at
         when $5::text = 'clicked' and e.machine and not $6::boolean then null else e.opened_at end,
       clicked_at = case when $5::text = 'clicked' and (e.clicked_at is null or (e.machine and not $6::boolean)) then excluded.clicked_at
         when $5::text = 'opened' and e.machine and not $6::boolean then null else e.clicked_at end,
       machine = case when $5::text not in ('opened', 'clicked') then e.machine when not $6::boolean then false
         else e.machine or (e.opened_at is null and e.clicked_at is null) end`,
    [tx.tenantId, keyOf(message.id), message.customerId, message.channel, meaning, machine, now],
  );
  if (rowCount > 0) await markStale(tx, 'score', [{ customerId: message.customerId, depth: 0 }]);
}

/** What a customer writes on a channel answers the last message there, if that is not long ago. */
export const replyListener: ChangeListener = async (tx, changes) => {
  for (const { kind, op, origin, after, customer_id: customer, occurred_at: at } of changes) {
    if (kind !== 'activity' || op !== 'created' || origin !== 'live' || !customer) continue;
    if (after?.direction !== 'in' || after.automatic === true || typeof after.channel !== 'string') continue;
    const when = after.occurred_at ? new Date(after.occurred_at as string) : at;
    await tx.query(
      `update message_engagement e set replied_at = $4 where e.tenant_id = $1 and e.replied_at is null and e.key = (
         select m.key from message_engagement m where m.tenant_id = $1 and m.customer_id = $2 and m.channel = $3 and m.delivered_at <= $4 and m.delivered_at > $5
         order by m.delivered_at desc limit 1)`,
      [tx.tenantId, customer, after.channel, when, new Date(when.getTime() - REPLY_DAYS * 86_400_000)],
    );
  }
};
