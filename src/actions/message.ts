import type { Tx } from '../base/database.ts';
import { hashToken, hmacSha256 } from '../base/ids.ts';
import { localeFor, pickText } from '../texts/language.ts';
import { TemplateError } from '../texts/render.ts';
import { compose, nameOfText } from './compose.ts';
import type { ContentDeps, ContentInput } from './content.schema.ts';
import { footFor, type Links, withFooter } from './footer.ts';
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
  const links = await linksFor(deps, tx, request);
  const context = {
    ...contexts.of(request.customer_id, { runId: request.run_id, locale: localeFor(template.locale, person?.locale) }),
    links,
    ...(await deps.moreFor?.(tx, request, input.now)),
  };
  const marketing = request.class === 'marketing';
  const written = compose(template, context, await footFor(tx, marketing ? links : undefined, person?.locale));
  if (channel !== 'email') return { to: request.recipient, ...written };
  return {
    to: request.recipient,
    ...(person?.name ? { toName: person.name } : {}),
    ...written,
    ...(marketing ? { unsubscribeUrl: links.unsubscribe } : {}),
  };
}

const whichLanguages = ({ locale, business }: { locale?: string | null | undefined; business: string }): string =>
  [...new Set([...(locale ? [locale] : []), business, 'en'])].join(', ');

/** Links for one person, channel and topic; the same for ever, so that old mails keep working. */
async function linksFor(deps: ContentDeps, tx: Tx, request: RequestRow): Promise<Links> {
  const topic = request.topic ?? '*';
  const token = hmacSha256(deps.linkKey, `${tx.tenantId} ${request.customer_id} ${request.channel} ${topic}`).toString(
    'base64url',
  );
  if (!deps.imagined)
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
