import { randomInt } from 'node:crypto';
import { loadPeople } from '../actions/context.ts';
import type { ActionDeps } from '../actions/deps.ts';
import { ALL, type RequestRow } from '../actions/store.ts';
import type { Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import { ESCALATION_COLUMNS, type EscalationRow } from '../sequences/escalations.ts';
import { structureOf } from '../sequences/graph.ts';
import { type RunRow, runsOfSequence } from '../sequences/runs.ts';
import type { Definition } from '../sequences/schema.ts';
import { listSequences, loadDefinition, type SequenceRow } from '../sequences/store.ts';
import { tenantZone } from '../settings/store.ts';
import { Agenda } from './queue.ts';
import { type Arrival, type Plan, stayKey, type Traveller, type Witness, type World } from './world.ts';

/** A definition to look ahead with instead of the one that is active. */
export interface Draft {
  /** Absent: a sequence there is not yet. */
  sequence: SequenceRow | undefined;
  definition: Definition;
}

/** What is looked ahead at. */
export interface Looking {
  now: Date;
  /** These customers only; everybody when absent. */
  customers?: readonly string[] | undefined;
  draft?: Draft | undefined;
  witness?: Witness;
  /** What is held is taken as settled. */
  settlesHolds?: boolean;
  /** What is done natively goes through the gate too, with its texts. */
  exact?: boolean;
}

/**
 * Everything a look ahead begins with: sequences, enrolments where they stand, what they have planned. For a rehearsal:
 * a draft is kept as a version nobody else can see.
 */
export async function loadWorld(deps: ActionDeps, tx: Tx, looking: Looking): Promise<World> {
  const quiet = { ...deps, content: { ...deps.content, imagined: true } };
  const world: World = {
    ...{ deps: quiet, tx, zone: await tenantZone(tx), plans: await plansOf(tx, looking.draft), agenda: new Agenda() },
    ...{ travellers: new Map(), stays: new Map(), outcomes: new Map(), coming: [], internal: [], held: new Map() },
    ...{ witness: looking.witness ?? {}, settlesHolds: looking.settlesHolds ?? false, exact: looking.exact ?? false },
    ...{ people: new Map(), reach: new Map() },
  };
  await loadTravellers(world, looking);
  return world;
}

async function plansOf(tx: Tx, draft: Draft | undefined): Promise<Map<string, Plan>> {
  const plans = new Map<string, Plan>();
  const put = (plan: Plan): void => void plans.set(plan.sequence.id, plan).set(plan.sequence.key, plan);
  for (const sequence of await listSequences(tx)) {
    if (sequence.active_version === null || sequence.mode === 'shadow') continue;
    const definition = await loadDefinition(tx, sequence.id, sequence.active_version);
    put({ sequence, version: sequence.active_version, definition });
  }
  if (draft) put(await keepDraft(tx, draft));
  return plans;
}

/** A version with a number that is never given to a real one, gone with the rehearsal. */
async function keepDraft(tx: Tx, { sequence, definition }: Draft): Promise<Plan> {
  const { key, title } = definition;
  const version = -randomInt(1, 2 ** 31 - 1);
  const id = sequence?.id ?? newId();
  await tx.query(
    `insert into sequence_version (tenant_id, sequence_id, number, definition, structure, created_at, created_by)
     values ($1, $2, $3, $4, $5, '2000-01-01', 'draft')`,
    [tx.tenantId, id, version, definition, structureOf(definition)],
  );
  return { sequence: { id, key, title, state: 'active' }, version, definition };
}

async function loadTravellers(world: World, { now, customers }: Looking): Promise<void> {
  const { tx, agenda, travellers } = world;
  const { rows } = await tx.query<RunRow & { key: string; sequence_state: SequenceRow['state'] }>(
    `select r.*, s.key, s.state as sequence_state from run r join sequence s on s.tenant_id = r.tenant_id and s.id = r.sequence_id
     where r.tenant_id = $1 and r.state in ('active', 'waiting', 'paused') and not r.shadow and ($2::uuid[] is null or r.customer_id = any($2)) order by r.id`,
    [tx.tenantId, customers ?? null],
  );
  for (const { key, sequence_state: sequenceState, ...run } of rows) {
    const definition = await loadDefinition(tx, run.sequence_id, run.version);
    const traveller: Traveller = { run, definition, key, sequenceState };
    travellers.set(run.id, traveller);
    const paused = run.state === 'paused' || sequenceState === 'paused';
    if (paused) {
      traveller.stuck = 'paused';
      const detail = run.state === 'paused' ? 'The enrolment is paused.' : 'The sequence is paused.';
      world.held.set(run.id, { traveller, step: run.step_id, reason: 'paused', detail, at: now });
    } else if (run.wake_at)
      agenda.add(run.wake_at > now ? run.wake_at : now, { kind: 'wake', traveller, at: run.wake_at.getTime() });
  }
  await loadPlanned(world, now);
  await meet(
    world,
    rows.map(({ customer_id }) => customer_id),
  );
}

/** What enrolments planned and did not hand to a platform yet, and escalations with a clock. */
async function loadPlanned({ tx, agenda, travellers }: World, now: Date): Promise<void> {
  const ids = [...travellers.values()].flatMap(({ run, stuck }) => (stuck ? [] : [run.id]));
  const later = (at: Date): Date => (at > now ? at : now);
  const { rows } = await tx.query<RequestRow>(
    `select ${ALL} from action_request where tenant_id = $1 and run_id = any($2) and state in ('planned', 'committed') order by id`,
    [tx.tenantId, ids],
  );
  for (const request of rows)
    agenda.add(later(request.not_before), { kind: 'request', request, traveller: travellers.get(request.run_id!) });
  const open = await tx.query<EscalationRow>(
    `select ${ESCALATION_COLUMNS} from escalation where tenant_id = $1 and run_id = any($2) and state = 'open' and next_at is not null order by id`,
    [tx.tenantId, ids],
  );
  for (const escalation of open.rows) {
    const traveller = travellers.get(escalation.run_id!)!;
    agenda.add(later(escalation.next_at!), { kind: 'escalation', escalation, traveller });
  }
}

/** Loads who these customers are, as far as they are not known yet. */
async function meet({ tx, people }: World, ids: readonly string[]): Promise<void> {
  const unknown = [...new Set(ids)].filter((id) => !people.has(id));
  for (const [id, person] of await loadPeople(tx, unknown)) people.set(id, person);
}

/** Puts those who will come on the agenda, with what decides whether they may come again. */
export async function expect(world: World, arrivals: readonly { at: Date; arrival: Arrival }[]): Promise<void> {
  const { tx, agenda, travellers, stays } = world;
  const bySequence = new Map<Plan, Set<string>>();
  for (const { arrival } of arrivals)
    bySequence.set(arrival.plan, (bySequence.get(arrival.plan) ?? new Set()).add(arrival.customerId));
  for (const [{ sequence }, customers] of bySequence)
    for (const row of await runsOfSequence(tx, sequence.id, [...customers])) {
      if (row.shadow) continue;
      const key = stayKey(sequence.id, row.customer_id);
      // One that runs is the one that travels.
      stays.set(key, [...(stays.get(key) ?? []), travellers.get(row.id)?.run ?? row]);
    }
  await meet(
    world,
    arrivals.map(({ arrival }) => arrival.customerId),
  );
  for (const { at, arrival } of arrivals) agenda.add(at, { kind: 'arrival', arrival });
}
