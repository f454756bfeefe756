import { one, type Tx } from '../base/database.ts';
import type { Parted } from '../model/types.ts';

/** What a person asked for beside consent. */
export interface Preference {
  customer_id: string;
  /** No marketing before this moment; then again by itself. */
  paused_until: Date | null;
  /** At most so many marketing messages in so many days; null: what the business's caps say. */
  at_most_messages: number | null;
  at_most_days: number | null;
  source: string;
  evidence: Record<string, unknown>;
  updated_at: Date;
}

const COLUMNS = 'customer_id, paused_until, at_most_messages, at_most_days, source, evidence, updated_at';

/** What these people asked for; most asked for nothing and are not in the answer. */
export async function preferencesOf(tx: Tx, customerIds: readonly string[]): Promise<Preference[]> {
  if (customerIds.length === 0) return [];
  const { rows } = await tx.query<Preference>(
    `select ${COLUMNS} from contact_preference where tenant_id = $1 and customer_id = any($2)`,
    [tx.tenantId, customerIds],
  );
  return rows;
}

/** Notes what a person asked for, in place of what they asked for before. */
export async function savePreference(tx: Tx, wanted: Preference): Promise<Preference> {
  return one(
    await tx.query<Preference>(
      `insert into contact_preference (tenant_id, ${COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8)
       on conflict (tenant_id, customer_id) do update set paused_until = excluded.paused_until, at_most_messages = excluded.at_most_messages,
         at_most_days = excluded.at_most_days, source = excluded.source, evidence = excluded.evidence, updated_at = excluded.updated_at
       returning ${COLUMNS}`,
      [
        tx.tenantId,
        wanted.customer_id,
        wanted.paused_until,
        wanted.at_most_messages,
        wanted.at_most_days,
        wanted.source,
        wanted.evidence,
        wanted.updated_at,
      ],
    ),
  )!;
}

/** Fewer messages in a day: the smaller number, then the longer time. */
const stricter = (a: Preference, b: Preference): Pick<Preference, 'at_most_messages' | 'at_most_days'> => {
  const rate = (one: Preference): number =>
    one.at_most_messages === null ? Number.POSITIVE_INFINITY : one.at_most_messages / one.at_most_days!;
  const { at_most_messages, at_most_days } = rate(a) <= rate(b) ? a : b;
  return { at_most_messages, at_most_days };
};

/** Two customers are one: the longer pause and the stricter wish of either hold. */
export async function mergePreferences(tx: Tx, survivor: string, absorbed: string, now: Date): Promise<void> {
  const rows = await preferencesOf(tx, [survivor, absorbed]);
  const gone = rows.find((row) => row.customer_id === absorbed);
  if (!gone) return;
  const kept = rows.find((row) => row.customer_id === survivor);
  const pauses = rows.map((row) => row.paused_until?.getTime() ?? 0);
  const latest = Math.max(...pauses);
  await savePreference(tx, {
    ...gone,
    ...(kept ? stricter(kept, gone) : {}),
    customer_id: survivor,
    paused_until: latest > 0 ? new Date(latest) : null,
    source: 'merge',
    updated_at: now,
  });
  await tx.query('delete from contact_preference where tenant_id = $1 and customer_id = $2', [tx.tenantId, absorbed]);
}

/** One customer became two: nobody can tell who asked, so what was asked for holds for both. */
export async function partPreferences(tx: Tx, parted: Parted, now: Date): Promise<void> {
  const [row] = await preferencesOf(tx, [parted.from]);
  if (row) await savePreference(tx, { ...row, customer_id: parted.revived, source: 'unmerge', updated_at: now });
}
