import type { Tx } from '../base/database.ts';
import { invalid, notFound, Problem } from '../base/errors.ts';
import { languageOf } from '../consent/texts/index.ts';
import { lookUpCustomer } from '../model/store.ts';
import type { Definition } from '../sequences/schema.ts';
import { classOf } from '../sequences/schema.ts';
import { findSequence, listSequences, listTemplates, loadDefinition } from '../sequences/store.ts';
import { templateErrors } from '../sequences/texts.ts';
import { EXAMPLE, surveyExample } from '../surveys/context.ts';
import { languageTag, localeFor, pickText } from '../texts/language.ts';
import { TemplateError } from '../texts/render.ts';
import { countSms } from '../texts/sms.ts';
import { exampleContext, VARIABLES } from '../texts/variables.ts';
import { type Composed, compose, nameOfText, type TemplateText } from './compose.ts';
import { loadContexts } from './context.ts';
import { footFor } from './footer.ts';
import type { TextPreview, TextPreviewInput } from './texts.schema.ts';

type Missing = TextPreview['missing'];

/**
 * A text as a customer would get it, with everything that stands in its way.
 * @param publicUrl where links of the preview lead
 * @throws Problem when there is no such text, customer or enrolment
 */
export async function previewText(
  tx: Tx,
  input: TextPreviewInput,
  deps: { publicUrl: string; now: Date },
): Promise<TextPreview> {
  const run = input.enrolmentId ? await customerOfRun(tx, input.enrolmentId) : undefined;
  const who = run ?? (input.customer ? await customerNamed(tx, input.customer) : undefined);
  const contexts = await loadContexts(tx, who ? [who] : [], deps.now, { runIds: run ? [input.enrolmentId!] : [] });
  const person = who ? contexts.people.get(who) : undefined;
  const template = await templateOf(tx, input, input.locale ?? person?.locale, contexts.language);
  const definition = await definitionFor(tx, input, template.key);
  const locale = localeFor(template.locale, person?.locale);
  const known = who
    ? contexts.of(who, { ...(run ? { runId: input.enrolmentId! } : {}), locale })
    : { ...exampleContext('customer'), ...contexts.of(null, { locale }), locale };
  const links = {
    unsubscribe: `${deps.publicUrl}/u/preview`,
    preferences: `${deps.publicUrl}/p/preview`,
    why: `${deps.publicUrl}/w/preview`,
  };
  const context = {
    ...(definition && !run ? groupsOf(definition) : {}),
    ...(await surveyFor(tx, deps.publicUrl, definition, template)),
    ...known,
    ...(definition && !run ? { values: groupsOf(definition).values } : {}),
    links,
  };
  const marketing = definition ? classOf(definition) === 'marketing' : true;
  const foot = await footFor(tx, marketing ? links : undefined, template.locale);
  const problems = templateErrors(template, '', definition && new Set(Object.keys(definition.values ?? {})));
  const { written, missing, problem } =
    problems.length > 0
      ? { written: {}, missing: [], problem: undefined }
      : attempt((given) => compose(template, given, foot), context);
  const { subject, text, html } = written;
  const sms = template.channel === 'sms' && text !== undefined ? countSms(text) : null;
  return {
    channel: template.channel,
    locale: template.locale,
    customer: person ? { id: person.id, name: person.name } : null,
    ...{ subject: subject ?? null, text: text ?? null, html: html ?? null, sms, missing },
    template: written.template
      ? { id: written.template, variables: written.variables as Record<string, string> }
      : null,
    warnings: warningsOf(template.channel, written, sms),
    problems: [...problems, ...(problem ? [{ path: 'body', message: problem }] : [])],
  };
}

/** The survey a step asks with this text, or an example of one. */
async function surveyFor(
  tx: Tx,
  publicUrl: string,
  definition: Definition | undefined,
  { key, locale }: TemplateText,
): Promise<Record<string, unknown>> {
  const step = definition?.steps.find((one) => 'survey' in one && one.survey.template === key);
  const own =
    step && 'survey' in step
      ? await surveyExample(tx, publicUrl, step.survey.survey, languageOf({ locale, country: '' }))
      : undefined;
  if (own) return own;
  const { survey, survey_scale } = exampleContext('customer');
  return { survey: { ...(survey as object), link: `${publicUrl}/s/${EXAMPLE}` }, survey_scale };
}

async function customerNamed(tx: Tx, named: string): Promise<string> {
  const [customer, ...more] = await lookUpCustomer(tx, named);
  if (!customer) throw notFound('customer', named);
  if (more.length > 0)
    throw new Problem(409, 'several', `Several customers are called "${named}".`, {
      fix: 'Name one by the e-mail address or id.',
    });
  return customer.id;
}

async function customerOfRun(tx: Tx, id: string): Promise<string> {
  const { rows } = await tx.query<{ customer_id: string }>(
    'select customer_id from run where tenant_id = $1 and id = $2',
    [tx.tenantId, id],
  );
  if (!rows[0]) throw notFound('enrolment', id);
  return rows[0].customer_id;
}

