import { newId } from '../base/ids.ts';
import { addDays, instantOf, localDate } from '../base/time.ts';
import { zoneOf } from '../model/zones.ts';
import { thoseWho } from '../sequences/conditions.ts';
import { advance, type Way } from '../sequences/engine.ts';
import { assigneeOf, nextLevel } from '../sequences/escalations.ts';
import { stepOf } from '../sequences/graph.ts';
import { insertRuns, RUNNING, type RunRow } from '../sequences/runs.ts';
import { standAll } from '../sequences/stand.ts';
import { keyOf, refusalOf } from '../sequences/starting.ts';
import { type Days, decideTurns } from './deciding.ts';
import { ImaginedWork, imaginedPorts } from './imagined.ts';
import { unansweredArrivals } from './unanswered.ts';
import { type Arrival, type Plan, stayKey, type Traveller, type Turn, type World } from './world.ts';

type Wake = Extract<Turn, { kind: 'wake' }>;
type Outcome = { traveller: Traveller; outcome: string; detail: string | null };

/** A definition cannot go round without time passing, so neither can a look ahead. */
const MAX_TURNS_AT_ONCE = 1000;

/** Plays everything on the agenda up to a moment, in the order of time. Nobody answers, and facts stay as they are. */
export async function walk(world: World, days: Days, until: Date): Promise<void> {
  const { agenda } = world;
  let same = 0;
  let last = 0;
  for (let at = agenda.next(); at !== undefined && at <= until.getTime(); at = agenda.next()) {
    same = at === last ? same + 1 : 0;
    if (same > MAX_TURNS_AT_ONCE) throw new Error(`The look ahead does not get on at ${new Date(at).toISOString()}.`);
    last = at;
    const now = new Date(at);
    const work = new ImaginedWork(world, imaginedPorts(world), now);
    const turns = agenda.take();
    await arrive(
      world,
      work,
      turns.flatMap((turn) => (turn.kind === 'arrival' ? [turn.arrival] : [])),
    );
    await move(
      world,
      work,
      turns.flatMap((turn) => (turn.kind === 'wake' && isAwake(turn, at) ? [turn.traveller] : [])),
    );
    await goOn(world, work, await escalate(world, work, turns));
    await goOn(world, work, await decideTurns(world, days, turns, now));
  }
}

/** It was not moved, ended or begun anew since it was put on the agenda. */
const isAwake = ({ traveller: { run, stuck }, at }: Wake, now: number): boolean =>
  !stuck && run.state === 'waiting' && run.wake_at?.getTime() === at && at <= now;

/** Lets people in as far as audience and the rule for coming again let them. */
async function arrive(world: World, work: ImaginedWork, arrivals: readonly Arrival[]): Promise<void> {
  if (arrivals.length === 0) return;
  const { tx } = world;
  const audiences = new Map<string, Set<string>>();
  for (const plan of new Set(arrivals.map(({ plan }) => plan)))
    if (plan.definition.audience !== undefined) {
      const asked = arrivals.flatMap((arrival) => (arrival.plan === plan ? [arrival.customerId] : []));
      audiences.set(plan.sequence.id, await thoseWho(tx, plan.definition.audience, asked, work.now));
    }
  const entering: Entering[] = [];
  for (const arrival of arrivals) {
    const { plan, customerId, businessKey, cause, depth } = arrival;
    const { sequence, definition } = plan;
    if (!arrival.forced && audiences.get(sequence.id)?.has(customerId) === false) continue;
    const own = staysOf(world, sequence.id, customerId);
    const same = own.filter((run) => run.business_key === businessKey);
    const running = same.find((run) => RUNNING.includes(run.state));
    const anew = definition.again.policy === 'restart';
    if (running && !anew) continue;
    const refused = refusalOf(definition, definition.again.policy === 'once' ? own : same, work.now);
    if (refused && !arrival.forced) continue;
    if (running) Object.assign(running, { state: 'exited', ended_at: work.now });
    const [zone, ordinal] = [zoneIn(world, customerId), (same[0]?.ordinal ?? 0) + 1];
    const { startOn, stepId, campaignId } = arrival;
    const entry = {
      ...{ plan, customer_id: customerId, business_key: businessKey, cause, depth, zone, ordinal },
      ...{ startOn, stepId, campaignId },
    };
    // Of two at the same moment the second finds the first.
    if (
      !entering.some(
        (other) => other.plan === plan && other.customer_id === customerId && other.business_key === businessKey,
      )
    )
      entering.push(entry);
  }
  await move(world, work, await begin(world, entering, work.now));
}

const zoneIn = ({ people, zone }: World, customerId: string): string => {
  const person = people.get(customerId);
  return person ? zoneOf(person, zone) : zone;
};

const staysOf = ({ stays }: World, sequenceId: string, customerId: string): RunRow[] => {
  const key = stayKey(sequenceId, customerId);
  const known = stays.get(key) ?? [];
  stays.set(key, known);
  return known;
};

interface Entering extends Pick<RunRow, 'customer_id' | 'business_key' | 'cause' | 'depth' | 'zone' | 'ordinal'> {
  plan: Plan;
  startOn?: string | undefined;
  stepId?: string | undefined;
  campaignId?: string | undefined;
}

