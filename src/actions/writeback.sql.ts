import { insertRows, type Tx } from '../base/database.ts';
import type { SettingValue } from '../settings/schema.ts';

/** A platform that is told of scores. */
export type ScoreTarget = SettingValue<'scoreWriteBack'>['to'][number];
/** Native fields and tags that stand for something of a score. */
export type Names = { fields: NonNullable<ScoreTarget['fields']>; tags: NonNullable<ScoreTarget['tags']> };

/** What can be told of a customer. */
export interface Told {
  score: number | null;
  band: string | null;
  vip: boolean;
  unhappy: boolean;
}

/** A record at a platform that says something else than it should. */
export interface OutdatedRecord extends Told {
  stream_id: string;
  remote_id: string;
  customer_id: string;
  /** What it was last told, and where; null when it never was. */
  old: (Told & { names: Names }) | null;
  /** It was told in other fields or tags. */
  renamed: boolean;
  /** How often it was told. */
  revision: number;
}

/** A score that moved by less, in points, is not worth a call. */
export const LEAST_MOVE = 0.5;
/** What is lost in binary when decimals are subtracted. */
const BINARY = 1e-9;

/** Whether a score moved so far that it is told again. */
export const movedFar = (before: number | null, after: number | null): boolean =>
  before === null || after === null ? before !== after : Math.abs(before - after) >= LEAST_MOVE - BINARY;

/**
 * Records of contacts that were told something else than what is known now, longest untold first. Who has no score was
 * either told of one before, or is not told of any.
 * @param customerIds of these customers only
 */
export async function outdatedRecords(
  tx: Tx,
  streamIds: readonly string[],
  names: Names,
  customerIds: readonly string[] | undefined,
  limit: number,
): Promise<OutdatedRecord[]> {
  const { fields, tags } = names;
  const { rows } = await tx.query<OutdatedRecord>(
    `select p.stream_id, p.remote_id, p.entity_id as customer_id, s.score, s.band, s.vip, s.unhappy, coalesce(w.revision, 0) as revision,
       coalesce(w.names <> $4::jsonb, false) as renamed,
       case when w.remote_id is not null then jsonb_build_object('score', w.score, 'band', w.band, 'vip', w.vip, 'unhappy', w.unhappy, 'names', w.names) end as old
     from contact_projection p
     join customer_score s on s.tenant_id = $1 and s.customer_id = p.entity_id
     left join score_written w on w.tenant_id = $1 and w.stream_id = p.stream_id and w.remote_id = p.remote_id
     where p.tenant_id = $1 and p.stream_id = any($2::uuid[]) and p.deleted_at is null and ($3::uuid[] is null or p.entity_id = any($3::uuid[]))
       and case when w.remote_id is null then s.score is not null else w.names <> $4::jsonb
         or ($5::boolean and ((w.score is null) <> (s.score is null) or abs(w.score - s.score) >= $9::float8))
         or ($6::boolean and w.band is distinct from s.band) or ($7::boolean and w.vip <> s.vip) or ($8::boolean and w.unhappy <> s.unhappy) end
     order by w.written_at nulls first, p.stream_id, p.remote_id limit $10`,
    [
      tx.tenantId,
      streamIds,
      customerIds ?? null,
      names,
      fields.score !== undefined,
      fields.band !== undefined || [tags.atRisk, tags.steady, tags.strong].some((tag) => tag !== undefined),
      fields.vip !== undefined || tags.vip !== undefined,
      fields.unhappy !== undefined || tags.unhappy !== undefined,
      LEAST_MOVE - BINARY,
      limit,
    ],
  );
  return rows;
}

const COLUMNS = [
  { name: 'stream_id', type: 'uuid' },
  { name: 'remote_id', type: 'text' },
  { name: 'names', type: 'jsonb' },
  { name: 'score', type: 'float8' },
  { name: 'band', type: 'text' },
  { name: 'vip', type: 'boolean' },
  { name: 'unhappy', type: 'boolean' },
  { name: 'revision', type: 'int' },
  { name: 'written_at', type: 'timestamptz' },
];

/** Keeps what records are told now. */
export async function keepTold(
  tx: Tx,
  told: readonly (Told & { stream_id: string; remote_id: string; names: Names; revision: number })[],
  now: Date,
): Promise<void> {
  const rows = told.map((one) => ({ ...one, written_at: now }));
  await insertRows(
    tx,
    'score_written',
    COLUMNS,
    rows,
    `on conflict (tenant_id, stream_id, remote_id) do update set names = excluded.names, score = excluded.score, band = excluded.band,
       vip = excluded.vip, unhappy = excluded.unhappy, revision = excluded.revision, written_at = excluded.written_at`,
  );
}

/**
 * What was planned before and has not left must not arrive after what is planned now.
 * @param keys beginnings of their keys, by customer
 */
export async function supersede(
  tx: Tx,
  keys: readonly { customerId: string; key: string }[],
  now: Date,
): Promise<number> {
  const { rowCount } = await tx.query(
    `update action_request r set state = 'skipped', reason = 'superseded', reason_detail = 'It changed again before it was written.', held = false,
       ended_at = $4, updated_at = $4, version = version + 1
     from unnest($2::uuid[], $3::text[]) as i(customer_id, key)
     where r.tenant_id = $1 and r.customer_id = i.customer_id and r.state in ('planned', 'committed') and starts_with(r.idempotency_key, i.key)`,
    [tx.tenantId, keys.map(({ customerId }) => customerId), keys.map(({ key }) => key), now],
  );
  return rowCount;
}
