import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start, type WebhookSandbox } from '../connectors/webhook/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { newId } from '../src/base/ids.ts';
import { appendChanges } from '../src/model/changes.ts';
import type { Change, Origin } from '../src/model/types.ts';
import { ingest } from '../src/sync/ingest.ts';
import { loadSource } from '../src/sync/source.ts';
import { CATALOGUE } from '../src/triggers/catalogue.ts';
import { CASES, type Post, type Told } from './support/event-cases.ts';
import { DAY, freePort, MINUTE, startTestHub, type TestHub } from './support/hub.ts';

const AT = '2026-03-02T15:00:00Z';
// A condition of one's own follows its segment (test/segments.test.ts); what time alone brings about, too, is tried with
// the clock (test/triggers-clock.test.ts).
const ELSEWHERE = ['custom', 'appointment.missed', 'customer.existing'];
const NAMES = CATALOGUE.filter(({ fromChanges, name }) => fromChanges && !ELSEWHERE.includes(name)).map(
  ({ name }) => name,
);
const known = NAMES.filter((name) => CASES[name]);
/** The same story of each trigger, told as it happens, three days late, and by a first load. */
const WAYS = ['live', 'old', 'backfill'] as const;
type Way = (typeof WAYS)[number];

let other: WebhookSandbox;
let hub: TestHub;
let connection: Record<string, any>;
let stranger: Awaited<ReturnType<TestHub['otherTenant']>>;
const customers = new Map<string, string>();

const contactOf = (name: string, way: Way): string => `${name.replaceAll(/\W/g, '-')}-${way}`;
const agoOf = (way: Way): number => (way === 'old' ? 3 * DAY : 10 * MINUTE);

/** Posts of all triggers told in one way, by rounds; those with fewer begin later, so that the facts come last. */
function rounds(way: Way): Post[][] {
  const all = known.map((name) => {
    const contact = contactOf(name, way);
    const at = new Date(hub.clock.now().getTime() - agoOf(way));
    const told: Told = {
      contact,
      customer: customers.get(contact) ?? '',
      day: at.toISOString().slice(0, 10),
      time: at.toISOString(),
    };
    return CASES[name]!.posts?.(told) ?? [];
  });
  const most = Math.max(...all.map((posts) => posts.length));
  return Array.from({ length: most }, (_, round) =>
    all.flatMap((posts) => {
      const post = posts[round - (most - posts.length)];
      return post ? [post] : [];
    }),
  );
}

const stamped = (posts: readonly Post[], at: number): Post[] =>
  posts.map(([type, data]) => [type, { updated_at: new Date(at).toISOString(), ...data }]);

async function send(posts: readonly Post[], id: string = `msg_${newId()}`): Promise<void> {
  const { status, body } = await other.send(
    'batch',
    posts.map(([type, data]) => ({ type, data })),
    { id },
  );
  expect(status, String(body)).toBeLessThan(300);
  await hub.settle();
}

/** Posts as a page of a first load. */
async function load(posts: readonly Post[], origin: Origin): Promise<void> {
  const source = await loadSource(hub.hub.deps, hub.tenantId, connection.id);
  const streamOf = (type: string): string =>
    source.connector.streams.find(({ name }) => name === `${type.split('.')[0]!.replace(/y$/, 'ie')}s`)!.name;
  const batches = posts.map(([type, data]) => ({
    stream: streamOf(type),
    streamId: source.streamIds.get(streamOf(type))!,
    records: [{ id: String(data.id), raw: data, vendorAt: String(data.updated_at) }],
  }));
  await hub.hub.db.tenant(hub.tenantId, (tx) => ingest(hub.hub.deps, tx, source, batches, origin));
  await hub.settle();
}

/** Changes of what is derived, as the rooms that derive them write them. */
async function derive(way: Way): Promise<void> {
  const at = new Date(hub.clock.now().getTime() - agoOf(way));
  const changes = known.flatMap((name): Change[] => {
    const customer = customers.get(contactOf(name, way))!;
    const derived = CASES[name]!.derived?.({ contact: '', customer, day: '', time: '' });
    const meta = { origin: way === 'backfill' ? ('backfill' as const) : ('live' as const), depth: 0 };
    const whom = { entity_id: customer, customer_id: customer, before: null, after: null };
    return derived
      ? [{ id: newId(), ...whom, ...meta, occurred_at: at, received_at: hub.clock.now(), ...derived } as Change]
      : [];
  });
  await hub.hub.db.tenant(hub.tenantId, async (tx) => {
    await appendChanges(tx, changes);
    await hub.hub.queue.send(tx, 'changes', { tenantId: hub.tenantId });
  });
  await hub.settle();
}

interface Found {
  trigger_name: string;
  customer_id: string;
  outcome: string;
  business_key: string;
}
let occurrences: Found[] = [];
const read = async (tenantId = hub.tenantId): Promise<Found[]> =>
  hub.hub.db.tenant(
    tenantId,
    async (tx) =>
      (
        await tx.query<Found>(
          'select trigger_name, customer_id, outcome, business_key from occurrence where tenant_id = $1',
          [tenantId],
        )
      ).rows,
  );
const outcomes = (name: string, way: Way): string[] =>
  occurrences
    .filter((row) => row.trigger_name === name && row.customer_id === customers.get(contactOf(name, way)))
    .map((row) => row.outcome);

