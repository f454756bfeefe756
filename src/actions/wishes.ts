import type { Tx } from '../base/database.ts';
import { localDate } from '../base/time.ts';
import type { Planned, Wish } from '../sequences/ports.ts';
import { classOf } from '../sequences/schema.ts';
import { personFor, type StaffRow } from '../sequences/staff.ts';
import type { Step } from '../sequences/steps.ts';
import { opens } from '../sequences/timing.ts';
import type { Channel } from '../settings/schema.ts';
import { tenantZone } from '../settings/store.ts';
import { addressOf, KIND_OF_CHANNEL, wakeDispatch } from './channels.ts';
import { loadPeople, type Person } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { insertRequests } from './planned.ts';
import type { NewRequest } from './store.ts';

type Notice = Extract<Step, { notify: unknown }>['notify'];

const HOUR = 3_600_000;
/** Hours after which a message that could not go out is not sent by itself any more, where the step does not say. */
const STALE_HOURS = 72;

/** How a step reaches the customer, when it does. */
const reachOf = (step: Step) => ('message' in step ? step.message : 'survey' in step ? step.survey : undefined);

/**
 * Plans what steps of sequences want done: a message on the first channel that has an address (the others follow when
 * that one turns out closed), an action at a platform, a notice to staff.
 */
export async function planWishes(deps: ActionDeps, tx: Tx, wishes: readonly Wish[], now: Date): Promise<Planned[]> {
  const { requests, planned } = await requestsOf(tx, wishes, now);
  if (requests.length === 0) return planned;
  await insertRequests(tx, requests, now);
  await wakeDispatch(deps, tx);
  return planned;
}

/**
 * What would be planned for steps, with why nothing is where nobody can be reached; in the order of the steps.
 * @param known the customers, where they were loaded before
 */
export async function requestsOf(
  tx: Tx,
  wishes: readonly Wish[],
  now: Date,
  known?: ReadonlyMap<string, Person>,
): Promise<{ requests: NewRequest[]; planned: Planned[] }> {
  const facing = wishes.filter(({ step }) => reachOf(step));
  const people = known ?? (await loadPeople(tx, [...new Set(facing.map(({ run }) => run.customer_id))]));
  const preferred = await preferredChannels(
    tx,
    facing.filter(({ step }) => reachOf(step)!.preferred_first).map(({ run }) => run.customer_id),
  );
  const requests: NewRequest[] = [];
  const planned: Planned[] = [];
  for (const wish of wishes) {
    const made = reachOf(wish.step)
      ? messageOf(wish, people.get(wish.run.customer_id), preferred.get(wish.run.customer_id), now)
      : 'notify' in wish.step
        ? await noticesOf(tx, wish, wish.step.notify, now)
        : [nativeOf(wish)];
    if (typeof made !== 'string') requests.push(...made);
    planned.push(typeof made === 'string' ? { planned: false, reason: made } : { planned: true });
  }
  return { requests, planned };
}

/** What every request of a step has in common. */
const ofStep = ({ run, definition, step }: Wish) => ({
  topic: definition.topic,
  run_id: run.id,
  step_id: step.id,
  visit: run.visit,
  customer_id: run.customer_id,
  priority: definition.priority ?? 0,
  depth: run.depth,
  created_by: `sequence:${definition.key}`,
});

/** The message of a step, or why there is none. */
function messageOf(
  wish: Wish,
  person: Person | undefined,
  preferred: string | undefined,
  now: Date,
): NewRequest[] | string {
  const { run, definition, step, due } = wish;
  const reach = reachOf(step)!;
  if (!person) return 'the customer does not exist any more';
  const channels = [...reach.channels].sort((a, b) => Number(b === preferred) - Number(a === preferred));
  const [channel, ...then] = channels.filter((candidate) => addressOf(person, candidate) !== undefined);
  if (!channel) return `the customer has no address for ${channels.join(', ')}`;
  // What is late already is judged by when it was due; hours that are still to come are no delay.
  const open = reach.window && (opens(reach.window, due, run.zone) ?? undefined);
  const from = open && open > due ? open : due;
  return [
    {
      ...ofStep(wish),
      kind: KIND_OF_CHANNEL[channel as Channel],
      channel,
      recipient: addressOf(person, channel)!,
      class: reach.class ?? classOf(definition),
      plan: {
        type: 'message',
        template: reach.template,
        then,
        ...('survey' in step ? { survey: step.survey.survey } : {}),
        ...(reach.window ? { window: reach.window } : {}),
      },
      stale_after: new Date(from.getTime() + (reach.stale_after_hours ?? STALE_HOURS) * HOUR),
      not_before: from > now ? from : now,
    },
  ];
}

function nativeOf(wish: Wish): NewRequest {
  const { step, run } = wish;
  if (!('do' in step)) throw new Error(`The step "${step.id}" plans nothing.`);
  return {
    ...ofStep(wish),
    kind: step.do.kind,
    channel: 'native',
    recipient: run.customer_id,
    class: 'internal',
    plan: { type: 'do', input: step.do.input },
  };
}

/** A task and a chat message for one of staff, or why there are none. */
async function noticesOf(tx: Tx, wish: Wish, notice: Notice, now: Date): Promise<NewRequest[] | string> {
  const today = localDate(now, await tenantZone(tx));
  const person = await personFor(tx, notice.who, notice.role, wish.run.customer_id, today);
  if (!person) return `there is nobody to tell (${notice.role ?? notice.who})`;
  return [
    ...(notice.task
      ? [
          tell(wish, person, 'task', {
            title: notice.task.title,
            ...(notice.task.body ? { text: notice.task.body } : {}),
            ...(notice.task.due_in_days === undefined ? {} : { due_in_days: notice.task.due_in_days }),
            ...(notice.task.priority ? { priority: notice.task.priority } : {}),
          }),
        ]
      : []),
    ...(notice.chat ? [tell(wish, person, 'chat', { title: notice.chat.title, text: notice.chat.text })] : []),
  ];
}

const tell = (
  wish: Wish,
  person: StaffRow,
  what: 'task' | 'chat',
  texts: { title: string; text?: string; due_in_days?: number; priority?: 'low' | 'normal' | 'high' },
): NewRequest => ({
  ...ofStep(wish),
  kind: what === 'task' ? 'create_task' : 'send_chat',
  channel: what,
  recipient: person.email,
  class: 'internal',
  plan: { type: 'notice', what, staffId: person.id, ...texts },
});

/** The channel each of these customers last wrote on. */
async function preferredChannels(tx: Tx, customerIds: readonly string[]): Promise<Map<string, string>> {
  if (customerIds.length === 0) return new Map();
  const { rows } = await tx.query<{ customer_id: string; channel: string }>(
    `select distinct on (customer_id) customer_id, channel from activity
     where tenant_id = $1 and customer_id = any($2) and direction = 'in' and kind not in ('note', 'task') and channel is not null and automatic is not true and deleted_at is null
     order by customer_id, occurred_at desc`,
    [tx.tenantId, customerIds],
  );
  return new Map(rows.map((row) => [row.customer_id, row.channel]));
}
