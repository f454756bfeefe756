import { AssignTag, type Context, evalToken, Filter, Liquid, type LiquidOptions, type Template } from 'liquidjs';
import { FILTERS } from './filters.ts';

/** No text is longer (characters); what is longer is refused when it is saved. */
export const LONGEST_TEXT = 100_000;

const LIMITS: LiquidOptions = {
  // A tenant's text must not hang or fill the process (measured: loops, doubling strings and huge texts end in < 210 ms).
  parseLimit: LONGEST_TEXT,
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
  throw new Error('texts cannot include files');
}

/** Tags that read files, or whose state outlives one text. */
const NO_TAGS = ['include', 'render', 'layout', 'block', 'increment', 'decrement', 'tablerow'];

/** `assign` asks as strictly as printing does: otherwise what is missing would be printed as nothing. */
class StrictAssign extends AssignTag {
  override *render(context: Context): Generator<unknown, void, unknown> {
    const { value, key } = this as unknown as {
      value: { value(context: Context, lenient: boolean): Generator<unknown, unknown, unknown> };
      key: string;
    };
    (context.bottom() as Record<string, unknown>)[key] = yield value.value(context, false);
  }
}

/** `a | default: b | default: "c"`: what is offered instead may be missing too. */
const strictly = Filter.prototype.render;
Filter.prototype.render = function* (value: unknown, context: Context): ReturnType<typeof strictly> {
  if (this.name !== 'default') return (yield* strictly.call(this, value, context) as Iterable<unknown>) as unknown;
  const { args } = this as unknown as { args: Parameters<typeof evalToken>[0][] };
  const given: unknown[] = [];
  for (const arg of args) given.push(Array.isArray(arg) ? [arg[0], true] : yield evalToken(arg, context, true));
  const { handler, token } = this as unknown as { handler: (...all: unknown[]) => unknown; token: unknown };
  return yield handler.apply({ context, token, liquid: context.liquid }, [value, ...given]);
};

/** A value that stands where it cannot be written down. */
export class UnprintableError extends Error {}

export const NOTHING = 'there is nothing to print here';

/** Refuses what would be printed as nothing, or as "[object Object]". */
function printable(value: unknown): unknown {
  if (value === null || value === undefined) throw new UnprintableError(NOTHING);
  if (Array.isArray(value)) throw new UnprintableError('this is a list; go through it with for, or print its size');
  if (typeof value === 'object') throw new UnprintableError('this is a group of values; name one of them');
  return value;
}

// Characters that mean something in HTML or in the marks of a letter, while they come from a value. They stand in a
// range no text uses, so that nothing reads them as marks; `revealed` gives them back.
const MARKS = '&<>"\'*[]()_`#\\:';
const HIDDEN = 0xe100;
const HIDE = new RegExp(`[${MARKS.replace(/[\]\\]/g, '\\$&')}]`, 'g');
const PRIVATE = /[\ue000-\uf8ff]/g;

/** A value with everything that could act as a mark hidden. */
export const hidden = (text: string): string =>
  text.replace(PRIVATE, '').replace(HIDE, (mark) => String.fromCharCode(HIDDEN + MARKS.indexOf(mark)));

/** The characters that were hidden, each as `write` writes it. */
export const revealed = (text: string, write: (mark: string) => string = (mark) => mark): string =>
  text.replace(PRIVATE, (found) => {
    const mark = MARKS[found.charCodeAt(0) - HIDDEN];
    return mark === undefined ? '' : write(mark);
  });

const trustedLinks = new WeakMap<object, ReadonlySet<string>>();

/** Groups whose links the business made; whatever else looks like a link came from a customer. */
const LINK_GROUPS = ['links', 'booking', 'review', 'survey', 'survey_scale', 'invoice', 'invoices', 'payment'];
/** Groups the business wrote itself: what is a mark there is meant as one. */
const OWN_GROUPS = ['values', 'business'];

function linksIn(context: Record<string, unknown>): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (value: unknown, all: boolean): void => {
    if (typeof value === 'string') {
      if (all || /^https?:\/\//.test(value)) found.add(value);
    } else if (value !== null && typeof value === 'object') for (const item of Object.values(value)) look(item, all);
  };
  for (const group of LINK_GROUPS) look(context[group], false);
  for (const group of OWN_GROUPS) look(context[group], true);
  return found;
}

/** Prints into a letter: marks in values mean nothing there, except links the business made. */
function hide(this: { context: Context }, value: unknown): string {
  const text = String(printable(value));
  const scope = this.context.environments as Record<string, unknown>;
  const links = trustedLinks.get(scope) ?? linksIn(scope);
  trustedLinks.set(scope, links);
  return links.has(text) ? text : hidden(text);
}

function engineWith(outputEscape: (value: unknown) => unknown): Liquid {
  const engine = new Liquid({ ...LIMITS, outputEscape: outputEscape as (value: unknown) => string });
  for (const tag of NO_TAGS) delete engine.tags[tag];
  engine.registerTag('assign', StrictAssign);
  // It would let a value through as HTML.
  engine.unregisterFilter('raw');
  for (const [name, { apply }] of Object.entries(FILTERS)) engine.registerFilter(name, apply);
  return engine;
}

const plain = engineWith(printable);
const letter = engineWith(hide as (value: unknown) => unknown);

/** Filters texts may use. */
export const filterNames = (): string[] => Object.keys(plain.filters).sort();

/** @throws LiquidError where the form is wrong */
export const parseText = (text: string): Template[] => plain.parse(text);

/** Which values a text uses, and where. */
export const analyse = (templates: Template[]): ReturnType<Liquid['analyzeSync']> =>
  plain.analyzeSync(templates, { partials: false });

/**
 * Writes a text with its values.
 * @param marked hides in values what could act as a mark of a letter or HTML; for `revealed`
 * @throws LiquidError where a value is missing or a limit is reached
 */
export const write = (text: string, context: object, marked = false): string =>
  (marked ? letter : plain).parseAndRenderSync(text, context) as string;
