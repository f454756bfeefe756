import { one, type Tx } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Audience, CampaignState, Entry } from './schema.ts';

export interface CampaignRow {
  id: string;
  key: string;
  title: string;
  sequence_id: string;
  audience: Audience;
  entry: Entry;
  open: boolean;
  /** null: as the settings say. */
  per_hour: number | null;
  percent_per_day: string | null;
  holdout_percent: string;
  starts_at: Date | null;
  ends_at: Date | null;
  state: CampaignState;
  reason: string | null;
  per_day: number | null;
  started_at: Date | null;
  started_by: string | null;
  joined_until: Date | null;
  created_at: Date;
  created_by: string;
  updated_at: Date;
  version: number;
}

const ALL =
  'id, key, title, sequence_id, audience, entry, open, per_hour, percent_per_day, holdout_percent, starts_at, ends_at, state, reason, per_day, started_at, started_by, joined_until, created_at, created_by, updated_at, version';

/** What somebody decides about a campaign. */
export interface CampaignDraft {
  title: string;
  sequenceId: string;
  audience: Audience;
  entry: Entry;
  open: boolean;
  perHour: number | null;
  percentPerDay: number | null;
  holdoutPercent: number;
  startsAt: Date | null;
  endsAt: Date | null;
}

const draftValues = (draft: CampaignDraft): unknown[] => [
  draft.title,
  draft.sequenceId,
  JSON.stringify(draft.audience),
  JSON.stringify(draft.entry),
  draft.open,
  draft.perHour,
  draft.percentPerDay,
  draft.holdoutPercent,
  draft.startsAt,
  draft.endsAt,
];

/** @returns the campaign, or undefined when another one has the key */
export async function insertCampaign(
  tx: Tx,
  key: string,
  draft: CampaignDraft,
  by: string,
  now: Date,
): Promise<CampaignRow | undefined> {
  return one(
    await tx.query<CampaignRow>(
      `insert into campaign (tenant_id, id, key, title, sequence_id, audience, entry, open, per_hour, percent_per_day, holdout_percent, starts_at, ends_at,
         state, created_at, created_by, updated_at)
       values ($1, $2, $3, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'draft', $4, $5, $4) on conflict do nothing returning ${ALL}`,
      [tx.tenantId, newId(), key, now, by, ...draftValues(draft)],
    ),
  );
}

/** Changes a draft when its version is the expected one. */
export async function updateCampaign(
  tx: Tx,
  id: string,
  draft: CampaignDraft,
  meta: { expected: number; now: Date },
): Promise<CampaignRow | undefined> {
  return one(
    await tx.query<CampaignRow>(
      `update campaign set title = $5, sequence_id = $6, audience = $7, entry = $8, open = $9, per_hour = $10, percent_per_day = $11, holdout_percent = $12,
         starts_at = $13, ends_at = $14, updated_at = $4, version = version + 1 where tenant_id = $1 and id = $2 and version = $3 returning ${ALL}`,
      [tx.tenantId, id, meta.expected, meta.now, ...draftValues(draft)],
    ),
  );
}

export async function findCampaign(tx: Tx, idOrKey: string): Promise<CampaignRow | undefined> {
  return one(
    await tx.query<CampaignRow>(`select ${ALL} from campaign where tenant_id = $1 and (id::text = $2 or key = $2)`, [
      tx.tenantId,
      idOrKey,
    ]),
  );
}

/**
 * A campaign with its row lock: whoever holds it lets people in, or changes how.
 * @throws Problem 404 when there is none
 */
export async function lockCampaign(tx: Tx, id: string): Promise<CampaignRow> {
  const { rows } = await tx.query<CampaignRow>(
    `select ${ALL} from campaign where tenant_id = $1 and id = $2 for update`,
    [tx.tenantId, id],
  );
  if (!rows[0]) throw notFound('campaign', id);
  return rows[0];
}

/** The same, unless another worker has it. */
export async function claimCampaign(tx: Tx, id: string): Promise<CampaignRow | undefined> {
  return one(
    await tx.query<CampaignRow>(
      `select ${ALL} from campaign where tenant_id = $1 and id = $2 and state = 'running' for update skip locked`,
      [tx.tenantId, id],
    ),
  );
}

export async function listCampaigns(
  tx: Tx,
  filter: { before?: string; state?: string; limit: number },
): Promise<CampaignRow[]> {
  const { rows } = await tx.query<CampaignRow>(
    `select ${ALL} from campaign where tenant_id = $1 and ($2::uuid is null or id < $2) and ($3::text is null or state = $3) order by id desc limit $4`,
    [tx.tenantId, filter.before ?? null, filter.state ?? null, filter.limit],
  );
  return rows;
}

/** Ids of campaigns that run. */
export async function runningCampaigns(tx: Tx): Promise<{ id: string; starts_at: Date | null }[]> {
  const { rows } = await tx.query<{ id: string; starts_at: Date | null }>(
    "select id, starts_at from campaign where tenant_id = $1 and state = 'running' order by id",
    [tx.tenantId],
  );
  return rows;
}

/** Writes in what state a campaign is, and why. */
export async function setCampaignState(
  tx: Tx,
  id: string,
  state: CampaignState,
  reason: string | null,
  now: Date,
): Promise<CampaignRow> {
  return one(
    await tx.query<CampaignRow>(
      `update campaign set state = $3, reason = $4, updated_at = $5, version = version + 1 where tenant_id = $1 and id = $2 returning ${ALL}`,
      [tx.tenantId, id, state, reason, now],
    ),
  )!;
}

/** Notes that a campaign began, and how many of its list a day. */
export async function noteStarted(
  tx: Tx,
  id: string,
  start: { perDay: number; by: string; now: Date },
): Promise<CampaignRow> {
  return one(
    await tx.query<CampaignRow>(
      `update campaign set state = 'running', reason = null, per_day = $3, started_at = $4, started_by = $5, joined_until = $4, updated_at = $4, version = version + 1
       where tenant_id = $1 and id = $2 returning ${ALL}`,
      [tx.tenantId, id, start.perDay, start.now, start.by],
    ),
  )!;
}

/** Notes why nobody is let in at the moment, or that nothing is in the way (null). */
export async function noteWaits(tx: Tx, id: string, reason: string | null, now: Date): Promise<void> {
  await tx.query(
    'update campaign set reason = $3, updated_at = $4, version = version + 1 where tenant_id = $1 and id = $2 and reason is distinct from $3',
    [tx.tenantId, id, reason, now],
  );
}

/** Notes until when the segment was looked at for people who came later. */
export async function noteJoined(tx: Tx, id: string, until: Date): Promise<void> {
  await tx.query('update campaign set joined_until = $3 where tenant_id = $1 and id = $2', [tx.tenantId, id, until]);
}

/** Removes a campaign and its list; what its enrolments did stays with them. */
export async function deleteCampaign(tx: Tx, id: string): Promise<boolean> {
  await tx.query('delete from campaign_member where tenant_id = $1 and campaign_id = $2', [tx.tenantId, id]);
  return (await tx.query('delete from campaign where tenant_id = $1 and id = $2', [tx.tenantId, id])).rowCount === 1;
}

/** How many customers there are. */
export async function countCustomers(tx: Tx): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    'select count(*)::int as n from customer where tenant_id = $1 and deleted_at is null',
    [tx.tenantId],
  );
  return rows[0]!.n;
}
