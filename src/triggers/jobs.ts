import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { messageOf } from '../base/errors.ts';
import type { QueueDefinition } from '../base/queue.ts';
import { addDays, instantOf, localDate } from '../base/time.ts';
import { settleDates } from '../model/dates.ts';
import { passCalendars } from '../model/local-zones.ts';
import type { ChangeKind } from '../model/types.ts';
import { tenantZone } from '../settings/store.ts';
import { CATALOGUE, triggerDefinition } from './catalogue.ts';
import { detectByClock } from './clock.ts';
import { detectFromChanges, readChanges, type StartRuns } from './detect.ts';
import { parkedChanges, unparkChange } from './parked.ts';
import type { DetectEnv } from './schema.ts';
import { listTriggers, noteProblem, type TriggerRow } from './store.ts';

export interface TriggerJobDeps {
  db: Database;
  clock: Clock;
  start: StartRuns;
  /** Wakes a queue of the tenant. */
  wake: (queue: string, tenantId: string) => Promise<unknown>;
}

/** Queues that keep something derived of customers up to date; they are told when anything changed. */
const DERIVED: readonly string[] = ['segments', 'credit'];

const HOUR = 3_600_000;
/** A trigger that could not be looked for is tried again after this. */
const AGAIN_MS = HOUR / 4;

/**
 * Looks at everything that changed, batch by batch, wakes whoever keeps something derived of it, and brings the clock's
 * next look forward where a change asks for it.
 */
export async function runChanges(deps: TriggerJobDeps, tenantId: string): Promise<void> {
  const kinds = new Set<ChangeKind>();
  for (;;) {
    const read = await deps.db.tenant(tenantId, (tx) => detectFromChanges(tx, deps.clock.now(), deps.start));
    if (read.taken === 0) break;
    for (const kind of read.kinds) kinds.add(kind);
  }
  for (const queue of DERIVED) await deps.wake(queue, tenantId);
  await bringForward(deps, tenantId, kinds);
}

/** Sees to it that the clock looks no later than the next moment of the triggers whose moments these kinds can move. */
async function bringForward(deps: TriggerJobDeps, tenantId: string, kinds: ReadonlySet<ChangeKind>): Promise<void> {
  if (!CATALOGUE.some((definition) => definition.wakes?.some((kind) => kinds.has(kind)))) return;
  await deps.db.tenant(tenantId, async (tx) => {
    const env: DetectEnv = { now: deps.clock.now(), zone: await tenantZone(tx) };
    for (const trigger of await listTriggers(tx, true)) {
      if (!definitionOf(trigger)?.wakes?.some((kind) => kinds.has(kind))) continue;
      const at = await nextOf(tx, trigger, env);
      if (at) await bumpDue(tx, tenantId, 'detect', at);
    }
  });
}

const definitionOf = (trigger: TriggerRow) => CATALOGUE.find(({ name }) => name === trigger.name);
const nextOf = async (tx: Tx, trigger: TriggerRow, env: DetectEnv): Promise<Date | undefined> =>
  definitionOf(trigger)?.nextAt?.(tx, trigger.settings, env);

/**
 * Looks at what the clock made due, trigger by trigger: one that cannot be looked for is told and keeps nobody else
 * waiting. Then says when to look again: when the business's next day begins, with the next hour while a trigger follows
 * the customers' calendars, and at the moments triggers name.
 */
export async function runDetection(deps: TriggerJobDeps, tenantId: string): Promise<void> {
  const now = deps.clock.now();
  const { db } = deps;
  const zone = await db.tenant(tenantId, tenantZone);
  while (await db.tenant(tenantId, (tx) => passCalendars(tx, zone, now)));
  while ((await db.tenant(tenantId, (tx) => settleDates(tx, zone, now))) > 0);
  const env: DetectEnv = { now, zone };
  const moments = [instantOf(addDays(localDate(now, zone), 1), '00:01', zone)];
  for (const trigger of await db.tenant(tenantId, (tx) => listTriggers(tx, true))) {
    const again = await lookFor(deps, tenantId, trigger, env);
    moments.push(...again);
  }
  const next = new Date(Math.min(...moments.map((moment) => moment.getTime())));
  await bumpDue({ query: db.statement }, tenantId, 'detect', next);
}

/** One trigger's turn. @returns when it wants another */
async function lookFor(deps: TriggerJobDeps, tenantId: string, trigger: TriggerRow, env: DetectEnv): Promise<Date[]> {
  const { db, start } = deps;
  const { now } = env;
  try {
    const definition = triggerDefinition(trigger.name);
    await detectByClock(db, tenantId, trigger, env, start);
    const [next] = await db.tenant(tenantId, async (tx) => {
      await retryParked(tx, trigger, env, start);
      if (trigger.problem !== null) await noteProblem(tx, trigger.id, null, now);
      return [await nextOf(tx, trigger, env)];
    });
    return [
      ...(next ? [next] : []),
      // A minute after the hour, when it has begun everywhere.
      ...(definition.calendar === 'customer' ? [new Date(now.getTime() - (now.getTime() % HOUR) + HOUR + 60_000)] : []),
    ];
  } catch (error) {
    const problem = messageOf(error);
    await db.tenant(tenantId, (tx) => tellProblem(tx, trigger, problem, now));
    return [new Date(now.getTime() + AGAIN_MS)];
  }
}

async function tellProblem(tx: Tx, trigger: TriggerRow, problem: string, now: Date): Promise<void> {
  await noteProblem(tx, trigger.id, problem, now);
  if (trigger.problem === problem) return;
  await appendEvents(tx, [
    {
      actor: 'system',
      action: 'trigger.failed',
      subject: { kind: 'trigger', id: trigger.id },
      data: { trigger: trigger.name, reason: problem },
      at: now,
    },
  ]);
}

const PARKED_BATCH = 100;

/** Shows a trigger the changes again that it failed on. What got too old meanwhile is given up, and told. */
export async function retryParked(tx: Tx, trigger: TriggerRow, env: DetectEnv, start: StartRuns): Promise<void> {
  const oldest = env.now.getTime() - triggerDefinition(trigger.name).maxAgeHours * HOUR;
  for (const change of await parkedChanges(tx, trigger.id, PARKED_BATCH)) {
    const late = change.occurred_at.getTime() < oldest;
    if (late) await unparkChange(tx, trigger, change, 'It failed until it was too long ago.', env.now);
    else if (await readChanges(tx, trigger, [change], env, start))
      await unparkChange(tx, trigger, change, undefined, env.now);
  }
}

export function triggerQueues(deps: () => TriggerJobDeps): QueueDefinition[] {
  return [
    {
      name: 'changes',
      role: 'engine',
      perTenant: 1,
      batch: 100,
      handle: ({ tenantId }) => runChanges(deps(), tenantId!),
    },
    { name: 'detect', role: 'engine', perTenant: 1, handle: ({ tenantId }) => runDetection(deps(), tenantId!) },
  ];
}
