import { messageOf } from '../base/errors.ts';
import { GROUPS } from './groups.ts';
import { NOTHING, write } from './liquid.ts';
import { VARIABLES } from './variables.ts';

/** Why a text cannot be written; the message is held, never sent with a hole in it. */
export class TemplateError extends Error {
  /** The value that is missing, when that is why. */
  readonly missing: string | undefined;

  constructor(message: string, missing?: string) {
    super(message);
    this.missing = missing;
  }
}

const MEANINGS = new Map([
  ...Object.entries(GROUPS).map(([name, group]) => [name, group.title] as const),
  ...VARIABLES.map(({ name, meaning }) => [name.replace('[]', ''), meaning] as const),
]);

interface Wrong {
  message: string;
  line: number | undefined;
  column: number | undefined;
  /** The value that is missing, when that is what is wrong. */
  missing: string | undefined;
}

/** What the language says is wrong, in a sentence without its place, and the place. */
export function wrongIn(error: unknown): Wrong {
  const position = (error as { token?: { getPosition?: () => [number, number] } }).token?.getPosition?.();
  const text = messageOf(error).replace(/, line:\d+.*$/s, '');
  const missing = /^undefined variable: (.+)$/.exec(text)?.[1];
  return {
    message: missing ? sentenceOf(missing) : (LIMITS_WORDS[text] ?? text),
    line: position?.[0],
    column: position?.[1],
    missing,
  };
}

const LIMITS_WORDS: Record<string, string> = {
  'template render limit exceeded': 'it takes too long to write: a loop goes round too often',
  'memory alloc limit exceeded': 'it grows too large: a loop or a filter repeats too much',
  'parse length limit exceeded': 'it is too long',
};

function sentenceOf(missing: string): string {
  const meaning = MEANINGS.get(missing);
  return `there is no value for ${missing}${meaning ? ` (${meaning[0]!.toLowerCase()}${meaning.slice(1)})` : ''}`;
}

/**
 * Renders a text.
 * @param where how people call the text, for what is told when it cannot be written
 * @param marked see `write`
 * @throws TemplateError that names what is missing or wrong, and where
 */
export function render(template: string, context: object, where = '', marked = false): string {
  try {
    return write(template, context, marked);
  } catch (error) {
    const { message: told, line, column, missing } = wrongIn(error);
    const at = column ? template.split('\n')[(line ?? 1) - 1]?.slice(column - 1) : undefined;
    const printed = /^\{\{-?\s*(.*?)\s*-?\}\}/.exec(at ?? '')?.[1];
    const message = told === NOTHING && printed ? `there is no value for ${printed}` : told;
    const lines = template.includes('\n') && line ? `line ${line}` : '';
    const place = [where, lines].filter((part) => part !== '').join(', ');
    throw new TemplateError(place ? `${message}, which ${place} needs` : message, missing);
  }
}

/** Every text inside a value, rendered; other values stay. */
export function renderDeep(value: unknown, context: object, where = ''): unknown {
  if (typeof value === 'string') return value.includes('{') ? render(value, context, where) : value;
  if (Array.isArray(value)) return value.map((item) => renderDeep(item, context, where));
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderDeep(item, context, where)]));
  return value;
}
