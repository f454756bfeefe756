import { appendEvents } from '../audit/store.ts';
import { one, type Tx } from '../base/database.ts';
import { invalid } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { addDays, addWorkingDays, type LocalDate, localDate } from '../base/time.ts';
import { setting, tenantZone } from '../settings/store.ts';

/** A promise to pay or a dispute. */
export interface HoldRow {
  id: string;
  customer_id: string;
  kind: 'promise' | 'dispute';
  amount: string | null;
  promised_on: LocalDate | null;
  /** Last day of the pause. */
  until_on: LocalDate;
  owner: string;
  note: string | null;
  created_by: string;
  created_at: Date;
  closed_at: Date | null;
  closed_by: string | null;
  outcome: string | null;
  version: number;
}

const ALL =
  'id, customer_id, kind, amount, promised_on, until_on, owner, note, created_by, created_at, closed_at, closed_by, outcome, version';

export interface NewHold {
  customerId: string;
  kind: 'promise' | 'dispute';
  promisedOn?: LocalDate | undefined;
  amount?: string | undefined;
  owner: string;
  note?: string | undefined;
  by: string;
}

/**
 * Records a promise (pauses to the promised date and one working day more) or a dispute (pauses until it is closed);
 * both have a longest duration from the settings.
 * @throws Problem when the date lies in the past or too far ahead
 */
export async function openHold(tx: Tx, hold: NewHold, now: Date): Promise<HoldRow> {
  const limits = await setting(tx, 'receivables');
  const today = localDate(now, await tenantZone(tx));
  let until = addDays(today, limits.maxDisputeDays);
  if (hold.kind === 'promise') {
    if (!hold.promisedOn)
      throw invalid('A promise needs the day on which the customer said they would pay.', [
        { path: 'promisedOn', message: 'is missing' },
      ]);
    if (hold.promisedOn < today)
      throw invalid(`The promised day ${hold.promisedOn} is in the past.`, [
        { path: 'promisedOn', message: `must be ${today} or later` },
      ]);
    const latest = addDays(today, limits.maxPromiseDays);
    if (hold.promisedOn > latest)
      throw invalid(`A promise may pause at most ${limits.maxPromiseDays} days.`, [
        { path: 'promisedOn', message: `must be ${latest} or earlier` },
      ]);
    until = addWorkingDays(hold.promisedOn, 1);
  }
  const row = one(
    await tx.query<HoldRow>(
      `insert into receivable_hold (tenant_id, id, customer_id, kind, amount, promised_on, until_on, owner, note, created_by, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning ${ALL}`,
      [
        tx.tenantId,
        newId(),
        hold.customerId,
        hold.kind,
        hold.amount ?? null,
        hold.promisedOn ?? null,
        until,
        hold.owner,
        hold.note ?? null,
        hold.by,
        now,
      ],
    ),
  )!;
  const data = {
    until,
    owner: hold.owner,
    ...(hold.promisedOn ? { promisedOn: hold.promisedOn } : {}),
    ...(hold.note ? { note: hold.note } : {}),
  };
  await appendEvents(tx, [
    {
      actor: hold.by,
      action: `${hold.kind}.recorded`,
      subject: { kind: hold.kind, id: row.id },
      customerId: hold.customerId,
      data,
      at: now,
    },
  ]);
  return row;
}

export async function closeHold(
  tx: Tx,
  id: string,
  change: { outcome: string; by: string; expected: number; now: Date },
): Promise<HoldRow | undefined> {
  const row = one(
    await tx.query<HoldRow>(
      `update receivable_hold set closed_at = $3, closed_by = $4, outcome = $5, version = version + 1 where tenant_id = $1 and id = $2 and closed_at is null and version = $6 returning ${ALL}`,
      [tx.tenantId, id, change.now, change.by, change.outcome, change.expected],
    ),
  );
  if (row) {
    await appendEvents(tx, [
      {
        actor: change.by,
        action: `${row.kind}.closed`,
        subject: { kind: row.kind, id },
        customerId: row.customer_id,
        data: { outcome: change.outcome },
        at: change.now,
      },
    ]);
  }
  return row;
}

export async function findHold(tx: Tx, id: string): Promise<HoldRow | undefined> {
  return one(
    await tx.query<HoldRow>(`select ${ALL} from receivable_hold where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

/** Holds that pause something on `today`. */
export async function openHolds(tx: Tx, customerIds: readonly string[], today: LocalDate): Promise<HoldRow[]> {
  const { rows } = await tx.query<HoldRow>(
    `select ${ALL} from receivable_hold where tenant_id = $1 and customer_id = any($2) and closed_at is null and until_on >= $3`,
    [tx.tenantId, customerIds, today],
  );
  return rows;
}

export async function listHolds(
  tx: Tx,
  filter: { customerId?: string; openOnly: boolean; before?: string; limit: number },
): Promise<HoldRow[]> {
  const { rows } = await tx.query<HoldRow>(
    `select ${ALL} from receivable_hold where tenant_id = $1 and ($2::uuid is null or customer_id = $2) and (closed_at is null or not $3) and ($4::uuid is null or id < $4) order by id desc limit $5`,
    [tx.tenantId, filter.customerId ?? null, filter.openOnly, filter.before ?? null, filter.limit],
  );
  return rows;
}
