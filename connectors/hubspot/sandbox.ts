import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Clock, hmacSha256, type Sandbox, type SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  type Delivery,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { MARKER } from './actions.ts';
import { type HubSpotRecord, HubSpotState, type Properties } from './sandbox.state.ts';
import { VERSION } from './version.ts';

export interface HubSpotSandbox extends Sandbox {
  state: HubSpotState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** What the next person who connects is logged in to. */
  portalId: string;
  /** A change made by a person in HubSpot; announced by webhook when a hook address is set. */
  change(type: string, id: string, properties: Properties): Promise<void>;
  /** Posts events as the vendor signs them. */
  announce(events: object[]): Promise<Delivery>;
}

const TYPE_IDS: Record<string, string> = {
  contacts: '0-1',
  companies: '0-2',
  deals: '0-3',
  tickets: '0-5',
  tasks: '0-27',
  invoices: '0-53',
};

const problem = (
  reply: FastifyReply,
  status: number,
  category: string,
  message: string,
  extra: object = {},
): FastifyReply =>
  reply
    .code(status)
    .send({ status: 'error', message, correlationId: '00000000-0000-0000-0000-000000000000', category, ...extra });

const shown = (record: HubSpotRecord, wanted: readonly string[] | undefined): object => ({
  id: record.id,
  properties: Object.fromEntries(
    ['hs_object_id', 'createdate', ...(wanted ?? [])].map((name) => [name, record.properties[name] ?? null]),
  ),
  createdAt: record.createdAt,
  updatedAt: record.updatedAt,
  archived: record.archived,
  ...(record.archivedAt ? { archivedAt: record.archivedAt } : {}),
});

/** Starts the simulation of HubSpot: OAuth pages, CRM objects, search with its limits, properties, lists, webhooks. */
export async function start(options: SandboxOptions & { journal?: number; limits?: boolean }): Promise<HubSpotSandbox> {
  const { clock } = options;
  const state = new HubSpotState(clock);
  const created = createSandboxServer({
    name: 'HubSpot',
    clock,
    port: options.port,
    report: () => state.report(),
    ...(options.journal === undefined ? {} : { journal: options.journal }),
  });
  const { app } = created;
  const secret = options.app.HUBSPOT_CLIENT_SECRET ?? 'hubspot-secret';
  const sandbox = { portalId: '8712001' };
  const oauth = installOAuth(app, {
    clock,
    vendor: 'HubSpot',
    authorizePath: '/oauth/authorize',
    tokenPath: `/oauth/${VERSION}/token`,
    clientId: options.app.HUBSPOT_CLIENT_ID ?? 'hubspot-app',
    clientSecret: secret,
    clientAuth: 'post',
    scopeSeparator: ' ',
    optionalScopeParameter: 'optional_scope',
    accessTtl: 1800,
    rotates: false,
    account: () => sandbox.portalId,
    answer: (grant, accessToken) => ({
      access_token: accessToken,
      refresh_token: grant.refreshToken,
      expires_in: 1800,
      token_type: 'bearer',
      token_use: 'access_token',
      hub_id: Number(grant.account),
      user_id: 4711,
      scopes: grant.scopes,
    }),
  });
  app.post(`/oauth/${VERSION}/token/revoke`, async (_request, reply) => reply.code(204).send());

  const limiter = options.limits === false ? undefined : createLimiter(clock);
  app.addHook('preHandler', async (request, reply) => {
    if (request.url.startsWith('/oauth/') || request.url.startsWith('/_sandbox')) return;
    if (!oauth.grantOf(request)) {
      await problem(reply, 401, 'EXPIRED_AUTHENTICATION', 'The OAuth token used to make this call expired.');
      return;
    }
    const exceeded = limiter?.(request.url.includes('/search'));
    if (exceeded)
      await reply.code(429).send({
        status: 'error',
        message: 'You have reached your limit.',
        errorType: 'RATE_LIMIT',
        policyName: exceeded,
        correlationId: 'x',
        requestId: 'x',
      });
  });

  installRoutes(app, state, sandbox, {
    announceCreated: (type, record) => void announceRecord('creation', type, record.id),
  });

  const url = await created.listen();
  const server: SandboxServer = { ...created, url };

  const announce = async (events: object[]): Promise<Delivery> => {
    const body = JSON.stringify(events);
    const timestamp = String(clock.now().getTime());
    const signature = hmacSha256(secret, `POST${options.hookUrl}${body}${timestamp}`).toString('base64');
    return server.post(options.hookUrl!, body, {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': signature,
      'x-hubspot-request-timestamp': timestamp,
    });
  };
  async function announceRecord(what: string, type: string, id: string, more: object = {}): Promise<void> {
    if (!options.hookUrl || !TYPE_IDS[type]) return;
    await announce([
      {
        objectId: Number(id),
        objectTypeId: TYPE_IDS[type],
        subscriptionType: `object.${what}`,
        portalId: Number(sandbox.portalId),
        appId: 1160452,
        occurredAt: clock.now().getTime(),
        subscriptionId: 25,
        eventId: 1,
        changeSource: 'CRM_UI',
        attemptNumber: 0,
        ...more,
      },
    ]);
  }

  return Object.assign(sandbox, {
    hosts: { api: url, app: url },
    state,
    server,
    oauth,
    announce,
    report: () => state.report(),
    change: async (type: string, id: string, properties: Properties) => {
      state.update(type, id, properties);
      for (const [propertyName, propertyValue] of Object.entries(properties))
        await announceRecord('propertyChange', type, id, { propertyName, propertyValue });
    },
    stop: () => server.stop(),
  });
}

