import { type Static, Type } from 'typebox';
import { appendEvents } from '../audit/store.ts';
import type { Clock } from '../base/clock.ts';
import type { Database } from '../base/database.ts';
import { conflict, notFound, stale } from '../base/errors.ts';
import { nullable, words } from '../base/schema.ts';
import type { App } from '../http/app.ts';
import { caller, cursorId, expectedVersion, IdParams, PageQuery, pageOf, ref, tag, toPage } from '../http/helpers.ts';
import { findCustomer } from '../model/store.ts';
import { WorkingHours } from '../settings/schema.ts';
import { acknowledge } from './escalating.ts';
import { type EscalationRow, findEscalation, listEscalations } from './escalations.ts';
import { closeHold, findHold, type HoldRow, listHolds, openHold } from './holds.ts';
import type { SequencePorts } from './ports.ts';
import { addStaff, findStaff, listStaff, type StaffRow, updateStaff } from './staff.ts';
import { listTemplates, putTemplate } from './store.ts';

const Day = Type.String({ format: 'date' });

export const Staff = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    email: Type.String(),
    name: Type.String(),
    deputyId: nullable(Type.String({ format: 'uuid' })),
    roles: Type.Array(Type.String()),
    zone: nullable(Type.String()),
    workingHours: nullable(WorkingHours),
    absentUntil: nullable(Day),
    departedOn: nullable(Day),
    version: Type.Integer(),
  },
  { $id: 'Staff' },
);

export const StaffChange = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    deputyId: Type.Optional(nullable(Type.String({ format: 'uuid' }))),
    roles: Type.Optional(Type.Array(Type.String({ maxLength: 50 }), { maxItems: 20, uniqueItems: true })),
    zone: Type.Optional(nullable(Type.String({ maxLength: 60 }))),
    workingHours: Type.Optional(nullable(WorkingHours)),
    absentUntil: Type.Optional(nullable(Day)),
    departedOn: Type.Optional(nullable(Day)),
  },
  { $id: 'StaffChange', additionalProperties: false },
);

export const Hold = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    customerId: Type.String({ format: 'uuid' }),
    kind: words(['promise', 'dispute']),
    amount: nullable(Type.String()),
    promisedOn: nullable(Day),
    untilOn: Day,
    owner: Type.String(),
    note: nullable(Type.String()),
    createdAt: Type.String({ format: 'date-time' }),
    closedAt: nullable(Type.String({ format: 'date-time' })),
    outcome: nullable(Type.String()),
    version: Type.Integer(),
  },
  { $id: 'Hold' },
);

export const Escalation = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    customerId: Type.String({ format: 'uuid' }),
    enrolmentId: nullable(Type.String({ format: 'uuid' })),
    level: Type.Integer(),
    assignee: nullable(
      Type.Object({ id: Type.String(), name: Type.String(), email: Type.String(), who: Type.String() }),
    ),
    state: words(['open', 'acknowledged', 'closed']),
    nextAt: nullable(Type.String({ format: 'date-time' })),
    openedAt: Type.String({ format: 'date-time' }),
    acknowledgedAt: nullable(Type.String({ format: 'date-time' })),
    acknowledgedBy: nullable(Type.String()),
    closedReason: nullable(Type.String()),
    version: Type.Integer(),
  },
  { $id: 'Escalation' },
);

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

