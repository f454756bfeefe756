import type { Tx } from '../base/database.ts';
import { addDays, type LocalDate, localDate } from '../base/time.ts';
import { type PersonPlace, zoneOf } from '../model/zones.ts';
import { tenantZone } from '../settings/store.ts';
import { thoseWho } from './conditions.ts';
import { endRuns } from './endings.ts';
import type { Journey, Work } from './moments.ts';
import { insertRuns, RUNNING, type RunRow, runsOfSequence } from './runs.ts';
import type { Definition } from './schema.ts';
import type { SequenceRow } from './store.ts';

/** Somebody who is to enter a sequence, and why. */
export interface Entry {
  customerId: string;
  /** What makes it an enrolment of its own. */
  key: string;
  cause: Record<string, unknown>;
  depth: number;
  /** Why, in a word or two, for the audit. */
  because?: string | undefined;
  /** Day 0, when it is not the customer's today. */
  startOn?: LocalDate;
  /** Where it begins, when not at the first step. */
  stepId?: string;
  campaignId?: string;
}

/** What came of an entry; a journey that has begun is to be moved on. */
export interface Entered {
  outcome: string;
  runId: string | null;
  begun?: Journey;
}

/** The business key of an enrolment, by what the definition says makes a separate one. */
export const keyOf = (
  { per }: Pick<Definition, 'per'>,
  cause: { trigger_name: string; subject_kind: string; subject_id: string; business_key: string } | undefined,
): string => {
  if (per === 'customer' || !cause) return 'customer';
  return per === 'subject'
    ? `${cause.subject_kind}:${cause.subject_id}`
    : `occurrence:${cause.trigger_name}:${cause.business_key}`;
};

/**
 * Lets customers into a sequence as far as its audience and its rule for coming again let them; refusals say why. The
 * unique indexes decide where two do it at once. What has begun stands at its first step and is moved on by the caller.
 */
export async function enterAll(
  work: Work,
  sequence: Pick<SequenceRow, 'id' | 'key' | 'active_version' | 'mode'>,
  definition: Definition,
  entries: readonly Entry[],
): Promise<Entered[]> {
  const { tx, now } = work;
  const customers = [...new Set(entries.map(({ customerId }) => customerId))];
  const present = await runsOfSequence(tx, sequence.id, customers);
  const zones = await zonesOfCustomers(tx, customers);
  const audience =
    definition.audience === undefined ? undefined : await thoseWho(tx, definition.audience, customers, now);
  // What was played in shadow keeps nobody from the real thing.
  const counted = (runs: readonly RunRow[]): RunRow[] =>
    runs.filter((run) => sequence.mode === 'shadow' || !run.shadow);
  const entered: Entered[] = [];
  for (const entry of entries) {
    const { customerId, key } = entry;
    const own = present.filter((run) => run.customer_id === customerId);
    const same = own.filter((run) => run.business_key === key);
    const running = same.find((run) => RUNNING.includes(run.state));
    // What only looks as if makes room for the real thing.
    const again = definition.again.policy === 'restart' || (running?.shadow && sequence.mode !== 'shadow');
    if (running && !again) {
      entered.push({ outcome: 'joined: the customer is in it already', runId: running.id });
      continue;
    }
    const refusal =
      audience && !audience.has(customerId)
        ? 'the customer is not in its audience'
        : refusalOf(definition, counted(definition.again.policy === 'once' ? own : same), now);
    if (refusal) {
      entered.push({ outcome: `refused: ${refusal}`, runId: null });
      continue;
    }
    if (running) await endRuns(work.ports, tx, [running], 'restarted', now);
    const run = await begin(work, sequence, definition, entry, {
      ordinal: (same[0]?.ordinal ?? 0) + 1,
      zone: zones.get(customerId)!,
    });
    if (run) present.unshift(run);
    entered.push(
      run
        ? { outcome: 'started', runId: run.id, begun: { run, definition } }
        : // Another worker was faster: the unique index let one of us in.
          { outcome: 'joined: it was started at the same moment', runId: null },
    );
  }
  return entered;
}

async function begin(
  work: Work,
  sequence: Pick<SequenceRow, 'id' | 'key' | 'active_version' | 'mode'>,
  definition: Definition,
  entry: Entry,
  { ordinal, zone }: { ordinal: number; zone: string },
): Promise<RunRow | undefined> {
  const { tx, now } = work;
  const [run] = await insertRuns(
    tx,
    [
      {
        sequence_id: sequence.id,
        version: sequence.active_version!,
        customer_id: entry.customerId,
        business_key: entry.key,
        ordinal,
        step_id: entry.stepId ?? definition.steps[0]!.id,
        start_on: entry.startOn ?? localDate(now, zone),
        zone,
        cause: entry.cause,
        depth: entry.depth,
        shadow: sequence.mode === 'shadow',
        ...(entry.campaignId ? { campaign_id: entry.campaignId } : {}),
      },
    ],
    now,
  );
  if (!run) return undefined;
  work.tell({
    actor: 'system',
    action: 'enrolment.started',
    subject: { kind: 'enrolment', id: run.id },
    customerId: run.customer_id,
    data: {
      sequence: sequence.key,
      version: run.version,
      trigger: entry.cause.trigger ?? null,
      because: entry.because ?? null,
    },
    at: now,
  });
  return run;
}

/** The same sequence anew for the same cause: this local day is day 0 of the next round. */
export async function beginAgain(work: Work, { run, definition }: Journey, key: string): Promise<Journey | undefined> {
  const again = await begin(
    work,
    { id: run.sequence_id, key, active_version: run.version, mode: run.shadow ? 'shadow' : 'live' },
    definition,
    {
      customerId: run.customer_id,
      key: run.business_key,
      cause: run.cause,
      depth: run.depth,
      because: 'a new round',
      ...(run.campaign_id ? { campaignId: run.campaign_id } : {}),
    },
    { ordinal: run.ordinal + 1, zone: run.zone },
  );
  return again && { run: again, definition };
}

/** Why the definition does not let someone in again, or undefined. */
export function refusalOf(definition: Definition, earlier: readonly RunRow[], now: Date): string | undefined {
  const last = earlier[0];
  const { policy, days = 0 } = definition.again;
  if (!last || policy === 'always' || policy === 'restart') return undefined;
  if (policy === 'once') return 'once only';
  if (policy === 'once_per_key') return 'once only for the same thing';
  const free = addDays(localDate(last.ended_at ?? now, last.zone), days);
  return localDate(now, last.zone) < free ? `again from ${free} on (${days} days after the last time)` : undefined;
}

/** The zones customers' dates are counted in. */
export async function zonesOfCustomers(tx: Tx, customerIds: readonly string[]): Promise<Map<string, string>> {
  const business = await tenantZone(tx);
  const { rows } = await tx.query<PersonPlace & { id: string }>(
    `select c.id, c.time_zone, c.country, c.region, c.phone, o.time_zone as company_time_zone, o.country as company_country, o.region as company_region
     from customer c left join company o on o.tenant_id = c.tenant_id and o.id = c.company_id where c.tenant_id = $1 and c.id = any($2)`,
    [tx.tenantId, customerIds],
  );
  const found = new Map(rows.map((row) => [row.id, zoneOf(row, business)]));
  return new Map(customerIds.map((id) => [id, found.get(id) ?? business]));
}
