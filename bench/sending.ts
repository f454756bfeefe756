import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Type } from 'typebox';
import { createTenant } from '../src/access/identity.ts';
import { insertRequest } from '../src/actions/store.ts';
import { manualClock } from '../src/base/clock.ts';
import { loadConfig } from '../src/base/config.ts';
import type { Tx } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { createLogger } from '../src/base/log.ts';
import { storeSecrets } from '../src/connections/credentials.ts';
import { insertConnection } from '../src/connections/store.ts';
import { type Hub, startHub } from '../src/hub.ts';
import { type Connector, defineAction, defineConnector, textAt } from '../src/kit/index.ts';
import { applyRecords } from '../src/model/apply.ts';
import { tempFolder } from './hub.ts';

/** A weekday at noon where the customers are, so that no quiet hours are what is measured. */
const NOON = '2026-03-04T17:00:00Z';
/** The budget every call goes through; never used up. */
const PER_SECOND = 100_000;

const connector = (): Connector =>
  defineConnector({
    id: 'bench',
    name: 'Bench',
    category: 'messaging',
    hosts: { api: 'http://127.0.0.1' },
    auth: { kind: 'api_key', fields: Type.Object({}), secret: [], features: {}, headers: () => ({}) },
    account: async () => ({ id: '1', name: 'Bench' }),
    limits: [{ name: 'calls', scope: 'account', calls: PER_SECOND, seconds: 1 }],
    errors: { rules: [] },
    streams: [],
    actions: [
      defineAction<'send_sms'>({
        kind: 'send_sms',
        title: 'Text message',
        idempotency: { kind: 'vendor_key', note: 'The bench counts, it does not repeat.' },
        request: (ctx, input, meta) => ({
          method: 'POST',
          path: '/messages',
          query: { delay: Number(ctx.settings.delay ?? 0) },
          json: { to: input.to, text: input.text, key: meta.requestId },
        }),
        receipt: (reply) => ({ nativeId: textAt(reply.body, 'id') ?? '', state: 'sent' }),
      }),
    ],
    sandbox: () => Promise.reject(new Error('The bench has no simulation.')),
  });

export interface Sending {
  hub: Hub;
  origin: string;
  /** A business with a connection whose platform takes `delay` ms for a call. */
  business(name: string, delay: number): Promise<Business>;
  stop(): Promise<void>;
}

export interface Business {
  tenantId: string;
  /** Plans one text message each to `count` customers of its own. */
  plan(count: number): Promise<void>;
  sent(): Promise<number>;
}

/**
 * A hub that only sends, with a local platform in a process of its own.
 * @param roles what it does besides
 */
export async function startSending(roles = 'dispatch'): Promise<Sending> {
  const vendor = fork(fileURLToPath(new URL('./vendor.ts', import.meta.url)));
  const port = await new Promise<number>((resolve) =>
    vendor.once('message', (message: { port: number }) => resolve(message.port)),
  );
  const origin = `http://127.0.0.1:${port}`;
  const { folder, remove } = tempFolder();
  const bench = connector();
  const hub = await startHub({
    config: loadConfig({
      RAPPORT_DATA: folder,
      ROLES: roles,
      BENCH_HOST_API: origin,
      RAPPORT_ALLOW_PRIVATE: '127.0.0.1',
    }),
    clock: manualClock(NOON),
    log: createLogger('silent'),
    registry: { all: () => [bench], find: (id) => (id === 'bench' ? bench : undefined) },
    sweep: false,
  });
  return {
    hub,
    origin,
    business: (name, delay) => createBusiness(hub, name, delay),
    stop: async () => {
      await hub.stop();
      vendor.disconnect();
      remove();
    },
  };
}

async function createBusiness(hub: Hub, name: string, delay: number): Promise<Business> {
  const tenantId = await createTenant(hub.access, { business: name, country: 'US', currency: 'USD' });
  const connectionId = newId();
  const now = hub.clock.now();
  await hub.db.tenant(tenantId, (tx) =>
    insertConnection(tx, {
      id: connectionId,
      connector: 'bench',
      name,
      account_id: tenantId,
      account: { id: tenantId, name },
      settings: { delay },
      features: [],
      granted_scopes: [],
      state: 'active',
      created_at: now,
    }),
  );
  await storeSecrets(hub.deps, tenantId, connectionId, {}, undefined);
  return {
    tenantId,
    plan: (count) => hub.db.tenant(tenantId, (tx) => planMessages(tx, connectionId, count, now)),
    sent: async () => {
      const { rows } = await hub.db.tenant(tenantId, (tx) =>
        tx.query<{ n: number }>(
          "select count(*)::int as n from action_request where tenant_id = $1 and state = 'sent'",
          [tenantId],
        ),
      );
      return rows[0]!.n;
    },
  };
}

async function planMessages(tx: Tx, connectionId: string, count: number, now: Date): Promise<void> {
  const streamId = newId();
  const people = Array.from({ length: count }, (_, n) => ({
    phone: `+1614${String(2_000_000 + n).padStart(7, '0')}`,
    name: `Ann Miller ${n}`,
  }));
  const changes = await applyRecords(
    tx,
    people.map((values, n) => ({
      kind: 'contact' as const,
      streamId,
      remoteId: String(n),
      values: { ...values, country: 'US', time_zone: 'America/New_York' },
      references: {},
      mappingVersion: 'bench',
      isNew: true,
    })),
    {
      now,
      origin: 'backfill',
      zone: 'America/New_York',
      sourceOf: () => ({ connector: 'bench', category: 'messaging' }),
    },
    [],
  );
  const customers = changes.filter((change) => change.kind === 'contact').map((change) => change.entity_id);
  for (const [n, customerId] of customers.entries()) {
    const to = people[n]!.phone;
    await insertRequest(
      tx,
      {
        kind: 'send_sms',
        channel: 'sms',
        recipient: to,
        class: 'transactional',
        topic: 'bench',
        plan: { type: 'direct', input: { to, text: `Hello ${n}` } },
        customer_id: customerId,
        connection_id: connectionId,
        created_by: 'bench',
      },
      now,
    );
  }
}