const toHold = (row: HoldRow): Static<typeof Hold> => ({
  id: row.id,
  customerId: row.customer_id,
  kind: row.kind,
  amount: row.amount,
  promisedOn: row.promised_on,
  untilOn: row.until_on,
  owner: row.owner,
  note: row.note,
  createdAt: row.created_at.toISOString(),
  closedAt: row.closed_at?.toISOString() ?? null,
  outcome: row.outcome,
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

/** What people do around sequences: staff, promises and disputes, escalations, texts. */
export function peopleRoutes(
  app: App,
  deps: {
    db: Database;
    clock: Clock;
    ports: SequencePorts;
    templateProblem: (text: string) => string | undefined;
    wake: (tenantId: string) => Promise<void>;
  },
): void {
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

  const holdBody = {
    owner: Type.Optional(Type.String({ maxLength: 200 })),
    note: Type.Optional(Type.String({ maxLength: 2000 })),
  };
  for (const kind of ['promise', 'dispute'] as const) {
    const body =
      kind === 'promise'
        ? Type.Object(
            { ...holdBody, promisedOn: Day, amount: Type.Optional(Type.String({ pattern: '^\\d+(\\.\\d{1,4})?$' })) },
            { additionalProperties: false },
          )
        : Type.Object(holdBody, { additionalProperties: false });
    const summary =
      kind === 'promise'
        ? 'The customer promised to pay: the chase pauses until then'
        : 'The customer disputes: the chase pauses until it is closed';
    app.post(
      `/v1/customers/:id/${kind}s`,
      {
        config: { permission: 'operate' },
        schema: { tags: ['receivables'], summary, params: IdParams, body, response: { 201: ref(Hold) } },
      },
      async (request, reply) => {
        const { tenantId, actor } = caller(request);
        const given = request.body as { owner?: string; note?: string; promisedOn?: string; amount?: string };
        const row = await deps.db.tenant(tenantId, async (tx) => {
          const customer = await findCustomer(tx, request.params.id);
          if (!customer) throw notFound('customer', request.params.id);
          return openHold(
            tx,
            {
              customerId: customer.id,
              kind,
              promisedOn: given.promisedOn,
              amount: given.amount,
              owner: given.owner ?? actor,
              note: given.note,
              by: actor,
            },
            deps.clock.now(),
          );
        });
        tag(reply, row.version);
        return reply.code(201).send(toHold(row));
      },
    );
  }

  app.get(
    '/v1/holds',
    {
      config: { permission: 'read' },
      schema: {
        tags: ['receivables'],
        summary: 'Promises and disputes',
        querystring: Type.Object({
          ...PageQuery.properties,
          customerId: Type.Optional(Type.String({ format: 'uuid' })),
          open: Type.Optional(Type.Boolean()),
        }),
        response: { 200: pageOf(ref(Hold)) },
      },
    },
    async (request) => {
      const { cursor, limit, customerId, open } = request.query;
      const before = cursorId(cursor);
      const rows = await deps.db.tenant(caller(request).tenantId, (tx) =>
        listHolds(tx, {
          ...(customerId ? { customerId } : {}),
          openOnly: open ?? false,
          ...(before ? { before } : {}),
          limit: limit + 1,
        }),
      );
      return toPage(rows, limit, toHold);
    },
  );

  app.post(
    '/v1/holds/:id/close',
    {
      config: { permission: 'operate' },
      schema: {
        tags: ['receivables'],
        summary: 'Close a promise or dispute; what waited for it is looked at again',
        params: IdParams,
        body: Type.Object({ outcome: Type.String({ minLength: 2, maxLength: 500 }) }, { additionalProperties: false }),
        response: { 200: ref(Hold) },
      },
    },
    async (request, reply) => {
      const { tenantId, actor } = caller(request);
      const expected = expectedVersion(request);
      const row = await deps.db.tenant(tenantId, async (tx) => {
        const closed = await closeHold(tx, request.params.id, {
          outcome: request.body.outcome,
          by: actor,
          expected,
          now: deps.clock.now(),
        });
        if (!closed)
          throw (await findHold(tx, request.params.id))
            ? stale('hold')
            : notFound('promise or dispute', request.params.id);
        await tx.query(
          "update action_request set not_before = $3 where tenant_id = $1 and customer_id = $2 and state = 'planned' and reason in ('promise', 'dispute')",
          [tenantId, closed.customer_id, deps.clock.now()],
        );
        return closed;
      });
      await deps.wake(tenantId);
      tag(reply, row.version);
      return toHold(row);
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

  const Text = Type.Object({
    key: Type.String(),
    channel: Type.String(),
    locale: Type.String(),
    subject: nullable(Type.String()),
    body: Type.String(),
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
          { key, channel, locale, subject: request.body.subject ?? null, body: request.body.body },
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
