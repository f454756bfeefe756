import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { invalid, stale } from '../base/errors.ts';
import { nullable } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, tag } from '../http/helpers.ts';
import { FILTERS } from '../texts/filters.ts';
import { VARIABLES } from '../texts/variables.ts';
import { NativeTemplate } from './schema.ts';
import { listTemplates, putTemplate } from './store.ts';
import { templateErrors } from './texts.ts';

/** The texts of messages. */
export function templateRoutes(app: App, deps: { db: Database; clock: Clock }): void {
  const Text = Type.Object({
    key: Type.String(),
    channel: Type.String(),
    locale: Type.String(),
    subject: nullable(Type.String()),
    body: Type.String(),
    html: Type.Optional(nullable(Type.String())),
    native: nullable(NativeTemplate),
    version: Type.Integer(),
  });
  app.get(
    '/v1/templates',
    {
      config: { permission: 'read' },
      schema: { tags: ['sequences'], summary: 'Texts', response: { 200: Type.Object({ items: Type.Array(Text) }) } },
    },
    async (request) => ({ items: await deps.db.tenant(caller(request).tenantId, (tx) => listTemplates(tx)) }),
  );

  app.get(
    '/v1/template-variables',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'What texts may say: every variable and filter, in plain words',
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                name: Type.String({ description: 'A list has its members as list[].name; .* stands for any name' }),
                type: Type.String(),
                meaning: Type.String(),
                example: Type.Unknown(),
                only: Type.Optional(
                  Type.String({ description: 'Only in texts for staff, or in invitations to a survey' }),
                ),
              }),
            ),
            filters: Type.Array(Type.Object({ name: Type.String(), meaning: Type.String(), example: Type.String() })),
          }),
        },
      },
    },
    async () => ({
      items: [...VARIABLES],
      filters: Object.entries(FILTERS).map(([name, { meaning, example }]) => ({ name, meaning, example })),
    }),
  );

  app.put(
    '/v1/templates/:key/:channel/:locale',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Change a text; its form is checked',
        params: Type.Object({
          key: Type.String({ maxLength: 100 }),
          channel: Type.String({ maxLength: 20 }),
          locale: Type.String({ pattern: '^[a-z]{2}(-[A-Z]{2})?$' }),
        }),
        body: Type.Object(
          {
            subject: Type.Optional(nullable(Type.String({ maxLength: 500 }))),
            body: Type.String({ maxLength: 100_000 }),
            html: Type.Optional(nullable(Type.String({ maxLength: 100_000 }))),
            native: Type.Optional(nullable(NativeTemplate)),
          },
          { additionalProperties: false },
        ),
        response: { 200: Text },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { key, channel, locale } = request.params;
      const problems = templateErrors(request.body);
      if (problems.length > 0)
        throw invalid(
          `The text cannot be written like this: ${problems.map(({ path, message }) => `${path} ${message}`).join('; ')}.`,
          problems,
          'GET /v1/template-variables lists what texts may say.',
        );
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const before = (await listTemplates(tx, key)).find(
          (template) => template.channel === channel && template.locale === locale,
        );
        if (before && expectedVersion(request) !== before.version) throw stale('text');
        await putTemplate(
          tx,
          {
            key,
            channel,
            locale,
            subject: request.body.subject ?? null,
            body: request.body.body,
            html: request.body.html ?? null,
            native: request.body.native ?? null,
          },
          actor,
          deps.clock.now(),
        );
        await appendEvents(tx, [
          {
            actor,
            action: 'template.changed',
            subject: { kind: 'template', id: `${key}/${channel}/${locale}` },
            data: { before: before?.body ?? null, after: request.body.body },
            at: deps.clock.now(),
          },
        ]);
        return (await listTemplates(tx, key)).find(
          (template) => template.channel === channel && template.locale === locale,
        )!;
      });
      tag(reply, row.version);
      return row;
    },
  );
}
