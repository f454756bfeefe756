import { Type } from 'typebox';
import { createTenant } from '../src/access/identity.ts';
import { manualClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import type { Tx } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { createLogger } from '../src/base/log.ts';
import { insertConnection } from '../src/connections/store.ts';
import { lookAhead } from '../src/forecast/forecast.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { type Connector, defineAction, defineConnector } from '../src/kit/index.ts';
import { createSequence, switchSequence } from '../src/sequences/playbooks.ts';
import { findSequence, putTemplate } from '../src/sequences/store.ts';
import type { Result } from './figures.ts';
import { tempFolder } from './hub.ts';

const CUSTOMERS = Number(process.env.BENCH_FORECAST_CUSTOMERS ?? 10_000);
const DAYS = Number(process.env.BENCH_FORECAST_DAYS ?? 90);
/** What the assignment allows for 10,000 customers and 90 days on two cores, in seconds. */
const TARGET_SECONDS = 60;
const NOW = '2026-03-04T17:00:00Z';

const connector = (): Connector =>
  defineConnector({
    ...{ id: 'bench', name: 'Bench', category: 'messaging', hosts: { api: 'http://127.0.0.1' } },
    auth: { kind: 'api_key', fields: Type.Object({}), secret: [], features: {}, headers: () => ({}) },
    account: async () => ({ id: '1', name: 'Bench' }),
    ...{ limits: [], errors: { rules: [] }, streams: [] },
    actions: (['send_sms', 'send_email', 'create_task'] as const).map((kind) =>
      defineAction({
        ...{ kind, title: kind, idempotency: { kind: 'vendor_key', note: 'Nothing is sent.' } },
        request: () => ({ method: 'POST', path: '/' }),
        receipt: () => ({ nativeId: '', state: 'sent' }),
      }),
    ),
    sandbox: () => Promise.reject(new Error('The bench has no simulation.')),
  });

/** A track of messages, a task, waits, a branch and a split, such as people are in for months. */
const track = {
  ...{ key: 'track', title: 'Track', topic: 'service', per: 'customer', again: { policy: 'always' }, exits: [] },
  triggers: [{ name: 'manual' }],
  steps: [
    { id: 'welcome', message: { channels: ['email'], template: 'text' } },
    { id: 'pause', wait: { days: 5 } },
    { id: 'way', branch: { cases: [{ when: { reachable: ['sms'] }, then: 'short' }], else: 'long' } },
    { id: 'short', message: { channels: ['sms'], template: 'text' }, next: 'ask' },
    { id: 'long', message: { channels: ['email'], template: 'text' } },
    { id: 'ask', day: 30, at: '10:00', message: { channels: ['email', 'sms'], template: 'text' } },
    { id: 'silence', await_answer: { days: 7 } },
    {
      id: 'arms',
      split: [
        { name: 'a', weight: 1, then: 'offer' },
        { name: 'b', weight: 1, then: 'call' },
      ],
    },
    { id: 'offer', day: 60, message: { channels: ['email'], template: 'text' } },
    { id: 'call', day: 70, do: { kind: 'create_task', input: { title: 'Call' } } },
    { id: 'bye', day: 85, message: { channels: ['email'], template: 'text' } },
  ],
};
const birthday = {
  ...{ key: 'wish', title: 'Wish', topic: 'service', per: 'occurrence', again: { policy: 'always' }, exits: [] },
  ...{ class: 'transactional', triggers: [{ name: 'birthday' }] },
  steps: [{ id: 'wish', at: '09:00', message: { channels: ['email'], template: 'text' } }],
};

const ZONES = ['America/New_York', 'America/Los_Angeles', 'Europe/Berlin', 'Asia/Tokyo'];

async function seed(hub: Hub, tenantId: string): Promise<void> {
  const now = hub.clock.now();
  await hub.db.tenant(tenantId, async (tx) => {
    const account = { account_id: tenantId, account: { id: tenantId, name: 'Bench' }, settings: {}, features: [] };
    await insertConnection(tx, {
      ...{ id: newId(), connector: 'bench', name: 'Bench', ...account },
      ...{ granted_scopes: [], state: 'active', created_at: now },
    });
    for (const channel of ['email', 'sms']) {
      const text = { key: 'text', channel, locale: 'en', subject: 'Hello', native: null };
      await putTemplate(
        tx,
        { ...text, body: 'Hello {{ customer.first_name }}, it is time again. {{ business.name }}' },
        'bench',
        now,
      );
    }
    for (const definition of [track, birthday]) {
      await createSequence(tx, definition, 'bench', now);
      const row = (await findSequence(tx, definition.key))!;
      await switchSequence(tx, row, true, 'bench', row.version, now);
    }
    await people(tx);
  });
}

/** Customers with addresses, zones, birthdays and consents, all of them somewhere on the track. */
async function people(tx: Tx): Promise<void> {
  const id = `(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000001')::uuid`;
  const from = `from generate_series(1, ${CUSTOMERS}) n`;
  const run = (text: string, ...values: unknown[]): Promise<unknown> => tx.query(text, [tx.tenantId, ...values]);
  await run(
    `insert into customer (tenant_id, id, name, first_name, email, phone, time_zone, birthday, provenance, sources, created_at, updated_at)
     select $1::uuid, ${id}, 'Ann ' || n, 'Ann', 'ann' || n || '@example.com', case when n % 3 > 0 then '+1614' || (2000000 + n) end, ($2::text[])[1 + n % 4],
       to_char(date '1950-01-01' + (n * 7 % 20000), 'YYYY-MM-DD'), '{}', 1, $3, $3 ${from}`,
    ZONES,
    new Date(NOW),
  );
  await run(
    `insert into consent (tenant_id, customer_id, channel, topic, class, state, basis, source, recorded_at, evidence)
     select $1::uuid, ${id}, '*', '*', 'marketing', 'granted', 'consent', 'bench', $2, '{}' ${from}`,
    new Date(NOW),
  );
  const sequence = (await findSequence(tx, 'track'))!;
  await run(
    `insert into run (tenant_id, id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, visit, wake_at, waiting_for, start_on, zone, cause, started_at, updated_at, entered_at)
     select $1::uuid, ${id}, $2, $3, ${id}, 'customer', 1, 'waiting', 'pause', 1, $4::timestamptz + n % 5 * interval '1 day' + n % 1440 * interval '1 minute', 'time',
       ($4::timestamptz)::date - 5 + n % 5, ($5::text[])[1 + n % 4], '{}', $4, $4, $4 ${from}`,
    sequence.id,
    sequence.active_version,
    new Date(NOW),
    ZONES,
  );
}

/** Every message of the next 90 days for 10,000 customers in a track of nine steps, with birthdays, caps and quiet hours. */
export async function forecast(): Promise<Result> {
  const { folder, remove } = tempFolder();
  const bench = connector();
  const hub = await startHub({
    config: loadConfig({ RAPPORT_DATA: folder, LOG_LEVEL: 'warn', ROLES: 'engine' }),
    clock: manualClock(NOW),
    log: createLogger('warn'),
    registry: { all: () => [bench], find: (id) => (id === 'bench' ? bench : undefined) },
    sweep: false,
  });
  try {
    const tenantId = await createTenant(hub.access, { business: 'Bench', country: 'US', currency: 'USD' });
    await seed(hub, tenantId);
    const began = performance.now();
    const found = await lookAhead(hub.deps, tenantId, { days: DAYS });
    const seconds = (performance.now() - began) / 1000;
    const allowed = TARGET_SECONDS * (CUSTOMERS / 10_000) * (DAYS / 90);
    return {
      name: 'forecast',
      what: `every message of ${DAYS} days for ${CUSTOMERS} customers, with caps, quiet hours, consents and texts`,
      figures: {
        seconds: Math.round(seconds * 10) / 10,
        messages: found.coming.length,
        internal: found.internal.length,
        waiting: found.held.size,
        messages_per_second: Math.round(found.coming.length / seconds),
        rss_mb: Math.round(process.memoryUsage().rss / 2 ** 20),
      },
      ratios: {},
      raw: {},
      aim: `${TARGET_SECONDS} seconds for 10,000 customers and 90 days on two cores`,
      met: seconds <= allowed,
    };
  } finally {
    await hub.stop();
    remove();
  }
}
