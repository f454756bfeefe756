import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { invalid, notFound } from '../base/errors.ts';
import { surveyErrors } from '../surveys/check.ts';
import { putSurveys, surveyKeys } from '../surveys/manage.ts';
import { bindTriggers } from './binding.ts';
import { type Definition, Playbook } from './schema.ts';
import {
  addVersion,
  findSequence,
  insertSequence,
  listTemplates,
  loadDefinition,
  putTemplate,
  type SequenceRow,
  setSequenceState,
} from './store.ts';
import { missingValues, playbookTextErrors } from './texts.ts';
import { definitionErrors } from './validate.ts';

const FOLDER = fileURLToPath(new URL('../../playbooks', import.meta.url));

/** Reads and checks a playbook. @throws Problem with the place of every mistake */
export function readPlaybook(text: string, name: string): Playbook {
  const value = parse(text) as unknown;
  if (!Value.Check(Playbook, value)) {
    const errors = Value.Errors(Playbook, value).map((error) => ({
      path: error.instancePath.replace(/^\//, '').replaceAll('/', '.') || name,
      message: error.message,
    }));
    throw invalid(
      `${name} does not have the form of a playbook: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  }
  const templates = new Set(Object.keys(value.templates));
  const surveys = new Set(value.surveys?.map(({ key }) => key));
  const errors = [
    ...definitionErrors(value.sequence, { templates, ...(value.surveys ? { surveys } : {}) }),
    ...(value.surveys ?? []).flatMap((survey, at) =>
      surveyErrors(survey, templates).map((error) => ({ ...error, path: `surveys[${at}].${error.path}` })),
    ),
    ...playbookTextErrors(value),
  ];
  if (errors.length > 0)
    throw invalid(
      `${name} has mistakes: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  return value;
}

let shipped: ReadonlyMap<string, Playbook> | undefined;

/** The playbooks that ship with the hub, by key. They are read once: nobody edits them while it runs. */
export function shippedPlaybooks(): ReadonlyMap<string, Playbook> {
  const files = shipped ? [] : readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'));
  shipped ??= new Map(
    files.map((file) => [
      path.basename(file, '.yaml'),
      readPlaybook(readFileSync(path.join(FOLDER, file), 'utf8'), file),
    ]),
  );
  return shipped;
}

/**
 * Installs a playbook that ships with the hub, switched off. Installing again changes nothing that was edited.
 * @throws Problem when there is no such playbook
 */
export async function installPlaybook(tx: Tx, key: string, by: string, now: Date): Promise<SequenceRow> {
  const playbook = shippedPlaybooks().get(key);
  if (!playbook) throw notFound('playbook', key);
  return putPlaybook(tx, key, playbook, by, now);
}

/** Makes a playbook a sequence of the tenant, with its texts and surveys. What is there already stays as it was edited. */
export async function putPlaybook(
  tx: Tx,
  key: string,
  playbook: Playbook,
  by: string,
  now: Date,
): Promise<SequenceRow> {
  const present = await findSequence(tx, playbook.sequence.key);
  if (present) return present;
  await putTemplates(tx, playbook, by, now);
  await putSurveys(tx, playbook.surveys ?? [], { actor: by, at: now });
  const id = await insertSequence(tx, {
    key: playbook.sequence.key,
    title: playbook.sequence.title,
    playbook: key,
    definition: playbook.sequence,
    by,
    now,
  });
  await appendEvents(tx, [
    {
      actor: by,
      action: 'playbook.installed',
      subject: { kind: 'sequence', id: id ?? key },
      data: { playbook: key },
      at: now,
    },
  ]);
  return (await findSequence(tx, playbook.sequence.key))!;
}

/** The texts of a playbook; those that are there already stay as they were edited. */
async function putTemplates(tx: Tx, playbook: Playbook, by: string, now: Date): Promise<void> {
  const nameOf = ({ key, channel, locale }: { key: string; channel: string; locale: string }): string =>
    `${key} ${channel} ${locale}`;
  const present = new Set((await listTemplates(tx)).map(nameOf));
  for (const [key, variants] of Object.entries(playbook.templates)) {
    for (const variant of variants) {
      if (present.has(nameOf({ key, channel: variant.channel, locale: variant.locale ?? 'en' }))) continue;
      await putTemplate(
        tx,
        {
          key,
          channel: variant.channel,
          locale: variant.locale ?? 'en',
          subject: variant.subject ?? null,
          body: variant.body,
          html: variant.html ?? null,
          native: variant.native ?? null,
        },
        by,
        now,
      );
    }
  }
}

/**
 * Creates a sequence from a definition of one's own.
 * @throws Problem with every mistake, or when the key is taken
 */
export async function createSequence(tx: Tx, definition: unknown, by: string, now: Date): Promise<SequenceRow> {
  const checked = await checkDefinition(tx, definition);
  const id = await insertSequence(tx, {
    key: checked.key,
    title: checked.title,
    playbook: null,
    definition: checked,
    by,
    now,
  });
  if (!id) throw invalid(`There is a sequence "${checked.key}" already.`, [{ path: 'key', message: 'is taken' }]);
  await appendEvents(tx, [
    { actor: by, action: 'sequence.created', subject: { kind: 'sequence', id }, data: { key: checked.key }, at: now },
  ]);
  return (await findSequence(tx, id))!;
}

/** @throws Problem with the place of every mistake */
export async function checkDefinition(tx: Tx, definition: unknown): Promise<Definition> {
  const texts = await listTemplates(tx);
  const templates = new Set(texts.map((template) => template.key));
  const formal = definitionErrors(definition, { templates, surveys: await surveyKeys(tx) });
  const errors = formal.length > 0 ? formal : missingValues(definition as Definition, texts);
  if (errors.length > 0)
    throw invalid(
      `The sequence cannot run like this: ${errors.map((error) => `${error.path} ${error.message}`).join('; ')}`,
      errors,
    );
  return definition as Definition;
}

/**
 * Saves an edit as a new version. Enrolments that run keep the version they began with.
 * @returns the new version number, or undefined when someone else edited meanwhile
 */
export async function editSequence(
  tx: Tx,
  sequence: SequenceRow,
  definition: unknown,
  by: string,
  expected: number,
  now: Date,
): Promise<number | undefined> {
  const checked = await checkDefinition(tx, definition);
  if (checked.key !== sequence.key)
    throw invalid('The key of a sequence does not change.', [{ path: 'key', message: `must stay "${sequence.key}"` }]);
  const number = await addVersion(tx, sequence.id, { definition: checked, by, expected, now });
  if (number !== undefined)
    await appendEvents(tx, [
      {
        actor: by,
        action: 'sequence.edited',
        subject: { kind: 'sequence', id: sequence.id },
        data: { version: number },
        at: now,
      },
    ]);
  return number;
}

/**
 * Switches a sequence on with its newest version: its triggers start counting now; nothing that lies in the past starts
 * anything. Or pauses it: enrolments hold, nothing is consumed.
 */
export async function switchSequence(
  tx: Tx,
  sequence: SequenceRow,
  on: boolean,
  by: string,
  expected: number,
  now: Date,
): Promise<boolean> {
  const done = await setSequenceState(tx, sequence.id, {
    state: on ? 'active' : 'paused',
    activeVersion: on ? sequence.latest_version : null,
    expected,
    now,
  });
  if (!done) return false;
  const definition = await loadDefinition(tx, sequence.id, sequence.latest_version);
  await bindTriggers(tx, sequence, on ? definition.triggers : [], by, now);
  // Whatever happens today counts from now on: it is looked for at once, not with the next round.
  if (on) for (const kind of ['detect', 'runs']) await bumpDue(tx, tx.tenantId, kind, now);
  await appendEvents(tx, [
    {
      actor: by,
      action: on ? 'sequence.switched_on' : 'sequence.paused',
      subject: { kind: 'sequence', id: sequence.id },
      data: { version: sequence.latest_version },
      at: now,
    },
  ]);
  return true;
}
