import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What the hub counts for Prometheus. Labels are bounded: connectors, queues, states; never tenants or people. */
export interface Metrics {
  registry: Registry;
  requests: Histogram<'method' | 'route' | 'status'>;
  calls: Histogram<'connector' | 'purpose' | 'outcome'>;
  hooks: Counter<'connector' | 'outcome'>;
}

/** What fills the gauges when Prometheus asks. */
export interface Gauges {
  pool: () => { total: number; idle: number; waiting: number };
  queues: () => Promise<{ name: string; ready: number; active: number; failed: number }[]>;
  /** Allowances of platforms, the fullest of each kind. */
  quotas?: () => Promise<{ connector: string; limit: string; used: number; left: number }[]>;
  /** Connections whose webhooks stopped arriving, by connector. */
  silent?: () => Promise<{ connector: string; n: number }[]>;
}

export function createMetrics(gauges: Gauges): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'rapport_' });
  new Gauge({
    name: 'rapport_db_connections',
    help: 'Database connections by state',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const [state, value] of Object.entries(gauges.pool())) this.set({ state }, value);
    },
  });
  new Gauge({
    name: 'rapport_queue_jobs',
    help: 'Jobs by queue and state',
    labelNames: ['queue', 'state'],
    registers: [registry],
    async collect() {
      for (const { name, ...states } of await gauges.queues())
        for (const [state, value] of Object.entries(states)) this.set({ queue: name, state }, value);
    },
  });
  new Gauge({
    name: 'rapport_quota_used_ratio',
    help: 'Part of the allowance of calls that is used, of the account where most is',
    labelNames: ['connector', 'limit'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const { connector, limit, used } of (await gauges.quotas?.()) ?? []) this.set({ connector, limit }, used);
    },
  });
  new Gauge({
    name: 'rapport_quota_calls_left',
    help: 'Calls left of the allowance, of the account where fewest are',
    labelNames: ['connector', 'limit'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const { connector, limit, left } of (await gauges.quotas?.()) ?? []) this.set({ connector, limit }, left);
    },
  });
  new Gauge({
    name: 'rapport_webhooks_silent',
    help: 'Connections whose webhooks do not arrive although there are changes',
    labelNames: ['connector'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const { connector, n } of (await gauges.silent?.()) ?? []) this.set({ connector }, n);
    },
  });
  return {
    registry,
    requests: new Histogram({
      name: 'rapport_http_request_seconds',
      help: 'HTTP requests answered',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers: [registry],
    }),
    calls: new Histogram({
      name: 'rapport_vendor_call_seconds',
      help: 'Calls to platforms',
      labelNames: ['connector', 'purpose', 'outcome'],
      buckets: [0.05, 0.2, 1, 5, 30],
      registers: [registry],
    }),
    hooks: new Counter({
      name: 'rapport_hooks_total',
      help: 'Webhooks received, by what became of them',
      labelNames: ['connector', 'outcome'],
      registers: [registry],
    }),
  };
}
