import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SandboxServer } from '../../src/kit/sandbox/index.ts';
import { MARKER } from './objects.ts';
import type { HubSpotRecord, HubSpotState, Properties } from './sandbox.state.ts';
import { VERSION } from './version.ts';

export const problem = (
  reply: FastifyReply,
  status: number,
  category: string,
  message: string,
  extra: object = {},
): FastifyReply =>
  reply
    .code(status)
    .send({ status: 'error', message, correlationId: '00000000-0000-0000-0000-000000000000', category, ...extra });
function shown(record: HubSpotRecord, wanted: readonly string[] | undefined): object {
  const properties: Properties = {
    hs_object_id: record.properties.hs_object_id ?? null,
    createdate: record.properties.createdate ?? null,
  };
  for (const name of wanted ?? []) properties[name] = record.properties[name] ?? null;
  return {
    id: record.id,
    properties,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
    archived: record.archived,
    ...(record.archivedAt ? { archivedAt: record.archivedAt } : {}),
  };
}

interface Hooks {
  announceCreated(type: string, record: HubSpotRecord): void;
  /** @param property what HubSpot set on these contacts */
  unsubscribed(change: { ids: string[]; property: string }): Promise<void>;
}

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string>;
  Body: Record<string, never>;
}>;
export function installRoutes(
  app: SandboxServer['app'],
  state: HubSpotState,
  sandbox: { portalId: string },
  hooks: Hooks,
): void {
  app.get(`/account-info/${VERSION}/details`, async () => ({
    portalId: Number(sandbox.portalId),
    accountType: 'STANDARD',
    timeZone: 'America/New_York',
    companyCurrency: 'USD',
    additionalCurrencies: [],
    utcOffset: '-05:00',
    utcOffsetMilliseconds: -18_000_000,
    uiDomain: 'app.hubspot.com',
    dataHostingLocation: 'na1',
  }));

  app.get(`/crm/owners/${VERSION}`, async (request: Call) => {
    const { limit = '100', after = '0' } = request.query;
    const archived = request.query.archived === 'true';
    const found = state.owners.filter((owner) => owner.archived === archived && Number(owner.id) > Number(after));
    const results = found.slice(0, Math.min(500, Number(limit)));
    const next = found.length > results.length ? results.at(-1)!.id : undefined;
    return { results, ...(next ? { paging: { next: { after: next, link: `?after=${next}` } } } : {}) };
  });
  app.get(`/crm/pipelines/${VERSION}/:type`, async (request: Call) => ({
    results: state.pipelines[request.params.type!] ?? [],
  }));
  app.get(`/crm/properties/${VERSION}/:type`, async (request: Call) => ({
    results: state.propertiesOf(request.params.type!),
  }));
  app.post(`/crm/properties/${VERSION}/:type/groups`, async (request: Call, reply) => {
    const { name } = request.body as unknown as { name: string };
    return state.addGroup(request.params.type!, name)
      ? reply.code(201).send({ ...request.body, archived: false })
      : problem(reply, 409, 'OBJECT_ALREADY_EXISTS', `Property group ${name} already exists`);
  });
  app.post(`/crm/properties/${VERSION}/:type`, async (request: Call, reply) => {
    const property = request.body as unknown as { name: string; hasUniqueValue?: boolean };
    return state.addProperty(request.params.type!, property)
      ? reply.code(201).send({ description: '', options: [], ...property })
      : problem(reply, 409, 'OBJECT_ALREADY_EXISTS', `A property named '${property.name}' already exists.`);
  });

  app.get(`/crm/objects/${VERSION}/:type`, async (request: Call) => {
    const { limit = '10', after, archived = 'false' } = request.query;
    const properties = request.query.properties?.split(',');
    const { records, next } = state.page(
      request.params.type!,
      Math.min(100, Number(limit)),
      after,
      archived === 'true',
    );
    return {
      results: records.map((record) => shown(record, properties)),
      ...(next ? { paging: { next: { after: next, link: `?after=${next}` } } } : {}),
    };
  });
  app.post(`/crm/objects/${VERSION}/:type/search`, async (request: Call, reply) => {
    const body = request.body as unknown as Parameters<HubSpotState['search']>[1];
    const limit = Number(body.limit ?? 10);
    if (limit > 200) return problem(reply, 400, 'VALIDATION_ERROR', 'limit must be at most 200');
    if (Number(body.after ?? 0) + limit > 10_000)
      return problem(reply, 400, 'VALIDATION_ERROR', 'Paging through more than 10,000 results is not possible.');
    const { records, total, next } = state.search(request.params.type!, body);
    return {
      total,
      results: records.map((record) => shown(record, body.properties)),
      ...(next ? { paging: { next: { after: next } } } : {}),
    };
  });
  app.post(`/crm/objects/${VERSION}/:type/batch/read`, async (request: Call, reply) => {
    const { inputs, properties } = request.body as unknown as { inputs: { id: string }[]; properties: string[] };
    if (inputs.length > 100) return problem(reply, 400, 'VALIDATION_ERROR', 'At most 100 inputs.');
    const records = inputs
      .map(({ id }) => state.find(request.params.type!, id))
      .filter((record) => record !== undefined && !record.archived) as HubSpotRecord[];
    const now = new Date().toISOString();
    return {
      status: 'COMPLETE',
      results: records.map((record) => shown(record, properties)),
      startedAt: now,
      completedAt: now,
    };
  });
  app.get(`/crm/objects/${VERSION}/:type/:id`, async (request: Call, reply) => {
    const record = state.find(request.params.type!, request.params.id!);
    return record && !record.archived
      ? shown(record, request.query.properties?.split(','))
      : problem(reply, 404, 'OBJECT_NOT_FOUND', 'The object does not exist.');
  });
  app.post(`/crm/objects/${VERSION}/:type`, async (request: Call, reply) => {
    const { properties, associations } = request.body as unknown as {
      properties: Properties;
      associations?: { to: { id: string } }[];
    };
    const type = request.params.type!;
    const unknown = Object.keys(properties).find(
      (name) => name.startsWith('rapport_') && !state.propertiesOf(type).some((property) => property.name === name),
    );
    if (unknown)
      return problem(
        reply,
        400,
        'VALIDATION_ERROR',
        `Property values were not valid: [{"isValid":false,"message":"Property \\"${unknown}\\" does not exist","error":"PROPERTY_DOESNT_EXIST","name":"${unknown}"}]`,
      );
    const owner = properties.hubspot_owner_id;
    if (owner && !state.owners.some(({ id }) => id === owner))
      return problem(
        reply,
        400,
        'VALIDATION_ERROR',
        `Property values were not valid: [{"isValid":false,"message":"${owner} was not a valid owner id","error":"INVALID_OWNER_ID","name":"hubspot_owner_id"}]`,
      );
    const twin = properties[MARKER]
      ? state.all(type).find((record) => record.properties[MARKER] === properties[MARKER])
      : undefined;
    if (twin)
      return problem(
        reply,
        409,
        'CONFLICT',
        `Cannot set ${MARKER}: another object already has that value. Existing ID: ${twin.id}`,
      );
    const record = state.create(type, properties);
    for (const association of associations ?? []) state.attach(type, record.id, association.to.id);
    hooks.announceCreated(type, record);
    return reply.code(201).send(shown(record, Object.keys(properties)));
  });
  app.patch(`/crm/objects/${VERSION}/:type/:id`, async (request: Call, reply) => {
    const { properties } = request.body as unknown as { properties: Properties };
    if (Object.values(properties).some((value) => value === null))
      return problem(reply, 400, 'VALIDATION_ERROR', 'null is not a valid value');
    const record = state.update(request.params.type!, request.params.id!, properties);
    return record
      ? shown(record, Object.keys(properties))
      : problem(reply, 404, 'OBJECT_NOT_FOUND', 'The object does not exist.');
  });
  app.post(`/crm/associations/${VERSION}/:from/:to/batch/read`, async (request: Call) => {
    const { inputs } = request.body as unknown as { inputs: { id: string }[] };
    const { from, to } = request.params as { from: string; to: string };
    const results = inputs
      .map(({ id }) => ({
        from: { id },
        to: state.associated(from, id, to).map((other) => ({
          toObjectId: other,
          associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId: 1 }],
        })),
      }))
      .filter((result) => result.to.length > 0);
    const now = new Date().toISOString();
    return { status: 'COMPLETE', results, startedAt: now, completedAt: now };
  });
  for (const verb of ['add', 'remove'] as const) {
    app.put(`/crm/lists/${VERSION}/:listId/memberships/${verb}`, async (request: Call, reply) => {
      const list = request.params.listId!;
      if (!/^\d+$/.test(list)) return problem(reply, 404, 'OBJECT_NOT_FOUND', `List does not exist with ID ${list}.`);
      const ids = request.body as unknown as string[];
      state.changeList(list, verb, ids);
      return {
        recordsIdsAdded: verb === 'add' ? ids : [],
        recordIdsRemoved: verb === 'remove' ? ids : [],
        recordIdsMissing: [],
      };
    });
  }
  app.get(`/automation/sequences/${VERSION}/enrollments/contact/:id`, async (request: Call, reply) => {
    const enrolment = state.enrolments.get(request.params.id!);
    return enrolment ?? problem(reply, 404, 'OBJECT_NOT_FOUND', 'Not enrolled.');
  });
  app.post(`/automation/sequences/${VERSION}/enrollments`, async (request: Call, reply) => {
    const { sequenceId, contactId, senderEmail } = request.body as unknown as Record<string, string>;
    const by = { id: request.query.userId ?? '', email: senderEmail ?? '' };
    const made = state.enrol(contactId!, sequenceId!, by);
    if (!made) return problem(reply, 400, 'VALIDATION_ERROR', 'The contact is already enrolled in a sequence.');
    const { id, toEmail, enrolledAt, updatedAt } = made;
    return { id, toEmail, enrolledAt, updatedAt };
  });
  const unsubscribed = (email: string, subscription: number, reason: string) => {
    const now = state.now();
    const status = { channel: 'EMAIL', source: 'API', status: 'UNSUBSCRIBED', setStatusSuccessReason: reason };
    const results = [{ ...status, subscriberIdString: email, subscriptionId: subscription, timestamp: now }];
    return { status: 'COMPLETE', results, startedAt: now, completedAt: now };
  };
  const statuses = `/communication-preferences/${VERSION}/statuses/:email`;
  app.post(statuses, async (request: Call) => {
    const { subscriptionId } = request.body as unknown as { subscriptionId: number };
    await hooks.unsubscribed(state.unsubscribe(request.params.email!, String(subscriptionId)));
    return unsubscribed(request.params.email!, subscriptionId, 'REQUESTED_CHANGE_OCCURRED');
  });
  app.post(`${statuses}/unsubscribe-all`, async (request: Call) => {
    await hooks.unsubscribed(state.unsubscribe(request.params.email!));
    return unsubscribed(request.params.email!, 1, 'UNSUBSCRIBE_FROM_ALL_OCCURRED');
  });
  app.post('/marketing/email-campaigns/2026-03/single-send', async (request: Call) =>
    state.singleSend((request.body as unknown as { message: { to: string; sendId: string } }).message),
  );
}
