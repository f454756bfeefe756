import { randomBytes, randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hmacSha256, type Sandbox, type SandboxOptions, type SignedPost } from '../../src/kit/index.ts';
import {
  createSandboxServer,
  installOAuth,
  type SandboxOAuth,
  type SandboxServer,
} from '../../src/kit/sandbox/index.ts';
import { signedText } from './callback.ts';
import { MOST, requestedCost } from './cost.ts';
import { parse } from './graphql.ts';
import { callOf } from './sandbox.calls.ts';
import { Answering, GraphError } from './sandbox.graph.ts';
import { type Post, signPost, topicName } from './sandbox.hooks.ts';
import { deedsOf, fill } from './sandbox.people.ts';
import { rootsOf } from './sandbox.roots.ts';
import { ShopState } from './sandbox.state.ts';
import { createThrottle, type Throttle } from './sandbox.throttle.ts';
import { trialOf } from './sandbox.trial.ts';
import { topicsOf } from './topics.ts';
import { GRAPHQL, VERSION } from './version.ts';

export interface ShopifySandbox extends Sandbox {
  state: ShopState;
  server: SandboxServer;
  oauth: SandboxOAuth;
  throttle: Throttle;
  /** A post as Shopify signs it, not sent. */
  sign(post: Post): SignedPost;
  /** Tells everybody who subscribed to the topic. */
  tell(topic: string, body: object): Promise<void>;
}

type Call = FastifyRequest<{ Body: { query?: string; variables?: Record<string, unknown> } | undefined }>;

/** Starts the simulation of Shopify: OAuth pages of a shop, the Admin API by GraphQL with its points, signed posts. */
export async function start(options: SandboxOptions): Promise<ShopifySandbox> {
  const { clock } = options;
  const state = new ShopState(clock);
  const created = createSandboxServer('Shopify', options, {
    callOf: ({ method, url, body }) => callOf(method, url.split('?')[0]!, body),
  });
  const secret = options.app.SHOPIFY_CLIENT_SECRET ?? 'shopify-secret';
  const shop = state.shop.myshopifyDomain;
  const oauth = installShop(created.app, options, shop, secret);
  const throttle = createThrottle(clock, 100, options.limits !== false);
  installGraphQL(created.app, { state, oauth, throttle });

  const sender = { domain: shop, secret, delivery: randomUUID() };

  // Started by hand with an address, it posts there before anybody connects.
  if (options.hookUrl)
    state.subscriptions.push(...topicsOf({ features: [] }).map((topic) => ({ topic, uri: options.hookUrl! })));

  const sandbox = {
    ...{ state, oauth, throttle },
    hookUrl: options.hookUrl,
    credentials: { shop },
    get lateIndexMs() {
      return state.lateIndexMs;
    },
    set lateIndexMs(milliseconds: number) {
      state.lateIndexMs = milliseconds;
    },
    report: () => state.report(),
    stop: () => created.stop(),
  };
  const sign = (post: Post): SignedPost => signPost(sandbox.hookUrl ?? '', sender, post);
  const tell = async (topic: string, body: object): Promise<void> => {
    for (const { uri } of state.subscriptions.filter((one) => one.topic === topicName(topic))) {
      const post = signPost(uri, sender, { topic, body, event: randomUUID(), at: clock.now() });
      await created.post(post.url, post.body, post.headers);
    }
  };
  const url = await created.listen();
  const running = Object.assign(sandbox, { hosts: { api: url }, server: { ...created, url }, sign, tell });
  const offered = { fill: () => fill(state), deeds: deedsOf(running), trial: trialOf(running) };
  return created.show(Object.assign(running, offered));
}

/** The shop's page that asks for consent, with a signed way back, and the token endpoint that takes JSON. */
function installShop(
  app: SandboxServer['app'],
  { clock, app: ours }: SandboxOptions,
  shop: string,
  secret: string,
): SandboxOAuth {
  return installOAuth(app, {
    ...{ clock, vendor: 'Shopify', clientSecret: secret, clientId: ours.SHOPIFY_CLIENT_ID ?? 'shopify-app' },
    ...{ authorizePath: '/admin/oauth/authorize', tokenPath: '/admin/oauth/access_token', clientAuth: 'post' },
    ...{ scopeSeparator: ',', accessTtl: 3600, rotates: true, account: () => shop },
    redirectExtra: (account, query) => {
      const told = { shop: account, timestamp: String(Math.floor(clock.now().getTime() / 1000)), host: 'YWRtaW4' };
      return { ...told, hmac: hmacSha256(secret, signedText({ ...query, ...told })).toString('hex') };
    },
    answer: (grant, access_token) => ({
      ...{ access_token, refresh_token: grant.refreshToken, expires_in: 3600, refresh_token_expires_in: 7_776_000 },
      // To write stands for to read.
      scope: grant.scopes
        .filter((scope) => !grant.scopes.includes(scope.replace(/^read_/, 'write_')) || scope.startsWith('write_'))
        .join(','),
    }),
  });
}

interface Answerer {
  state: ShopState;
  oauth: SandboxOAuth;
  throttle: Throttle;
}

const failed = (code: string, message: string) => ({ errors: [{ message, extensions: { code } }] });

function installGraphQL(app: SandboxServer['app'], { state, oauth, throttle }: Answerer): void {
  app.post('/admin/api/:version/graphql.json', async (request: Call, reply) => {
    reply.headers({ 'x-request-id': randomBytes(8).toString('hex'), 'x-shopify-api-version': VERSION });
    request.headers.authorization = `Bearer ${String(request.headers['x-shopify-access-token'] ?? '')}`;
    if (!oauth.grantOf(request))
      return reply.code(401).send({
        errors: '[API] Invalid API key or access token (unrecognized login or wrong password)',
      });
    if (request.url.split('?')[0] !== GRAPHQL) return reply.code(404).send({ errors: 'Not Found' });
    return answer(request, reply, state, throttle);
  });
}

function answer(request: Call, reply: FastifyReply, state: ShopState, throttle: Throttle): unknown {
  const { query = '', variables = {} } = request.body ?? {};
  let operation: ReturnType<typeof parse>;
  try {
    operation = parse(query);
  } catch (error) {
    return reply.send(failed('parseError', (error as Error).message));
  }
  const requestedQueryCost = requestedCost(query, variables);
  const cost = (actualQueryCost: number | null) => ({
    cost: { requestedQueryCost, actualQueryCost, throttleStatus: throttle.status() },
  });
  if (operation.kind === 'query' && requestedQueryCost > MOST)
    return reply.send(
      failed(
        'MAX_COST_EXCEEDED',
        `Query cost is ${requestedQueryCost}, which exceeds the single query max cost limit (${MOST}).`,
      ),
    );
  if (!throttle.take(requestedQueryCost))
    return reply.send({ ...failed('THROTTLED', 'Throttled'), extensions: cost(null) });
  const warnings: string[] = [];
  const answering = new Answering(operation, variables);
  try {
    const data = answering.answer(operation, rootsOf(state, warnings));
    const actual = Math.min(answering.cost, requestedQueryCost);
    throttle.giveBack(requestedQueryCost - actual);
    const search = warnings.map((name) => ({
      warnings: [{ field: name, message: 'Invalid search field for this query.' }],
    }));
    return reply.send({ data, extensions: { ...cost(actual), ...(search.length > 0 ? { search } : {}) } });
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    return reply.send(failed(error.code, error.message));
  }
}
