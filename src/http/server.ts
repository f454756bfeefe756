import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import multipart from '@fastify/multipart';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import underPressure from '@fastify/under-pressure';
import Fastify, { LogController } from 'fastify';
import type { TSchema } from 'typebox';
import type { AccessDeps } from '../access/identity.ts';
import { type Config, ConfigError } from '../base/config.ts';
import type { Database } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import { hashToken, newId } from '../base/ids.ts';
import { createKeyring } from '../base/keyring.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { App } from './app.ts';
import { compilers } from './compile.ts';
import { installIdempotency } from './idempotency.ts';
import { installProblems } from './problems.ts';
import { installSecurity } from './security.ts';

export interface ServerOptions {
  config: Config;
  log: Logger;
  db: Database;
  access: AccessDeps;
  metrics: Metrics;
  schemas: readonly TSchema[];
  /** Requests a caller may make in a minute. */
  perMinute?: number;
  /** Compile the schemas of all routes at once instead of each when it is first used. */
  compileAtStart?: boolean;
  /** Turn requests away while the process cannot keep up; default: yes. */
  shedLoad?: boolean;
}

/** Addresses that whoever watches the hub must reach especially when it is overloaded. */
const WATCHED = new Set(['/health', '/ready', '/metrics']);

/** The HTTP application without its routes: validation, security, limits, problems, reference page. */
export async function createServer(options: ServerOptions): Promise<App> {
  const { config, log, metrics } = options;
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    trustProxy: config.trustProxy,
    genReqId: () => newId(),
    requestIdHeader: false,
    routerOptions: { maxParamLength: 500 },
    return503OnClosing: true,
    schemaController: {
      compilersFactory: compilers(options.compileAtStart === true) as never,
    },
  }) as unknown as App;

  installProblems(app as never, log);
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        scriptSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        upgradeInsecureRequests: null,
      },
    },
  });
  await app.register(cookie);
  await app.register(multipart);
  await app.register(rateLimit, {
    global: true,
    max: options.perMinute ?? 1200,
    timeWindow: '1 minute',
    // A key is counted by itself wherever it is used from; everybody else by address.
    keyGenerator: (request) => (request.headers.authorization ? hashToken(request.headers.authorization) : request.ip),
    allowList: (request) => request.url.startsWith('/hooks/') || request.url === '/health',
  });
  await app.register(underPressure, {
    // Over a while, so that a single long step (the start itself) does not count as overload.
    sampleInterval: 5_000,
    maxEventLoopDelay: 1_000,
    exposeStatusRoute: false,
    pressureHandler: (request, reply, _measure, value) => {
      // Right after a start there is nothing measured yet, which comes as Infinity.
      if (options.shedLoad === false || !Number.isFinite(value) || WATCHED.has(request.url)) return;
      reply.header('retry-after', '5');
      throw new Problem(503, 'overloaded', 'The hub has too much to do right now.', {
        fix: 'Wait as long as the Retry-After header says, then send the same request again.',
      });
    },
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Rapport',
        version: '1',
        description:
          'Follow-up that runs inside the CRM a business already has. Errors are problem documents (RFC 9457) that say what to do. Lists are paged with `cursor`; changes need `If-Match`; every POST takes an `Idempotency-Key`.',
      },
      servers: [{ url: config.publicUrl }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'API key (rpk_...) or session token (rps_...)' },
        },
      },
      security: [{ bearer: [] }],
    },
    refResolver: { buildLocalReference: (json) => String(json.$id) },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { deepLinking: true, persistAuthorization: false },
  });
  for (const schema of options.schemas) app.addSchema(schema as { $id: string });
  installSecurity(app as never, options.access, config.publicUrl);
  installIdempotency(app as never, {
    db: options.db,
    clock: options.access.clock,
    keyring: createKeyring(config.keys),
  });
  app.addHook('onResponse', async (request, reply) => {
    metrics.requests.observe(
      { method: request.method, route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
    if (reply.statusCode >= 500)
      log.warn(
        { requestId: request.id, route: request.routeOptions.url, status: reply.statusCode },
        'request ended badly',
      );
    else
      log.debug(
        {
          requestId: request.id,
          method: request.method,
          // Not the address itself: it can hold a recipient's token or the secret part of a hook address.
          route: request.routeOptions.url,
          status: reply.statusCode,
          ms: Math.round(reply.elapsedTime),
        },
        'request',
      );
  });
  return app;
}

/** @throws ConfigError when the port is taken */
export async function listen(app: App, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'].includes(code)) throw error;
    const why = code === 'EADDRINUSE' ? 'something else listens there' : code;
    throw new ConfigError([`The hub cannot listen on ${host} port ${port} (${why}). Set HOST or PORT.`]);
  }
}

/** A request that is not through by then is cut: who sent it sends it again. */
const LAST_WORDS_MS = 10_000;

/** Takes no more requests and waits for those that are being answered. */
export async function closeServer(app: App): Promise<void> {
  // A connection that was busy at this moment is kept for its next request, for longer than anybody waits for us.
  const idle = setInterval(() => app.server.closeIdleConnections(), 50);
  const late = setTimeout(() => app.server.closeAllConnections(), LAST_WORDS_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}
