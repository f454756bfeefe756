import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { createTenant, makeApiKey } from '../src/access/identity.ts';
import { verifyAudit } from '../src/audit/chain.ts';
import type { AuditVerification } from '../src/audit/schema.ts';
import { newId } from '../src/base/ids.ts';
import { append, startTrails, type Trails } from './support/audit.ts';
import { apiFor, type TestHub } from './support/hub.ts';

let trails: Trails;
let hub: TestHub;
let owner: pg.Client;
let tenantId: string;

beforeAll(async () => {
  trails = await startTrails();
  ({ hub, owner } = trails);
});

afterAll(() => trails?.stop());

beforeEach(async () => {
  tenantId = await trails.tenant();
});

const verify = (tenant = tenantId, head?: string): Promise<AuditVerification> =>
  verifyAudit(hub.hub.db, tenant, undefined, head);

describe('the chain', () => {
  /** Does something to the sealed trail as the owner and verifies. */
  async function tamper(text: string, values: unknown[] = []): Promise<AuditVerification> {
    const before = await verify();
    expect(before).toMatchObject({ ok: true, events: 11 });
    const { rowCount } = await owner.query(text, [tenantId, ...values]);
    expect(rowCount).toBeGreaterThan(0);
    return verify();
  }

  const changes: [string, string][] = [
    ['id', "'00000000-0000-7000-8000-000000000000'"],
    ['at', "timestamptz '2026-03-02T15:00:00.5Z'"],
    ['actor', "'user:other'"],
    ['action', "action || 'x'"],
    ['subject_kind', "'other'"],
    ['subject_id', "'other'"],
    ['customer_id', 'null'],
    ['data', `jsonb_set(data, '{a,list,0}', '2.5')`],
    ['hash', "decode('00', 'hex')"],
    ['data_digest', "decode('00', 'hex')"],
    // As if the body had been taken out, which no event tells.
    ['redacted_by', "'00000000-0000-7000-8000-000000000000'"],
  ];

  test('audit: a change of any column is found, and where', async () => {
    for (const [column, value] of changes) {
      tenantId = await trails.tenant();
      const found = await tamper(`update audit_event set ${column} = ${value} where tenant_id = $1 and seq = 5`);
      expect(found, column).toMatchObject({ ok: false, events: 4, broken: { seq: 5 } });
      expect(found.broken!.reason, column).toMatch(/^event [0-9a-f-]{36} was changed after it was written$/);
    }
    const columns = await owner.query(
      "select attname from pg_attribute where attrelid = 'audit_event'::regclass and attnum > 0",
    );
    const known = [...changes.map(([name]) => name), 'tenant_id', 'seq', 'previous_hash'];
    expect(columns.rows.map((row) => row.attname).filter((name) => !known.includes(name))).toEqual([]);
  });

  test('audit: a removed event is found, and where', async () => {
    const found = await tamper('delete from audit_event where tenant_id = $1 and seq = 5');
    expect(found).toMatchObject({
      ok: false,
      events: 4,
      broken: { seq: 5, reason: 'event 5 is missing; the next one is 6' },
    });
  });

  test('audit: a removed first event is found, and where', async () => {
    expect(await tamper('delete from audit_event where tenant_id = $1 and seq = 1')).toMatchObject({
      ok: false,
      events: 0,
      broken: { seq: 1 },
    });
  });

  test('audit: an event taken out and the numbers closed up behind it is found, and where', async () => {
    await verify();
    await owner.query('delete from audit_event where tenant_id = $1 and seq = 5', [tenantId]);
    for (let seq = 6; seq <= 11; seq++)
      await owner.query('update audit_event set seq = $2 - 1 where tenant_id = $1 and seq = $2', [tenantId, seq]);
    const found = await verify();
    expect(found).toMatchObject({ ok: false, events: 4, broken: { seq: 5 } });
    expect(found.broken!.reason).toMatch(/does not follow the one before it/);
  });

  test('audit: swapped events are found, and where', async () => {
    const swapped = await tamper(
      'update audit_event e set seq = -o.seq from audit_event o where e.tenant_id = $1 and o.tenant_id = $1 and (e.seq, o.seq) in ((4, 7), (7, 4))',
    );
    expect(swapped.ok).toBe(false);
    await owner.query('update audit_event set seq = -seq where tenant_id = $1 and seq < 0', [tenantId]);
    const found = await verify();
    expect(found).toMatchObject({ ok: false, events: 3, broken: { seq: 4 } });
    expect(found.broken!.reason).toMatch(/does not follow the one before it/);
  });

  test('audit: swapped contents with the seals in place are found, and where', async () => {
    const found = await tamper(
      'update audit_event e set data = o.data, action = o.action from audit_event o where e.tenant_id = $1 and o.tenant_id = $1 and (e.seq, o.seq) in ((4, 7), (7, 4))',
    );
    expect(found).toMatchObject({ ok: false, events: 3, broken: { seq: 4 } });
    expect(found.broken!.reason).toMatch(/was changed/);
  });

  test('audit: an event forged into the chain by the owner is found, and where', async () => {
    const found = await tamper(
      `insert into audit_event select tenant_id, $2::uuid, at, actor, 'forged', subject_kind, subject_id, customer_id, data, 12, hash, hash
       from audit_event where tenant_id = $1 and seq = 11`,
      [newId()],
    );
    expect(found).toMatchObject({ ok: false, events: 11, broken: { seq: 12 } });
    // Between two others there is no place: a number is given once.
    await expect(
      owner.query('update audit_event set seq = 5 where tenant_id = $1 and seq = 12', [tenantId]),
    ).rejects.toThrow(/audit_event_chain/);
  });

  test('audit: a chain written anew from some event on agrees with itself, but not with the head that was kept', async () => {
    const kept = (await verify()).head!;
    await owner.query("update audit_event set action = 'rewritten' where tenant_id = $1 and seq = 5", [tenantId]);
    await owner.query(
      'update audit_event set seq = null, hash = null, previous_hash = null where tenant_id = $1 and seq >= 5',
      [tenantId],
    );
    const anew = await verify();
    expect(anew).toMatchObject({ ok: true, events: 11 });
    expect(anew.head).not.toBe(kept);
    expect(await verify(tenantId, kept)).toMatchObject({
      ok: false,
      broken: { reason: expect.stringMatching(/kept head/) },
    });
  });

  test('audit: a removed tail is found by the head that was kept, and where the trail ends is told', async () => {
    const kept = (await verify()).head!;
    await append(hub.hub.db, tenantId, 11, 3);
    // A head stays good while the trail grows.
    expect(await verify(tenantId, kept)).toMatchObject({ ok: true, events: 14 });
    await owner.query('delete from audit_event where tenant_id = $1 and seq > 8', [tenantId]);
    expect(await verify(tenantId, kept)).toMatchObject({
      ok: false,
      events: 8,
      broken: { seq: 9, reason: expect.stringMatching(/cut off/) },
    });
    // New events after the cut do not hide it.
    await append(hub.hub.db, tenantId, 20, 10);
    expect(await verify(tenantId, kept)).toMatchObject({
      ok: false,
      broken: { reason: expect.stringMatching(/cut off/) },
    });
    const { key } = await makeApiKey(hub.hub.access, tenantId, { name: 'v', role: 'viewer', by: 'test' });
    const api = apiFor(hub.url, key);
    const answer = await api('POST', `/v1/audit/verify?head=${kept}`);
    expect(answer.body).toMatchObject({ ok: false, broken: { reason: expect.stringMatching(/cut off/) } });
    await owner.query('delete from audit_event where tenant_id = $1', [tenantId]);
    expect(await verify(tenantId, kept)).toMatchObject({ ok: false, events: 0, head: null, broken: { seq: 1 } });
  });
});

describe('two chains', () => {
  test('audit: the chains of two tenants do not know each other', async () => {
    const other = await createTenant(hub.hub.access, { business: 'Other' });
    await append(hub.hub.db, other, 1, 10);
    const [mine, theirs] = [await verify(), await verify(other)];
    expect(mine.head).not.toBe(theirs.head);
    await owner.query("update audit_event set action = 'x' where tenant_id = $1 and seq = 2", [other]);
    expect(await verify()).toEqual(mine);
    expect(await verify(other)).toMatchObject({ ok: false, broken: { seq: 2 } });
  });

  // Citus lets nobody move a row to another tenant, not even the owner.
  test.skipIf(inject('cluster'))('audit: a chain moved to another tenant is found at its first event', async () => {
    await verify();
    const empty = newId();
    await owner.query('update audit_event set tenant_id = $2 where tenant_id = $1', [tenantId, empty]);
    expect(await verify(empty)).toMatchObject({ ok: false, events: 0, broken: { seq: 1 } });
  });
});
