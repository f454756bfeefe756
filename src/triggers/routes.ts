import { Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database, Tx } from '../base/database.ts';
import { bumpDue } from '../base/due.ts';
import { invalid, notFound, stale } from '../base/errors.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { findSequence } from '../sequences/store.ts';
import { CATALOGUE, triggerDefinition } from './catalogue.ts';
import { dropTrigger, keepTrigger } from './keep.ts';
import { Occurrence, settingsErrors, Trigger, TriggerInput } from './schema.ts';
import {
  deleteTrigger,
  findTrigger,
  insertTrigger,
  listOccurrences,
  listTriggers,
  type OccurrenceRow,
  type TriggerRow,
  updateTrigger,
} from './store.ts';

const toTrigger = (row: TriggerRow) => ({
  id: row.id,
  name: row.name,
  title: row.title,
  arms: triggerDefinition(row.name).arms,
  settings: row.settings,
  sequenceId: row.sequence_id,
  enabled: row.enabled,
  enabledAt: row.enabled_at?.toISOString() ?? null,
  problem: row.problem,
  version: row.version,
});

const toOccurrence = (row: OccurrenceRow) => ({
  id: row.id,
  trigger: row.trigger_name,
  subject: { kind: row.subject_kind, id: row.subject_id, label: row.subject_label },
  businessKey: row.business_key,
  customerId: row.customer_id,
  occurredOn: row.occurred_on,
  detectedAt: row.detected_at.toISOString(),
  outcome: row.outcome,
  enrolmentId: row.run_id,
});

/** @throws Problem with every mistake in the settings */
export function checkedSettings(name: string, settings: Record<string, unknown>): Record<string, unknown> {
  const definition = triggerDefinition(name);
  const merged = { ...(definition.defaults as Record<string, unknown>), ...settings };
  const fields = settingsErrors(definition, merged).map(({ path, message }) => ({
    path: path ? `settings.${path}` : 'settings',
    message,
  }));
  if (fields.length === 0) return merged;
  throw invalid(
    `The settings of ${name} cannot be like this: ${fields.map((field) => `${field.path} ${field.message}`).join('; ')}.`,
    fields,
  );
}

/** @throws Problem 404 when the business has no such sequence */
async function mustExist(tx: Tx, sequenceId: string): Promise<void> {
  if (!(await findSequence(tx, sequenceId))) throw notFound('sequence', sequenceId);
}