beforeAll(async () => {
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  other = await start({ clock, app: {} });
  hub = await startTestHub({ at: AT, port: await freePort(), connectors: ['webhook'] });
  connection = (await hub.api('POST', '/v1/connections', { connector: 'webhook', settings: { secret: other.secret } }))
    .body.connection;
  other.hookUrl = connection.webhookUrl;
  const custom = { account_status: { path: 'account_status' } };
  const mapped = await hub.api(
    'PUT',
    `/v1/connections/${connection.id}/mapping`,
    { streams: { contacts: { contact: { custom } } } },
    { 'if-match': '"0"' },
  );
  expect(mapped.status, JSON.stringify(mapped.body)).toBe(200);
  stranger = await hub.otherTenant();
  for (const name of known)
    for (const api of [hub.api, stranger.api]) {
      const made = await api('POST', '/v1/triggers', { name, settings: CASES[name]!.settings ?? {}, enabled: true });
      expect(made.status, JSON.stringify(made.body)).toBe(201);
    }
  hub.clock.advance(10 * DAY);
  await send(
    stamped(
      known.flatMap((name) =>
        WAYS.map((way): Post => {
          const id = contactOf(name, way);
          return ['contact.upserted', { id, name: `Name ${id}`, email: `${id}@example.com` }];
        }),
      ),
      hub.clock.now().getTime() - 5 * DAY,
    ),
  );
  await hub.hub.db.tenant(hub.tenantId, async (tx) => {
    const { rows } = await tx.query<{ id: string; email: string }>(
      'select id, email from customer where tenant_id = $1',
      [hub.tenantId],
    );
    for (const { id, email } of rows) customers.set(email.split('@')[0]!, id);
  });
  for (const way of ['live', 'old'] as const) {
    const told = rounds(way);
    const from = hub.clock.now().getTime() - agoOf(way) - told.length * MINUTE;
    const dated = told.map((posts, round) => stamped(posts, from + round * MINUTE));
    for (const posts of dated) await send(posts);
    // The same again: the same post twice, the same record in another post, and an older state that comes late.
    const id = `msg_${newId()}`;
    await send(dated.at(-1)!, id);
    await send(dated.at(-1)!, id);
    await send(dated[0]!);
    await derive(way);
  }
  const first = rounds('backfill');
  for (const [round, posts] of first.entries())
    await load(stamped(posts, hub.clock.now().getTime() - agoOf('backfill') + round * MINUTE), 'backfill');
  await derive('backfill');
  occurrences = await read();
});

afterAll(async () => {
  await hub?.stop();
  await other?.stop();
});

test('triggers: every one that is found in changes is tried here', () => {
  expect(NAMES.filter((name) => !CASES[name])).toEqual([]);
  expect(Object.keys(CASES).filter((name) => !NAMES.includes(name))).toEqual([]);
});

describe.each(known)('%s', (name) => {
  test('triggers: it fires once when it happens, and not again when it is told again', () => {
    expect(outcomes(name, 'live')).toEqual(['recorded: no sequence is bound to this trigger']);
  });

  test('triggers: a fact that is older than its age starts nothing', () => {
    expect(outcomes(name, 'old')).toEqual(['skipped: it happened too long ago']);
  });

  test('triggers: a first load fires nothing', () => {
    expect(outcomes(name, 'backfill')).toEqual([]);
  });

  test('triggers: looking back finds the same as was found then, of one customer too', async () => {
    const definition = CATALOGUE.find((one) => one.name === name)!;
    const { settings } = CASES[name]!;
    const merged = { ...(definition.defaults as object), ...settings };
    const customerId = customers.get(contactOf(name, 'live'))!;
    const env = { now: hub.clock.now(), zone: 'America/New_York' };
    const [everybody, one] = await hub.hub.db.tenant(hub.tenantId, async (tx) => [
      await definition.between!(tx, '2026-03-05', '2026-03-12', merged, env),
      await definition.between!(tx, '2026-03-05', '2026-03-12', merged, { ...env, customerId }),
    ]);
    const key = occurrences.find((row) => row.trigger_name === name && row.customer_id === customerId)!.business_key;
    expect(one.map((candidate) => candidate.businessKey)).toEqual([key]);
    expect(everybody.filter((candidate) => candidate.customerId === customerId)).toEqual(one);
    const none = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      definition.between!(tx, '2026-01-05', '2026-02-12', merged, env),
    );
    expect(none).toEqual([]);
  });
});

test('triggers: changes that are looked at once more start nothing', async () => {
  await hub.hub.db.tenant(hub.tenantId, async (tx) => {
    await tx.query("update change set processed = false where tenant_id = $1 and origin = 'live'", [hub.tenantId]);
    await hub.hub.queue.send(tx, 'changes', { tenantId: hub.tenantId });
  });
  await hub.settle();
  expect((await read()).length).toBe(occurrences.length);
});

test('triggers: another business with the same triggers finds nothing of it', async () => {
  expect(await read(stranger.tenantId)).toEqual([]);
});

test('triggers: each one of the catalogue is described in docs/triggers.md', () => {
  const docs = readFileSync(new URL('../docs/triggers.md', import.meta.url), 'utf8');
  for (const { name } of CATALOGUE) expect(docs, name).toContain(`\`${name}\``);
});
