import type { Tx } from '../base/database.ts';
import { hashToken, hmacSha256 } from '../base/ids.ts';
import { localeFor, pickText } from '../texts/language.ts';
import { whole } from '../texts/letter.ts';
import { textToHtml } from '../texts/mail.ts';
import { render, renderDeep, TemplateError } from '../texts/render.ts';
import type { ContentDeps, ContentInput } from './content.schema.ts';
import { withFooter } from './footer.ts';
import type { RequestRow } from './store.ts';

/** A message to a customer by a template: its text in their language, with the links of its channel. @throws TemplateError */
export async function messageContent(
  deps: ContentDeps,
  tx: Tx,
  input: ContentInput,
  plan: Extract<RequestRow['plan'], { type: 'message' }>,
): Promise<Record<string, unknown>> {
  const { request, contexts, templates } = input;
  const person = contexts.people.get(request.customer_id!);
  const { channel } = request;
  const wanted = { key: plan.template, channel, locale: person?.locale, business: contexts.language };
  const template = pickText(templates, wanted);
  const where = `the ${CHANNEL_WORDS[channel] ?? channel} text "${plan.template}"`;
  if (!template) throw new TemplateError(`there is no ${where.slice(4)} in ${whichLanguages(wanted)}`);
  const links = await linksFor(deps, tx, request);
  const context = {
    ...contexts.of(request.customer_id, { runId: request.run_id, locale: localeFor(template.locale, person?.locale) }),
    links,
    ...(await deps.moreFor?.(tx, request, input.now)),
  };
  const place = `${where} (${template.locale})`;
  if (channel === 'whatsapp' && template.native)
    return {
      to: request.recipient,
      template: template.native.id,
      variables: renderDeep(template.native.variables, context, place),
    };
  const body = whole(render(template.body, context, place), place);
  if (channel !== 'email') return { to: request.recipient, text: channel === 'sms' ? plainSpaces(body) : body };
  const subject = render(template.subject ?? '', context, `the subject of ${place}`)
    .replace(/\s+/g, ' ')
    .trim();
  if (subject === '') throw new TemplateError(`${place} has no subject for e-mail`);
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

const CHANNEL_WORDS: Record<string, string> = {
  ...{ email: 'e-mail', sms: 'SMS', whatsapp: 'WhatsApp', in_app: 'in-app', call: 'phone call' },
};

const whichLanguages = ({ locale, business }: { locale?: string | null | undefined; business: string }): string =>
  [...new Set([...(locale ? [locale] : []), business, 'en'])].join(', ');

// A no-break space is in none of the 7-bit characters of a text message: one of them halves what fits.
const plainSpaces = (text: string): string => text.replace(/[\u00a0\u202f\u2009]/g, ' ');

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
export async function marketingMail(
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
