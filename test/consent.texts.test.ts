import { expect, test } from 'vitest';
import { lapsesAt } from '../src/consent/bases.ts';
import { HOURS } from '../src/consent/compliance.ts';
import { easterSunday, isListedHoliday, isPublicHoliday } from '../src/consent/holidays.ts';
import { regionBook, regionsOf } from '../src/consent/regions.ts';
import { EVENTS, eventIn } from '../src/consent/texts/events.ts';
import { fill, languageOf, TEXTS } from '../src/consent/texts/index.ts';
import { nextOpenUnder } from '../src/consent/windows.ts';
import { answerLanguage, keywordOf, WORDS, wordIn } from '../src/consent/words.ts';
import type { PersonPlace } from '../src/model/zones.ts';
import { LANGUAGES, SETTINGS } from '../src/settings/schema.ts';

/** Every text of a tree by its path, with the blanks in it. */
const leaves = (value: unknown, path = ''): [string, string][] =>
  typeof value === 'string'
    ? [[path, value]]
    : Object.entries(value as object).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
const blanks = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort();

test.each(LANGUAGES)('pages: every text is there in %s, with the blanks of the English one', (language) => {
  const own = new Map(leaves(TEXTS[language]));
  for (const [path, text] of leaves(TEXTS.en)) {
    expect(own.get(path), `${language}: ${path}`).toMatch(/\S/);
    expect(blanks(own.get(path)!), `${language}: ${path}`).toEqual(blanks(text));
  }
  expect([...own.keys()], language).toHaveLength(leaves(TEXTS.en).length);
});

test('pages: no two languages say a whole sentence alike: nobody forgot to translate one', () => {
  const sentences = leaves(TEXTS.en).filter(([, text]) => text.includes(' '));
  for (const language of LANGUAGES.filter((other) => other !== 'en'))
    for (const [path, text] of sentences)
      expect(new Map(leaves(TEXTS[language])).get(path), `${language}: ${path}`).not.toBe(text);
});

test('pages: what happened is told in every language', () => {
  for (const [name, words] of Object.entries(EVENTS))
    for (const language of LANGUAGES) expect(words[language], `${name} in ${language}`).toMatch(/\S/);
  expect(eventIn('invoice.overdue', 'de')).toBe('eine Rechnung ist überfällig');
  expect(eventIn('invoice.due_soon', 'de')).toBe('eine Rechnung');
  expect(eventIn('custom', 'de')).toBeUndefined();
});

test('pages: topics and answers have a text in every language by default', () => {
  for (const { key, title } of SETTINGS.topics.value.topics)
    for (const language of LANGUAGES) expect(title[language], `${key} in ${language}`).toMatch(/\S/);
  const { stop, help } = SETTINGS.replies.value;
  for (const language of LANGUAGES) {
    // One text message holds 160 characters, the business's name included.
    expect(fill(stop[language], { business: 'Bright Glass' }).length, language).toBeLessThanOrEqual(160);
    expect(help[language], language).toContain('STOP');
  }
});

test.each([
  [{ locale: 'de-AT', accept: 'fr', country: 'US' }, 'de'],
  [{ locale: null, accept: 'pt-BR, es;q=0.8, fr;q=0.9', country: 'US' }, 'fr'],
  [{ locale: 'xx', accept: 'fr;q=0, en;q=0.1', country: 'DE' }, 'en'],
  [{ locale: null, accept: undefined, country: 'MX' }, 'es'],
  [{ locale: undefined, accept: '*', country: 'JP' }, 'en'],
])('pages: %o is spoken to in %s', (from, language) => {
  expect(languageOf(from)).toBe(language);
});

test('words: every language has its own for each meaning, and each is understood whatever its case and accents', () => {
  const all = ['en', 'de', 'es', 'fr', 'it', 'pt', 'nl', 'pl', 'tr', 'ar', 'hi'];
  expect(WORDS.map(({ language }) => language).sort()).toEqual([...all].sort());
  for (const { language, stop, start, help } of WORDS) {
    for (const word of stop)
      for (const form of [word, `${word.toUpperCase()}!`, ` ${word}. `, word.normalize('NFD')])
        expect(keywordOf(form), `${form} (${language})`).toBe('stop');
    // The few that end messages in another language do so here too.
    for (const word of start) expect(['start', 'stop'], `${word} (${language})`).toContain(keywordOf(word));
    for (const word of help) expect(keywordOf(word), `${word} (${language})`).toBe('help');
  }
  expect(keywordOf('desabonner')).toBe('stop');
  expect(keywordOf('rezygnuje')).toBe('stop');
  expect(keywordOf('İPTAL'.toLowerCase())).toBe('stop');
});

test.each([
  'Please stop by tomorrow',
  'Can you help me with the invoice?',
  'I want to cancel the visit on Monday, not the contract',
  'Wir wollen den Termin abmelden, bitte um Rückruf',
  'بعد غد توقف',
  '',
  '👍',
])('words: "%s" is for people to read', (text) => {
  expect(keywordOf(text)).toBeUndefined();
});

test('words: an answer is in the language of the word where only one has it, else the person’s', () => {
  expect(answerLanguage('ABMELDEN', 'en')).toBe('de');
  expect(answerLanguage('STOP', 'fr')).toBe('fr');
  expect(wordIn('parar')?.languages).toEqual(['es', 'pt']);
  expect(answerLanguage('parar', 'en')).toBe('en');
});

