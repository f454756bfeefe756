import { type Static, Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { words } from '../base/schema.ts';
import { listTemplates } from '../sequences/store.ts';
import { changeSurvey, createSurvey, removeSurvey, surveyNamed, switchSurvey } from '../surveys/manage.ts';
import { SurveyDefinition } from '../surveys/schema.ts';
import { findSurvey, listSurveys } from '../surveys/store.ts';
import { same } from './compare.ts';
import { defineSection, type Meta } from './section.ts';

const SurveyItem = Type.Object(
  { state: words(['open', 'closed']), definition: SurveyDefinition },
  { additionalProperties: false },
);
type SurveyItem = Static<typeof SurveyItem>;

const metaOf = async (tx: Tx, { actor, at }: Meta) => ({
  ...{ actor, at },
  templates: new Set((await listTemplates(tx)).map(({ key }) => key)),
});

/** Surveys, in their newest version. */
export const surveys = defineSection<SurveyItem>({
  key: 'surveys',
  kind: 'survey',
  schema: Type.Array(SurveyItem),
  items: (section) => (section as SurveyItem[]).map((value, at) => ({ name: value.definition.key, value, path: [at] })),
  section: (items) => items.map(({ value }) => value),
  read: async (tx) =>
    (await listSurveys(tx))
      .map(({ key, state, definition }) => ({ name: key, value: { state, definition } }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  below: (path) => `definition.${path}`,
  write: async (tx, { name, value, before }, _deps, given) => {
    const meta = await metaOf(tx, given);
    let row = before ? await surveyNamed(tx, name) : await createSurvey(tx, value.definition, meta);
    if (!same(row.definition, value.definition))
      row = await changeSurvey(tx, row.id, value.definition, { ...meta, expected: row.version });
    if (row.state !== value.state) await switchSurvey(tx, row.id, value.state, { ...meta, expected: row.version });
    return undefined;
  },
  remove: async (tx, { name }, _deps, given) => {
    const row = (await findSurvey(tx, name))!;
    await removeSurvey(tx, row.id, [], { ...given, expected: row.version });
  },
});
