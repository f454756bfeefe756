import { Readable } from 'node:stream';
import type { ActionDeps } from '../actions/deps.ts';
import { notFound } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, IdParams, PageQuery, pageOf, ref } from '../http/helpers.ts';
import { beginErasure } from './begin.ts';
import { liftErasure } from './erase.ts';
import { exportPerson } from './export.ts';
import { Erasure, ErasureRequest } from './schema.ts';
import { findErasure, listErasures, toErasures } from './store.ts';

/** What the law lets a person ask for: everything held about them, and that it goes. */
export function privacyRoutes(app: App, deps: ActionDeps): void {
  app.get(
    '/v1/customers/:id/export',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['privacy'],
        summary: 'Everything held about a person, as one JSON document (GDPR articles 15 and 20)',
        params: IdParams,
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const text = await exportPerson(deps, tenantId, request.params.id, actor);
      return reply
        .header('content-type', 'application/json')
        .header('content-disposition', 'attachment; filename="person.json"')
        .send(Readable.from(text));
    },
  );

  app.post(
    '/v1/customers/:id/erasure',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['privacy'],
        summary: 'Erase a person (GDPR article 17): begins at once, ends in the background, leaves a receipt',
        description:
          'It cannot be undone. Nothing is sent to the person any more from the answer on; asked again, the same receipt is answered.',
        params: IdParams,
        body: ref(ErasureRequest),
        response: { 202: ref(Erasure) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const row = await beginErasure(deps, tenantId, request.params.id, { ...request.body, by: actor });
      const [view] = await deps.db.tenant(tenantId, (tx) => toErasures(tx, [row]));
      return reply.code(202).send(view!);
    },
  );

  app.get(
    '/v1/erasures',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['privacy'],
        summary: 'Receipts of erasures, newest first',
        querystring: PageQuery,
        response: { 200: pageOf(ref(Erasure)) },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      return deps.db.tenant(caller(request).tenantId, async (tx) => {
        const rows = await listErasures(tx, cursorId(cursor), limit + 1);
        const items = await toErasures(tx, rows.slice(0, limit));
        return { items, next: rows.length > limit ? rows[limit - 1]!.id : null };
      });
    },
  );

  app.get(
    '/v1/erasures/:id',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['privacy'],
        summary: 'The receipt of an erasure',
        params: IdParams,
        response: { 200: ref(Erasure) },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) => {
        const row = await findErasure(tx, request.params.id);
        if (!row) throw notFound('erasure', request.params.id);
        return (await toErasures(tx, [row]))[0]!;
      }),
  );

  app.post(
    '/v1/erasures/:id/lift',
    {
      config: { permission: 'admin' },
      schema: {
        tags: ['privacy'],
        summary: 'Let a person come back: what platforms send of them is taken again from now on',
        description:
          'What was erased stays erased, and their addresses stay closed until they ask for messages themselves.',
        params: IdParams,
        response: { 200: ref(Erasure) },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      return liftErasure(deps, tenantId, request.params.id, actor);
    },
  );
}
