import { languageOf } from '../consent/texts/index.ts';

/** A language as the web writes it (`de-AT`), whatever a platform made of it (`de_at`); English for what is none. */
export function languageTag(text: string | null | undefined): string {
  try {
    return Intl.getCanonicalLocales((text ?? '').trim().replaceAll('_', '-'))[0] ?? 'en';
  } catch {
    return 'en';
  }
}

/** The language without its region. */
export const languageIn = (text: string): string => languageTag(text).split('-')[0]!;

/** The language a business writes in when nothing is known of a person: as set, else that of its country. */
export const businessLanguage = (business: { language?: string | undefined; country: string }): string =>
  business.language ?? languageOf({ country: business.country });

interface Variant {
  key: string;
  channel: string;
  locale: string;
}

/**
 * The text for a person: in exactly their language, else in the language without or with another region, else in the
 * business's, else in English; and where a business wrote a text in one language only, that.
 */
export function pickText<Text extends Variant>(
  texts: readonly Text[],
  wanted: { key: string; channel: string; locale: string | null | undefined; business: string },
): Text | undefined {
  const own = texts.filter(({ key, channel }) => key === wanted.key && channel === wanted.channel);
  const [only, second] = own;
  for (const asked of [...(wanted.locale ? [wanted.locale] : []), wanted.business, 'en']) {
    const found =
      own.find(({ locale }) => languageTag(locale) === languageTag(asked)) ??
      own.find(({ locale }) => locale === languageIn(asked)) ??
      own.find(({ locale }) => languageIn(locale) === languageIn(asked));
    if (found) return found;
  }
  return second === undefined ? only : undefined;
}

/** How dates and amounts in a text are written: as the person does where they share its language (de-AT), else as the text. */
export const localeFor = (text: string, person: string | null | undefined): string =>
  person && languageIn(person) === languageIn(text) ? languageTag(person) : languageTag(text);
