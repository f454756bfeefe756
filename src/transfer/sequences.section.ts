import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { conflict, invalid, stale } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import { switchMode } from '../sequences/mode.ts';
import { createSequence, editSequence, switchSequence } from '../sequences/playbooks.ts';
import { countRuns } from '../sequences/runs.ts';
import { Definition } from '../sequences/schema.ts';
import {
  findSequence,
  listSequences,
  loadDefinition,
  notePlaybook,
  type SequenceRow,
  setSequenceState,
} from '../sequences/store.ts';
import { same } from './compare.ts';
import { segmentBook } from './names.ts';
import { defineSection, type Meta } from './section.ts';

const SequenceItem = Type.Object(
  {
    state: words(['draft', 'active', 'paused']),
    mode: Type.Optional(words(['live', 'shadow'])),
    playbook: Type.Optional(Type.String({ maxLength: 60 })),
    definition: Definition,
  },
  { additionalProperties: false },
);
type SequenceItem = Static<typeof SequenceItem>;

async function found(tx: Tx, key: string): Promise<SequenceRow> {
  const row = await findSequence(tx, key);
  if (!row) throw stale('sequence');
  return row;
}

/** Sequences in their newest version, with whether they run. */
export const sequences = defineSection<SequenceItem>({
  key: 'sequences',
  kind: 'sequence',
  schema: Type.Array(SequenceItem),
  items: (section) =>
    (section as SequenceItem[]).map((value, at) => ({
      name: value.definition.key,
      value: { ...value, mode: value.mode ?? 'live' },
      path: [at],
    })),
  section: (items) => items.map(({ value }) => value),
  read: async (tx) => {
    const book = await segmentBook(tx);
    const items = [];
    for (const row of await listSequences(tx)) {
      // What was archived is out of use: it stays for the record of who was in it.
      if (row.state === 'archived') continue;
      const definition = book.named(await loadDefinition(tx, row.id, row.latest_version)) as Definition;
      const { state, mode, playbook } = row;
      items.push({ name: row.key, value: { state, mode, ...(playbook ? { playbook } : {}), definition } });
    }
    return items.sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  below: (path) => (path === 'state' ? path : `definition.${path}`),
  write: async (tx, { name, value, before }, deps, meta) => {
    const { actor, at } = meta;
    const definition = (await segmentBook(tx)).identified(value.definition) as Definition;
    const present = await findSequence(tx, name);
    const edited = present === undefined || !same(await newest(tx, present), definition);
    if (!present) await createSequence(tx, definition, actor, at);
    else if (edited && (await editSequence(tx, present, definition, actor, present.version, at)) === undefined)
      throw stale('sequence');
    let row = await found(tx, name);
    if (row.mode !== value.mode) {
      const change = { mode: value.mode!, by: actor, expected: row.version };
      if ((await switchMode(deps.ports, tx, row, change, at)) === undefined) throw stale('sequence');
    }
    if (value.playbook && value.playbook !== row.playbook) await notePlaybook(tx, row.id, value.playbook);
    row = await found(tx, name);
    await bringTo(tx, row, value.state, edited, meta);
    return before && edited && value.state === 'active'
      ? 'who is in it keeps the version they began with; who enters from now on gets this one'
      : undefined;
  },
  remove: async (tx, { name }, _deps, { actor, at }) => {
    const row = await found(tx, name);
    const counts = (await countRuns(tx)).filter((count) => count.sequence_id === row.id);
    const inside = counts
      .filter(({ state }) => ['active', 'waiting', 'paused'].includes(state))
      .reduce((sum, { n }) => sum + n, 0);
    if (inside > 0)
      throw conflict(`${inside} customers are in "${row.title}".`, 'Stop their enrolments first, or let them end.');
    if (row.state === 'active') await switchSequence(tx, row, false, actor, row.version, at);
    const { version } = await found(tx, name);
    await setSequenceState(tx, row.id, { state: 'archived', activeVersion: null, expected: version, now: at });
    const subject = { kind: 'sequence', id: row.id };
    await appendEvents(tx, [{ actor, action: 'sequence.archived', subject, data: { key: row.key }, at }]);
  },
});

const newest = (tx: Tx, row: SequenceRow): Promise<Definition> => loadDefinition(tx, row.id, row.latest_version);

async function bringTo(
  tx: Tx,
  row: SequenceRow,
  state: SequenceItem['state'],
  edited: boolean,
  { actor, at }: Meta,
): Promise<void> {
  if (row.state === state && !(state === 'active' && edited)) return;
  if (state === 'draft' && row.state !== 'archived')
    throw invalid(`"${row.title}" has run already.`, [
      { path: 'state', message: 'cannot be draft again; write paused' },
    ]);
  if (state === 'draft')
    await setSequenceState(tx, row.id, { state, activeVersion: null, expected: row.version, now: at });
  else if (!(await switchSequence(tx, row, state === 'active', actor, row.version, at))) throw stale('sequence');
}
