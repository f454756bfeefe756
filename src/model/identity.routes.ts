import { Type } from 'typebox';
import { notFound } from '../base/errors.ts';
import { nullable, words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, IdParams, PageQuery, pageOf, toPage } from '../http/helpers.ts';
import { JOINED_KINDS } from '../kit/index.ts';
import type { SyncDeps } from '../sync/deps.ts';
import { acceptSuggested, mergePair, refuseSuggested, splitOff, undoMergeOf } from '../sync/identity.ts';
import { identityFacts } from './identity.store.ts';
import { listSuggestions, type SuggestionRow } from './merging.ts';
import { findCustomer } from './store.ts';

const Id = Type.String({ format: 'uuid' });
const Moment = Type.String({ format: 'date-time' });
const Kind = words(JOINED_KINDS, 'People or companies');
const Reason = Type.String({ minLength: 1, maxLength: 500, description: 'Why, in your own words; it is kept' });

const Suggestion = Type.Object({
  id: Id,
  kind: Kind,
  ids: Type.Array(Id, { description: 'The two, by the ids that are alive now' }),
  names: Type.Array(nullable(Type.String())),
  key: nullable(Type.String({ description: 'What both have' })),
  reason: Type.String(),
  at: Moment,
  decision: nullable(Type.String()),
  decidedBy: nullable(Type.String()),
  decidedAt: nullable(Moment),
});

const toSuggestion = (row: SuggestionRow) => ({
  id: row.id,
  kind: row.kind,
  ids: [row.entity_id, row.other_id],
  names: [row.name, row.other_name],
  key: row.key,
  reason: row.reason,
  at: row.at.toISOString(),
  decision: row.decision,
  decidedBy: row.decided_by,
  decidedAt: row.decided_at?.toISOString() ?? null,
});

const Merged = Type.Object({ id: Id, survivor: Id, absorbed: Id });
const Parted = Type.Object({
  from: Type.String({ format: 'uuid', description: 'Who stays' }),
  revived: Type.String({ format: 'uuid', description: 'Who lives again' }),
  records: Type.Integer(),
  documents: Type.Integer(),
});

/** Who is who: merging, taking apart, and what may be the same. */
export function identityRoutes(app: App, deps: SyncDeps): void {
  app.get(
    '/v1/customers/:id/identity',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['identity'],
        summary: 'Who a customer is made of: records, keys, merges with evidence, old ids, suggestions',
        params: IdParams,
        response: {
          200: Type.Object({
            id: Id,
            records: Type.Array(Type.Unknown()),
            keys: Type.Array(Type.String()),
            merges: Type.Array(Type.Unknown()),
            aliases: Type.Array(Id),
            notSame: Type.Array(Type.Unknown()),
            suggestions: Type.Array(Suggestion),
          }),
        },
      },
    },
    async (request) =>
      deps.db.tenant(caller(request).tenantId, async (tx) => {
        const customer = await findCustomer(tx, request.params.id);
        if (!customer) throw notFound('customer', request.params.id);
        const facts = await identityFacts(tx, 'contact', customer.id);
        const suggestions = await listSuggestions(tx, { entityId: customer.id, limit: 200 });
        return { id: customer.id, ...facts, suggestions: suggestions.map(toSuggestion) };
      }),
  );

  app.post(
    '/v1/merges',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['identity'],
        summary: 'Make two customers, or two companies, one; it can be undone',
        body: Type.Object(
          { kind: Type.Optional(Kind), ids: Type.Array(Id, { minItems: 2, maxItems: 2 }), reason: Reason },
          { additionalProperties: false },
        ),
        response: { 201: Merged },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { kind, ids, reason } = request.body;
      const pair = [ids[0]!, ids[1]!] as const;
      const { id, survivor, absorbed } = await mergePair(deps, tenantId, kind ?? 'contact', pair, {
        by: actor,
        reason,
      });
      return reply.code(201).send({ id, survivor, absorbed });
    },
  );

  app.post(
    '/v1/merges/:id/undo',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['identity'],
        summary: 'Take a merge back: the absorbed one lives again, with what was its own',
        params: IdParams,
        body: Type.Object({ reason: Reason }, { additionalProperties: false }),
        response: { 200: Parted },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const decision = { by: actor, reason: request.body.reason };
      const { from, revived, records, documents } = await undoMergeOf(deps, tenantId, request.params.id, decision);
      return { from, revived, records, documents };
    },
  );

  app.post(
    '/v1/customers/:id/split',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['identity'],
        summary: 'Make a customer of their own of some records that were never somebody else before',
        params: IdParams,
        body: Type.Object(
          {
            records: Type.Array(
              Type.Object(
                { streamId: Id, remoteId: Type.String({ minLength: 1, maxLength: 500 }) },
                { additionalProperties: false },
              ),
              { minItems: 1, maxItems: 100 },
            ),
            reason: Reason,
          },
          { additionalProperties: false },
        ),
        response: { 200: Parted },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const { records, reason } = request.body;
      const parted = await splitOff(deps, tenantId, 'contact', request.params.id, records, { by: actor, reason });
      return { from: parted.from, revived: parted.revived, records: parted.records, documents: parted.documents };
    },
  );
  suggestionRoutes(app, deps);
}

function suggestionRoutes(app: App, deps: SyncDeps): void {
  app.get(
    '/v1/merge-suggestions',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['identity'],
        summary: 'Who may be the same, for a person to decide',
        querystring: Type.Object({ ...PageQuery.properties, decided: Type.Boolean({ default: false }) }),
        response: { 200: pageOf(Suggestion) },
      },
    },
    async (request) => {
      const { cursor, limit, decided } = request.query;
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listSuggestions(tx, { decided, after: cursorId(cursor), limit: limit + 1 }),
      );
      return toPage(rows, limit, toSuggestion);
    },
  );

  app.post(
    '/v1/merge-suggestions/:id/accept',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['identity'],
        summary: 'They are the same: merge them',
        params: IdParams,
        response: { 200: Merged },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const { id, survivor, absorbed } = await acceptSuggested(deps, tenantId, request.params.id, actor);
      return { id, survivor, absorbed };
    },
  );

  app.post(
    '/v1/merge-suggestions/:id/refuse',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['identity'],
        summary: 'They are not the same: never ask again, and never join them without a person',
        params: IdParams,
        body: Type.Object({ reason: Reason }, { additionalProperties: false }),
        response: { 200: Type.Object({ ids: Type.Array(Id) }) },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const decision = { by: actor, reason: request.body.reason };
      const { entityId, otherId } = await refuseSuggested(deps, tenantId, request.params.id, decision);
      return { ids: [entityId, otherId] };
    },
  );
}
