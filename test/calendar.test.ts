import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import {
  addDays,
  addMonths,
  canonicalZone,
  instantOf,
  localDate,
  localToday,
  localTodaySql,
  localTodayValues,
} from '../src/base/time.ts';
import { applyRecords } from '../src/model/apply.ts';
import type { Mapped } from '../src/model/types.ts';
import { runChanges } from '../src/triggers/jobs.ts';
import { type Business, business, type Values, ZONE } from './support/calendar.ts';
import { startTestHub, type TestHub } from './support/hub.ts';

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'] });
});
afterAll(() => hub?.stop());

describe('today everywhere', () => {
  test('today: a date for every zone, as its own calendar says, at hours around midnight and clock changes', () => {
    for (const now of [
      '2026-03-08T06:59:00Z',
      '2026-03-08T10:30:00Z',
      '2026-11-01T05:30:00Z',
      '2026-06-30T10:15:00Z',
      '2026-12-31T11:45:00Z',
    ].map((text) => new Date(text)))
      for (const home of ['America/New_York', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Asia/Kathmandu']) {
        const local = localToday(now, home);
        expect(local.today).toBe(localDate(now, home));
        const dates = new Map<string, string>();
        for (const [zones, days] of [
          [local.ahead, 1],
          [local.behind, -1],
          [local.farAhead, 2],
          [local.farBehind, -2],
        ] as const)
          for (const zone of zones) dates.set(zone, addDays(local.today, days));
        for (const zone of Intl.supportedValuesOf('timeZone'))
          expect([zone, dates.get(zone) ?? local.today]).toEqual([zone, localDate(now, zone)]);
        expect(new Set([local.today, ...dates.values()]).size).toBeLessThanOrEqual(3);
      }
  });

  test('today: one name for zones that have several, none for what is no zone', () => {
    expect(['US/Eastern', 'america/new_york', 'Asia/Kolkata', 'Nowhere/Land', '+05:37'].map(canonicalZone)).toEqual([
      'America/New_York',
      'America/New_York',
      canonicalZone('Asia/Calcutta'),
      undefined,
      undefined,
    ]);
  });

  test('today: the expression in SQL says the same', async () => {
    const shop = await business(hub);
    const zones = ['Pacific/Apia', 'Pacific/Honolulu', 'Europe/Berlin', null];
    for (const zone of zones) await shop.customer({ local_zone: zone });
    const now = new Date('2026-03-02T10:30:00Z');
    const { rows } = await shop.tx((tx) =>
      tx.query<{ zone: string | null; today: string }>(
        `select local_zone as zone, ${localTodaySql('c.local_zone', 2)} as today from customer c where c.tenant_id = $1 order by id`,
        [tx.tenantId, ...localTodayValues(localToday(now, ZONE))],
      ),
    );
    expect(rows.map((row) => row.today)).toEqual(zones.map((zone) => localDate(now, zone ?? ZONE)));
  });
});

/** Facts that come in as they do from a platform. */
async function bring(
  shop: Business,
  records: Partial<Mapped>[],
  origin: 'live' | 'backfill' = 'live',
  zone = ZONE,
): Promise<void> {
  const now = shop.clock.now();
  await shop.tx((tx) =>
    applyRecords(
      tx,
      records.map(
        (record) =>
          ({
            kind: 'contact',
            streamId: STREAM,
            remoteId: 'c-1',
            values: {},
            references: {},
            mappingVersion: 'm',
            ...record,
          }) as Mapped,
      ),
      { now, origin, zone, sourceOf: () => ({ connector: 'csv', category: 'crm' }) } as never,
      [],
    ),
  );
}
const STREAM = newId();
const zones = async (shop: Business): Promise<Record<string, string | null>> => {
  const { rows } = await shop.tx((tx) =>
    tx.query<{ name: string; local_zone: string | null }>(
      'select name, local_zone from customer where tenant_id = $1',
      [tx.tenantId],
    ),
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.local_zone]));
};

