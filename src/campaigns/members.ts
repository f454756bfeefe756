import { insertRows, one, type Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';
import type { MemberState } from './schema.ts';

export interface MemberRow {
  campaign_id: string;
  customer_id: string;
  state: MemberState;
  held_out: boolean;
  later: boolean;
  place: number;
  due_at: Date | null;
  entered_at: Date | null;
  start_on: LocalDate | null;
  step_id: string | null;
  run_id: string | null;
  reason: string | null;
  detail: string | null;
  updated_at: Date;
  version: number;
}

const ALL =
  'm.campaign_id, m.customer_id, m.state, m.held_out, m.later, m.place, m.due_at, m.entered_at, m.start_on, m.step_id, m.run_id, m.reason, m.detail, m.updated_at, m.version';

export type NewMember = Pick<
  MemberRow,
  'customer_id' | 'state' | 'held_out' | 'later' | 'place' | 'due_at' | 'start_on' | 'step_id' | 'reason' | 'detail'
>;

/** Puts people on the list of a campaign, each once. @returns those who are new on it */
export async function insertMembers(
  tx: Tx,
  campaignId: string,
  members: readonly NewMember[],
  now: Date,
): Promise<string[]> {
  const added: string[] = [];
  for (let from = 0; from < members.length; from += 5000) {
    const rows = await insertRows<{ customer_id: string }>(
      tx,
      'campaign_member',
      [
        { name: 'campaign_id', type: 'uuid' },
        { name: 'customer_id', type: 'uuid' },
        { name: 'state', type: 'text' },
        { name: 'held_out', type: 'boolean' },
        { name: 'later', type: 'boolean' },
        { name: 'place', type: 'int' },
        { name: 'due_at', type: 'timestamptz' },
        { name: 'start_on', type: 'date' },
        { name: 'step_id', type: 'text' },
        { name: 'reason', type: 'text' },
        { name: 'detail', type: 'text' },
        { name: 'updated_at', type: 'timestamptz' },
      ],
      members.slice(from, from + 5000).map((member) => ({ ...member, campaign_id: campaignId, updated_at: now })),
      'on conflict do nothing returning customer_id',
    );
    added.push(...rows.map((row) => row.customer_id));
  }
  return added;
}

/** How many members there are in each state. */
export async function countMembers(
  tx: Tx,
  campaignIds: readonly string[],
): Promise<Map<string, Record<string, number>>> {
  const { rows } = await tx.query<{ campaign_id: string; state: string; n: number }>(
    'select campaign_id, state, count(*)::int as n from campaign_member where tenant_id = $1 and campaign_id = any($2) group by 1, 2',
    [tx.tenantId, campaignIds],
  );
  const counts = new Map<string, Record<string, number>>();
  for (const row of rows) counts.set(row.campaign_id, { ...counts.get(row.campaign_id), [row.state]: row.n });
  return counts;
}

/** Those whose turn has come, locked; another worker's are passed over. */
export async function dueMembers(tx: Tx, campaignId: string, now: Date, limit: number): Promise<MemberRow[]> {
  const { rows } = await tx.query<MemberRow>(
    `select ${ALL} from campaign_member m where m.tenant_id = $1 and m.campaign_id = $2 and m.state = 'waiting' and m.due_at <= $3
     order by m.due_at, m.place limit $4 for update skip locked`,
    [tx.tenantId, campaignId, now, limit],
  );
  return rows;
}

/** The next turn of a campaign, and whether anybody waits at all. */
export async function nextTurn(tx: Tx, campaignId: string): Promise<Date | undefined> {
  return (
    one(
      await tx.query<{ at: Date | null }>(
        "select min(due_at) as at from campaign_member where tenant_id = $1 and campaign_id = $2 and state = 'waiting'",
        [tx.tenantId, campaignId],
      ),
    )?.at ?? undefined
  );
}

/** How many had their turn since a moment; of the day only those of the list at the start. */
export async function countTurns(
  tx: Tx,
  campaignId: string,
  since: { hour: Date; day: Date },
): Promise<{ hour: number; day: number }> {
  return one(
    await tx.query<{ hour: number; day: number }>(
      `select count(*) filter (where entered_at >= $3)::int as hour, count(*) filter (where entered_at >= $4 and not later)::int as day
       from campaign_member where tenant_id = $1 and campaign_id = $2 and entered_at >= least($3::timestamptz, $4::timestamptz)`,
      [tx.tenantId, campaignId, since.hour, since.day],
    ),
  )!;
}

/** Everybody who waits, in their order, with the zone they live in (null: the business's). */
export async function waitingMembers(
  tx: Tx,
  campaignId: string,
): Promise<{ customer_id: string; later: boolean; zone: string | null }[]> {
  const { rows } = await tx.query<{ customer_id: string; later: boolean; zone: string | null }>(
    `select m.customer_id, m.later, c.local_zone as zone from campaign_member m left join customer c on c.tenant_id = $1 and c.id = m.customer_id
     where m.tenant_id = $1 and m.campaign_id = $2 and m.state = 'waiting' order by m.later, m.place, m.customer_id`,
    [tx.tenantId, campaignId],
  );
  return rows;
}

/** Gives those who wait other turns. */
export async function setTurns(
  tx: Tx,
  campaignId: string,
  turns: readonly { customerId: string; at: Date | undefined }[],
  now: Date,
): Promise<void> {
  await tx.query(
    `update campaign_member m set due_at = i.at, updated_at = $5 from unnest($3::uuid[], $4::timestamptz[]) as i(id, at)
     where m.tenant_id = $1 and m.campaign_id = $2 and m.customer_id = i.id and m.state = 'waiting'`,
    [tx.tenantId, campaignId, turns.map((turn) => turn.customerId), turns.map((turn) => turn.at ?? null), now],
  );
}

/** What came of somebody's turn. */
export interface Turned {
  customerId: string;
  state: 'entered' | 'held_out' | 'refused';
  runId?: string | null;
  startOn?: LocalDate | null;
  step?: string | null;
  reason?: string | null;
  detail?: string | null;
}

/** Writes down what came of turns. */
export async function settleTurns(tx: Tx, campaignId: string, turned: readonly Turned[], now: Date): Promise<void> {
  if (turned.length === 0) return;
  await tx.query(
    `update campaign_member m set state = i.state, entered_at = $10, run_id = i.run_id, start_on = i.start_on, step_id = i.step, reason = i.reason, detail = i.detail,
       updated_at = $10, version = m.version + 1
     from unnest($3::uuid[], $4::text[], $5::uuid[], $6::date[], $7::text[], $8::text[], $9::text[]) as i(id, state, run_id, start_on, step, reason, detail)
     where m.tenant_id = $1 and m.campaign_id = $2 and m.customer_id = i.id and m.state = 'waiting'`,
    [
      tx.tenantId,
      campaignId,
      turned.map((one) => one.customerId),
      turned.map((one) => one.state),
      turned.map((one) => one.runId ?? null),
      turned.map((one) => one.startOn ?? null),
      turned.map((one) => one.step ?? null),
      turned.map((one) => one.reason ?? null),
      turned.map((one) => one.detail ?? null),
      now,
    ],
  );
}

/** Takes people who wait off the list, or all who wait. @returns how many */
export async function removeWaiting(
  tx: Tx,
  campaignId: string,
  how: { state: 'removed' | 'refused'; reason: string; detail: string; customerIds?: readonly string[]; now: Date },
): Promise<number> {
  const { rowCount } = await tx.query(
    `update campaign_member set state = $3, reason = $4, detail = $5, due_at = null, updated_at = $6, version = version + 1
     where tenant_id = $1 and campaign_id = $2 and state = 'waiting' and ($7::uuid[] is null or customer_id = any($7))`,
    [tx.tenantId, campaignId, how.state, how.reason, how.detail, how.now, how.customerIds ?? null],
  );
  return rowCount;
}

/** A member as shown: with the name, and how the enrolment stands. */
export interface ShownMember extends MemberRow {
  name: string | null;
  run_state: string | null;
  run_end: string | null;
}

const SHOWN = `${ALL}, coalesce(c.name, c.email, c.phone) as name, r.state as run_state, r.end_reason as run_end`;
const FROM = `campaign_member m left join customer c on c.tenant_id = $1 and c.id = m.customer_id left join run r on r.tenant_id = $1 and r.id = m.run_id
   where m.tenant_id = $1 and m.campaign_id = $2`;

export async function listMembers(
  tx: Tx,
  campaignId: string,
  filter: { state?: string; after?: string; limit: number },
): Promise<ShownMember[]> {
  const { rows } = await tx.query<ShownMember>(
    `select ${SHOWN} from ${FROM} and ($3::text is null or m.state = $3) and ($4::uuid is null or m.customer_id > $4) order by m.customer_id limit $5`,
    [tx.tenantId, campaignId, filter.state ?? null, filter.after ?? null, filter.limit],
  );
  return rows;
}

export async function findMember(tx: Tx, campaignId: string, customerId: string): Promise<ShownMember | undefined> {
  return one(
    await tx.query<ShownMember>(`select ${SHOWN} from ${FROM} and m.customer_id = $3`, [
      tx.tenantId,
      campaignId,
      customerId,
    ]),
  );
}

/** Takes one member off when the version is the expected one, whether they wait or entered. */
export async function removeMember(
  tx: Tx,
  member: Pick<MemberRow, 'campaign_id' | 'customer_id'>,
  change: { detail: string; expected: number; now: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update campaign_member set state = 'removed', reason = 'removed', detail = $4, due_at = null, updated_at = $5, version = version + 1
     where tenant_id = $1 and campaign_id = $2 and customer_id = $3 and version = $6 and state <> 'removed'`,
    [tx.tenantId, member.campaign_id, member.customer_id, change.detail, change.now, change.expected],
  );
  return rowCount === 1;
}

/** The highest place on the list. */
export async function lastPlace(tx: Tx, campaignId: string): Promise<number> {
  return one(
    await tx.query<{ place: number }>(
      'select coalesce(max(place), 0) as place from campaign_member where tenant_id = $1 and campaign_id = $2',
      [tx.tenantId, campaignId],
    ),
  )!.place;
}