/** A key of rows that only this rehearsal sees: those that are stored keep theirs. */
const imaginedKey = (): string => `imagined ${newId()}`;

/** Begins enrolments: as rows of this rehearsal, so that texts and tests find what they are about. */
async function begin(world: World, entering: readonly Entering[], now: Date): Promise<Traveller[]> {
  const rows = await insertRuns(
    world.tx,
    entering.map(({ plan, startOn, stepId, campaignId, ...entry }) => ({
      ...{ ...entry, business_key: imaginedKey(), sequence_id: plan.sequence.id, version: plan.version },
      ...{ step_id: stepId ?? plan.definition.steps[0]!.id, start_on: startOn ?? localDate(now, entry.zone) },
      ...(campaignId ? { campaign_id: campaignId } : {}),
    })),
    now,
  );
  return entering.flatMap(({ plan, business_key }, at) => {
    const row = rows[at];
    if (!row) return [];
    const { definition, sequence } = plan;
    const run = { ...row, business_key };
    const traveller: Traveller = { run, definition, key: sequence.key, sequenceState: sequence.state };
    staysOf(world, run.sequence_id, run.customer_id).unshift(run);
    world.travellers.set(run.id, traveller);
    return [traveller];
  });
}

/** Moves travellers on as far as they go without waiting, by the engine's own steps. */
async function move(world: World, work: ImaginedWork, travellers: readonly Traveller[]): Promise<void> {
  if (travellers.length === 0) return;
  for (const { run } of travellers) work.spent.set(run.customer_id, 0);
  const ended: Way[] = [];
  const of = new Map(travellers.map((traveller) => [traveller.run.id, traveller]));
  let going: Way[] = travellers.map(({ run, definition }) => ({
    ...{
      run,
      definition,
      step: stepOf(definition, run.step_id),
      due: run.wake_at && run.wake_at < work.now ? run.wake_at : work.now,
    },
  }));
  while (going.length > 0) {
    const stands = await standAll(work, going);
    await unansweredArrivals(
      world,
      going.filter((_, at) => 'outcome' in stands[at]! && stands[at]!.outcome === 'unanswered'),
      work.now,
    );
    going = going.filter((way, at) => advance(work, way, stands[at]!, ended));
  }
  for (const traveller of of.values()) putOn(world, traveller);
  await followUp(world, work, ended);
}

function putOn(world: World, traveller: Traveller): void {
  const { run } = traveller;
  if (run.state === 'waiting' && run.wake_at)
    world.agenda.add(run.wake_at, { kind: 'wake', traveller, at: run.wake_at.getTime() });
}

/** What comes of steps from outside: travellers leave them and go on. */
async function goOn(world: World, work: ImaginedWork, told: readonly Outcome[]): Promise<void> {
  const ended: Way[] = [];
  const going: Traveller[] = [];
  for (const { traveller, outcome, detail } of told) {
    const { run, definition } = traveller;
    const way: Way = { run, definition, step: stepOf(definition, run.step_id), due: work.now };
    if (advance(work, way, { outcome, ...(detail ? { detail } : {}) }, ended)) going.push(traveller);
  }
  await move(world, work, going);
  await followUp(world, work, ended);
}

/** The next round, or another sequence under its own rules. */
async function followUp(world: World, work: ImaginedWork, ended: readonly Way[]): Promise<void> {
  const again: Entering[] = [];
  const arrivals: Arrival[] = [];
  for (const { run, definition, then } of ended) {
    if (!then) continue;
    const plan = world.plans.get('handOver' in then ? then.handOver : run.sequence_id);
    if (plan?.sequence.state !== 'active') continue;
    const { customer_id, business_key, cause, depth, zone, ordinal } = run;
    if ('handOver' in then) {
      const businessKey = keyOf(plan.definition, undefined);
      arrivals.push({
        plan,
        customerId: customer_id,
        businessKey,
        cause: { ...cause, handedOverBy: definition.key },
        depth,
      });
    } else again.push({ plan, customer_id, business_key, cause, depth, zone, ordinal: ordinal + 1 });
  }
  if (again.length > 0) await move(world, work, await begin(world, again, work.now));
  await arrive(world, work, arrivals);
}

/** Nobody says "I have it": the next person is told, and after the last one it goes on. */
async function escalate(world: World, work: ImaginedWork, turns: readonly Turn[]): Promise<Outcome[]> {
  const over: Outcome[] = [];
  for (const turn of turns) {
    if (turn.kind !== 'escalation') continue;
    const { escalation, traveller } = turn;
    const found = await nextLevel(world.tx, escalation.plan, escalation.level + 1, escalation.customer_id, work.now);
    if (found) {
      const next = { ...escalation, level: found.level, assignee: assigneeOf(found), next_at: found.until };
      await work.ports.tellStaff(world.tx, next, work.now);
    } else if (traveller.run.state === 'waiting' && traveller.run.waiting_for === 'escalation')
      over.push({ traveller, outcome: 'unacknowledged', detail: 'nobody said "I have it"' });
  }
  return over;
}

/** The beginning of a day of the business some days after another. */
export const dayAfter = (now: Date, zone: string, days: number): Date =>
  instantOf(addDays(localDate(now, zone), days), '00:00', zone);
