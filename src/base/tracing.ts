import { register } from 'node:module';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { redactText } from './log.ts';

type Around = <T>(name: string, work: () => Promise<T>) => Promise<T>;

let around: Around | undefined;
let started: Promise<() => Promise<void>> | undefined;

/** Runs work as a span of its own when tracing is on. */
export const traced: Around = (name, work) => (around ? around(name, work) : work());

/**
 * Switches tracing on: requests with their routes, jobs, calls to platforms and statements as spans, sent to an OTLP
 * collector. Must run before anything else is imported, because it hooks into what is imported after it. Asked again, it
 * answers with what is running already.
 * @param url base address of the collector
 * @returns what flushes and stops it
 */
export function startTracing(url: string): Promise<() => Promise<void>> {
  started ??= start(url);
  return started;
}

async function start(url: string): Promise<() => Promise<void>> {
  register('import-in-the-middle/hook.mjs', import.meta.url);
  const [
    { SpanStatusCode, trace },
    { NodeTracerProvider, BatchSpanProcessor },
    { OTLPTraceExporter },
    { registerInstrumentations },
    { UndiciInstrumentation },
    { PgInstrumentation },
    { HttpInstrumentation },
    { FastifyOtelInstrumentation },
  ] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/instrumentation'),
    import('@opentelemetry/instrumentation-undici'),
    import('@opentelemetry/instrumentation-pg'),
    import('@opentelemetry/instrumentation-http'),
    import('@fastify/otel'),
  ]);
  const exporter = new OTLPTraceExporter({ url: `${url.replace(/\/$/, '')}/v1/traces` });
  const provider = new NodeTracerProvider({
    resource: serviceResource(),
    spanProcessors: [cleaner, new BatchSpanProcessor(exporter)],
  });
  provider.register();
  registerInstrumentations({
    instrumentations: [
      new HttpInstrumentation({
        // The exporter's own posts come from a suppressed context; what asks for nothing is not worth a span either.
        ignoreIncomingRequestHook: (request) => WATCHING.has(request.url ?? ''),
      }),
      new UndiciInstrumentation(),
      // Statements of a request or job only: the queue's polling would drown them.
      new PgInstrumentation({ requireParentSpan: true }),
      new FastifyOtelInstrumentation({
        registerOnInitialization: true,
        instrumentHooks: false,
        instrumentHandler: false,
        recordExceptions: false,
        ignorePaths: ({ url: path }) => WATCHING.has(path),
      }),
    ],
  });
  const tracer = trace.getTracer('rapport');
  around = (name, work) =>
    tracer.startActiveSpan(name, async (span) => {
      try {
        return await work();
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  return () => provider.shutdown();
}

/** Asked every few seconds by whoever watches the hub. */
const WATCHING = new Set(['/health', '/ready', '/metrics']);

/** Spans are read by the same people as logs: addresses, queries and tokens stay out of them. */
const cleaner: SpanProcessor = {
  onStart: () => {},
  onEnd: ({ attributes }) => {
    delete attributes['url.query'];
    // A path of ours can hold a recipient's token; the route says the same without it.
    if ('url.path' in attributes && !('url.full' in attributes))
      attributes['url.path'] = attributes['http.route'] ?? '';
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value !== 'string') continue;
      attributes[name] = redactText(name === 'url.full' ? (value.split('?')[0] ?? '') : value);
    }
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

/** Who sends the spans. The SDK makes such objects in a package that is not one of ours, so it is written out. */
function serviceResource(): never {
  const attributes = { 'service.name': process.env.OTEL_SERVICE_NAME || 'rapport' };
  const resource = { attributes, merge: () => resource, getRawAttributes: () => Object.entries(attributes) };
  return resource as never;
}
