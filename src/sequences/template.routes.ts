import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { conflict, stale } from '../base/errors.ts';
import { nullable } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion, tag } from '../http/helpers.ts';
import { NativeTemplate } from './schema.ts';
import { listTemplates, putTemplate } from './store.ts';

/** The texts of messages. */
export function templateRoutes(
  app: App,
  deps: { db: Database; clock: Clock; templateProblem: (text: string) => string | undefined },
): void {
  const Text = Type.Object({
    key: Type.String(),
    channel: Type.String(),
    locale: Type.String(),
    subject: nullable(Type.String()),
    body: Type.String(),
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
      const problem =
        deps.templateProblem(request.body.body) ??
        (request.body.subject ? deps.templateProblem(request.body.subject) : undefined);
      if (problem)
        throw conflict(
          `The text is not a template: ${problem}`,
          'Compare it with the Liquid language: {{ customer.name }}, {% if ... %}.',
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
