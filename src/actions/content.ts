import { Value } from 'typebox/value';
import type { Tx } from '../base/database.ts';
import { hmacSha256, sameBytes } from '../base/ids.ts';
import { addDays, instantOf } from '../base/time.ts';
import { ACTION_INPUTS, type ActionKind } from '../kit/index.ts';
import { findEscalation } from '../sequences/escalations.ts';
import { findStaff } from '../sequences/staff.ts';
import { setting } from '../settings/store.ts';
import { render, renderDeep, TemplateError } from '../texts/render.ts';
import type { ContentDeps, ContentInput } from './content.schema.ts';
import { marketingMail, messageContent } from './message.ts';
import { noticeContent } from './notices.ts';
import { nativeIdOf, nativeStaffId } from './routing.ts';
import type { RequestRow } from './store.ts';
import { markVip } from './vip.ts';

/**
 * The platform-independent input of an action, complete: texts rendered, native ids filled in.
 * @throws TemplateError that says what is missing; the action is then held
 */
export async function buildContent(deps: ContentDeps, tx: Tx, input: ContentInput): Promise<Record<string, unknown>> {
  const { request } = input;
  const { plan } = request;
  const made =
    plan.type === 'message'
      ? await messageContent(deps, tx, input, plan)
      : plan.type === 'do'
        ? await nativeContent(
            tx,
            input,
            renderDeep(
              plan.input,
              input.contexts.of(request.customer_id, { runId: request.run_id }),
              `the ${request.kind.replaceAll('_', ' ')} of step "${request.step_id}"`,
            ) as Record<string, unknown>,
          )
        : plan.type === 'staff'
          ? await staffContent(deps, tx, input, plan)
          : plan.type === 'notice'
            ? await noticeContent(tx, input, plan, await about(tx, input))
            : plan.type === 'answer' || CUSTOMER_KINDS.includes(request.kind)
              ? { ...plan.input, ...(await marketingMail(deps, tx, input, plan.input)) }
              : await nativeContent(tx, input, plan.input);
  const content = await markVip(tx, request, made);
  // What the platform adds to the kind's input is checked here: only now it is known where it happens.
  for (const schema of [ACTION_INPUTS[request.kind], input.route.action.extra]) {
    if (!schema || Value.Check(schema, content)) continue;
    const wrong = Value.Errors(schema, content).map(
      (error) => `${error.instancePath.replace(/^\//, '') || 'it'} ${error.message}`,
    );
    throw new TemplateError(`the ${request.kind.replaceAll('_', ' ')} is not complete: ${wrong.join('; ')}`);
  }
  return content;
}

/** What a native action is about, and who does it, in the ids of the platform. */
async function about(tx: Tx, { request, route, contexts }: ContentInput): Promise<Record<string, string>> {
  const person = contexts.people.get(request.customer_id ?? '');
  const contact = await nativeIdOf(tx, route, 'contact', person?.id ?? null);
  const company = await nativeIdOf(tx, route, 'company', person?.company_id ?? null);
  return { ...(contact ? { contact } : {}), ...(company ? { company } : {}) };
}

/** A native action with what was left out: the records it is about, when it is due and who does it. */
async function nativeContent(
  tx: Tx,
  input: ContentInput,
  given: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { request, route, contexts } = input;
  const { due_in_days: dueInDays, in_days: inDays, minutes, ...fields } = given;
  const person = contexts.people.get(request.customer_id ?? '');
  const withAbout = [
    'create_task',
    'add_note',
    'add_tag',
    'remove_tag',
    'create_ticket',
    'create_calendar_event',
    'enrol_in_automation',
  ].includes(request.kind);
  if (withAbout) fields.about ??= await about(tx, input);
  if (request.kind === 'create_task') {
    const zone = (await setting(tx, 'business')).zone;
    fields.dueAt ??= instantOf(addDays(contexts.today, Number(dueInDays ?? 1)), '09:00', zone).toISOString();
  }
  if (request.kind === 'create_calendar_event' && fields.startsAt === undefined) {
    const zone = (await setting(tx, 'business')).zone;
    const startsAt = instantOf(addDays(contexts.today, Number(inDays ?? 1)), '09:00', zone);
    fields.startsAt = startsAt.toISOString();
    fields.endsAt ??= new Date(startsAt.getTime() + Number(minutes ?? 30) * 60_000).toISOString();
  }
  if (
    ['create_task', 'create_ticket', 'create_calendar_event'].includes(request.kind) &&
    person?.owner_email &&
    fields.assignee === undefined
  ) {
    const assignee = await nativeStaffId(tx, route, person.owner_email);
    if (assignee) fields.assignee = assignee;
  }
  if (request.kind === 'send_chat' && fields.target === undefined) {
    const known = person?.owner_email ? await nativeStaffId(tx, route, person.owner_email) : undefined;
    const channel = (await setting(tx, 'delivery')).chatChannel || undefined;
    // What a step of a sequence writes is for the team, what an answer sets off for whoever looks after the customer.
    const target = request.plan.type === 'do' ? (channel ?? known) : (known ?? channel);
    if (!target)
      throw new TemplateError(
        `whoever looks after the customer is not found at ${route.connection.name}, and no chat channel is set for staff messages`,
      );
    fields.target = target;
  }
  if (request.kind === 'update_field') {
    fields.object ??= 'contact';
    fields.id ??= await nativeIdOf(tx, route, 'contact', person?.id ?? null);
  }
  if (request.kind === 'send_invoice_reminder' && fields.invoice === undefined) {
    const oldest = contexts.overdue.get(person?.id ?? '')?.[0];
    if (oldest) fields.invoice = await nativeIdOf(tx, route, 'invoice', oldest.entity_id);
  }
  return fields;
}

