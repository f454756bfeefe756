import { Value } from 'typebox/value';
import { Document, isMap, LineCounter, parseDocument, Scalar, visit } from 'yaml';
import { tidy } from './compare.ts';
import type { ConfigurationFile } from './schema.ts';
import type { Item, Section } from './section.ts';

/** Version of the form of the files. */
const FORM = 1;

const HEAD = '# Configuration of Rapport. "rapport apply --dry-run" tells what applying it would change.\n';

/** Something wrong in a file, at a place people find. */
export interface FileError {
  /** `file.yaml:12 sequences[0].definition` */
  path: string;
  message: string;
}

/** An item of a file, with how its places are told. */
export interface Placed extends Item {
  section: Section;
  /** Where something below it stands. */
  place(below: string): string;
}

// Blocks cannot hold everything: what begins with a blank or has lines of blanks comes back without them.
const fitsBlock = (text: string): boolean =>
  /^\S/.test(text) &&
  !/^[ ]+$/m.test(text) &&
  !/[\p{Cc}\p{Zl}\p{Zp}\ufeff]/u.test(text.replaceAll('\n', '')) &&
  !/\n[ ]+$/.test(text);

/** One document. Texts of several lines stand as they are read, wherever that gives them back exactly. */
function written(sections: Record<string, unknown>): string {
  const document = new Document({ rapport: FORM, ...sections }, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value !== 'string' || !/[\n\r]/.test(node.value)) return;
      node.type = fitsBlock(node.value) ? Scalar.BLOCK_LITERAL : Scalar.QUOTE_DOUBLE;
    },
  });
  return HEAD + document.toString({ lineWidth: 0 });
}

/**
 * What a business has, as files. The same configuration is always the same bytes.
 * @param split one file for each section
 */
export function writeFiles(sections: readonly { key: string; value: unknown }[], split: boolean): ConfigurationFile[] {
  const present = sections.map(({ key, value }) => ({ key, value: tidy(value) }));
  return split
    ? present.map(({ key, value }) => ({ name: `${key}.yaml`, text: written({ [key]: value }) }))
    : [{ name: 'rapport.yaml', text: written(Object.fromEntries(present.map(({ key, value }) => [key, value]))) }];
}

type Path = (string | number)[];

/** `a.b[0]` as the members it names. */
const pathOf = (text: string): Path =>
  [...text.matchAll(/([^.[\]]+)/g)].map(([part]) => (/^\d+$/.test(part!) ? Number(part) : part!));

const told = (path: Path): string =>
  path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${part}` : part),
    '',
  );

/** How places of a document are told: with the line of the nearest part of the path that is there. */
function placesOf(file: string, document: Document.Parsed, lines: LineCounter): (path: Path) => string {
  return (path) => {
    for (let length = path.length; length >= 0; length--) {
      const node = (length === 0 ? document.contents : document.getIn(path.slice(0, length), true)) as
        | { range?: [number, number, number] }
        | null
        | undefined;
      if (node?.range) return `${file}:${lines.linePos(node.range[0]).line} ${told(path)}`.trim();
    }
    return `${file} ${told(path)}`.trim();
  };
}

/**
 * Reads files of configuration.
 * @returns the items in the order of `sections`, which sections the files have, and everything wrong with their form
 */
export function readFiles(
  files: readonly ConfigurationFile[],
  sections: readonly Section[],
): { items: Placed[]; named: Set<string>; errors: FileError[] } {
  const items: Placed[] = [];
  const errors: FileError[] = [];
  const named = new Set<string>();
  for (const file of files) {
    const lines = new LineCounter();
    const document = parseDocument(file.text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
    const place = placesOf(file.name, document, lines);
    for (const error of document.errors)
      errors.push({ path: `${file.name}:${lines.linePos(error.pos[0]).line}`, message: error.message });
    if (document.errors.length > 0) continue;
    if (!isMap(document.contents)) {
      errors.push({ path: `${file.name}:1`, message: 'is no configuration: it begins with "rapport: 1"' });
      continue;
    }
    const { rapport, ...rest } = document.toJS({ maxAliasCount: 100 }) as Record<string, unknown>;
    if (rapport !== FORM)
      errors.push({ path: place(['rapport']), message: `must be ${FORM}: the form of these files` });
    for (const [key, value] of Object.entries(rest)) {
      const section = sections.find((known) => known.key === key);
      const problems = section ? formErrors(section, value) : [];
      if (!section)
        errors.push({
          path: place([key]),
          message: `is no section; there are ${sections.map((known) => known.key).join(', ')}`,
        });
      else if (problems.length > 0)
        errors.push(...problems.map((problem) => ({ path: place([key, ...problem.path]), message: problem.message })));
      else {
        named.add(key);
        for (const item of section.items(value))
          items.push({ ...item, section, place: (below) => place([key, ...item.path, ...pathOf(below)]) });
      }
    }
  }
  return { items: inOrder(items, sections), named, errors: [...errors, ...doubles(items)] };
}

const formErrors = (section: Section, value: unknown): { path: Path; message: string }[] =>
  Value.Check(section.schema, value)
    ? []
    : Value.Errors(section.schema, value).map((error) => ({
        path: error.instancePath
          .split('/')
          .slice(1)
          .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~'))),
        message: error.message,
      }));

const inOrder = (items: readonly Placed[], sections: readonly Section[]): Placed[] =>
  sections.flatMap((section) => items.filter((item) => item.section === section));

function doubles(items: readonly Placed[]): FileError[] {
  const first = new Map<string, Placed>();
  return items.flatMap((item) => {
    const name = `${item.section.key} ${item.name}`;
    const before = first.get(name);
    if (!before) first.set(name, item);
    return before ? [{ path: item.place(''), message: `stands a second time; first at ${before.place('')}` }] : [];
  });
}
