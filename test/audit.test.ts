import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTenant, makeApiKey } from '../src/access/identity.ts';
import { exportAudit, sealAudit, verifyAudit } from '../src/audit/chain.ts';
import type { AuditEvent, AuditVerification } from '../src/audit/schema.ts';
import { appendEvents, listEvents } from '../src/audit/store.ts';
import { openDatabase } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { append, event, startTrails, type Trails } from './support/audit.ts';
import { type Api, accessTo, apiFor, type TestHub } from './support/hub.ts';

const REFUSED = '42501';

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

const verify = (): Promise<AuditVerification> => verifyAudit(hub.hub.db, tenantId);
const keyFor = async (tenant: string): Promise<Api> =>
  apiFor(hub.url, (await makeApiKey(hub.hub.access, tenant, { name: 'admin', role: 'admin', by: 'test' })).key);

describe('append-only', () => {
  /** What the application's role gets for a statement in the tenant's transaction. */
  const asApp = (text: string, values: unknown[] = []): Promise<number | string> =>
    hub.hub.db
      .tenant(tenantId, async (tx) => (await tx.query(text, values)).rowCount)
      .catch((error: { code: string }) => error.code);

  test('audit: the application’s role can neither change nor remove an event', async () => {
    await sealAudit(hub.hub.db, tenantId);
    for (const column of ['id', 'at', 'actor', 'action', 'subject_kind', 'subject_id', 'customer_id', 'data'])
      expect(await asApp(`update audit_event set ${column} = ${column}`), column).toBe(REFUSED);
    expect(await asApp('delete from audit_event')).toBe(REFUSED);
    expect(await asApp('truncate audit_event')).toBe(REFUSED);
    expect(await verify()).toMatchObject({ ok: true, events: 11 });
  });

  test('audit: what is sealed cannot be unsealed, moved or sealed anew by the application’s role', async () => {
    await sealAudit(hub.hub.db, tenantId);
    expect(await asApp('update audit_event set seq = null, previous_hash = null, hash = null')).toBe(0);
    expect(await asApp('update audit_event set seq = seq + 100')).toBe(0);
    expect(await asApp("update audit_event set hash = decode('00', 'hex') where seq = 3")).toBe(0);
    expect(await verify()).toMatchObject({ ok: true, events: 11 });
  });

  test('audit: an event forged with the application’s role gets no place in the chain but the next', async () => {
    await sealAudit(hub.hub.db, tenantId);
    const columns = 'tenant_id, id, at, actor, action, subject_kind, subject_id, data';
    const values = [tenantId, newId(), new Date('2020-01-01'), 'user:nobody', 'forged', 'thing', 't', {}];
    const rows = '$1, $2, $3, $4, $5, $6, $7, $8';
    for (const [column, value] of [
      ['seq', 5],
      ['hash', Buffer.alloc(32)],
      ['previous_hash', Buffer.alloc(32)],
    ])
      expect(
        await asApp(`insert into audit_event (${columns}, ${column}) values (${rows}, $9)`, [...values, value]),
      ).toBe(REFUSED);
    // Appending is what the role is for; however it is dated, it stands behind everything that was there.
    expect(await asApp(`insert into audit_event (${columns}) values (${rows})`, values)).toBe(1);
    expect(await verify()).toMatchObject({ ok: true, events: 12 });
    const { rows: last } = await owner.query('select action from audit_event where tenant_id = $1 and seq = 12', [
      tenantId,
    ]);
    expect(last).toEqual([{ action: 'forged' }]);
  });

  test('audit: the API offers nothing that writes, changes or deletes an event', async () => {
    const { body } = await hub.api('GET', '/docs/json');
    const addresses = Object.entries(body.paths as Record<string, object>)
      .filter(([path]) => path.startsWith('/v1/audit'))
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(addresses.sort()).toEqual(['get /v1/audit', 'get /v1/audit/export', 'post /v1/audit/verify']);
  });
});

