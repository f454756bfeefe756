import { one, type Tx } from '../base/database.ts';

/** Something that would have been sent or done, had its sequence not been in shadow. */
export interface ShadowRow {
  id: string;
  at: Date;
  sequence: string | null;
  sequence_title: string | null;
  run_id: string | null;
  step_id: string | null;
  customer_id: string | null;
  customer_name: string | null;
  kind: string;
  channel: string;
  recipient: string;
  class: string;
  content: Record<string, unknown> | null;
}

export interface ShadowFilter {
  sequenceId?: string | undefined;
  customerId?: string | undefined;
  /** From this moment on, and before that one. */
  from?: Date | undefined;
  to?: Date | undefined;
  /** Older than the request of this id. */
  before?: string | undefined;
  limit: number;
}

// What is told to staff belongs to an escalation, and through it to the enrolment.
const FROM = `from action_request a
     left join escalation e on e.tenant_id = a.tenant_id and e.id = a.escalation_id
     left join run r on r.tenant_id = a.tenant_id and r.id = coalesce(a.run_id, e.run_id)
     left join sequence s on s.tenant_id = a.tenant_id and s.id = r.sequence_id
   where a.tenant_id = $1 and a.reason = 'shadow' and a.state = 'skipped' and ($2::uuid is null or r.sequence_id = $2) and ($3::uuid is null or a.customer_id = $3)
     and ($4::timestamptz is null or a.ended_at >= $4) and ($5::timestamptz is null or a.ended_at < $5)`;

const values = (tx: Tx, filter: ShadowFilter): unknown[] => [
  tx.tenantId,
  filter.sequenceId ?? null,
  filter.customerId ?? null,
  filter.from ?? null,
  filter.to ?? null,
];

/** What would have gone out, newest first, with its text as it was frozen. */
export async function listShadow(tx: Tx, filter: ShadowFilter): Promise<ShadowRow[]> {
  const { rows } = await tx.query<ShadowRow>(
    `select a.id, a.ended_at as at, s.key as sequence, s.title as sequence_title, r.id as run_id, a.step_id, a.customer_id, c.name as customer_name,
       a.kind, a.channel, a.recipient, a.class, a.content
     ${FROM.replace('where a.tenant_id', 'left join customer c on c.tenant_id = a.tenant_id and c.id = a.customer_id\n   where a.tenant_id')}
       and ($6::uuid is null or (a.ended_at, a.id) < (select o.ended_at, o.id from action_request o where o.tenant_id = $1 and o.id = $6))
     order by a.ended_at desc, a.id desc limit $7`,
    [...values(tx, filter), filter.before ?? null, filter.limit],
  );
  return rows;
}

/** How much would have gone out each day of the business, by sequence and channel, newest day first; at most 1,000 lines. */
export async function shadowDays(
  tx: Tx,
  filter: ShadowFilter,
  zone: string,
): Promise<{ day: string; sequence: string | null; channel: string; n: number }[]> {
  const { rows } = await tx.query<{ day: string; sequence: string | null; channel: string; n: number }>(
    `select to_char(a.ended_at at time zone $6, 'YYYY-MM-DD') as day, s.key as sequence, a.channel, count(*)::int as n
     ${FROM} group by 1, 2, 3 order by 1 desc, 2, 3 limit 1000`,
    [...values(tx, filter), zone],
  );
  return rows;
}

/** How many enrolments in shadow run now. */
export async function countShadowRuns(tx: Tx, sequenceId: string | undefined): Promise<number> {
  return one(
    await tx.query<{ n: number }>(
      `select count(*)::int as n from run where tenant_id = $1 and ($2::uuid is null or sequence_id = $2) and shadow and state in ('active', 'waiting', 'paused')`,
      [tx.tenantId, sequenceId ?? null],
    ),
  )!.n;
}
