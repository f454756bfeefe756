import { Type } from 'typebox';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { notFound, stale } from '../base/errors.ts';
import { nullable, words } from '../base/schema.ts';
import { addDays, instantOf } from '../base/time.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, PageQuery, tag, toPage } from '../http/helpers.ts';
import { switchMode } from '../sequences/mode.ts';
import type { SequencePorts } from '../sequences/ports.ts';
import { findSequence, type SequenceRow } from '../sequences/store.ts';
import { tenantZone } from '../settings/store.ts';
import { countShadowRuns, listShadow, type ShadowRow, shadowDays } from './shadow.ts';

const Mode = words(['live', 'shadow']);

const ShadowItem = Type.Object({
  id: Type.String({ format: 'uuid' }),
  at: Type.String({ format: 'date-time' }),
  sequence: nullable(Type.String()),
  enrolmentId: nullable(Type.String()),
  step: nullable(Type.String()),
  customer: nullable(Type.Object({ id: Type.String(), name: nullable(Type.String()) })),
  kind: Type.String(),
  channel: Type.String(),
  recipient: Type.String(),
  class: Type.String(),
  content: Type.Unknown({ description: 'What would have been sent or done, as frozen' }),
});

const toItem = (row: ShadowRow) => ({
  id: row.id,
  at: row.at.toISOString(),
  sequence: row.sequence,
  enrolmentId: row.run_id,
  step: row.step_id,
  customer: row.customer_id ? { id: row.customer_id, name: row.customer_name } : null,
  kind: row.kind,
  channel: row.channel,
  recipient: row.recipient,
  class: row.class,
  content: row.content,
});

/** Trying a sequence on everybody without anything going out. */
export function shadowRoutes(app: App, deps: { db: Database; clock: Clock; ports: SequencePorts }): void {
  const { db, clock, ports } = deps;

  app.put(
    '/v1/sequences/:id/mode',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['sequences'],
        summary: 'Take a sequence into the shadow (everything is decided, nothing goes out) or make it live',
        params: Type.Object({ id: Type.String({ maxLength: 60, description: 'Id or key' }) }),
        body: Type.Object({ mode: Mode }, { additionalProperties: false }),
        response: {
          200: Type.Object({
            mode: Mode,
            ended: Type.Integer({ description: 'Enrolments in shadow that ended because it went live' }),
            version: Type.Integer(),
          }),
        },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const { mode } = request.body;
      const { ended, row } = await db.tenant(tenantId, async (tx) => {
        const found = await findSequence(tx, request.params.id);
        if (!found) throw notFound('sequence', request.params.id);
        const number = await switchMode(ports, tx, found, { mode, by: actor, expected }, clock.now());
        if (number === undefined) throw stale('sequence');
        return { ended: number, row: (await findSequence(tx, found.id)) as SequenceRow };
      });
      tag(reply, row.version);
      return { mode: row.mode, ended, version: row.version };
    },
  );

  app.get(
    '/v1/shadow',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['sequences'],
        summary: 'What would have gone out, newest first, and how much each day',
        querystring: Type.Object({
          ...PageQuery.properties,
          sequence: Type.Optional(Type.String({ maxLength: 60, description: 'Id or key' })),
          customerId: Type.Optional(Type.String({ format: 'uuid' })),
          from: Type.Optional(Type.String({ format: 'date', description: 'First day, of the business' })),
          to: Type.Optional(Type.String({ format: 'date', description: 'Last day' })),
        }),
        response: {
          200: Type.Object({
            items: Type.Array(ShadowItem),
            next: nullable(Type.String()),
            days: Type.Array(
              Type.Object({
                day: Type.String(),
                sequence: nullable(Type.String()),
                channel: Type.String(),
                count: Type.Integer(),
              }),
            ),
            enrolments: Type.Integer({ description: 'Enrolments in shadow that run now' }),
          }),
        },
      },
    },
    async (request) => {
      const { sequence, customerId, from, to, cursor, limit } = request.query;
      return db.tenant(caller(request).tenantId, async (tx) => {
        const zone = await tenantZone(tx);
        const found = sequence ? await findSequence(tx, sequence) : undefined;
        if (sequence && !found) throw notFound('sequence', sequence);
        const filter = {
          sequenceId: found?.id,
          customerId,
          from: from ? instantOf(from, '00:00', zone) : undefined,
          to: to ? instantOf(addDays(to, 1), '00:00', zone) : undefined,
          before: cursorId(cursor),
          limit: limit + 1,
        };
        const days = await shadowDays(tx, filter, zone);
        return {
          ...toPage(await listShadow(tx, filter), limit, toItem),
          days: days.map(({ n, ...day }) => ({ ...day, count: n })),
          enrolments: await countShadowRuns(tx, found?.id),
        };
      });
    },
  );
}