/** The catalogue of triggers, a tenant's triggers, and what they found. */
export function triggerRoutes(app: App, deps: { db: Database; clock: Clock }): void {
  app.get(
    '/v1/trigger-catalogue',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['triggers'],
        summary: 'Every kind of trigger, in words',
        response: { 200: Type.Object({ items: Type.Array(Type.Unknown()) }) },
      },
    },
    async () => ({
      items: CATALOGUE.map((definition) => ({
        name: definition.name,
        title: definition.title,
        arms: definition.arms,
        key: definition.key,
        settings: definition.settings,
        defaults: definition.defaults,
        maxAgeHours: definition.maxAgeHours,
      })),
    }),
  );

  app.get(
    '/v1/triggers',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['triggers'],
        summary: 'Triggers of the business',
        response: { 200: Type.Object({ items: Type.Array(ref(Trigger)) }) },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, (tx) => listTriggers(tx))).map(toTrigger),
    }),
  );

  app.get(
    '/v1/triggers/:id',
    {
      config: { permission: 'read' },
      schema: { tags: ['triggers'], summary: 'One trigger', params: IdParams, response: { 200: ref(Trigger) } },
    },
    async (request, reply) => {
      const row = await deps.db.tenant(caller(request).tenantId, (tx) => findTrigger(tx, request.params.id));
      if (!row) throw notFound('trigger', request.params.id);
      tag(reply, row.version);
      return toTrigger(row);
    },
  );

  app.post(
    '/v1/triggers',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['triggers'],
        summary: 'Make a trigger; it counts from now on',
        body: ref(TriggerInput),
        response: { 201: ref(Trigger) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const { name, title, settings, sequenceId, enabled } = request.body;
      const checked = checkedSettings(name, settings ?? {});
      const row = await deps.db.tenant(tenantId, async (tx) => {
        if (sequenceId) await mustExist(tx, sequenceId);
        const id = await insertTrigger(
          tx,
          {
            name,
            title: title ?? triggerDefinition(name).title,
            settings: checked,
            sequence_id: sequenceId ?? null,
            enabled: enabled ?? false,
          },
          deps.clock.now(),
        );
        await keepTrigger(tx, id, { by: actor, now: deps.clock.now() });
        // What happens today counts from now on: it is looked for at once, not with the next round.
        if (enabled) await bumpDue(tx, tenantId, 'detect', deps.clock.now());
        await appendEvents(tx, [
          {
            actor,
            action: 'trigger.created',
            subject: { kind: 'trigger', id },
            data: { name, settings: checked },
            at: deps.clock.now(),
          },
        ]);
        return (await findTrigger(tx, id))!;
      });
      tag(reply, row.version);
      return reply.code(201).send(toTrigger(row));
    },
  );

  app.patch(
    '/v1/triggers/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['triggers'],
        summary: 'Change a trigger or switch it on or off',
        params: IdParams,
        body: Type.Partial(Type.Omit(TriggerInput, ['name']), { additionalProperties: false }),
        response: { 200: ref(Trigger) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const before = await findTrigger(tx, request.params.id);
        if (!before) throw notFound('trigger', request.params.id);
        const { title, settings, sequenceId, enabled } = request.body;
        const checked = settings ? checkedSettings(before.name, settings) : before.settings;
        if (sequenceId) await mustExist(tx, sequenceId);
        const change = {
          title: title ?? before.title,
          settings: checked,
          sequenceId: sequenceId === undefined ? before.sequence_id : sequenceId,
          enabled: enabled ?? before.enabled,
          expected,
          now: deps.clock.now(),
        };
        if (!(await updateTrigger(tx, before.id, change))) throw stale('trigger');
        await keepTrigger(tx, before.id, { by: actor, now: change.now });
        if (change.enabled) await bumpDue(tx, tenantId, 'detect', change.now);
        await appendEvents(tx, [
          {
            actor,
            action: 'trigger.changed',
            subject: { kind: 'trigger', id: before.id },
            data: {
              before: { settings: before.settings, enabled: before.enabled },
              after: { settings: checked, enabled: change.enabled },
            },
            at: change.now,
          },
        ]);
        return (await findTrigger(tx, before.id))!;
      });
      tag(reply, row.version);
      return toTrigger(row);
    },
  );

  app.delete(
    '/v1/triggers/:id',
    {
      config: { permission: 'integrate' },
      schema: { tags: ['triggers'], summary: 'Remove a trigger; what it found stays', params: IdParams },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      await deps.db.tenant(tenantId, async (tx) => {
        await dropTrigger(tx, request.params.id);
        if (!(await deleteTrigger(tx, request.params.id))) throw notFound('trigger', request.params.id);
        await appendEvents(tx, [
          {
            actor,
            action: 'trigger.deleted',
            subject: { kind: 'trigger', id: request.params.id },
            at: deps.clock.now(),
          },
        ]);
      });
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/occurrences',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['triggers'],
        summary: 'What triggers found and what came of it, newest first',
        querystring: Type.Object({
          ...PageQuery.properties,
          customerId: Type.Optional(Type.String({ format: 'uuid' })),
          trigger: Type.Optional(Type.String({ maxLength: 100 })),
        }),
        response: { 200: pageOf(ref(Occurrence)) },
      },
    },
    async (request) => {
      const { cursor, limit, customerId, trigger } = request.query;
      const before = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listOccurrences(tx, {
          ...(customerId ? { customerId } : {}),
          ...(trigger ? { name: trigger } : {}),
          ...(before ? { before } : {}),
          limit: limit + 1,
        }),
      );
      return toPage(rows, limit, toOccurrence);
    },
  );
}
