import type { ActionDeps } from '../actions/deps.ts';
import type { Tx } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import { differences, same } from './compare.ts';
import { type FileError, type Placed, readFiles, writeFiles } from './files.ts';
import { mappings } from './mappings.section.ts';
import type { ApplyResult, ConfigurationFile, PlanItem } from './schema.ts';
import type { Meta, Section } from './section.ts';
import { segments } from './segments.section.ts';
import { sequences } from './sequences.section.ts';
import { settings } from './settings.section.ts';
import { surveys } from './surveys.section.ts';
import { templates } from './templates.section.ts';
import { triggers } from './triggers.section.ts';

/** Everything that is kept in files. Each may need those before it. */
export const SECTIONS: readonly Section[] = [settings, mappings, segments, templates, surveys, sequences, triggers];

/**
 * What a business is configured with, as files.
 * @param split one file for each kind of thing
 */
export async function exportFiles(deps: ActionDeps, tx: Tx, split: boolean): Promise<ConfigurationFile[]> {
  const found = [];
  for (const section of SECTIONS) {
    const items = await section.read(tx, deps);
    if (items.length > 0) found.push({ key: section.key, value: section.section(items) });
  }
  return writeFiles(found, split);
}

export interface ApplyOptions {
  files: readonly ConfigurationFile[];
  /** Tells what would be done, and does nothing. */
  dryRun: boolean;
  /** Removes what the files do not name, of the kinds of things they name at all. */
  prune: boolean;
}

/**
 * Makes a business what files say, all of it or nothing. What is so already is not touched.
 * @throws Problem with every mistake, by file, line and place
 */
export async function applyFiles(
  deps: ActionDeps,
  tenantId: string,
  options: ApplyOptions,
  meta: Meta,
): Promise<ApplyResult> {
  const read = readFiles(options.files, SECTIONS);
  if (read.errors.length > 0) throw refused(read.errors);
  const work = async (tx: Tx): Promise<PlanItem[]> => {
    const { items, errors } = await bring(deps, tx, read, options.prune, meta);
    if (errors.length > 0) throw refused(errors);
    return items;
  };
  // Only what was really tried is known to work: a dry run does everything, and takes it back.
  const items = await (options.dryRun ? deps.db.rehearse(tenantId, work) : deps.db.tenant(tenantId, work));
  return { applied: !options.dryRun, items };
}

function refused(errors: readonly FileError[]): Problem {
  const [first, ...more] = errors;
  const rest = more.length > 0 ? `, and ${more.length} more` : '';
  return new Problem(422, 'invalid', `Nothing was applied. ${first!.path}: ${first!.message}${rest}.`, {
    fields: [...errors],
    fix: 'Mend the places and apply again; --dry-run tells what would change.',
  });
}

async function bring(
  deps: ActionDeps,
  tx: Tx,
  read: { items: readonly Placed[]; named: ReadonlySet<string> },
  prune: boolean,
  meta: Meta,
): Promise<{ items: PlanItem[]; errors: FileError[] }> {
  const items: PlanItem[] = [];
  const errors: FileError[] = [];
  const spare: { section: Section; name: string; value: unknown }[] = [];
  for (const section of SECTIONS.filter(({ key }) => read.named.has(key))) {
    const wanted = read.items.filter((item) => item.section === section);
    const before = new Map((await section.read(tx, deps)).map(({ name, value }) => [name, value]));
    for (const item of inOrder(section, wanted)) {
      const made = await attempt(errors, item, () => write(deps, tx, item, before.get(item.name), meta));
      if (made) items.push(made);
    }
    for (const [name, value] of before)
      if (!wanted.some((item) => item.name === name)) spare.push({ section, name, value });
  }
  // What others need goes last.
  for (const { section, name, value } of spare.reverse()) {
    const place = { name, place: () => `${section.kind} ${name}`, section };
    const told = { kind: section.kind, name, differences: [] };
    if (!prune) items.push({ ...told, action: 'left', note: 'in no file; --prune would remove it' });
    else if (
      await attempt(errors, place, async () => {
        await section.remove(tx, { name, value }, deps, meta);
        return true;
      })
    )
      items.push({ ...told, action: 'remove', note: null });
  }
  return { items, errors };
}

/** Does one thing; what is wrong with it is noted with its place, and the others go on, so that all mistakes are told. */
async function attempt<Result>(
  errors: FileError[],
  item: Pick<Placed, 'name' | 'place' | 'section'>,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const below = (path: string): string => item.section.below?.(path, item.name) ?? path;
    if (!error.fields?.length)
      errors.push({ path: item.place(''), message: `${error.message}${error.fix ? ` ${error.fix}` : ''}` });
    for (const { path, message } of error.fields ?? []) errors.push({ path: item.place(below(path)), message });
    return undefined;
  }
}

async function write(deps: ActionDeps, tx: Tx, item: Placed, before: unknown, meta: Meta): Promise<PlanItem> {
  const { section, name } = item;
  const value = section.complete ? await section.complete(tx, item.value, name) : item.value;
  const told = { kind: section.kind, name };
  if (before !== undefined && same(before, value)) return { ...told, action: 'unchanged', differences: [], note: null };
  const note = (await section.write(tx, { name, value, before }, deps, meta)) ?? null;
  if (before === undefined) return { ...told, action: 'create', differences: [], note };
  return { ...told, action: 'update', differences: differences(before, value), note };
}

/** Items so that each comes after those it needs; those in a circle come last, and are told as mistakes. */
function inOrder(section: Section, items: readonly Placed[]): Placed[] {
  const { needs } = section;
  if (!needs) return [...items];
  const done: Placed[] = [];
  let rest = [...items];
  for (;;) {
    const waits = (item: Placed): boolean =>
      needs(item.value).some((name) => rest.some((one) => one !== item && one.name === name));
    const ready = rest.filter((item) => !waits(item));
    if (ready.length === 0) return [...done, ...rest];
    done.push(...ready);
    rest = rest.filter(waits);
  }
}
