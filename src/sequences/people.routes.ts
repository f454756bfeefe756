import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { conflict, notFound, stale } from '../base/errors.ts';
import { words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { acknowledge } from './escalating.ts';
import { type EscalationRow, findEscalation, listEscalations } from './escalations.ts';
import { Escalation, Staff, StaffChange } from './people.schema.ts';
import type { SequencePorts } from './ports.ts';
import { addStaff, findStaff, listStaff, type StaffRow, updateStaff } from './staff.ts';

const toStaff = (row: StaffRow): Static<typeof Staff> => ({
  id: row.id,
  email: row.email,
  name: row.name,
  deputyId: row.deputy_id,
  roles: row.roles,
  zone: row.zone,
  workingHours: row.working_hours,
  absentUntil: row.absent_until,
  departedOn: row.departed_on,
  version: row.version,
});

const toEscalation = (row: EscalationRow): Static<typeof Escalation> => ({
  id: row.id,
  customerId: row.customer_id,
  enrolmentId: row.run_id,
  level: row.level,
  assignee: row.assignee,
  state: row.state,
  nextAt: row.next_at?.toISOString() ?? null,
  openedAt: row.opened_at.toISOString(),
  acknowledgedAt: row.acknowledged_at?.toISOString() ?? null,
  acknowledgedBy: row.acknowledged_by,
  closedReason: row.closed_reason,
  version: row.version,
});

/** Staff, and what is put in front of them. */
export function peopleRoutes(app: App, deps: { db: Database; clock: Clock; ports: SequencePorts }): void {
  app.get(
    '/v1/staff',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['staff'],
        summary: 'Staff, found in the connected platforms or added here',
        response: { 200: Type.Object({ items: Type.Array(ref(Staff)) }) },
      },
    },
    async (request) => ({
      items: (await deps.db.tenant(caller(request).tenantId, listStaff)).map(toStaff),
    }),
  );

  app.post(
    '/v1/staff',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['staff'],
        summary: 'Add a member of staff',
        body: Type.Object(
          {
            email: Type.String({ format: 'email' }),
            name: Type.String({ minLength: 1, maxLength: 200 }),
            roles: Type.Optional(Type.Array(Type.String({ maxLength: 50 }))),
          },
          { additionalProperties: false },
        ),
        response: { 201: ref(Staff) },
      },
    },
    async (request, reply) => {
      const { tenantId } = caller(request);
      const row = await deps.db.tenant(tenantId, async (tx) => {
        await addStaff(
          tx,
          { email: request.body.email, name: request.body.name, roles: request.body.roles ?? [] },
          deps.clock.now(),
        );
        return (await listStaff(tx)).find((person) => person.email === request.body.email.toLowerCase())!;
      });
      tag(reply, row.version);
      return reply.code(201).send(toStaff(row));
    },
  );

  app.patch(
    '/v1/staff/:id',
    {
      config: { permission: 'integrate' },
      schema: {
        tags: ['staff'],
        summary: 'Deputy, roles, working hours, absence',
        params: IdParams,
        body: ref(StaffChange),
        response: { 200: ref(Staff) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const before = await findStaff(tx, request.params.id);
        if (!before) throw notFound('member of staff', request.params.id);
        const { name, deputyId, roles, zone, workingHours, absentUntil, departedOn } = request.body;
        if (deputyId === before.id) throw conflict('Nobody is their own deputy.');
        if (deputyId && !(await findStaff(tx, deputyId))) throw notFound('member of staff', deputyId);
        const change = {
          name: name ?? before.name,
          deputy_id: deputyId === undefined ? before.deputy_id : deputyId,
          roles: roles ?? before.roles,
          zone: zone === undefined ? before.zone : zone,
          working_hours: workingHours === undefined ? before.working_hours : workingHours,
          absent_until: absentUntil === undefined ? before.absent_until : absentUntil,
          departed_on: departedOn === undefined ? before.departed_on : departedOn,
        };
        if (!(await updateStaff(tx, before.id, { ...change, expected, now: deps.clock.now() })))
          throw stale('member of staff');
        await appendEvents(tx, [
          {
            actor,
            action: 'staff.changed',
            subject: { kind: 'staff', id: before.id },
            data: { ...request.body },
            at: deps.clock.now(),
          },
        ]);
        return (await findStaff(tx, before.id))!;
      });
      tag(reply, row.version);
      return toStaff(row);
    },
  );

  app.get(
    '/v1/escalations',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['staff'],
        summary: 'Escalations',
        querystring: Type.Object({
          ...PageQuery.properties,
          state: Type.Optional(words(['open', 'acknowledged', 'closed'])),
          customerId: Type.Optional(Type.String({ format: 'uuid' })),
        }),
        response: { 200: pageOf(ref(Escalation)) },
      },
    },
    async (request) => {
      const { cursor, limit, state, customerId } = request.query;
      const before = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listEscalations(tx, {
          ...(state ? { state } : {}),
          ...(customerId ? { customerId } : {}),
          ...(before ? { before } : {}),
          limit: limit + 1,
        }),
      );
      return toPage(rows, limit, toEscalation);
    },
  );

  app.post(
    '/v1/escalations/:id/acknowledge',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['staff'],
        summary: '"I have it": the clock stops; the first one counts',
        params: IdParams,
        response: { 200: Type.Object({ first: Type.Boolean(), escalation: ref(Escalation) }) },
      },
    },
    async (request) => {
      const { tenantId, actor } = caller(request);
      return deps.db.tenant(tenantId, async (tx) => {
        const done = await acknowledge(deps.ports, tx, request.params.id, actor, deps.clock.now());
        if (!done) throw notFound('escalation', request.params.id);
        return { first: done.first, escalation: toEscalation((await findEscalation(tx, done.escalation.id))!) };
      });
    },
  );
}