async function templateOf(
  tx: Tx,
  input: TextPreviewInput,
  locale: string | null | undefined,
  business: string,
): Promise<TemplateText> {
  const { key = 'draft', channel, draft } = input;
  if (draft)
    return {
      ...{ key, channel, locale: languageTag(locale ?? business) },
      ...{ subject: draft.subject ?? null, body: draft.body, html: draft.html ?? null, native: draft.native ?? null },
    };
  if (!input.key)
    throw invalid('Name a stored text or give a draft.', [{ path: 'key', message: 'is missing, and so is draft' }]);
  const all = await listTemplates(tx, key);
  const found = pickText(all, { key, channel, locale, business });
  if (found) return found;
  const there = all.map((text) => `${text.channel}/${text.locale}`).join(', ');
  throw new Problem(404, 'not_found', `There is no ${nameOfText(channel, key).slice(4)} in ${locale ?? business}.`, {
    fix: there ? `"${key}" exists as ${there}.` : 'List the templates to find the right key.',
  });
}

/** The definition a text is previewed for: the one named, else the first that uses it. */
async function definitionFor(tx: Tx, input: TextPreviewInput, key: string): Promise<Definition | undefined> {
  if (input.sequence) {
    const row = await findSequence(tx, input.sequence);
    if (!row) throw notFound('sequence', input.sequence);
    return loadDefinition(tx, row.id, row.latest_version);
  }
  for (const row of await listSequences(tx)) {
    const definition = await loadDefinition(tx, row.id, row.latest_version);
    const uses = definition.steps.some(
      (step) =>
        ('message' in step && step.message.template === key) || ('survey' in step && step.survey.template === key),
    );
    if (uses) return definition;
  }
  return undefined;
}

/** What the sequence would say of itself to somebody who enters it today. */
const groupsOf = (definition: Definition): Record<string, unknown> => ({
  sequence: { key: definition.key, title: definition.title },
  values: Object.fromEntries(Object.entries(definition.values ?? {}).filter(([, value]) => value.trim() !== '')),
  trigger: { name: definition.triggers[0]?.name, data: {} },
});

/** Writes a text with stand-ins for what is missing, until nothing is missing any more. */
function attempt(
  write: (context: Record<string, unknown>) => Composed,
  given: Record<string, unknown>,
): { written: Composed; missing: Missing; problem: string | undefined } {
  const context = structuredClone(given);
  const missing: Missing = [];
  for (;;) {
    try {
      return { written: write(context), missing, problem: undefined };
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      const name = error.missing;
      const stuck = name === undefined || missing.some((before) => before.name === name) || missing.length >= 100;
      if (stuck || !supply(context, name)) return { written: {}, missing, problem: error.message };
      const variable = VARIABLES.find((one) => one.name === name);
      const group = VARIABLES.some((one) => one.name.startsWith(`${name}.`));
      // Of a group that is missing the members are told, as far as the text needs them.
      if (!group) missing.push({ name, meaning: variable?.meaning ?? null });
    }
  }
}

/** Puts something where a value is missing: its name, or for dates and figures an example. @returns whether it could */
function supply(context: Record<string, unknown>, name: string): boolean {
  const path = name.split('.');
  const variable = VARIABLES.find((one) => one.name === name);
  let group = context;
  for (const part of path.slice(0, -1)) {
    group[part] ??= {};
    if (typeof group[part] !== 'object') return false;
    group = group[part] as Record<string, unknown>;
  }
  const last = path.at(-1)!;
  if (group[last] !== undefined) return false;
  if (variable?.type === 'list') group[last] = [];
  else if (!variable && VARIABLES.some((one) => one.name.startsWith(`${name}.`))) group[last] = {};
  else
    group[last] =
      variable && ['date', 'time', 'number', 'link'].includes(variable.type) ? variable.example : `⟨${name}⟩`;
  return true;
}

// Where mail programs on telephones begin to cut subjects, and where Gmail clips a page ("[Message clipped]").
const LONG_SUBJECT = 60;
const CLIPPED_BYTES = 102_000;
// The body of an approved template, and of free text in a session (WhatsApp Cloud API reference, messages).
const LONGEST_WHATSAPP = 4096;
const LONGEST_SMS = 1600;

function warningsOf(
  channel: string,
  { subject = '', text = '', html = '' }: Composed,
  sms: TextPreview['sms'],
): string[] {
  const size = Buffer.byteLength(html);
  return [
    ...(subject.length > LONG_SUBJECT
      ? [`The subject has ${subject.length} characters; many mail programs show ${LONG_SUBJECT} or fewer.`]
      : []),
    ...(size > CLIPPED_BYTES ? [`The page has ${Math.ceil(size / 1000)} kB; Gmail clips what is beyond 102 kB.`] : []),
    ...(sms && sms.forcing.length > 0
      ? [
          `${sms.forcing.map((one) => `"${one}"`).join(', ')} cannot be sent in the short alphabet, so a part holds 70 characters instead of 160.`,
        ]
      : []),
    ...(sms && sms.segments > 1 ? [`It is sent and billed as ${sms.segments} text messages.`] : []),
    ...(channel === 'sms' && text.length > LONGEST_SMS
      ? [`It has ${text.length} characters; at most ${LONGEST_SMS} can be sent.`]
      : []),
    ...(channel === 'whatsapp' && text.length > LONGEST_WHATSAPP
      ? [`It has ${text.length} characters; WhatsApp carries ${LONGEST_WHATSAPP}.`]
      : []),
  ];
}
