import type { Tx } from '../base/database.ts';
import { addDays, instantOf } from '../base/time.ts';
import { findStaff } from '../sequences/staff.ts';
import { setting } from '../settings/store.ts';
import { render, TemplateError } from '../texts/render.ts';
import type { Contexts } from './context.ts';
import { nativeStaffId, type Route } from './routing.ts';
import type { RequestRow } from './store.ts';

type NoticePlan = Extract<RequestRow['plan'], { type: 'notice' }>;

/**
 * What staff are told by a step of a sequence: a task in the CRM or a chat message, without a button and without a clock.
 * @param about records of the platform it is about
 * @throws TemplateError that says what is missing
 */
export async function noticeContent(
  tx: Tx,
  { request, route, contexts }: { request: RequestRow; route: Route; contexts: Contexts },
  plan: NoticePlan,
  about: Record<string, string>,
): Promise<Record<string, unknown>> {
  const person = await findStaff(tx, plan.staffId);
  if (!person) throw new TemplateError('the person it is for does not exist any more');
  const context = { ...contexts.of(request.customer_id), staff: { name: person.name, email: person.email } };
  const assignee = await nativeStaffId(tx, route, person.email);
  const title = render(plan.title, context);
  const text = plan.text === undefined ? undefined : render(plan.text, context);
  if (plan.what === 'task') {
    const { zone } = await setting(tx, 'business');
    return {
      title,
      ...(text === undefined ? {} : { body: text }),
      dueAt: instantOf(addDays(contexts.today, plan.due_in_days ?? 1), '09:00', zone).toISOString(),
      priority: plan.priority ?? 'normal',
      ...(assignee ? { assignee } : {}),
      about,
    };
  }
  const target = assignee ?? ((await setting(tx, 'delivery')).chatChannel || undefined);
  if (!target)
    throw new TemplateError(
      `${person.name} is not found at ${route.connection.name} by ${person.email}, and no chat channel is set for staff messages`,
    );
  return { target, title, text, facts: [{ label: 'For', value: person.name }] };
}
