import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { invalid, stale } from '../base/errors.ts';
import { findSequence, listSequences, loadDefinition } from '../sequences/store.ts';
import { CATALOGUE, triggerDefinition } from '../triggers/catalogue.ts';
import { dropTrigger, keepTrigger } from '../triggers/keep.ts';
import { settingsErrors } from '../triggers/schema.ts';
import { deleteTrigger, insertTrigger, listTriggers, type TriggerRow, updateTrigger } from '../triggers/store.ts';
import { segmentBook } from './names.ts';
import { defineSection } from './section.ts';

const TriggerItem = Type.Object(
  {
    name: Type.String({ maxLength: 100 }),
    title: Type.String({ maxLength: 200 }),
    settings: Type.Record(Type.String(), Type.Unknown()),
    enabled: Type.Boolean(),
    sequence: Type.Optional(Type.String({ maxLength: 60 })),
  },
  { additionalProperties: false },
);
type TriggerItem = Static<typeof TriggerItem>;

/** Triggers that no sequence brought with it, with the key of the sequence they start, if any; in a fixed order. */
async function own(tx: Tx): Promise<{ row: TriggerRow; sequence: string | undefined }[]> {
  const brought = new Map<string, { key: string; names: string[] }>();
  for (const row of await listSequences(tx)) {
    const { triggers } = await loadDefinition(tx, row.id, row.latest_version);
    brought.set(row.id, { key: row.key, names: triggers.map(({ name }) => name) });
  }
  return (await listTriggers(tx))
    .map((row) => ({ row, of: brought.get(row.sequence_id ?? '') }))
    .filter(({ row, of }) => of === undefined || (row.enabled && !of.names.includes(row.name)))
    .map(({ row, of }) => ({ row, sequence: of?.key }))
    .sort((a, b) =>
      labelOf(a.row) < labelOf(b.row) ? -1 : labelOf(a.row) > labelOf(b.row) ? 1 : a.row.id < b.row.id ? -1 : 1,
    );
}

const labelOf = ({ name, title }: Pick<TriggerRow, 'name' | 'title'>): string => `${name} "${title}"`;

/** Triggers of one name and title are told apart by their number. */
function numbered<One>(
  all: readonly One[],
  of: (one: One) => Pick<TriggerRow, 'name' | 'title'>,
): { name: string; one: One }[] {
  const seen = new Map<string, number>();
  return all.map((one) => {
    const label = labelOf(of(one));
    const nth = (seen.get(label) ?? 0) + 1;
    seen.set(label, nth);
    return { name: nth === 1 ? label : `${label} ${nth}`, one };
  });
}

/** Triggers people made beside those of sequences. */
export const triggers = defineSection<TriggerItem>({
  key: 'triggers',
  kind: 'trigger',
  schema: Type.Array(TriggerItem),
  items: (section) =>
    numbered(
      (section as TriggerItem[]).map((value, at) => ({ value, at })),
      ({ value }) => value,
    ).map(({ name, one }) => ({ name, value: one.value, path: [one.at] })),
  section: (items) => items.map(({ value }) => value),
  read: async (tx) => {
    const book = await segmentBook(tx);
    return numbered(await own(tx), ({ row }) => row).map(({ name, one: { row, sequence } }) => ({
      name,
      value: {
        ...{ name: row.name, title: row.title, enabled: row.enabled },
        settings: book.named(row.settings) as Record<string, unknown>,
        ...(sequence ? { sequence } : {}),
      },
    }));
  },
  complete: async (_tx, value) => ({
    ...value,
    settings: { ...CATALOGUE.find(({ name }) => name === value.name)?.defaults, ...value.settings },
  }),
  write: async (tx, { name, value, before }, _deps, { actor, at }) => {
    const definition = triggerDefinition(value.name);
    const given = (await segmentBook(tx)).identified(value.settings) as Record<string, unknown>;
    const settings = { ...(definition.defaults as Record<string, unknown>), ...given };
    const errors = settingsErrors(definition, settings).map(({ path, message }) => ({
      path: path ? `settings.${path}` : 'settings',
      message,
    }));
    const sequence = value.sequence ? await findSequence(tx, value.sequence) : undefined;
    if (value.sequence && !sequence)
      errors.push({ path: 'sequence', message: `there is no sequence "${value.sequence}"` });
    if (errors.length > 0) throw invalid(`The trigger ${name} cannot be like this.`, errors);
    const { title, enabled } = value;
    const present = before && numbered(await own(tx), ({ row }) => row).find((one) => one.name === name)?.one.row;
    const sequenceId = sequence?.id ?? null;
    if (present) {
      const change = { title, settings, sequenceId, enabled, expected: present.version, now: at };
      if (!(await updateTrigger(tx, present.id, change))) throw stale('trigger');
    }
    const id =
      present?.id ??
      (await insertTrigger(tx, { name: value.name, title, settings, sequence_id: sequenceId, enabled }, at));
    await keepTrigger(tx, id, { by: actor, now: at });
    if (enabled) await bumpDue(tx, tx.tenantId, 'detect', at);
    const action = present ? 'trigger.changed' : 'trigger.created';
    const data = { name: value.name, settings, enabled };
    await appendEvents(tx, [{ actor, action, subject: { kind: 'trigger', id }, data, at }]);
    return undefined;
  },
  remove: async (tx, { name }, _deps, { actor, at }) => {
    const { row } = numbered(await own(tx), (one) => one.row).find((one) => one.name === name)!.one;
    await dropTrigger(tx, row.id);
    await deleteTrigger(tx, row.id);
    await appendEvents(tx, [{ actor, action: 'trigger.deleted', subject: { kind: 'trigger', id: row.id }, at }]);
  },
});
