import type { SequenceRow } from '../sequences/store.ts';
import { SEQUENCE_PLACE } from '../settings/control.ts';
import type { SettingValue } from '../settings/schema.ts';
import { fieldOf, plain, tagsOf } from '../triggers/match.ts';

/** Something staff said with a word. */
export interface Command {
  what: 'start' | 'pause' | 'stop';
  /** As it stands in the platform. */
  word: string;
  /** Of `start`: which sequence was named, and the one that is meant; undefined when there is none of that key or title. */
  named?: string;
  sequence?: SequenceRow | undefined;
}

type Known = Pick<SequenceRow, 'key' | 'title'>;

/**
 * What a tag says, in any spelling of case, spaces and hyphens.
 * @param sequences those it may name
 * @returns undefined for tags that say nothing to the hub
 */
export function commandOf(
  control: Pick<SettingValue<'staffControl'>, 'enrol' | 'pause' | 'stop'>,
  word: string,
  sequences: readonly SequenceRow[],
): Command | undefined {
  const said = plain(word);
  if (said === plain(control.stop)) return { what: 'stop', word };
  if (said === plain(control.pause)) return { what: 'pause', word };
  const [before = '', after = ''] = control.enrol.split(SEQUENCE_PLACE).map(plain);
  if (!said.startsWith(before) || !said.endsWith(after) || said.length <= before.length + after.length)
    return undefined;
  const named = said.slice(before.length, said.length - after.length);
  const meant = ({ key, title }: Known): boolean => plain(key) === named || plain(title) === named;
  return { what: 'start', word, named: namedIn(control.enrol, word) ?? named, sequence: sequences.find(meant) };
}

/** The name as it was written, where the tag is written like the pattern. */
function namedIn(pattern: string, word: string): string | undefined {
  const [before = '', after = ''] = pattern.split(SEQUENCE_PLACE);
  const lower = word.toLowerCase();
  return lower.startsWith(before.toLowerCase()) && lower.endsWith(after.toLowerCase())
    ? word.slice(before.length, word.length - after.length).trim()
    : undefined;
}

/** All words of a contact: its tags, and those in the field that counts as tags. */
export const wordsIn = (
  row: { tags: string[] | null; custom: Record<string, unknown> | null },
  field: string | undefined,
): string[] => [...tagsOf(row.tags), ...(field ? tagsOf(fieldOf(row as never, `custom.${field}`)) : [])];
