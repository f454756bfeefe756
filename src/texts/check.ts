import type { FieldError } from '../base/errors.ts';
import { nearest } from '../conditions/near.ts';
import { GROUPS } from './groups.ts';
import { analyse, filterNames, LONGEST_TEXT, parseText, write } from './liquid.ts';
import { wrongIn } from './render.ts';
import { exampleContext, type TextScope, VARIABLES, variableAt, variableNames } from './variables.ts';

/** What is wrong with a text, with the line it is in; `undefined` for the whole of it. */
export interface TextProblem {
  line: number | undefined;
  message: string;
}

type Path = (string | number)[];

/**
 * Everything that is wrong with a text: its form, filters and variables nobody knows, and loops that never end or grow
 * too large. Looked at when it is saved; an empty list means it can be written whenever its values are there.
 * @param scope texts for staff know who is told
 * @param values names the sequence keeps under `values`; any when absent
 */
export function textProblems(text: string, scope: TextScope = 'customer', values?: ReadonlySet<string>): TextProblem[] {
  if (text.length > LONGEST_TEXT)
    return [{ line: undefined, message: `is ${text.length} characters long; at most ${LONGEST_TEXT} are taken` }];
  if (!text.includes('{')) return [];
  try {
    const templates = parseText(text);
    const problems = unknownVariables(text, templates, scope, values);
    if (problems.length > 0) return problems;
    // What is left out above (custom fields, values) is tried with something in its place.
    write(text, exampleFor(templates, scope));
    return [];
  } catch (error) {
    return [problemOf(error)];
  }
}

function problemOf(error: unknown): TextProblem {
  const { message, line } = wrongIn(error);
  const filter = /^undefined filter: (.+)$/.exec(message)?.[1];
  if (filter) return { line, message: `there is no filter "${filter}"${meant(filter, filterNames())}` };
  const tag = /^tag "(.+)" not found$/.exec(message)?.[1];
  if (tag) return { line, message: `there is no tag "${tag}" here; there are if, unless, case, for, assign, capture` };
  return { line, message };
}

const meant = (name: string, names: Iterable<string>): string => {
  const found = nearest(name, names);
  return found === undefined ? '' : `; did you mean "${found}"?`;
};

/** Loop variables and the lists they go through, where one name always means the same list. */
function loopsOf(text: string): Map<string, string | undefined> {
  const loops = new Map<string, string | undefined>();
  for (const [, name, list] of text.matchAll(/\bfor\s+([\w-]+)\s+in\s+([\w.-]+)/g))
    loops.set(name!, loops.has(name!) && loops.get(name!) !== list ? undefined : list);
  return loops;
}

const plainPath = (path: unknown): path is Path =>
  Array.isArray(path) && path.every((part) => typeof part === 'string' || typeof part === 'number');

function unknownVariables(
  text: string,
  templates: ReturnType<typeof parseText>,
  scope: TextScope,
  values: ReadonlySet<string> | undefined,
): TextProblem[] {
  const { globals, variables } = analyse(templates);
  const loops = loopsOf(text);
  const free = new Set(Object.values(globals).flat().map(placeOf));
  const problems: TextProblem[] = [];
  for (const variable of Object.values(variables).flat()) {
    const segments: unknown = variable.toArray();
    if (!plainPath(segments)) continue;
    const list = loops.get(String(segments[0]));
    const path = free.has(placeOf(variable))
      ? segments
      : list !== undefined && segments.length > 1
        ? [list, 0, ...segments.slice(1)]
        : undefined;
    const message = path && problemAt(path, segments.join('.'), scope, values);
    if (message) problems.push({ line: variable.location.row, message });
  }
  return problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

const placeOf = ({ location, segments }: { location: { row: number; col: number }; segments: unknown[] }): string =>
  `${location.row}:${location.col}:${String(segments[0])}`;

function problemAt(
  path: Path,
  name: string,
  scope: TextScope,
  values: ReadonlySet<string> | undefined,
): string | undefined {
  if (path[0] === 'locale' || path[0] === 'zone') return undefined;
  const found = variableAt(path);
  if (found === undefined) return unknown(path, name, scope);
  if (path[0] === 'staff' || path[0] === 'level')
    return scope === 'staff' ? undefined : `"${name}" is known in texts for staff only`;
  if (path[0] === 'values' && path.length > 1 && values && !values.has(String(path[1])))
    return `the sequence has no value "${path[1]}"${meant(String(path[1]), values) || '; add it under values'}`;
  return undefined;
}

function unknown(path: Path, name: string, scope: TextScope): string {
  const names = variableNames(scope);
  const group = Object.hasOwn(GROUPS, String(path[0])) ? undefined : nearest(String(path[0]), Object.keys(GROUPS));
  const mended = group && [group, ...path.slice(1)];
  if (mended && path.length > 1 && variableAt(mended))
    return `there is no variable "${name}"; did you mean "${mended.join('.')}"?`;
  const written = typeof path[1] === 'number' || path[1] === 'first' ? `${path[0]}[].${path.slice(2).join('.')}` : name;
  // Within a group that exists, a name of that group is meant before any other.
  const within = names.filter((known) => known.startsWith(`${path[0]}.`) || known.startsWith(`${path[0]}[]`));
  const found = nearest(written, within) ?? nearest(written, names);
  if (found) return `there is no variable "${name}"; did you mean "${found.replace('[]', '')}"?`;
  return `there is no variable "${name}"; ${
    within.length > 0
      ? `${path[0]} has ${within.map((known) => known.slice(known.lastIndexOf('.') + 1)).join(', ')}`
      : `docs/templates.md lists them, such as ${VARIABLES.slice(0, 2)
          .map((variable) => variable.name)
          .join(' and ')}`
  }`;
}

/** The example values, with something for each name below an open group that the text uses. */
function exampleFor(templates: ReturnType<typeof parseText>, scope: TextScope): Record<string, unknown> {
  const context = exampleContext(scope);
  for (const variable of Object.values(analyse(templates).globals).flat()) {
    const path: unknown = variable.toArray();
    if (!plainPath(path) || variableAt(path) !== 'any' || path.at(-1) === 'size') continue;
    let group = context;
    for (const part of path.slice(0, -1)) {
      group[part] ??= {};
      group = group[part] as Record<string, unknown>;
    }
    group[path.at(-1)!] ??= exampleOf(text(path));
  }
  return context;
}

const text = (path: Path): string => String(path.at(-1)).toLowerCase();

/** Something that looks like what the name says, so that filters for dates and figures have something to work on. */
const exampleOf = (name: string): unknown =>
  /(on|at|date|until|birthday)$/.test(name) ? '2026-03-20' : /link|url/.test(name) ? 'https://example.com' : 10;

/** The problems of a text as mistakes of a field, its line in the path of the words. */
export const textErrors = (
  path: string,
  text: string,
  scope: TextScope = 'customer',
  values?: ReadonlySet<string>,
): FieldError[] =>
  textProblems(text, scope, values).map(({ line, message }) => ({
    path,
    message: line !== undefined && text.includes('\n') ? `line ${line}: ${message}` : message,
  }));
