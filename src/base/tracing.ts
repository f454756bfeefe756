import { register } from 'node:module';

/**
 * Switches tracing on: HTTP, platform calls, Postgres and routes as spans, sent to an OTLP collector. Must run before
 * anything else is imported, because it hooks into what is imported after it.
 * @param url base address of the collector
 * @returns what flushes and stops it
 */
export async function startTracing(url: string): Promise<() => Promise<void>> {
  register('import-in-the-middle/hook.mjs', import.meta.url);
  const [
    { NodeTracerProvider, BatchSpanProcessor },
    { OTLPTraceExporter },
    { registerInstrumentations },
    { UndiciInstrumentation },
    { PgInstrumentation },
    { HttpInstrumentation },
  ] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/instrumentation'),
    import('@opentelemetry/instrumentation-undici'),
    import('@opentelemetry/instrumentation-pg'),
    import('@opentelemetry/instrumentation-http'),
  ]);
  const provider = new NodeTracerProvider({
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url.replace(/\/$/, '')}/v1/traces` }))],
  });
  provider.register();
  registerInstrumentations({
    instrumentations: [new HttpInstrumentation(), new UndiciInstrumentation(), new PgInstrumentation()],
  });
  return () => provider.shutdown();
}
