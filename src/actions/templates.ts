import { Liquid, type LiquidOptions } from 'liquidjs';
import { DateTime } from 'luxon';
import { messageOf } from '../base/errors.ts';

/** Why a text cannot be written; the message is held, never sent with a hole in it. */
export class TemplateError extends Error {}

const LIMITS: LiquidOptions = {
  // A tenant's text must not hang or fill the process (measured: loops, doubling strings and huge texts end in < 210 ms).
  parseLimit: 100_000,
  renderLimit: 200,
  memoryLimit: 1_000_000,
  ownPropertyOnly: true,
  strictFilters: true,
  strictVariables: true,
  // `if` and `default` may ask for what is missing; printing it may not.
  lenientIf: true,
  relativeReference: false,
  fs: {
    readFileSync: () => refuse(),
    readFile: async () => refuse(),
    existsSync: () => false,
    exists: async () => false,
    contains: async () => false,
    resolve: (_root: string, file: string) => file,
  } as unknown as NonNullable<LiquidOptions['fs']>,
};

function refuse(): never {
  throw new Error('Templates cannot include files.');
}

const engine = new Liquid(LIMITS);

engine.registerFilter('money', (amount: unknown, currency: unknown, locale: unknown) =>
  formatMoney(amount, currency, locale),
);
engine.registerFilter('day', (date: unknown, locale: unknown) =>
  typeof date === 'string'
    ? DateTime.fromISO(date, { zone: 'utc' })
        .setLocale(typeof locale === 'string' ? locale : 'en')
        .toLocaleString(DateTime.DATE_FULL)
    : '',
);

/** An amount as people of `locale` write it. */
export function formatMoney(amount: unknown, currency: unknown, locale: unknown = 'en'): string {
  const number = Number(amount);
  if (!Number.isFinite(number)) return '';
  const style =
    typeof currency === 'string' && /^[A-Z]{3}$/.test(currency)
      ? { style: 'currency' as const, currency }
      : { minimumFractionDigits: 2 };
  return new Intl.NumberFormat(typeof locale === 'string' ? locale : 'en', style).format(number);
}

/**
 * Renders a text.
 * @throws TemplateError that names what is missing or wrong
 */
export function render(template: string, context: object): string {
  try {
    return engine.parseAndRenderSync(template, context);
  } catch (error) {
    throw new TemplateError(
      messageOf(error)
        .replace(/, line:.*$/s, '')
        .replace(/^undefined variable: /, 'there is no value for '),
    );
  }
}

/** Mistakes in a template's form, found when it is saved. */
export function templateProblem(template: string): string | undefined {
  try {
    engine.parse(template);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Every text inside a value, rendered; other values stay. */
export function renderDeep(value: unknown, context: object): unknown {
  if (typeof value === 'string') return value.includes('{') ? render(value, context) : value;
  if (Array.isArray(value)) return value.map((item) => renderDeep(item, context));
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderDeep(item, context)]));
  return value;
}

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** A plain-text letter as HTML: paragraphs and links, nothing that could carry a script. */
export function textToHtml(text: string): string {
  const paragraphs = text
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) =>
      escapeHtml(paragraph)
        .replace(/https?:\/\/[^\s<]+[^\s<.,)]/g, (url) => `<a href="${url}">${url}</a>`)
        .replaceAll('\n', '<br>'),
    );
  return `<!doctype html><html><body style="font-family:sans-serif;font-size:15px;line-height:1.5">${paragraphs.map((paragraph) => `<p>${paragraph}</p>`).join('')}</body></html>`;
}