test('bases: what is implied ends by law, clamped to the month, and what was said in words does not', () => {
  expect(lapsesAt('implied_purchase', new Date('2024-02-29T10:00:00Z'))).toEqual(new Date('2026-02-28T10:00:00Z'));
  expect(lapsesAt('implied_inquiry', new Date('2026-08-31T10:00:00Z'))).toEqual(new Date('2027-02-28T10:00:00Z'));
  expect(lapsesAt('consent', new Date())).toBeUndefined();
});

const nowhere: PersonPlace = { time_zone: null, country: null, region: null, phone: null };
const book = (quietHours: object = {}, days: { date: string; name: string; country?: string }[] = []) =>
  regionBook({ quietHours: { ...SETTINGS.quietHours.value, ...quietHours } as never, holidays: { days } }, 'US');
/** When a marketing text may reach somebody, by the regions alone. */
const opens = (person: PersonPlace, zone: string, at: string): string | undefined =>
  nextOpenUnder(
    new Date(at),
    book()
      .of(person, 'sms', 'marketing')
      .map(({ window }) => ({ zones: [zone], window })),
  )?.toISOString();

test('regions: a state’s hours lie within its country’s, so that one rule is the stricter one', () => {
  for (const { region, value } of HOURS.filter((rule) => rule.region.includes('-'))) {
    const country = HOURS.find((rule) => rule.region === region.slice(0, 2))!.value;
    expect(value.open >= country.open && value.close <= country.close, region).toBe(true);
  }
  for (const rule of HOURS) expect([rule.source, rule.effective].every(Boolean), rule.region).toBe(true);
});

test.each([
  ['Florida ends at eight', { country: 'US', region: 'Florida' }, '2026-06-10T00:30:00Z', '2026-06-10T12:00:00.000Z'],
  ['New York ends at nine', { country: 'US', region: 'NY' }, '2026-06-10T00:30:00Z', '2026-06-10T00:30:00.000Z'],
  ['Connecticut begins at nine', { country: 'US', region: 'CT' }, '2026-06-10T12:30:00Z', '2026-06-10T13:00:00.000Z'],
  // 7 June 2026 is a Sunday.
  ['Alabama has no Sundays', { country: 'US', region: 'AL' }, '2026-06-07T16:00:00Z', '2026-06-08T12:00:00.000Z'],
  ['Ohio has Sundays', { country: 'US', region: 'OH' }, '2026-06-07T16:00:00Z', '2026-06-07T16:00:00.000Z'],
])('regions: %s', (_what, place, ask, answer) => {
  expect(opens({ ...nowhere, ...place }, 'America/New_York', ask)).toBe(answer);
});

test('regions: who may be in any state is written to when all of them allow it', () => {
  const somewhere = { ...nowhere, phone: '+12125550101' };
  expect(regionsOf(somewhere, 'DE')).toContain('US-KY');
  expect(opens(somewhere, 'America/New_York', '2026-06-10T13:30:00Z')).toBe('2026-06-10T14:00:00.000Z');
  expect(opens(somewhere, 'America/New_York', '2026-06-07T16:00:00Z')).toBe('2026-06-08T14:00:00.000Z');
  // Their clock rules most states out: none of those left has hours of its own.
  const west = { ...somewhere, time_zone: 'Pacific/Honolulu' };
  expect(regionsOf(west, 'DE')).toEqual(['US-HI']);
  expect(opens(west, 'Pacific/Honolulu', '2026-06-07T18:30:00Z')).toBe('2026-06-07T18:30:00.000Z');
  // A region nobody knows is none.
  expect(regionsOf({ ...nowhere, country: 'US', region: 'Bavaria' }, 'US')).toHaveLength(52);
});

test('regions: France without Sundays and holidays, and holidays of the business where it says so', () => {
  const paul = { ...nowhere, country: 'FR' };
  // 25 May 2026 is Whit Monday; 5 April 2026 is Easter Sunday.
  expect(easterSunday(2026)).toBe('2026-04-05');
  expect(easterSunday(2038)).toBe('2038-04-25');
  expect(isPublicHoliday('2026-05-25', 'FR')).toBe(true);
  expect(opens(paul, 'Europe/Paris', '2026-05-24T10:00:00Z')).toBe('2026-05-26T06:00:00.000Z');
  const days = [
    { date: '12-24', name: 'Christmas Eve', country: 'FR' },
    { date: '2026-06-01', name: 'Party' },
  ];
  expect(isListedHoliday('2027-12-24', 'FR', { days })).toBe(true);
  expect(isListedHoliday('2027-12-24', 'DE', { days })).toBe(false);
  const window = { open: '08:00', close: '20:00', days: [1, 2, 3, 4, 5, 6, 7] };
  const closed = book({ onHolidays: 'closed' }, days);
  const next = (messageClass: 'marketing' | 'transactional') =>
    nextOpenUnder(new Date('2026-06-01T10:00:00Z'), [
      { zones: ['Europe/Paris'], window: closed.own(window, paul, messageClass) },
    ])?.toISOString();
  expect(next('marketing')).toBe('2026-06-02T06:00:00.000Z');
  expect(next('transactional')).toBe('2026-06-01T10:00:00.000Z');
});

test('regions: they are about marketing by phone, and can be switched off by the business alone', () => {
  const ann = { ...nowhere, country: 'US', region: 'FL' };
  expect(book().of(ann, 'sms', 'marketing')).toHaveLength(1);
  expect(book().of(ann, 'call', 'marketing')).toHaveLength(1);
  for (const [channel, messageClass] of [
    ['email', 'marketing'],
    ['sms', 'transactional'],
  ] as const)
    expect(book().of(ann, channel, messageClass)).toEqual([]);
  expect(book({ regions: false }).of(ann, 'sms', 'marketing')).toEqual([]);
});