describe('the customer’s zone', () => {
  test('calendar: follows what the person says, their address, their phone, and their company’s place', async () => {
    const shop = await business(hub);
    const ann = (values: Values, references = {}): Promise<void> =>
      bring(shop, [{ values: { name: 'Ann', ...values }, references }]);
    const steps: [Values, string | null][] = [
      [{}, null],
      [{ phone: '+493012345678' }, 'Europe/Berlin'],
      [{ phone: '+493012345678', country: 'NZ' }, 'Pacific/Auckland'],
      [{ phone: '+493012345678', country: 'NZ', time_zone: 'US/Hawaii' }, 'Pacific/Honolulu'],
      [{ time_zone: 'US/Eastern' }, null],
      [{ time_zone: 'Mars/Olympus', country: 'US', region: 'California' }, 'America/Los_Angeles'],
      [{ phone: '+14155550101' }, null],
    ];
    for (const [values, zone] of steps) {
      await ann(values);
      expect([values, (await zones(shop)).Ann]).toEqual([values, zone]);
    }
    const company = (values: Values): Promise<void> =>
      bring(shop, [{ kind: 'company', remoteId: 'o-1', values: { name: 'Acme', ...values } }]);
    await company({ country: 'SG' });
    await ann({}, { company: `${STREAM}/o-1` });
    expect((await zones(shop)).Ann).toBe('Asia/Singapore');
    await company({ country: 'IE' });
    expect((await zones(shop)).Ann).toBe('Europe/Dublin');
    await ann({ country: 'NZ' }, { company: `${STREAM}/o-1` });
    await company({ country: 'SG' });
    expect((await zones(shop)).Ann).toBe('Pacific/Auckland');
  });

  test('calendar: everybody’s is counted anew when the business moves, and for rows from before', async () => {
    const shop = await business(hub);
    await shop.customer({ name: 'Old', country: 'DE' });
    await shop.customer({ name: 'Wide', country: 'US' });
    await shop.customer({ name: 'Home', time_zone: 'America/New_York' });
    await shop.look();
    expect(await zones(shop)).toEqual({ Old: 'Europe/Berlin', Wide: null, Home: null });
    await hub.hub.db.tenant(shop.tenantId, (tx) =>
      tx.query(
        `update setting set value = value || '{"zone": "Europe/Berlin"}' where tenant_id = $1 and key = 'business'`,
        [tx.tenantId],
      ),
    );
    await shop.look();
    const after = await zones(shop);
    expect(after).toMatchObject({ Old: null, Home: 'America/New_York' });
    expect(after.Wide).toMatch(/^(America|Pacific)\//);
  });
});

describe('dates of customers', () => {
  const birthdays = async (
    born: string,
    from: string,
    days: number,
    settings: Values = {},
    person: Values = {},
  ): Promise<string[]> => {
    const shop = await business(hub, { now: `${from}T12:00:00Z` });
    await shop.on('birthday', settings);
    await shop.customer({ birthday: born, ...person });
    for (let day = 0; day <= days; day++) await shop.at(addDays(from, day));
    return (await shop.found()).map(({ on }) => on);
  };

  test('birthday: 29 February is kept on the 28th, or on 1 March by setting, and on itself in a leap year', async () => {
    expect(await birthdays('1992-02-29', '2027-02-26', 5)).toEqual(['2027-02-28']);
    expect(await birthdays('1992-02-29', '2027-02-26', 5, { leapDay: '03-01' })).toEqual(['2027-03-01']);
    expect(await birthdays('--02-29', '2028-02-26', 5)).toEqual(['2028-02-29']);
    expect(await birthdays('--02-29', '2028-02-26', 5, { leapDay: '03-01' })).toEqual(['2028-02-29']);
    expect(await birthdays('1992-02-29', '2027-02-24', 7, { leadDays: [2, 0] })).toEqual(['2027-02-26', '2027-02-28']);
    expect(await birthdays('1990-02-28', '2028-02-26', 5)).toEqual(['2028-02-28']);
  });

  test.each([
    ['Pacific/Apia', '2026-06-09T11:00:00Z'],
    ['Pacific/Honolulu', '2026-06-10T10:00:00Z'],
    ['Asia/Kathmandu', '2026-06-09T18:15:00Z'],
    ['America/New_York', '2026-06-10T04:00:00Z'],
  ])('birthday: begins at midnight in %s, whatever day it is at the business', async (zone, begins) => {
    const shop = await business(hub, { now: '2026-06-08T12:00:00Z' });
    await shop.on('birthday');
    await shop.customer({ birthday: '1970-06-10', time_zone: zone });
    const midnight = new Date(begins);
    shop.clock.set(new Date(midnight.getTime() - 1000));
    await shop.look();
    expect(await shop.found()).toEqual([]);
    shop.clock.set(midnight);
    await shop.look();
    expect(await shop.found()).toMatchObject([{ on: '2026-06-10', at: midnight, outcome: 'started' }]);
    // The hub looks by itself within the hour, because somebody's day may begin.
    const { rows } = await hub.hub.db.statement<{ next_due: Date }>(
      `select next_due from tenant_due where tenant_id = $1 and kind = 'detect'`,
      [shop.tenantId],
    );
    expect(rows[0]!.next_due.getTime() - midnight.getTime()).toBeLessThanOrEqual(3_660_000);
  });

  test('birthday: a day that a zone left out begins with the next one, and midnight in a gap after it', async () => {
    // Samoa had no 30 December 2011; in Beirut the day of 27 March 2022 began at one o'clock.
    expect(instantOf('2011-12-30', '00:00', 'Pacific/Apia').toISOString()).toBe('2011-12-30T10:00:00.000Z');
    expect(instantOf('2022-03-27', '00:00', 'Asia/Beirut').toISOString()).toBe('2022-03-26T22:00:00.000Z');
  });

  test('service.due: six months end with a shorter month, and are never chained', async () => {
    const shop = await business(hub, { now: '2027-02-20T12:00:00Z' });
    await shop.on('service.due');
    await shop.on('service.due', { months: 12 });
    const ann = await shop.customer();
    await shop.document('job', ann, { status: 'completed', kind: 'maintenance', completed_on: '2026-08-31' });
    for (let on = '2027-02-26'; on < '2027-03-03'; on = addDays(on, 1)) await shop.at(on);
    expect((await shop.found()).map(({ on }) => on)).toEqual(['2027-02-28']);
    for (const on of ['2027-08-29', '2027-08-30', '2027-08-31']) await shop.at(on);
    expect((await shop.found()).map(({ on }) => on)).toEqual(['2027-02-28', '2027-08-31']);
    expect([6, 12].map((months) => addMonths('2026-08-31', months))).toEqual(['2027-02-28', '2027-08-31']);
  });

  test('service.due: by asset and kind of job, moved by a newer one of the same asset, not by others', async () => {
    const shop = await business(hub);
    await shop.on('service.due', {
      leadDays: 7,
      intervals: [
        { asset: 'Lift', months: 3 },
        { jobKind: 'installation', months: 12 },
      ],
    });
    const ann = await shop.customer();
    const done = (asset: string, kind: string, completed_on: string) =>
      shop.document('job', ann, { status: 'completed', asset, kind, completed_on });
    await done('Boiler', 'Maintenance', '2025-09-20');
    await done('lift ', 'maintenance', '2025-12-22');
    await done('Roof', 'installation', '2025-03-24');
    await done('Car', 'maintenance', '2025-09-20');
    await done('car', 'maintenance', '2025-11-20');
    await done('Boiler', 'repair', '2026-02-20');
    await done('Door', 'cleaning', '2025-09-20');
    for (let on = '2026-03-10'; on < '2026-03-25'; on = addDays(on, 1)) await shop.at(on);
    expect((await shop.found()).map(({ on, key }) => [on, key.split(':').slice(1).join(':')])).toEqual([
      ['2026-03-13', 'boiler:2026-03-20'],
      ['2026-03-15', 'lift:2026-03-22'],
      ['2026-03-17', 'roof:2026-03-24'],
    ]);
  });

  test('client.inactive: any purchase, job or answer counts, machines and what we send do not; under 30 days is refused', async () => {
    const shop = await business(hub);
    await shop.on('client.inactive', { days: 30 });
    const base = '2026-02-10';
    const quiet: string[] = [];
    const person = async (more: (id: string) => Promise<unknown>, fires: boolean): Promise<void> => {
      const id = await shop.customer();
      await shop.document('invoice', id, { status: 'paid', total: 5, issued_on: base });
      await more(id);
      if (fires) quiet.push(id);
    };
    const activity = (values: Values) => (id: string) =>
      shop.document('activity', id, { kind: 'email', occurred_at: '2026-02-20T12:00:00Z', ...values });
    await person(async () => {}, true);
    await person(activity({ direction: 'in' }), false);
    await person(activity({ direction: 'out' }), true);
    await person(activity({ direction: 'in', automatic: true }), true);
    await person(activity({ kind: 'call', direction: 'out', status: 'Connected' }), false);
    await person((id) => shop.document('payment', id, { status: 'succeeded', paid_on: '2026-02-20' }), false);
    await person((id) => shop.document('payment', id, { status: 'failed', paid_on: '2026-02-20' }), true);
    await person((id) => shop.document('invoice', id, { status: 'draft', issued_on: '2026-02-20' }), true);
    // A year that nobody means is no sign of life.
    await person((id) => shop.document('job', id, { status: 'completed', completed_on: '2206-02-20' }), true);
    await shop.customer();
    await shop.at('2026-03-12');
    expect((await shop.found()).map((row) => row.customer).sort()).toEqual(quiet.sort());
    const refused = await hub.api('POST', '/v1/triggers', { name: 'client.inactive', settings: { days: 29 } });
    expect(refused.status).toBe(422);
    expect(JSON.stringify(refused.body)).toMatch(/settings\.days.*at least 30.*regularly/);
  });

  test('contract.renewal_due: each lead, the end that was not renewed, never one cancelled or renewed', async () => {
    const shop = await business(hub, { now: '2026-01-02T12:00:00Z' });
    await shop.on('contract.renewal_due');
    const ann = await shop.customer();
    const end = '2026-03-10';
    await shop.document('subscription', ann, { kind: 'Contract', status: 'active', ends_on: end, name: 'Care' });
    await shop.document('subscription', ann, { kind: 'contract', status: 'cancelled', ends_on: end });
    await shop.document('subscription', ann, { kind: 'contract', status: 'ended', ends_on: end });
    await shop.document('subscription', ann, { kind: 'warranty', status: 'active', ends_on: end });
    await shop.document('subscription', ann, {
      kind: 'contract',
      status: 'active',
      ends_on: end,
      renews_on: '2027-03-10',
    });
    for (let on = '2026-01-05'; on < '2026-03-14'; on = addDays(on, 1)) await shop.at(on);
    const rows = (await shop.found()).map(({ on, key }) => [on, key.split(':').slice(2).join(':')]);
    expect(rows.slice(0, 3)).toEqual([
      ['2026-01-09', '60'],
      ['2026-02-08', '30'],
      ['2026-02-24', '14'],
    ]);
    // The one that ended early ends on its day after all, as far as anybody can see then.
    expect(rows.slice(3).sort()).toEqual([
      ['2026-03-10', '0'],
      ['2026-03-10', '0'],
      ['2026-03-11', 'expired'],
      ['2026-03-11', 'expired'],
    ]);
  });

  test('customer.existing: two services within six months, and no others', async () => {
    const shop = await business(hub);
    await shop.on('customer.existing', { afterSequence: null });
    const [near, far] = [await shop.customer({ name: 'Near' }), await shop.customer({ name: 'Far' })];
    await shop.document('job', near, { status: 'completed', completed_on: '2025-10-01' });
    await shop.document('job', far, { status: 'completed', completed_on: '2025-08-01' });
    for (const id of [near, far]) {
      const job = await shop.document('job', id, { status: 'completed', completed_on: '2026-03-02' });
      const now = shop.clock.now();
      await shop.tx((tx) =>
        tx.query(
          `insert into change (tenant_id, id, kind, entity_id, customer_id, op, fields, after, origin, occurred_at, received_at, processed)
           values ($1, $2, 'job', $3, $4, 'created', '{completed_on}', '{"completed_on": "2026-03-02"}', 'live', $5, $5, false)`,
          [shop.tenantId, newId(), job, id, now],
        ),
      );
    }
    await runChanges(
      {
        db: hub.hub.db,
        clock: shop.clock,
        start: async (_tx: never, _t: never, all: { id: string }[]) =>
          all.map(({ id }) => ({ id, outcome: 'started', runId: null })),
        wake: async () => {},
      } as never,
      shop.tenantId,
    );
    expect((await shop.found()).map((row) => row.customer)).toEqual([near]);
  });
});

describe('appointments', () => {
  test('appointment.upcoming: to the minute, woken by the appointment itself', async () => {
    const shop = await business(hub);
    await shop.on('appointment.upcoming');
    const ann = await shop.customer();
    const job = await shop.document('job', ann, {
      status: 'scheduled',
      scheduled_at: '2026-03-05T16:30:00Z',
      title: 'Visit',
    });
    await shop.look();
    const due = async (): Promise<string> =>
      (
        await hub.hub.db.statement<{ next_due: Date }>(
          `select next_due from tenant_due where tenant_id = $1 and kind = 'detect'`,
          [shop.tenantId],
        )
      ).rows[0]!.next_due.toISOString();
    shop.clock.set('2026-03-04T12:00:00Z');
    await hub.hub.db.statement(`update tenant_due set next_due = 'infinity' where tenant_id = $1 and kind = 'detect'`, [
      shop.tenantId,
    ]);
    await shop.look();
    expect(await due()).toBe('2026-03-04T16:30:00.000Z');
    shop.clock.set('2026-03-04T16:30:00Z');
    await shop.look();
    expect(await shop.found()).toMatchObject([{ at: new Date('2026-03-04T16:30:00Z'), outcome: 'started' }]);
    // Moved to later in the week, it counts anew; cancelled, it does not.
    await shop.change('job', job, { scheduled_at: '2026-03-07T16:30:00Z' });
    shop.clock.set('2026-03-05T15:00:00Z');
    await shop.look();
    expect(await shop.found()).toHaveLength(1);
    shop.clock.set('2026-03-06T16:30:00Z');
    await shop.look();
    expect(await shop.found()).toHaveLength(2);
    await shop.change('job', job, { status: 'cancelled' });
    shop.clock.set('2026-03-07T15:00:00Z');
    await shop.look();
    expect(await shop.found()).toHaveLength(2);
    // Booked for this evening: a day before is over.
    await shop.document('job', ann, {
      status: 'scheduled',
      scheduled_at: '2026-03-07T23:00:00Z',
      source_created_at: '2026-03-07T15:00:00Z',
    });
    await shop.look();
    shop.clock.set('2026-03-07T21:00:00Z');
    await shop.look();
    expect((await shop.found()).slice(2).map(({ outcome }) => outcome)).toEqual([
      expect.stringMatching(/^skipped: it was booked or moved less than 24 hours/),
      'started',
    ]);
  });
});

describe('failures', () => {
  test('clock: a trigger that cannot be looked for is told, is tried again, and keeps nobody else waiting', async () => {
    const shop = await business(hub);
    const broken = await shop.on('birthday', { leadDays: 'nonsense' });
    await shop.on('warranty.expiring');
    const ann = await shop.customer({ birthday: '1980-03-05' });
    await shop.document('subscription', ann, { kind: 'warranty', status: 'active', ends_on: '2026-04-04' });
    await shop.at('2026-03-05');
    expect((await shop.found()).map(({ trigger }) => trigger)).toEqual(['warranty.expiring']);
    const problem = async (): Promise<string | null> =>
      (
        await shop.tx((tx) =>
          tx.query<{ problem: string | null }>('select problem from trigger where tenant_id = $1 and id = $2', [
            tx.tenantId,
            broken,
          ]),
        )
      ).rows[0]!.problem;
    expect(await problem()).toBeTruthy();
    const { rows } = await shop.tx((tx) =>
      tx.query(`select 1 from audit_event where tenant_id = $1 and action = 'trigger.failed'`, [tx.tenantId]),
    );
    expect(rows).toHaveLength(1);
    await shop.tx((tx) =>
      tx.query(
        `update trigger set settings = '{"leadDays": [0], "leapDay": "02-28"}' where tenant_id = $1 and id = $2`,
        [tx.tenantId, broken],
      ),
    );
    await shop.look();
    expect(await problem()).toBeNull();
    expect((await shop.found()).map(({ trigger }) => trigger).sort()).toEqual(['birthday', 'warranty.expiring']);
  });

  test('clock: one customer whose start fails is recorded with the reason, the others start', async () => {
    let bad = '';
    const shop = await business(hub, {
      start: async (_tx, _trigger, occurrences) => {
        if (occurrences.some((one) => one.customer_id === bad)) throw new Error('the template is gone');
        return occurrences.map(({ id }) => ({ id, outcome: 'started', runId: null }));
      },
    });
    await shop.on('birthday');
    for (const name of ['A', 'B', 'C']) {
      const id = await shop.customer({ name, birthday: '1980-03-05' });
      if (name === 'B') bad = id;
    }
    await shop.at('2026-03-05');
    await shop.look();
    expect((await shop.found()).map(({ outcome }) => outcome).sort()).toEqual([
      'failed: the template is gone',
      'started',
      'started',
    ]);
  });

  test('changes: what a trigger fails on is parked with the reason and tried again; other changes and triggers go on', async () => {
    const shop = await business(hub);
    let broken = true;
    const started = async (_tx: unknown, _trigger: unknown, all: { id: string; subject_label: string }[]) => {
      if (broken && all.some((one) => one.subject_label.includes('X-1'))) throw new Error('cannot start X-1');
      return all.map(({ id }) => ({ id, outcome: 'started', runId: null }));
    };
    const deps = { db: hub.hub.db, clock: shop.clock, start: started, wake: async () => {} } as never;
    await shop.on('invoice.paid');
    const ann = await shop.customer();
    const now = shop.clock.now();
    for (const number of ['X-1', 'X-2']) {
      const id = await shop.document('invoice', ann, { number, status: 'paid', total: 5, paid_on: '2026-03-02' });
      for (const origin of ['backfill', 'live'])
        await shop.tx((tx) =>
          tx.query(
            `insert into change (tenant_id, id, kind, entity_id, customer_id, op, fields, before, after, origin, occurred_at, received_at, processed)
             values ($1, $2, 'invoice', $3, $4, 'updated', '{paid_on}', '{}', '{"paid_on": "2026-03-02"}', $5, $6, $6, $5 = 'backfill')`,
            [shop.tenantId, newId(), id, ann, origin, now],
          ),
        );
    }
    await runChanges(deps, shop.tenantId);
    expect((await shop.found()).map(({ outcome }) => outcome)).toEqual(['started']);
    const parked = async (): Promise<unknown[]> =>
      (await shop.tx((tx) => tx.query('select reason, tries from trigger_parked where tenant_id = $1', [tx.tenantId])))
        .rows;
    expect(await parked()).toEqual([{ reason: 'cannot start X-1', tries: 1 }]);
    broken = false;
    await shop.look();
    expect(await parked()).toEqual([]);
    expect(await shop.found()).toHaveLength(2);
  });
});

test('try: over HTTP, for a kind or one’s own trigger, with what would have come of it', async () => {
  const { api, tenantId } = await hub.otherTenant('Trial');
  const ann = newId();
  await hub.hub.db.tenant(tenantId, async (tx) => {
    await tx.query(
      `insert into customer (tenant_id, id, name, provenance, sources, created_at, updated_at) values ($1, $2, 'Ann', '{}', 1, $3, $3)`,
      [tenantId, ann, new Date()],
    );
    for (const [at, due] of ['2025-11-01', '2025-11-04', '2026-02-01'].entries())
      await tx.query(
        `insert into invoice (tenant_id, stream_id, remote_id, entity_id, number, status, total, balance, due_on, customer_id, mapping_version, updated_at) values ($1, $2, $3, $4, $3, 'open', 10, 10, $5, $6, 'm', $7)`,
        [tenantId, newId(), `N-${at}`, newId(), due, ann, new Date()],
      );
  });
  const made = await api('POST', '/v1/playbooks/overdue-chase/install');
  expect(made.status).toBeLessThan(300);
  const sequence = (await api('GET', '/v1/sequences')).body.items[0];
  const trigger = await api('POST', '/v1/triggers', {
    name: 'invoice.overdue',
    settings: { days: [1] },
    sequenceId: sequence.id,
  });
  const tried = await api('POST', '/v1/triggers/try', { triggerId: trigger.body.id, customer: ann });
  expect(tried.body.items.map((item: Values) => [item.occurredOn, item.outcome])).toEqual([
    ['2025-11-02', 'would start'],
    ['2025-11-05', expect.stringMatching(/^would join/)],
    ['2026-02-02', 'would start'],
  ]);
  const kind = await api('POST', '/v1/triggers/try', {
    trigger: 'invoice.overdue',
    settings: { days: [7] },
    customer: 'Ann',
    months: 2,
  });
  expect(kind.body.items.map((item: Values) => item.occurredOn)).toEqual(['2026-02-08']);
  for (const [body, status] of [
    [{ trigger: 'nothing', customer: ann }, 422],
    [{ trigger: 'birthday', customer: 'Nobody' }, 404],
    [{ customer: ann }, 422],
    [{ trigger: 'client.inactive', settings: { days: 3 }, customer: ann }, 422],
    [{ trigger: 'birthday', customer: ann, months: 13 }, 400],
  ] as const)
    expect([body, (await api('POST', '/v1/triggers/try', body)).status]).toEqual([body, status]);
  expect((await api('GET', '/v1/occurrences')).body.items).toEqual([]);
});
