import type { TemplateRow } from '../sequences/store.ts';
import { languageTag } from '../texts/language.ts';
import { whole } from '../texts/letter.ts';
import { revealed } from '../texts/liquid.ts';
import { type MailFoot, mailHtml, ownHtml } from '../texts/mail.ts';
import { escapeHtml, letterHtml, letterText } from '../texts/markup.ts';
import { render, renderDeep, TemplateError } from '../texts/render.ts';

/** A text as it would be sent. */
export interface Composed {
  subject?: string;
  text?: string;
  html?: string;
  template?: string;
  variables?: unknown;
}

export type TemplateText = Pick<TemplateRow, 'key' | 'channel' | 'locale' | 'subject' | 'body' | 'native' | 'html'>;

const CHANNEL_WORDS: Record<string, string> = {
  ...{ email: 'e-mail', sms: 'SMS', whatsapp: 'WhatsApp', in_app: 'in-app', call: 'phone call' },
};

/** How people call a text, in the middle of a sentence. */
export const nameOfText = (channel: string, key: string): string =>
  `the ${CHANNEL_WORDS[channel] ?? channel} text "${key}"`;

// A no-break space is in none of the 7-bit characters of a text message: one of them halves what fits.
const plainSpaces = (text: string): string => text.replace(/[\u00a0\u202f\u2009]/g, ' ');

/**
 * Writes a template with its values, as its channel carries it.
 * @param foot what ends an e-mail, beside what its text says itself
 * @throws TemplateError that says what is missing
 */
export function compose(
  template: TemplateText,
  context: Record<string, unknown>,
  foot: (text: string) => { text: string; html: MailFoot },
): Composed {
  const { channel } = template;
  const place = `${nameOfText(channel, template.key)} (${template.locale})`;
  if (channel === 'whatsapp' && template.native)
    return { template: template.native.id, variables: renderDeep(template.native.variables, context, place) };
  if (channel !== 'email') {
    const body = whole(render(template.body, context, place), place);
    return { text: channel === 'sms' ? plainSpaces(body) : body };
  }
  const subject = render(template.subject ?? '', context, `the subject of ${place}`)
    .replace(/\s+/g, ' ')
    .trim();
  if (subject === '') throw new TemplateError(`${place} has no subject for e-mail`);
  const letter = whole(render(template.body, context, place, true), place);
  const text = letterText(letter);
  const { text: footed, html } = foot(text);
  const page = {
    ...{ subject, language: languageTag(template.locale), preheader: preheaderOf(text), foot: html },
    body: template.html
      ? revealed(render(template.html, context, `the HTML of ${place}`, true), escapeHtml)
      : letterHtml(letter),
  };
  return { subject, text: footed, html: template.html ? ownHtml(page) : mailHtml(page) };
}

/** The first words behind the greeting. */
function preheaderOf(text: string): string {
  const lines = text.split(/\n+/).map((line) => line.trim());
  const [greeting = '', ...rest] = lines.filter((line) => line !== '');
  const words = (/[,!:]$/.test(greeting) ? rest : [greeting, ...rest]).join(' ').replace(/https?:\/\/\S+/g, '');
  return words.length > 110 ? `${words.slice(0, 110).replace(/\s+\S*$/, '')}…` : words;
}
