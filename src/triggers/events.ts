import type { TObject } from 'typebox';
import type { Tx } from '../base/database.ts';
import { instantOf, type LocalDate } from '../base/time.ts';
import { isJoined } from '../kit/index.ts';
import type { Change, ChangeKind } from '../model/types.ts';
import { type Candidate, type DetectEnv, defineTrigger, type TriggerDefinition } from './schema.ts';

const CHANGE =
  'c.id, c.kind, c.entity_id, c.customer_id, c.op, c.fields, c.before, c.after, c.origin, c.depth, c.occurred_at, c.received_at';
const DAY = 86_400_000;
/** Facts that waited longer for their customer are too old for any trigger. */
const WAITED_DAYS = 7;
const PAGE = 2000;

type Between<Settings extends TObject> = NonNullable<TriggerDefinition<Settings>['between']>;

/** A trigger found in changes. What it would have found is found in the same changes as they were kept. */
type EventTrigger<Settings extends TObject> = Omit<TriggerDefinition<Settings>, 'between' | 'maxAgeHours'> & {
  maxAgeHours?: number;
  /** Kinds of changes it looks at. */
  kinds: readonly ChangeKind[];
  /** What can be told from dates the records carry, first loads included. */
  dated?: Between<Settings>;
  /** False where `dated` tells everything the changes do. */
  kept?: boolean;
};

/** Facts older than this start nothing, unless a trigger says otherwise (48 h: SEMANTICS, late events). */
const MAX_AGE_HOURS = 48;

/** Defines a trigger found in changes. */
export function defineEvent<Settings extends TObject>(event: EventTrigger<Settings>): TriggerDefinition {
  const { kinds, dated, kept = true, ...definition } = event;
  return defineTrigger<Settings>({
    maxAgeHours: MAX_AGE_HOURS,
    ...definition,
    between: async (tx, from, to, settings, env) => {
      const found = new Map<string, Candidate>();
      for (const candidate of (await dated?.(tx, from, to, settings, env)) ?? [])
        found.set(candidate.businessKey, candidate);
      for await (const changes of keptChanges(tx, kept ? kinds : [], from, to, env))
        for (const candidate of await definition.fromChanges!(tx, changes, settings, env))
          if (!found.has(candidate.businessKey)) found.set(candidate.businessKey, candidate);
      return [...found.values()]
        .filter(({ occurredOn }) => occurredOn >= from && occurredOn <= to)
        .filter(({ customerId }) => env.customerId === undefined || customerId === env.customerId)
        .sort((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime());
    },
  });
}

/** Which of the kept changes of a kind are about one customer, by the indexes of what they are about. */
function ofCustomer(kind: ChangeKind): string {
  if (kind === 'segment') return 'c.customer_id = any($5)';
  if (kind === 'score' || kind === 'contact') return 'c.entity_id = any($5)';
  if (kind === 'company')
    return 'c.entity_id in (select company_id from customer where tenant_id = $1 and id = any($5))';
  return `c.entity_id in (select entity_id from ${isJoined(kind) ? 'customer' : kind} where tenant_id = $1 and customer_id = any($5))`;
}

/** Live changes of a range of local dates, in pages, oldest first. They are kept for 400 days. */
async function* keptChanges(
  tx: Tx,
  kinds: readonly ChangeKind[],
  from: LocalDate,
  to: LocalDate,
  env: DetectEnv,
): AsyncGenerator<Change[]> {
  const until = instantOf(to, '24:00', env.zone);
  const customers = env.customerId === undefined ? [] : await namesOf(tx, env.customerId);
  for (const kind of kinds) {
    let [at, id] = [instantOf(from, '00:00', env.zone), '00000000-0000-0000-0000-000000000000'];
    while (true) {
      const values = [tx.tenantId, kind, at, until, ...(env.customerId === undefined ? [] : [customers]), id];
      const { rows } = await tx.query<Change>(
        `select ${CHANGE} from change c where c.tenant_id = $1 and c.kind = $2 and c.origin = 'live' and c.occurred_at >= $3 and c.occurred_at < $4
           and (c.occurred_at > $3 or c.id > $${values.length}) ${env.customerId === undefined ? '' : `and ${ofCustomer(kind)}`}
         order by c.occurred_at, c.id limit ${PAGE}`,
        values,
      );
      if (rows.length > 0) yield await asTheyStand(tx, rows, env.now);
      if (rows.length < PAGE) break;
      [at, id] = [rows.at(-1)!.occurred_at, rows.at(-1)!.id];
    }
  }
}

/** A customer's id and the ids that stand for it since customers were joined. */
async function namesOf(tx: Tx, customerId: string): Promise<string[]> {
  const { rows } = await tx.query<{ old_id: string }>(
    'select old_id from entity_alias where tenant_id = $1 and entity_id = $2',
    [tx.tenantId, customerId],
  );
  return [customerId, ...rows.map((row) => row.old_id)];
}

/** A document that was without a customer has one now. */
const isLink = (change: Change): boolean =>
  change.op === 'updated' &&
  change.fields.includes('customer_id') &&
  change.customer_id !== null &&
  (change.before?.customer_id ?? null) === null;

/**
 * Changes as detection must see them: about the customers that live today, and, where a document found its customer
 * late, with what happened to it before once more. A trigger that fired for nobody then fires for somebody; the key
 * keeps it single.
 */
export async function asTheyStand(tx: Tx, changes: readonly Change[], now: Date): Promise<Change[]> {
  const linked = new Map(changes.filter(isLink).map((change) => [change.entity_id, change.customer_id]));
  let all: Change[] = [...changes];
  if (linked.size > 0) {
    const { rows } = await tx.query<Change>(
      `select ${CHANGE} from change c where c.tenant_id = $1 and c.entity_id = any($2) and c.origin = 'live' and c.customer_id is null and c.received_at >= $3 order by c.id`,
      [tx.tenantId, [...linked.keys()], new Date(now.getTime() - WAITED_DAYS * DAY)],
    );
    all = [...all, ...rows.map((row) => ({ ...row, customer_id: linked.get(row.entity_id)! }))];
  }
  const ids = new Set(all.flatMap((change) => [change.customer_id, change.entity_id].filter((id) => id !== null)));
  const { rows } = await tx.query<{ old_id: string; entity_id: string }>(
    'select old_id, entity_id from entity_alias where tenant_id = $1 and old_id = any($2)',
    [tx.tenantId, [...ids]],
  );
  if (rows.length === 0) return all;
  const names = new Map(rows.map((row) => [row.old_id, row.entity_id]));
  return all.map((change) => ({
    ...change,
    entity_id: names.get(change.entity_id) ?? change.entity_id,
    customer_id: change.customer_id && (names.get(change.customer_id) ?? change.customer_id),
  }));
}
