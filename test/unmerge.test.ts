import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HubSpotSandbox, start } from '../connectors/hubspot/sandbox.ts';
import { optOutDeps } from '../src/actions/optouts.ts';
import { manualClock } from '../src/base/clock.ts';
import type { Row, Tx } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { optIn, optOut } from '../src/consent/optout.ts';
import { consentsOf, recordConsent, suppressionsOf, touchesSince } from '../src/consent/store.ts';
import { freePort, startTestHub, type TestHub } from './support/hub.ts';
import { definitionOf } from './support/tenants/facts.ts';

const APP = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';

let vendor: HubSpotSandbox;
let hub: TestHub;

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/hubspot`, limits: false });
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot'],
    env: { ...APP, HUBSPOT_HOST_API: vendor.hosts.api!, HUBSPOT_HOST_APP: vendor.hosts.app! },
  });
  await hub.connect('hubspot');
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

interface Contact {
  remote: string;
  id: string;
  email: string;
  phone: string;
}

let made = 0;
async function contact(name: string): Promise<Contact> {
  made += 1;
  const [email, phone] = [`u${made}@example.com`, `+1415555${2000 + made}`];
  const { id: remote } = vendor.state.create('contacts', {
    firstname: name,
    lastname: `Person${made}`,
    email,
    mobilephone: phone,
  });
  await look(remote);
  const { body } = await hub.api('GET', `/v1/customers?search=${email}`);
  return { remote, id: body.items[0].id, email, phone };
}

/** The platform tells of a record a moment later, and the hub looks. */
async function look(remote: string): Promise<void> {
  hub.clock.advance(1000);
  await vendor.tell('propertyChange', 'contacts', remote);
  await hub.settle();
}

const inTenant = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => hub.hub.db.tenant(hub.tenantId, work);
const rows = <R = Row>(sql: string, ...values: unknown[]): Promise<R[]> =>
  inTenant(async (tx) => (await tx.query<R>(sql, [tx.tenantId, ...values])).rows);

const merge = async (a: Contact, b: Contact): Promise<string> => {
  hub.clock.advance(1000);
  const answer = await hub.api('POST', '/v1/merges', { ids: [a.id, b.id], reason: 'the same person' });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body.id;
};
const undo = (id: string) => {
  hub.clock.advance(1000);
  return hub.api('POST', `/v1/merges/${id}/undo`, { reason: 'father and son' });
};
const idOf = async (id: string): Promise<string> => (await hub.api('GET', `/v1/customers/${id}`)).body.id;

test('unmerge: merging and undoing by hand over the API, with old ids resolving all the time', async () => {
  const [a, b] = [await contact('Ann'), await contact('Bob')];
  const before = (await hub.api('GET', `/v1/customers/${b.id}`)).body;
  const id = await merge(a, b);
  expect(await idOf(b.id)).toBe(a.id);
  const { body: identity } = await hub.api('GET', `/v1/customers/${b.id}/identity`);
  expect(identity).toMatchObject({
    id: a.id,
    aliases: [b.id],
    merges: [{ id, survivor: a.id, absorbed: b.id, undoneAt: null, evidence: { reason: 'the same person' } }],
  });
  expect(identity.records).toHaveLength(2);
  expect(identity.keys).toEqual(expect.arrayContaining([`email:${a.email}`, `email:${b.email}`]));
  const undone = await undo(id);
  expect(undone.body).toMatchObject({ from: a.id, revived: b.id, records: 1 });
  expect(await idOf(b.id)).toBe(b.id);
  const after = (await hub.api('GET', `/v1/customers/${b.id}`)).body;
  expect({ ...after, version: 0, updatedAt: 0 }).toEqual({ ...before, version: 0, updatedAt: 0 });
  // Whoever read the customer before the merge must not overwrite it now.
  expect(after.version).toBeGreaterThan(before.version);
  const { body: later } = await hub.api('GET', `/v1/customers/${b.id}/identity`);
  expect(later.notSame).toEqual([expect.objectContaining({ id: a.id, reason: 'father and son' })]);
  const again = await undo(id);
  expect([again.status, again.body.detail]).toEqual([409, expect.stringMatching(/undone on/)]);
  expect((await undo(newId())).status).toBe(404);
  const { body: audit } = await hub.api('GET', `/v1/audit?customerId=${b.id}`);
  expect(audit.items.map((event: Row) => event.action)).toContain('identity.unmerged');
  // And one again.
  const second = await merge(b, a);
  expect(await idOf(b.id)).toBe(a.id);
  expect((await undo(second)).status).toBe(200);
  expect(await idOf(b.id)).toBe(b.id);
});

test('unmerge: merging with oneself, with nobody and without a reason is refused in words', async () => {
  const a = await contact('Ann');
  const post = (body: object) => hub.api('POST', '/v1/merges', body);
  expect((await post({ ids: [a.id, a.id], reason: 'x' })).body.detail).toMatch(/the same already/);
  expect((await post({ ids: [a.id, newId()], reason: 'x' })).status).toBe(404);
  expect((await post({ ids: [a.id, newId()] })).status).toBe(400);
});

test('unmerge: an objection known while they were one holds for both, and no consent is gained', async () => {
  const [a, b] = [await contact('Ann'), await contact('Bob')];
  const { deps } = hub.hub;
  const grant = (customerId: string, channel: string, evidence: object) =>
    inTenant((tx) =>
      recordConsent(tx, {
        customerId,
        channel,
        topic: '*',
        state: 'granted',
        basis: 'consent',
        source: 'test',
        evidence: { ...evidence },
        at: hub.clock.now(),
      }),
    );
  await grant(a.id, 'email', {});
  await grant(b.id, 'call', {});
  const id = await merge(a, b);
  const choice = { source: 'test', evidence: {}, at: hub.clock.now() };
  // Ann's number says STOP, Bob's number opts in to WhatsApp, and somebody notes a consent without an address.
  await inTenant((tx) =>
    optOut(optOutDeps(deps), tx, { ...choice, channel: 'sms', address: a.phone, scope: 'all', reason: 'stop_reply' }),
  );
  await inTenant((tx) => optIn(optOutDeps(deps), tx, { ...choice, channel: 'whatsapp', address: b.phone }));
  await grant(a.id, 'push', { note: 'by phone' });
  await undo(id);
  const states = async (person: Contact): Promise<Record<string, string>> =>
    Object.fromEntries((await inTenant((tx) => consentsOf(tx, [person.id]))).map((row) => [row.channel, row.state]));
  expect(await states(a)).toEqual({ email: 'granted', sms: 'denied' });
  expect(await states(b)).toEqual({ call: 'granted', sms: 'denied', whatsapp: 'granted' });
  for (const { phone } of [a, b]) {
    const hash = deps.hash(hub.tenantId, 'sms', phone);
    expect(await inTenant((tx) => suppressionsOf(tx, [{ channel: 'sms', hash }]))).toEqual([
      expect.objectContaining({ scope: 'all', reason: 'stop_reply' }),
    ]);
  }
  // Undoing it all once more gives nobody anything either.
  await undo(await merge(a, b));
  expect(await states(a)).toEqual({ email: 'granted', sms: 'denied' });
  expect(await states(b)).toEqual({ call: 'granted', sms: 'denied', whatsapp: 'granted' });
});

test('unmerge: messages to the joint person count for both, and once when they are one again', async () => {
  const [a, b] = [await contact('Ann'), await contact('Bob')];
  const touch = (person: Contact) =>
    rows(
      "insert into touch (tenant_id, request_id, customer_id, channel, class, at) values ($1, $2, $3, 'email', 'marketing', $4)",
      newId(),
      person.id,
      hub.clock.now(),
    );
  const counted = async (person: Contact): Promise<number> =>
    (await inTenant((tx) => touchesSince(tx, [person.id], [], new Date(0)))).length;
  await touch(b);
  const id = await merge(a, b);
  await touch(a);
  expect(await counted(a)).toBe(2);
  await undo(id);
  expect([await counted(a), await counted(b)]).toEqual([2, 2]);
  const second = await merge(a, b);
  expect(await counted(a)).toBe(2);
  await undo(second);
  expect([await counted(a), await counted(b)]).toEqual([2, 2]);
});

test('unmerge: companies are merged and parted too, with their people and what was counted for them', async () => {
  const person = await contact('Ann');
  const companies = await Promise.all(
    ['One', 'Two'].map(async (name) => {
      const { id: remote } = vendor.state.create('companies', { name: `${name} Works`, domain: `${name}.example` });
      if (name === 'Two') vendor.state.attach('contacts', person.remote, remote);
      return remote;
    }),
  );
  for (const remote of companies) {
    hub.clock.advance(1000);
    await vendor.tell('propertyChange', 'companies', remote);
  }
  vendor.state.update('contacts', person.remote, { firstname: 'Anna' });
  await look(person.remote);
  const [one, two] = await Promise.all(
    companies.map(
      async (remote) =>
        (
          await rows<{ entity_id: string }>(
            'select entity_id from company_projection where tenant_id = $1 and remote_id = $2',
            remote,
          )
        )[0]!.entity_id,
    ),
  );
  const [survivor, absorbed] = [one!, two!].sort() as [string, string];
  const companyOf = async (): Promise<unknown> =>
    (await rows<Row>('select company_id from customer where tenant_id = $1 and id = $2', person.id))[0]!.company_id;
  expect(await companyOf()).toBe(two);
  await rows(
    "insert into touch (tenant_id, request_id, customer_id, company_id, channel, class, at) values ($1, $2, $3, $4, 'email', 'marketing', $5)",
    newId(),
    person.id,
    absorbed,
    hub.clock.now(),
  );
  const counted = async (id: string): Promise<number> =>
    (await inTenant((tx) => touchesSince(tx, [], [id], new Date(0)))).length;
  const merged = await hub.api('POST', '/v1/merges', { kind: 'company', ids: [one, two], reason: 'renamed' });
  expect(merged.body).toMatchObject({ survivor, absorbed });
  expect([await companyOf(), await counted(survivor)]).toEqual([survivor, 1]);
  expect((await undo(merged.body.id)).body).toMatchObject({ revived: absorbed });
  expect(await companyOf()).toBe(two);
  expect([await counted(survivor), await counted(absorbed)]).toEqual([1, 1]);
  await hub.api('POST', '/v1/merges', { kind: 'company', ids: [one, two], reason: 'renamed after all' });
  expect(await counted(survivor)).toBe(1);
});

/** An invoice of a contact, an occurrence about it, the enrolment it started, and a reminder that is about to go out. */
async function chase(owner: Contact, holder: string, recipient: string): Promise<{ run: string; request: string }> {
  const [invoice, occurrence, run, request, trigger, sequence] = [newId(), newId(), newId(), newId(), newId(), newId()];
  const now = hub.clock.now();
  const definition = { ...definitionOf('chase', 'Chase'), exits: [] };
  await rows(
    'insert into sequence_version (tenant_id, sequence_id, number, definition, created_at, created_by) values ($1, $2, 1, $3, $4, $5)',
    sequence,
    definition,
    now,
    'test',
  );
  await rows(
    `insert into invoice (tenant_id, stream_id, remote_id, entity_id, customer_ref, customer_id, mapping_version, updated_at)
     select $1, $2, $3, $4, p.stream_id::text || '/' || p.remote_id, $6, 'm1', $7 from contact_projection p where p.tenant_id = $1 and p.remote_id = $5`,
    newId(),
    invoice,
    invoice,
    owner.remote,
    holder,
    now,
  );
  await rows(
    `insert into occurrence (tenant_id, id, trigger_id, trigger_name, business_key, subject_kind, subject_id, subject_label, customer_id, occurred_on, occurred_at, detected_at, data, outcome)
     values ($1, $2, $3, 'invoice.overdue', $4, 'invoice', $4, 'invoice', $5, '2026-03-02', $6, $6, '{}', 'started')`,
    occurrence,
    trigger,
    invoice,
    holder,
    now,
  );
  await rows(
    `insert into run (tenant_id, id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, start_on, zone, cause, started_at, updated_at)
     values ($1, $2, $3, 1, $4, $5, 1, 'waiting', 'x', '2026-03-02', 'UTC', $6, $7, $7)`,
    run,
    sequence,
    holder,
    `invoice:${invoice}`,
    { occurrence },
    now,
  );
  await rows(
    `insert into action_request (tenant_id, id, run_id, step_id, visit, kind, channel, recipient, class, customer_id, plan, content, state, not_before, created_by, created_at, updated_at)
     values ($1, $2, $3, 'x', 1, 'send_email', 'email', $4, 'transactional', $5, '{"type":"direct","input":{}}', '{}', 'committed', '2099-01-01', 'test', $6, $6)`,
    request,
    run,
    recipient,
    holder,
    now,
  );
  return { run, request };
}

test('unmerge: enrolments go with the invoice that caused them, and their messages never to the other one', async () => {
  const [a, b] = [await contact('Ann'), await contact('Bob')];
  const early = await chase(b, b.id, b.email);
  const id = await merge(a, b);
  // While they were one: one about Bob's invoice, addressed to Ann, and one about her own.
  const joint = await chase(b, a.id, a.email);
  const hers = await chase(a, a.id, b.email);
  await undo(id);
  const owners = async (...ids: { run: string }[]): Promise<string[]> => {
    const found = await rows<{ id: string; customer_id: string }>(
      'select id, customer_id from run where tenant_id = $1 and id = any($2)',
      ids.map(({ run }) => run),
    );
    return ids.map(({ run }) => found.find((row) => row.id === run)!.customer_id);
  };
  expect(await owners(early, joint, hers)).toEqual([b.id, b.id, a.id]);
  const requests = await rows<{ id: string; customer_id: string; recipient: string; state: string }>(
    'select id, customer_id, recipient, state from action_request where tenant_id = $1 and id = any($2)',
    [early, joint, hers].map(({ request }) => request),
  );
  const of = ({ request }: { request: string }) => requests.find((row) => row.id === request);
  expect(of(early)).toMatchObject({ customer_id: b.id, recipient: b.email });
  expect(of(joint)).toMatchObject({ customer_id: b.id, recipient: b.email, state: 'planned' });
  expect(of(hers)).toMatchObject({ customer_id: a.id, recipient: a.email, state: 'planned' });
  // What happened before or meanwhile is known by its own key: it goes along and does not happen again.
  const occurrences = await rows<{ n: number; customer_id: string }>(
    'select customer_id, count(*)::int as n from occurrence where tenant_id = $1 and customer_id = any($2) group by 1 order by 2',
    [a.id, b.id],
  );
  expect(occurrences).toEqual([
    { customer_id: a.id, n: 1 },
    { customer_id: b.id, n: 2 },
  ]);
});

const mergedAtVendor = async (survivor: Contact, loser: Contact): Promise<void> => {
  hub.clock.advance(1000);
  await vendor.announce([
    {
      subscriptionType: 'object.merge',
      objectTypeId: '0-1',
      portalId: 8712001,
      occurredAt: hub.clock.now().getTime(),
      subscriptionId: 7,
      primaryObjectId: Number(survivor.remote),
      mergedObjectIds: [Number(loser.remote)],
    },
  ]);
  await hub.settle();
};

test("unmerge: the platform's own merge is followed, undone here, and not followed a second time", async () => {
  const [a, b] = [await contact('Ann'), await contact('Bob')];
  vendor.state.merge('contacts', a.remote, b.remote);
  await mergedAtVendor(a, b);
  expect(await idOf(b.id)).toBe(a.id);
  const { body } = await hub.api('GET', `/v1/customers/${a.id}/identity`);
  expect(body.merges[0]).toMatchObject({ by: 'vendor:hubspot', absorbed: b.id });
  expect((await undo(body.merges[0].id)).status).toBe(200);
  expect(await idOf(b.id)).toBe(b.id);
  await mergedAtVendor(a, b);
  expect(await idOf(b.id)).toBe(b.id);
});

test('unmerge: when the platform shows both records again, they are two again', async () => {
  const [a, b] = [await contact('Ann'), await contact('Bob')];
  const record = vendor.state.find('contacts', b.remote)!;
  vendor.state.merge('contacts', a.remote, b.remote);
  await mergedAtVendor(a, b);
  expect(await idOf(b.id)).toBe(a.id);
  record.archived = false;
  vendor.state.update('contacts', b.remote, { firstname: 'Bobby' });
  const find = vendor.state.find.bind(vendor.state);
  vendor.state.find = (type, id) => (id === b.remote ? record : find(type, id));
  await look(b.remote);
  vendor.state.find = find;
  expect(await idOf(b.id)).toBe(b.id);
  const { body } = await hub.api('GET', `/v1/customers/${b.id}/identity`);
  expect(body.merges[0]).toMatchObject({ undoneBy: 'vendor:hubspot' });
});

test('unmerge: suggestions are listed with what speaks for them, accepted, undone, and refused for good', async () => {
  const [a, b, c] = [await contact('Carla'), await contact('Carla'), await contact('Dora')];
  // One system with two records of the same number: it usually means two people.
  for (const one of [b, c]) {
    vendor.state.update('contacts', one.remote, { mobilephone: a.phone });
    await look(one.remote);
  }
  const open = async (): Promise<Row[]> => (await hub.api('GET', '/v1/merge-suggestions')).body.items;
  const between = async (one: Contact, other: Contact): Promise<Row | undefined> =>
    (await open()).find((item) => [one.id, other.id].every((id) => (item.ids as string[]).includes(id)));
  const likely = (await between(a, b))!;
  expect(likely).toMatchObject({ key: `phone:${a.phone}`, reason: expect.stringMatching(/Both have/), decision: null });
  const accepted = await hub.api('POST', `/v1/merge-suggestions/${likely.id}/accept`);
  expect(accepted.body).toMatchObject({ survivor: a.id, absorbed: b.id });
  expect((await hub.api('POST', `/v1/merge-suggestions/${likely.id}/accept`)).status).toBe(409);
  const unlikely = (await between(a, c))!;
  const refuse = (id: unknown) => hub.api('POST', `/v1/merge-suggestions/${id}/refuse`, { reason: 'a shared office' });
  expect((await refuse(unlikely.id)).status).toBe(200);
  expect((await refuse(unlikely.id)).status).toBe(409);
  await undo(accepted.body.id);
  for (const one of [b, c]) {
    vendor.state.update('contacts', one.remote, { firstname: `${made}x` });
    await look(one.remote);
  }
  expect(await open()).toEqual([]);
  const decided = (await hub.api('GET', '/v1/merge-suggestions?decided=true')).body.items;
  expect(decided.map((item: Row) => item.decision).sort()).toEqual(['accepted', 'refused']);
  expect(new Set([await idOf(a.id), await idOf(b.id), await idOf(c.id)]).size).toBe(3);
});
