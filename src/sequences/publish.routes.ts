import { Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import { invalid, notFound, stale } from '../base/errors.ts';
import { nullable, words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, expectedVersion } from '../http/helpers.ts';
import { previewPublish, publishSequence, undoPublish } from './publish.ts';
import { removeSequence } from './removing.ts';
import type { SequenceRouteDeps } from './routes.ts';
import { findSequence, type SequenceRow } from './store.ts';

const KeyParams = Type.Object({ id: Type.String({ maxLength: 60, description: 'Id or key' }) });
const Dates = words(['keep', 'anew']);
const Counts = Type.Object({
  adopts: Type.Integer({ description: 'Take the new version over where they stand' }),
  moves: Type.Integer({ description: 'Go on at another step' }),
  ends: Type.Integer({ description: 'End, because their step is gone and it was said so' }),
  stays: Type.Integer({ description: 'Finish in the version they are in' }),
});
const Moment = nullable(Type.String({ format: 'date-time' }));

/** `old:new,other:end` as a map from steps to steps. @throws Problem when it is none */
function stepsIn(text: string | undefined): Record<string, string> {
  if (!text) return {};
  const pairs = text.split(',').map((pair) => pair.split(':'));
  if (pairs.some((pair) => pair.length !== 2))
    throw invalid('The map of steps cannot be read.', [{ path: 'steps', message: 'must be like old:new,other:end' }]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

/** Publishing versions, taking that back, and deleting sequences. */
export function publishRoutes(app: App, deps: SequenceRouteDeps): void {
  const load = async (tx: Tx, id: string): Promise<SequenceRow> => {
    const row = await findSequence(tx, id);
    if (!row) throw notFound('sequence', id);
    return row;
  };
  const Query = Type.Object({
    steps: Type.Optional(
      Type.String({ maxLength: 10_000, description: 'Where those at a step go on: old:new,other:end' }),
    ),
    dates: Type.Optional(Dates),
  });
  app.get(
    '/v1/sequences/:id/publish',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'Who would be affected by publishing the newest version, and how',
        params: KeyParams,
        querystring: Query,
        response: {
          200: Type.Object({
            from: nullable(Type.Integer()),
            to: Type.Integer(),
            sameStructure: Type.Boolean({ description: 'Only words and figures differ' }),
            missing: Type.Array(Type.String(), { description: 'Steps somebody stands at that are gone' }),
            counts: Counts,
            items: Type.Array(
              Type.Object({
                enrolmentId: Type.String(),
                customerId: Type.String(),
                version: Type.Integer(),
                what: words(['adopts', 'moves', 'ends', 'stays']),
                step: Type.Object({ now: Type.String(), then: Type.String() }),
                nextAt: Type.Object({ now: Moment, then: Moment }),
                reason: nullable(Type.String()),
              }),
            ),
          }),
        },
      },
    },
    async (request) => {
      const { steps, dates = 'keep' } = request.query;
      const preview = await deps.db.tenant(caller(request).tenantId, async (tx) =>
        previewPublish(tx, await load(tx, request.params.id), { steps: stepsIn(steps), dates }, deps.clock.now()),
      );
      return {
        ...preview,
        items: preview.items.map((item) => ({
          ...item,
          nextAt: {
            now: item.nextAt.now?.toISOString() ?? null,
            then: item.nextAt.then?.toISOString() ?? null,
          },
        })),
      };
    },
  );

  app.post(
    '/v1/sequences/:id/publish',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Publish the newest version: for new entries, for those who are in it too, or for nobody new',
        params: KeyParams,
        body: Type.Object(
          {
            running: words(['keep', 'move', 'finish']),
            steps: Type.Optional(Type.Record(Type.String({ maxLength: 50 }), Type.String({ maxLength: 50 }))),
            dates: Type.Optional(Dates),
          },
          { additionalProperties: false },
        ),
        response: { 200: Counts },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const { running, steps = {}, dates = 'keep' } = request.body;
      return deps.db.tenant(tenantId, async (tx) => {
        const row = await load(tx, request.params.id);
        const how = { running, steps, dates, by: actor, expected };
        const counts = await publishSequence(tx, row, how, deps.clock.now());
        if (!counts) throw stale('sequence');
        return counts;
      });
    },
  );

  app.post(
    '/v1/sequences/:id/publish/undo',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Take the last publishing back, as far as nothing happened since',
        params: KeyParams,
        response: { 200: Type.Object({ putBack: Type.Integer() }) },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      return deps.db.tenant(tenantId, async (tx) => {
        const row = await load(tx, request.params.id);
        const putBack = await undoPublish(tx, row, { by: actor, expected }, deps.clock.now());
        if (putBack === undefined) throw stale('sequence');
        return { putBack };
      });
    },
  );

  app.delete(
    '/v1/sequences/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Delete a sequence; those who are in it are stopped or finish',
        params: KeyParams,
        querystring: Type.Object({ runs: words(['stop', 'finish']) }),
        response: { 200: Type.Object({ stopped: Type.Integer() }) },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      return deps.db.tenant(tenantId, async (tx) => {
        const row = await load(tx, request.params.id);
        const change = { runs: request.query.runs, by: actor, expected };
        const stopped = await removeSequence(deps.ports, tx, row, change, deps.clock.now());
        if (stopped === undefined) throw stale('sequence');
        return { stopped };
      });
    },
  );
}
