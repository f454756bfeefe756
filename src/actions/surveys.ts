import type { Tx } from '../base/database.ts';
import type { ActionKind } from '../kit/index.ts';
import { setting } from '../settings/store.ts';
import type { SurveyDeps } from '../surveys/answer.ts';
import type { SurveyPorts } from '../surveys/ports.ts';
import { loadPeople, type Person } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { addressOf, KIND_OF_CHANNEL } from './plan.ts';
import { insertRequest, type NewRequest } from './store.ts';

/** An answer comes fresh; a reply to it that could not go out for days would only puzzle. */
const STALE_HOURS = 72;
const HOUR = 3_600_000;

/** The actions' side of what answers to surveys set off. `deps` is read late: the rooms need each other's functions. */
export function surveyPorts(deps: () => Pick<ActionDeps, 'queue'>): SurveyPorts {
  const plan = async (tx: Tx, request: NewRequest, now: Date): Promise<void> => {
    await insertRequest(tx, { priority: 5, ...request }, now);
    await deps().queue.send(tx, 'dispatch', { tenantId: tx.tenantId });
  };
  const personOf = async (tx: Tx, id: string): Promise<Person | undefined> => (await loadPeople(tx, [id])).get(id);
  const native = (
    wish: { key: string; customerId: string; survey: string },
    kind: ActionKind,
    input: Record<string, unknown>,
  ): NewRequest => ({
    ...{ kind, channel: 'native', recipient: wish.customerId, class: 'internal', customer_id: wish.customerId },
    ...{ plan: { type: 'direct', input }, idempotency_key: wish.key, created_by: `survey:${wish.survey}` },
  });
  return {
    async reply(tx, wish, now) {
      const person = await personOf(tx, wish.customerId);
      const [channel, ...then] = wish.channels.filter((one) => person && addressOf(person, one) !== undefined);
      if (!person || !channel) return `the customer has no address for ${wish.channels.join(', ')}`;
      const { template, survey, invitation } = wish;
      await plan(
        tx,
        {
          ...{
            kind: KIND_OF_CHANNEL[channel],
            channel,
            recipient: addressOf(person, channel)!,
            class: 'transactional',
          },
          ...{ plan: { type: 'message', template, then, survey, invitation }, customer_id: wish.customerId },
          ...{ idempotency_key: wish.key, created_by: `survey:${survey}` },
          stale_after: new Date(now.getTime() + STALE_HOURS * HOUR),
        },
        now,
      );
      return undefined;
    },
    async tell(tx, wish, now) {
      const { by, title, text } = wish;
      if (by === 'chat') {
        await plan(tx, { ...native(wish, 'send_chat', { title, text }), channel: 'chat' }, now);
        return undefined;
      }
      const to = (await personOf(tx, wish.customerId))?.owner_email || (await setting(tx, 'business')).replyTo;
      if (!to) return 'nobody looks after the customer, and the business has no address for replies';
      await plan(
        tx,
        { ...native(wish, 'send_email', { to, subject: title, text }), channel: 'email', recipient: to },
        now,
      );
      return undefined;
    },
    task: (tx, wish, now) => {
      const { title, body, dueInDays, priority } = wish;
      return plan(tx, native(wish, 'create_task', { title, body, priority, due_in_days: dueInDays }), now);
    },
    tag: (tx, wish, now) => plan(tx, native(wish, 'add_tag', { tag: wish.tag }), now),
  };
}

/** What surveys need, put together from what the actions have. */
export const surveyDeps = (deps: ActionDeps): SurveyDeps => ({ ...deps, surveyPorts: surveyPorts(() => deps) });
