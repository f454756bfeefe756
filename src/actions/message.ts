import type { Tx } from '../base/database.ts';
import { localeFor, pickText } from '../texts/language.ts';
import { TemplateError } from '../texts/render.ts';
import { compose, nameOfText } from './compose.ts';
import type { ContentDeps, ContentInput } from './content.schema.ts';
import { footFor, withFooter } from './footer.ts';
import { linksFor, mentions } from './links.ts';
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
  if (!template)
    throw new TemplateError(`there is no ${nameOfText(channel, plan.template).slice(4)} in ${whichLanguages(wanted)}`);
  const { links, row } = linksFor(deps, tx.tenantId, request);
  const context = {
    ...contexts.of(request.customer_id, { runId: request.run_id, locale: localeFor(template.locale, person?.locale) }),
    links,
    ...(await deps.moreFor?.(tx, request, input.now)),
  };
  const marketing = request.class === 'marketing';
  const written = compose(template, context, await footFor(tx, marketing ? links : undefined, person?.locale));
  const mail = channel === 'email';
  const content = {
    to: request.recipient,
    ...(mail && person?.name ? { toName: person.name } : {}),
    ...written,
    ...(mail && marketing ? { unsubscribeUrl: links.unsubscribe } : {}),
  };
  if (mentions(content, links)) input.links.push(row);
  return content;
}

const whichLanguages = ({ locale, business }: { locale?: string | null | undefined; business: string }): string =>
  [...new Set([...(locale ? [locale] : []), business, 'en'])].join(', ');

/** Marketing by mail says how to end it, whoever wrote the text. */
export async function marketingMail(
  deps: ContentDeps,
  tx: Tx,
  { request, contexts, links: kept }: ContentInput,
  input: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  if (request.class !== 'marketing' || request.channel !== 'email') return {};
  const { links, row } = linksFor(deps, tx.tenantId, request);
  kept.push(row);
  const person = contexts.people.get(request.customer_id ?? '');
  const text = typeof input.text === 'string' ? await withFooter(tx, input.text, links, person?.locale) : undefined;
  return { unsubscribeUrl: links.unsubscribe, ...(text === undefined ? {} : { text }) };
}
