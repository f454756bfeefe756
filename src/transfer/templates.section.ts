import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { conflict, invalid } from '../base/errors.ts';
import { Template } from '../sequences/schema.ts';
import { deleteTemplate, listSequences, listTemplates, loadDefinition, putTemplate } from '../sequences/store.ts';
import { templateErrors } from '../sequences/texts.ts';
import { defineSection, type Meta } from './section.ts';

type TemplateItem = Static<typeof Template> & { locale: string };

const split = (name: string): { key: string; channel: string; locale: string } => {
  const [locale, channel, ...key] = name.split('/').reverse();
  return { key: key.reverse().join('/'), channel: channel!, locale: locale! };
};

const note = (tx: Tx, id: string, data: Record<string, unknown>, { actor, at }: Meta): Promise<void> =>
  appendEvents(tx, [{ actor, action: 'template.changed', subject: { kind: 'template', id }, data, at }]);

/** Texts, as playbooks write them: by key, one for each channel and language. */
export const templates = defineSection<TemplateItem>({
  key: 'templates',
  kind: 'template',
  schema: Type.Record(Type.String({ maxLength: 100 }), Type.Array(Template, { minItems: 1 })),
  items: (section) =>
    Object.entries(section as Record<string, Static<typeof Template>[]>).flatMap(([key, variants]) =>
      variants.map((variant, at) => {
        const value = { ...variant, locale: variant.locale ?? 'en' };
        return { name: `${key}/${value.channel}/${value.locale}`, value, path: [key, at] };
      }),
    ),
  section: (items) => {
    const byKey: Record<string, TemplateItem[]> = {};
    for (const { name, value } of items) {
      const { key } = split(name);
      byKey[key] = [...(byKey[key] ?? []), value];
    }
    return byKey;
  },
  read: async (tx) =>
    (await listTemplates(tx))
      .map(({ key, channel, locale, subject, body, html, native }) => ({
        name: `${key}/${channel}/${locale}`,
        value: {
          ...{ channel, locale, body },
          ...(subject === null ? {} : { subject }),
          ...(html ? { html } : {}),
          ...(native === null ? {} : { native }),
        } as TemplateItem,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  write: async (tx, { name, value, before }, _deps, meta) => {
    const errors = templateErrors(value);
    if (errors.length > 0) throw invalid(`The text ${name} cannot be written like this.`, errors);
    const { subject = null, body, html = null, native = null } = value;
    await putTemplate(tx, { ...split(name), subject, body, html, native }, meta.actor, meta.at);
    await note(tx, name, { before: before?.body ?? null, after: body }, meta);
    return undefined;
  },
  remove: async (tx, { name, value }, _deps, meta) => {
    const { key, channel, locale } = split(name);
    await deleteTemplate(tx, key, channel, locale);
    if ((await listTemplates(tx, key)).length === 0) {
      const users = await usersOf(tx, key);
      if (users.length > 0) throw conflict(`The text "${key}" is used by ${users.join(', ')}.`, 'Change those first.');
    }
    await note(tx, name, { before: value.body, after: null }, meta);
  },
});

/** Titles of sequences whose newest version names a text. */
async function usersOf(tx: Tx, key: string): Promise<string[]> {
  const found: string[] = [];
  for (const row of await listSequences(tx)) {
    const definition = await loadDefinition(tx, row.id, row.latest_version);
    const names = definition.steps.some(
      (step) =>
        ('message' in step && step.message.template === key) || ('survey' in step && step.survey.template === key),
    );
    if (names && row.state !== 'archived') found.push(`the sequence "${row.title}"`);
  }
  return found;
}