/** Sliding windows as the vendor counts them: 110 calls in 10 s, 5 searches in a second. */
function createLimiter(clock: Clock): (isSearch: boolean) => string | undefined {
  const all: number[] = [];
  const searches: number[] = [];
  const over = (times: number[], window: number, limit: number, now: number): boolean => {
    while (times[0] !== undefined && times[0] <= now - window) times.shift();
    return times.length >= limit;
  };
  return (isSearch) => {
    const now = clock.now().getTime();
    if (over(all, 10_000, 110, now)) return 'TEN_SECONDLY_ROLLING';
    if (isSearch && over(searches, 1_000, 5, now)) return 'SECONDLY';
    all.push(now);
    if (isSearch) searches.push(now);
    return undefined;
  };
}

interface Hooks {
  announceCreated(type: string, record: HubSpotRecord): void;
}

type Call = FastifyRequest<{
  Params: Record<string, string>;
  Querystring: Record<string, string>;
  Body: Record<string, never>;
}>;

function installRoutes(
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
    const archived = request.query.archived === 'true';
    return { results: state.owners.filter((owner) => owner.archived === archived) };
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
      ? reply.code(201).send(request.body)
      : problem(reply, 409, 'OBJECT_ALREADY_EXISTS', `Property group ${name} already exists`);
  });
  app.post(`/crm/properties/${VERSION}/:type`, async (request: Call, reply) => {
    const property = request.body as unknown as { name: string; hasUniqueValue?: boolean };
    return state.addProperty(request.params.type!, property)
      ? reply.code(201).send(property)
      : problem(reply, 409, 'OBJECT_ALREADY_EXISTS', `A property named '${property.name}' already exists.`);
  });

  app.get(`/crm/objects/${VERSION}/:type`, async (request: Call) => {
    const { limit = '10', after, archived = 'false', properties } = request.query;
    const { records, next } = state.page(
      request.params.type!,
      Math.min(100, Number(limit)),
      after,
      archived === 'true',
    );
    return {
      results: records.map((record) => shown(record, properties?.split(','))),
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
          toObjectId: Number(other),
          associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId: 1, label: null }],
        })),
      }))
      .filter((result) => result.to.length > 0);
    const now = new Date().toISOString();
    return { status: 'COMPLETE', results, startedAt: now, completedAt: now };
  });
  for (const verb of ['add', 'remove'] as const) {
    app.put(`/crm/lists/${VERSION}/:listId/memberships/${verb}`, async (request: Call) => {
      const ids = request.body as unknown as string[];
      state.changeList(request.params.listId!, verb, ids);
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
    const { sequenceId, contactId } = request.body as unknown as { sequenceId: string; contactId: string };
    const made = state.enrol(contactId, sequenceId);
    return made ? made : problem(reply, 400, 'VALIDATION_ERROR', 'The contact is already enrolled in a sequence.');
  });
  app.post('/marketing/email-campaigns/2026-03/single-send', async (request: Call) =>
    state.singleSend((request.body as unknown as { message: { to: string; sendId: string } }).message),
  );
}