describe('many writers', () => {
  test('audit: appends and sealers on several connections at once make one chain without gap or repetition', async () => {
    const pools = Array.from({ length: 4 }, () => openDatabase({ ...accessTo(trails.databaseUrl), max: 3 }));
    try {
      let writing = pools.length;
      await Promise.all(
        pools.flatMap((db, writer) => [
          (async () => {
            for (let n = 0; n < 15; n++) await append(db, tenantId, 1000 * (writer + 1) + 10 * n, 10);
            writing -= 1;
          })(),
          (async () => {
            while (writing > 0) await sealAudit(db, tenantId);
          })(),
        ]),
      );
    } finally {
      await Promise.all(pools.map((db) => db.close()));
    }
    expect(await verify()).toMatchObject({ ok: true, events: 611 });
    const { rows } = await owner.query(
      'select count(*)::int as n, count(distinct seq)::int as places, max(seq)::int as last from audit_event where tenant_id = $1',
      [tenantId],
    );
    expect(rows[0]).toEqual({ n: 611, places: 611, last: 611 });
  });

  test('audit: an event of a transaction that took long comes behind those that were sealed meanwhile', async () => {
    let commit = (): void => {};
    const held = new Promise<void>((resolve) => {
      commit = resolve;
    });
    let begun = (): void => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const slow = hub.hub.db.tenant(tenantId, async (tx) => {
      await appendEvents(tx, [{ ...event(1), action: 'slow' }]);
      begun();
      await held;
    });
    await started;
    await append(hub.hub.db, tenantId, 11, 5);
    expect(await verify()).toMatchObject({ ok: true, events: 16 });
    commit();
    await slow;
    expect(await verify()).toMatchObject({ ok: true, events: 17 });
  });

  test('audit: an event of a transaction that was rolled back never was', async () => {
    await hub.hub.db.rehearse(tenantId, (tx) => appendEvents(tx, [event(99)]));
    expect(await verify()).toMatchObject({ ok: true, events: 11 });
    const found = await hub.hub.db.tenant(tenantId, (tx) => listEvents(tx, { action: 'thing.99', limit: 5 }));
    expect(found).toEqual([]);
  });

  test('audit: a trail longer than one batch is sealed, verified and exported whole', async () => {
    await append(hub.hub.db, tenantId, 100, 2500);
    expect(await verify()).toMatchObject({ ok: true, events: 2511 });
    let events = 0;
    for await (const exported of exportAudit(hub.hub.db, tenantId)) expect(exported.seq).toBe(++events);
    expect(events).toBe(2511);
    await owner.query("update audit_event set action = 'x' where tenant_id = $1 and seq = 2300", [tenantId]);
    expect(await verify()).toMatchObject({ ok: false, events: 2299, broken: { seq: 2300 } });
  });
});

describe('elsewhere', () => {
  const sha256 = (...parts: (string | Buffer)[]): Buffer =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

  /** JSON with sorted members, as anybody would write it from the description. */
  const sorted = (value: unknown): string =>
    JSON.stringify(value, (_key, item) =>
      item !== null && typeof item === 'object' && !Array.isArray(item)
        ? Object.fromEntries(
            Object.keys(item)
              .sort()
              .map((key) => [key, item[key]]),
          )
        : item,
    );

  /** Verifies an export with nothing of the hub: from its own lines and the id of the business. */
  function headOf(tenant: string, lines: readonly AuditEvent[]): string {
    let previous = sha256(`rapport audit ${tenant}`);
    lines.forEach((line, at) => {
      expect(line.seq).toBe(at + 1);
      expect(line.previousHash).toBe(previous.toString('hex'));
      const { seq, id, actor, action, subjectKind, subjectId, customerId, data, dataDigest } = line;
      // The body is covered by its digest, so that it can be taken out.
      const digest = createHash('sha256').update(sorted(data)).digest('hex');
      expect(dataDigest, `body of event ${seq}`).toBe(digest);
      const content = sorted([seq, id, line.at, actor, action, subjectKind, subjectId, customerId, { digest }]);
      previous = sha256(previous, content);
      expect(line.hash, `event ${seq}`).toBe(previous.toString('hex'));
    });
    return previous.toString('hex');
  }

  test('audit: an export verifies without the hub and ends in the head the hub tells', async () => {
    const api = await keyFor(tenantId);
    const answer = await api<string>('GET', '/v1/audit/export');
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = answer.body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent);
    expect(lines).toHaveLength(12);
    expect((await verify()).head).toBe(headOf(tenantId, lines));
    // The check can fail: with one letter changed it does.
    const forged = lines.map((line) => (line.seq === 3 ? { ...line, actor: 'user:y' } : line));
    expect(() => headOf(tenantId, forged)).toThrow(/event 3/);
    expect(() => headOf(newId(), lines)).toThrow();
  });

  test('audit: the export holds events of one tenant only', async () => {
    const mark = randomBytes(8).toString('hex');
    const other = await createTenant(hub.hub.access, { business: mark });
    const exported = await (await keyFor(tenantId))<string>('GET', '/v1/audit/export');
    expect(exported.body).not.toContain(mark);
    expect(exported.body).not.toContain(other);
  });
});