type StaffPlan = Extract<RequestRow['plan'], { type: 'staff' }>;

async function staffContent(
  deps: ContentDeps,
  tx: Tx,
  input: ContentInput,
  plan: StaffPlan,
): Promise<Record<string, unknown>> {
  const { request, route, contexts } = input;
  const escalation = await findEscalation(tx, request.escalation_id!);
  const person = await findStaff(tx, plan.staffId);
  if (!escalation || !person) throw new TemplateError('the escalation or the person it is for does not exist any more');
  const context = {
    ...contexts.of(request.customer_id, { runId: request.run_id, escalationId: request.escalation_id }),
    staff: { name: person.name, email: person.email },
    level: plan.level + 1,
  };
  const zone = (await setting(tx, 'business')).zone;
  const assignee = await nativeStaffId(tx, route, person.email);
  const { task, chat, calendar } = escalation.plan;
  if (plan.what === 'task') {
    return {
      title: render(task!.title, context),
      ...(task!.body ? { body: render(task!.body, context) } : {}),
      dueAt: instantOf(addDays(contexts.today, task!.due_in_days ?? 1), '09:00', zone).toISOString(),
      priority: task!.priority ?? 'high',
      ...(assignee ? { assignee } : {}),
      about: await about(tx, input),
    };
  }
  if (plan.what === 'calendar') {
    const startsAt = instantOf(addDays(contexts.today, calendar!.in_days), '09:00', zone);
    return {
      title: render(calendar!.title, context),
      startsAt: startsAt.toISOString(),
      endsAt: new Date(startsAt.getTime() + calendar!.minutes * 60_000).toISOString(),
      ...(assignee ? { assignee } : {}),
      about: await about(tx, input),
    };
  }
  const channel = (await setting(tx, 'delivery')).chatChannel;
  const target = assignee ?? (channel || undefined);
  if (!target)
    throw new TemplateError(
      `${person.name} is not found at ${route.connection.name} by ${person.email}, and no chat channel is set for staff messages`,
    );
  const acknowledged = escalation.state === 'acknowledged';
  return {
    target,
    title: render(chat!.title, context),
    text: render(chat!.text, context),
    facts: acknowledged
      ? [{ label: 'Status', value: `${escalation.acknowledged_by} has it` }]
      : [{ label: 'For', value: person.name }],
    ...(acknowledged
      ? {}
      : { buttons: [{ label: 'I have it', token: acknowledgeToken(deps, tx.tenantId, escalation.id) }] }),
    ...(plan.replaces ? { replaces: plan.replaces } : {}),
  };
}

/** The value of an acknowledge button: the escalation, signed, so that no other can be acknowledged with it. */
export const acknowledgeToken = (deps: ContentDeps, tenantId: string, escalationId: string): string =>
  `${escalationId}.${hmacSha256(deps.linkKey, `acknowledge ${tenantId} ${escalationId}`).toString('base64url')}`;

/** The escalation a button's value names, or undefined when the signature is not ours. */
export function escalationOfToken(deps: ContentDeps, tenantId: string, token: string): string | undefined {
  const id = token.slice(0, token.indexOf('.'));
  return sameBytes(token, acknowledgeToken(deps, tenantId, id)) ? id : undefined;
}

/** Kinds of action that reach a customer. */
export const CUSTOMER_KINDS: readonly ActionKind[] = [
  'send_email',
  'send_sms',
  'send_whatsapp',
  'place_call',
  'send_push',
  'send_in_app',
];
