import type { Tx } from '../base/database.ts';
import { addDays, type LocalDate, localDate } from '../base/time.ts';
import { matching } from '../conditions/store.ts';
import type { Condition } from '../conditions/types.ts';
import type { AddressHash } from '../consent/optout.ts';
import type { Definition } from '../sequences/schema.ts';
import { tenantZone } from '../settings/store.ts';
import { entranceFor } from './entrance.ts';
import { isHeldOut } from './holdout.ts';
import { unreachable } from './reach.ts';
import type { AsIfDate, Entry, Refusal } from './schema.ts';
import type { CampaignRow } from './store.ts';

/** Somebody of the audience: where they would enter, or why not. */
export interface Judged {
  customerId: string;
  name: string | null;
  /** IANA zone they live in. */
  zone: string;
  refusal: Refusal | null;
  heldOut: boolean;
  step: string | null;
  startOn: LocalDate | null;
}

/** A campaign, as far as who enters hangs on it. */
export type Aimed = Pick<CampaignRow, 'id' | 'sequence_id' | 'entry' | 'holdout_percent'>;

const CHUNK = 1000;
/** More than this at once is no campaign but a mistake. */
export const MOST_PEOPLE = 1_000_000;

const DATES: Record<AsIfDate, string> = {
  last_job: `(select max(j.completed_on) from job j where j.tenant_id = $1 and j.customer_id = c.id and j.status = 'completed' and j.deleted_at is null)`,
  first_job: `(select min(j.completed_on) from job j where j.tenant_id = $1 and j.customer_id = c.id and j.status = 'completed' and j.deleted_at is null)`,
  last_payment: `(select max(p.paid_on) from payment p where p.tenant_id = $1 and p.customer_id = c.id and p.status = 'succeeded' and coalesce(p.kind, 'payment') = 'payment' and p.deleted_at is null)`,
  last_activity: `(select max(d.last_on) from customer_date d where d.tenant_id = $1 and d.customer_id = c.id and d.what = 'active')`,
  customer_since: `(coalesce(c.source_created_at, c.created_at) at time zone $3)::date`,
};

interface Known {
  id: string;
  name: string | null;
  zone: string | null;
  gone: boolean;
  date: LocalDate | null;
}

async function readCustomers(tx: Tx, ids: readonly string[], entry: Entry, zone: string): Promise<Map<string, Known>> {
  const date = entry.mode === 'as_if' ? DATES[entry.date] : 'null::date';
  const { rows } = await tx.query<Known>(
    `select c.id, coalesce(c.name, c.email, c.phone) as name, c.local_zone as zone, c.deleted_at is not null as gone, ${date} as date
     from customer c where c.tenant_id = $1 and c.id = any($2) and $3::text is not null`,
    [tx.tenantId, ids, zone],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

interface Earlier {
  customer_id: string;
  business_key: string;
  running: boolean;
  ended_at: Date | null;
  zone: string;
}

/** What the sequence says of somebody who was, or is, in it. The enrolment decides for good when it begins. */
function againRefusal(
  definition: Pick<Definition, 'again'>,
  key: string,
  earlier: readonly Earlier[],
  now: Date,
): 'in_it' | 'reentry' | undefined {
  const { policy, days = 0 } = definition.again;
  const same = earlier.filter((run) => run.business_key === key);
  if (same.some((run) => run.running)) return policy === 'restart' ? undefined : 'in_it';
  if (policy === 'always' || policy === 'restart') return undefined;
  if (policy === 'once') return earlier.length > 0 ? 'reentry' : undefined;
  if (policy === 'once_per_key') return same.length > 0 ? 'reentry' : undefined;
  const soon = same.some(
    (run) => run.ended_at && localDate(now, run.zone) < addDays(localDate(run.ended_at, run.zone), days),
  );
  return soon ? 'reentry' : undefined;
}

/**
 * Looks at people of an audience: who would enter, where they would begin, and why the others would not.
 * @param definition of the version that is switched on
 * @returns one for each id, in the order of the ids given
 */
export async function judgeEntrants(
  deps: { hash: AddressHash },
  tx: Tx,
  campaign: Aimed,
  definition: Definition,
  customerIds: readonly string[],
  now: Date,
): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (let from = 0; from < customerIds.length; from += CHUNK)
    judged.push(...(await judgeSome(deps, tx, campaign, definition, customerIds.slice(from, from + CHUNK), now)));
  return judged;
}

async function judgeSome(
  deps: { hash: AddressHash },
  tx: Tx,
  campaign: Aimed,
  definition: Definition,
  ids: readonly string[],
  now: Date,
): Promise<Judged[]> {
  const business = await tenantZone(tx);
  const known = await readCustomers(tx, ids, campaign.entry, business);
  const { rows } = await tx.query<Earlier>(
    `select customer_id, business_key, state in ('active', 'waiting', 'paused') as running, ended_at, zone from run
     where tenant_id = $1 and sequence_id = $2 and customer_id = any($3) and not shadow`,
    [tx.tenantId, campaign.sequence_id, ids],
  );
  const earlier = Map.groupBy(rows, (row) => row.customer_id);
  const key = definition.per === 'customer' ? 'customer' : `campaign:${campaign.id}`;
  const meant =
    definition.audience === undefined
      ? undefined
      : new Set(await matching(tx, definition.audience as Condition, { now, customerIds: ids, limit: ids.length }));
  const closed = await unreachable(deps, tx, definition, ids, now);
  return ids.map((id) => {
    const person = known.get(id);
    const zone = person?.zone ?? business;
    const entering = entranceFor(definition, campaign.entry, person?.date ?? null, localDate(now, zone));
    const refusal: Refusal | null =
      !person || person.gone
        ? 'gone'
        : (againRefusal(definition, key, earlier.get(id) ?? [], now) ??
          (meant && !meant.has(id) ? 'audience' : undefined) ??
          closed.get(id) ??
          (entering.ok ? null : entering.reason));
    return {
      customerId: id,
      name: person?.name ?? null,
      zone,
      refusal,
      heldOut: isHeldOut(campaign.id, id, Number(campaign.holdout_percent)),
      step: entering.ok ? entering.step : null,
      startOn: entering.ok ? entering.startOn : null,
    };
  });
}
