import { DateTime } from 'luxon';
import { LANGUAGES, type Language } from '../../settings/schema.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { fr } from './fr.ts';
import type { PageTexts } from './page.ts';

export const TEXTS: Record<Language, PageTexts> = { en, de, fr, es };

/** A text with its blanks filled in. */
export const fill = (text: string, values: Record<string, string>): string =>
  text.replace(/\{(\w+)\}/g, (blank, name: string) => values[name] ?? blank);

const isLanguage = (text: string): text is Language => (LANGUAGES as readonly string[]).includes(text);

/** Languages of countries whose main one is spoken here; elsewhere English. */
const OF_COUNTRY: Record<string, Language> = {
  ...{ DE: 'de', AT: 'de', CH: 'de', LI: 'de', FR: 'fr', MC: 'fr', ES: 'es', MX: 'es', AR: 'es', CO: 'es', CL: 'es' },
  ...{ PE: 'es', EC: 'es', UY: 'es', CR: 'es', PA: 'es', GT: 'es', DO: 'es', BO: 'es', PY: 'es', VE: 'es' },
};

/**
 * The language a person is spoken to in: their own, else what their browser asks for, else the business's.
 * @param from `accept`: an Accept-Language header
 */
export function languageOf(from: {
  locale?: string | null | undefined;
  accept?: string | undefined;
  country: string;
}): Language {
  const asked = (from.accept ?? '')
    .split(',')
    .map((part) => {
      const [tag = '', quality] = part.trim().split(/;\s*q=/);
      return { tag, quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map(({ tag }) => tag);
  const known = [from.locale ?? '', ...asked].map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage);
  return known ?? OF_COUNTRY[from.country] ?? 'en';
}

/** The text of a setting in a language, or in English. */
export const textIn = (texts: Partial<Record<Language, string>> & { en: string }, language: Language): string =>
  texts[language] ?? texts.en;

/** A day as people of a language write it, on the calendar of a zone. */
export const dayIn = (at: Date, language: Language, zone: string): string =>
  DateTime.fromJSDate(at, { zone }).setLocale(language).toLocaleString(DateTime.DATE_FULL);
