import { Value } from 'typebox/value';
import type { Tx } from '../base/database.ts';
import { hashToken, hmacSha256, sameBytes } from '../base/ids.ts';
import { addDays, instantOf } from '../base/time.ts';
import { ACTION_INPUTS, type ActionKind } from '../kit/index.ts';
import { findEscalation } from '../sequences/escalations.ts';
import { findStaff } from '../sequences/staff.ts';
import type { TemplateRow } from '../sequences/store.ts';
import { setting } from '../settings/store.ts';
import { textToHtml } from '../texts/mail.ts';
import { render, renderDeep, TemplateError } from '../texts/render.ts';
import type { Contexts } from './context.ts';
import { withFooter } from './footer.ts';
import { nativeIdOf, nativeStaffId, type Route } from './routing.ts';
import type { RequestRow } from './store.ts';

export interface ContentDeps {
  publicUrl: string;
  /** Key of the links we hand out. */
  linkKey: Buffer;
}

export interface ContentInput {
  request: RequestRow;
  route: Route;
  contexts: Contexts;
  templates: readonly TemplateRow[];
  now: Date;
}

/**
 * The platform-independent input of an action, complete: texts rendered, native ids filled in.
 * @throws TemplateError that says what is missing; the action is then held
 */
export async function buildContent(deps: ContentDeps, tx: Tx, input: ContentInput): Promise<Record<string, unknown>> {
  const { request } = input;
  const { plan } = request;
  const content =
    plan.type === 'message'
      ? await messageContent(deps, tx, input, plan.template)
      : plan.type === 'do'
        ? await nativeContent(
            tx,
            input,
            renderDeep(plan.input, input.contexts.of(request.customer_id)) as Record<string, unknown>,
          )
        : plan.type === 'staff'
          ? await staffContent(deps, tx, input, plan)
          : plan.type === 'answer' || CUSTOMER_KINDS.includes(request.kind)
            ? { ...plan.input, ...(await marketingMail(deps, tx, input, plan.input)) }
            : await nativeContent(tx, input, plan.input);
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

async function messageContent(
  deps: ContentDeps,
  tx: Tx,
  { request, contexts, templates }: ContentInput,
  key: string,
): Promise<Record<string, unknown>> {
  const person = contexts.people.get(request.customer_id!);
  const template = pick(templates, key, request.channel, person?.locale ?? 'en');
  if (!template) throw new TemplateError(`there is no text "${key}" for ${request.channel}`);
  const links = await linksFor(deps, tx, request);
  const context = { ...contexts.of(request.customer_id), links };
  const body = render(template.body, context).trim();
  if (request.channel === 'whatsapp' && template.native)
    return {
      to: request.recipient,
      template: template.native.id,
      variables: renderDeep(template.native.variables, context),
    };
  if (request.channel !== 'email') return { to: request.recipient, text: body };
  const subject = render(template.subject ?? '', context)
    .replace(/\s+/g, ' ')
    .trim();
  if (subject === '') throw new TemplateError(`the text "${key}" has no subject for e-mail`);
  const text = request.class === 'marketing' ? await withFooter(tx, body, links, person?.locale) : body;
  return {
    to: request.recipient,
    ...(person?.name ? { toName: person.name } : {}),
    subject,
    text,
    html: textToHtml(text),
    ...(request.class === 'marketing' ? { unsubscribeUrl: links.unsubscribe } : {}),
  };
}

/** The best text: exact language, then the language without region, then English, then any. */
function pick(
  templates: readonly TemplateRow[],
  key: string,
  channel: string,
  locale: string,
): TemplateRow | undefined {
  const own = templates.filter((template) => template.key === key && template.channel === channel);
  return (
    [locale, locale.slice(0, 2), 'en']
      .map((wanted) => own.find((template) => template.locale === wanted))
      .find((found) => found !== undefined) ?? own[0]
  );
}

/** Where a recipient ends it, chooses, and reads why it came; one secret for all three. */
export interface Links {
  unsubscribe: string;
  preferences: string;
  why: string;
}

/** Links for one person, channel and topic; the same for ever, so that old mails keep working. */
async function linksFor(deps: ContentDeps, tx: Tx, request: RequestRow): Promise<Links> {
  const topic = request.topic ?? '*';
  const token = hmacSha256(deps.linkKey, `${tx.tenantId} ${request.customer_id} ${request.channel} ${topic}`).toString(
    'base64url',
  );
  await tx.query(
    "insert into link_route (token_hash, tenant_id, purpose, subject, created_at) values ($1, $2, 'unsubscribe', $3, $4) on conflict (token_hash) do nothing",
    [
      hashToken(token),
      tx.tenantId,
      { customerId: request.customer_id, channel: request.channel, topic, address: request.recipient },
      request.created_at,
    ],
  );
  return {
    unsubscribe: `${deps.publicUrl}/u/${token}`,
    preferences: `${deps.publicUrl}/p/${token}`,
    why: `${deps.publicUrl}/w/${token}`,
  };
}

/** Marketing by mail says how to end it, whoever wrote the text. */
async function marketingMail(
  deps: ContentDeps,
  tx: Tx,
  { request, contexts }: ContentInput,
  input: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  if (request.class !== 'marketing' || request.channel !== 'email') return {};
  const links = await linksFor(deps, tx, request);
  const person = contexts.people.get(request.customer_id ?? '');
  const text = typeof input.text === 'string' ? await withFooter(tx, input.text, links, person?.locale) : undefined;
  return { unsubscribeUrl: links.unsubscribe, ...(text === undefined ? {} : { text }) };
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
  const { due_in_days: dueInDays, ...fields } = given;
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
  if (
    ['create_task', 'create_ticket', 'create_calendar_event'].includes(request.kind) &&
    person?.owner_email &&
    fields.assignee === undefined
  ) {
    const assignee = await nativeStaffId(tx, route, person.owner_email);
    if (assignee) fields.assignee = assignee;
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
    ...contexts.of(request.customer_id),
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
