import type { Tx } from '../base/database.ts';
import type { LinkSubject, Told } from '../consent/choices.ts';
import { type ConsentRow, consentHistory } from '../consent/store.ts';
import { eventIn } from '../consent/texts/events.ts';
import { dayIn, fill, TEXTS } from '../consent/texts/index.ts';
import type { PageTexts } from '../consent/texts/page.ts';
import { findCustomer } from '../model/store.ts';
import type { Language } from '../settings/schema.ts';

interface Sent {
  channel: string;
  class: 'marketing' | 'transactional';
  topic: string | null;
  content: Record<string, unknown> | null;
  at: Date;
  sequence: string | null;
  trigger_name: string | null;
  subject_label: string | null;
}

/** How much of a text stands for it where it has no subject. */
const BEGINNING = 80;

/**
 * What was sent to the address of a link, newest first, and why: what happened, the sequence it is part of, and on which
 * basis. Nothing but what went to that address: whoever holds the link got these messages.
 */
export async function messagesTo(tx: Tx, link: LinkSubject, language: Language, zone: string): Promise<Told[]> {
  const customerId = (await findCustomer(tx, link.customerId))?.id ?? link.customerId;
  const { rows } = await tx.query<Sent>(
    `select r.channel, r.class, r.topic, r.content, coalesce(r.ended_at, r.committed_at) as at, s.title as sequence,
       u.cause ->> 'trigger' as trigger_name, u.cause ->> 'subject' as subject_label
     from action_request r left join run u on u.tenant_id = r.tenant_id and u.id = r.run_id
       left join sequence s on s.tenant_id = r.tenant_id and s.id = u.sequence_id
     where r.tenant_id = $1 and r.customer_id = $2 and r.channel = $3 and lower(r.recipient) = lower($4) and r.class <> 'internal' and r.state = 'sent'
     order by r.id desc limit 50`,
    [tx.tenantId, customerId, link.channel, link.address],
  );
  const history = await consentHistory(tx, customerId);
  return rows.map((row) => ({
    at: row.at,
    channel: row.channel,
    what: titleOf(row.content),
    why: [...causeOf(row, language), basisOf(row, history, language, zone)],
  }));
}

function titleOf(content: Record<string, unknown> | null): string {
  const subject = content?.subject ?? content?.text ?? content?.template ?? '';
  const text = String(subject).replace(/\s+/g, ' ').trim();
  return text.length > BEGINNING ? `${text.slice(0, BEGINNING)}…` : text || '…';
}

function causeOf(row: Sent, language: Language): string[] {
  const texts = TEXTS[language];
  if (!row.sequence) return [texts.whyByHand];
  const event = row.trigger_name ? eventIn(row.trigger_name, language) : undefined;
  const because = event && fill(texts.whyEvent, { event, subject: row.subject_label ?? '' }).replace(/\s*: \.$/, '.');
  return [...(because ? [because] : []), fill(texts.whySequence, { sequence: row.sequence })];
}

/** The consent that stood when it went out, as the history has it. */
function basisOf(row: Sent, history: readonly ConsentRow[], language: Language, zone: string): string {
  const texts = TEXTS[language];
  const basis = (name: keyof PageTexts['bases'], date: Date, source: string): string =>
    fill(texts.whyBasis, { basis: texts.bases[name], date: dayIn(date, language, zone), source });
  if (row.class === 'transactional')
    return `${texts.bases.transactional[0]!.toUpperCase()}${texts.bases.transactional.slice(1)}.`;
  const given = history.find(
    (event) =>
      event.state === 'granted' &&
      event.class === row.class &&
      (event.channel === row.channel || event.channel === '*') &&
      (event.topic === '*' || event.topic === row.topic) &&
      event.recorded_at <= row.at,
  );
  if (!given) return texts.whyNoConsent;
  const known = Object.hasOwn(texts.bases, given.basis) ? (given.basis as keyof PageTexts['bases']) : 'consent';
  return basis(known, given.recorded_at, texts.sources[sourceOf(given.source)]);
}

/** Where a consent came from, without naming anybody. */
function sourceOf(source: string): keyof PageTexts['sources'] {
  if (source === 'page' || source === 'form' || source === 'platform') return source;
  return /^(user|api_key|system|import)/.test(source) ? 'staff' : 'reply';
}
