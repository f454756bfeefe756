import { type Clock, hmacSha256, type Sandbox, type SandboxOptions } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  type Delivery,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { installRoutes, problem } from './sandbox.routes.ts';
import { HubSpotState, type Properties } from './sandbox.state.ts';
import { trialOf } from './sandbox.trial.ts';
import { VERSION } from './version.ts';

export interface HubSpotSandbox extends Sandbox {
  state: HubSpotState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  /** What the next person who connects is logged in to. */
  portalId: string;
  /** A change made by a person in HubSpot; announced by webhook when a hook address is set. */
  change(type: string, id: string, properties: Properties): Promise<void>;
  /** Announces something about a record, when a hook address is set. */
  tell(what: string, type: string, id: string, more?: object): Promise<void>;
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

/** Starts the simulation of HubSpot: OAuth pages, CRM objects, search with its limits, properties, lists, webhooks. */
export async function start(options: SandboxOptions): Promise<HubSpotSandbox> {
  const { clock } = options;
  const state = new HubSpotState(clock);
  const created = createSandboxServer('HubSpot', options);
  const { app } = created;
  const secret = options.app.HUBSPOT_CLIENT_SECRET ?? 'hubspot-secret';
  const sandbox = {
    portalId: '8712001',
    hookUrl: options.hookUrl,
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds) {
      state.lateIndexMs = milliseconds;
    },
  };
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
    if (request.url.startsWith('/oauth/')) return;
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
    unsubscribed: async ({ ids, property }) => {
      const change = { propertyName: property, propertyValue: 'true' };
      for (const id of ids) await announceRecord('propertyChange', 'contacts', id, change);
    },
  });

  const url = await created.listen();
  const server: SandboxServer = { ...created, url };

  const announce = async (events: object[]): Promise<Delivery> => {
    const body = JSON.stringify(events);
    const timestamp = String(clock.now().getTime());
    const signature = hmacSha256(secret, `POST${sandbox.hookUrl}${body}${timestamp}`).toString('base64');
    return server.post(sandbox.hookUrl!, body, {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': signature,
      'x-hubspot-request-timestamp': timestamp,
    });
  };
  async function announceRecord(what: string, type: string, id: string, more: object = {}): Promise<void> {
    if (!sandbox.hookUrl || !TYPE_IDS[type]) return;
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

  const running = Object.assign(sandbox, {
    hosts: { api: url, app: url },
    state,
    server,
    oauth,
    announce,
    tell: announceRecord,
    report: () => state.report(),
    change: async (type: string, id: string, properties: Properties) => {
      state.update(type, id, properties);
      for (const [propertyName, propertyValue] of Object.entries(properties))
        await announceRecord('propertyChange', type, id, { propertyName, propertyValue });
    },
    stop: () => server.stop(),
  });
  const offered = { fill: () => fill(state), deeds: deedsOf(running), trial: trialOf(running, clock, secret) };
  return created.show(Object.assign(running, offered));
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
