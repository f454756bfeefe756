import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import { addDays, addMonths, instantOf, type LocalDate } from '../src/base/time.ts';
import { CATALOGUE } from '../src/triggers/catalogue.ts';
import { clockLook } from '../src/triggers/clock.ts';
import { tryTrigger } from '../src/triggers/trial.ts';
import { type Business, business, type Values, ZONE } from './support/calendar.ts';
import { startTestHub, type TestHub } from './support/hub.ts';

let hub: TestHub;

beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'] });
});
afterAll(() => hub?.stop());

/** A subject of a trigger, made so that it fires on a date. */
interface Case {
  settings?: Values;
  /** @returns the customer, and how to move the same subject to another date */
  arm(shop: Business, on: LocalDate): Promise<{ customer: string; move(on: LocalDate): Promise<unknown> }>;
  /** Whether moving it arms it again; otherwise it stays fired for ever. */
  again: boolean;
  /** What two days late comes to, where that is not being started. */
  late?: RegExp;
  /** Whether facts of the past tell when it would have fired. */
  past?: false;
  /** Hour at which it fires. */
  hour?: string;
}

const invoice = { status: 'open', total: 100, balance: 100, currency: 'USD', issued_on: '2026-01-05' };
const person = async (shop: Business, values: Values = {}): Promise<string> => shop.customer(values);
const document = async (
  shop: Business,
  kind: string,
  values: (on: LocalDate) => Values,
  on: LocalDate,
): Promise<{ customer: string; move(on: LocalDate): Promise<unknown> }> => {
  const customer = await person(shop);
  const id = await shop.document(kind, customer, values(on));
  return { customer, move: (other) => shop.change(kind, id, values(other)) };
};
const at = (date: LocalDate, time: string): Date => instantOf(date, time, ZONE);

const CASES: Record<string, Case> = {
  'invoice.due_soon': {
    arm: (shop, on) => document(shop, 'invoice', (day) => ({ ...invoice, due_on: addDays(day, 3) }), on),
    again: false,
  },
  'invoice.overdue': {
    settings: { days: [7] },
    arm: (shop, on) => document(shop, 'invoice', (day) => ({ ...invoice, due_on: addDays(day, -7) }), on),
    again: false,
  },
  'service.due': {
    arm: (shop, on) =>
      document(
        shop,
        'job',
        (day) => ({ status: 'completed', kind: ' Maintenance', asset: 'Boiler', completed_on: addMonths(day, -6) }),
        on,
      ),
    again: true,
  },
  'warranty.expiring': {
    settings: { leadDays: [30] },
    arm: (shop, on) =>
      document(shop, 'subscription', (day) => ({ status: 'active', kind: 'Warranty', ends_on: addDays(day, 30) }), on),
    again: true,
  },
  'contract.renewal_due': {
    settings: { leadDays: [14], expired: false },
    arm: (shop, on) =>
      document(
        shop,
        'subscription',
        (day) => ({ status: 'active', kind: 'contract', renews_on: addDays(day, 14) }),
        on,
      ),
    again: true,
  },
  'client.inactive': {
    arm: (shop, on) => document(shop, 'job', (day) => ({ status: 'completed', completed_on: addDays(day, -90) }), on),
    again: true,
  },
  'appointment.upcoming': {
    settings: { leadHours: [24] },
    arm: (shop, on) =>
      document(shop, 'job', (day) => ({ status: 'scheduled', scheduled_at: at(addDays(day, 1), '11:00') }), on),
    again: true,
    late: /^skipped: it was too late/,
    hour: '11:00',
  },
  'appointment.missed': {
    settings: { afterHours: 2 },
    arm: (shop, on) => document(shop, 'job', (day) => ({ status: 'scheduled', scheduled_at: at(day, '09:00') }), on),
    again: true,
    hour: '11:00',
  },
  birthday: {
    arm: async (shop, on) => {
      const customer = await person(shop, { birthday: `1980${on.slice(4)}` });
      const move = (day: LocalDate): Promise<unknown> =>
        shop.tx((tx) =>
          tx.query('update customer set birthday = $3 where tenant_id = $1 and id = $2', [
            shop.tenantId,
            customer,
            `--${day.slice(5)}`,
          ]),
        );
      return { customer, move };
    },
    again: false,
  },
  'service.anniversary': {
    arm: (shop, on) => document(shop, 'job', (day) => ({ status: 'completed', completed_on: addMonths(day, -12) }), on),
    again: false,
  },
  'customer.existing': {
    arm: async (shop, on) => {
      const customer = await person(shop);
      for (const days of [20, 50])
        await shop.document('job', customer, { status: 'completed', completed_on: addDays(on, -days) });
      const end = (day: LocalDate): Promise<unknown> =>
        shop.tx(async (tx) => {
          const now = shop.clock.now();
          await tx.query(
            `insert into sequence (tenant_id, id, key, title, state, latest_version, created_at, updated_at)
             values ($1, $2, 'new-customer', 'New', 'active', 1, $3, $3) on conflict do nothing`,
            [shop.tenantId, '00000000-0000-7000-8000-000000000001', now],
          );
          await tx.query(
            `insert into run (tenant_id, id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, start_on, zone, cause, started_at, updated_at, ended_at)
             select $1, gen_random_uuid(), $2, 1, $3, 'customer', 1 + count(*), 'done', 'x', '2026-01-01', 'UTC', '{}', $4, $4, $5 from run where tenant_id = $1 and customer_id = $3`,
            [shop.tenantId, '00000000-0000-7000-8000-000000000001', customer, now, at(day, '00:00')],
          );
        });
      await end(on);
      return { customer, move: end };
    },
    again: false,
  },
  'reminder.unanswered': {
    arm: async (shop, on) => {
      const customer = await person(shop);
      const run = newId();
      await shop.tx(async (tx) => {
        const now = shop.clock.now();
        await tx.query(
          `insert into run (tenant_id, id, sequence_id, version, customer_id, business_key, ordinal, state, step_id, waiting_for, start_on, zone, cause, started_at, updated_at)
           values ($1, $2, $2, 1, $3, 'customer', 1, 'waiting', 'wait', 'answer', '2026-01-01', $4, '{}', $5, $5)`,
          [shop.tenantId, run, customer, ZONE, now],
        );
        await tx.query(
          `insert into run_step (tenant_id, run_id, step_id, visit, entered_at) values ($1, $2, 'wait', 1, $3)`,
          [shop.tenantId, run, at(addDays(on, -3), '15:00')],
        );
      });
      const move = (day: LocalDate): Promise<unknown> =>
        shop.tx((tx) =>
          tx.query('update run_step set entered_at = $3 where tenant_id = $1 and run_id = $2', [
            shop.tenantId,
            run,
            at(addDays(day, -3), '15:00'),
          ]),
        );
      return { customer, move };
    },
    again: false,
    past: false,
    hour: '15:00',
  },
};

const ON = '2026-03-20';

test('clock triggers: every one of the catalogue is in the table', () => {
  const names = CATALOGUE.filter((definition) => clockLook(definition)).map(({ name }) => name);
  expect(names.sort()).toEqual(Object.keys(CASES).sort());
});

describe.each(Object.entries(CASES))('%s', (name, one) => {
  const hour = one.hour ?? '00:00';
  const set = async (): Promise<Business> => {
    const shop = await business(hub);
    await shop.on(name, one.settings);
    return shop;
  };

  test(`${name}: fires on its date and not before, once however often it is looked for, and again only when re-armed`, async () => {
    const shop = await set();
    const { customer, move } = await one.arm(shop, ON);
    await shop.at(addDays(ON, -1), '23:59');
    expect(await shop.found()).toEqual([]);
    shop.clock.set(at(ON, hour));
    await Promise.all([shop.look(), shop.look()]);
    await shop.look();
    const [first, ...more] = await shop.found();
    expect(more).toEqual([]);
    expect(first).toMatchObject({ trigger: name, on: ON, outcome: 'started', customer });
    expect(first!.at).toEqual(at(ON, hour));
    for (const date of ['2026-03-21', '2026-03-25']) await shop.at(date);
    await move('2026-03-28');
    for (const date of ['2026-03-28', '2026-03-29']) await shop.at(date);
    const all = await shop.found();
    expect(all.map(({ on }) => on)).toEqual(one.again ? [ON, '2026-03-28'] : expect.arrayContaining([ON]));
    expect(all).toHaveLength(one.again ? 2 : 1);
  });

  test(`${name}: what lies before it was switched on never fires, though it is loaded afterwards`, async () => {
    const shop = await set();
    for (const days of [1, 2, 30]) await one.arm(shop, addDays('2026-03-02', -days));
    for (const date of ['2026-03-02', '2026-03-03', '2026-03-05']) await shop.at(date, '13:00');
    expect(await shop.found()).toEqual([]);
  });

  test(`${name}: a missed day is caught up for three days and then recorded as missed`, async () => {
    const shop = await set();
    await one.arm(shop, ON);
    await one.arm(shop, addDays(ON, 4));
    await shop.at('2026-03-10');
    await shop.at(addDays(ON, 6), '12:00');
    const outcomes = (await shop.found()).map(({ on, outcome }) => [on, outcome]);
    expect(outcomes).toEqual([
      [ON, expect.stringMatching(/^missed: nobody looked/)],
      [addDays(ON, 4), one.late ? expect.stringMatching(one.late) : 'started'],
    ]);
  });

  test.skipIf(one.past === false)(`${name}: trying it on the customer tells the same date`, async () => {
    const shop = await set();
    const { customer } = await one.arm(shop, ON);
    const stranger = await one.arm(shop, ON);
    await shop.at('2026-03-22');
    const settings = (
      await shop.tx(
        async (tx) =>
          (
            await tx.query<{ settings: Values }>('select settings from trigger where tenant_id = $1', [tx.tenantId])
          ).rows,
      )
    )[0]!.settings;
    const trial = await hub.hub.db.rehearse(shop.tenantId, (tx) =>
      tryTrigger(tx, { name, settings }, customer, 12, shop.clock.now()),
    );
    const real = (await shop.found()).filter((row) => row.customer === customer);
    expect(
      trial.found
        .filter(({ occurredOn }) => occurredOn >= '2026-03-02')
        .map(({ businessKey, occurredOn }) => [businessKey, occurredOn]),
    ).toEqual(real.map(({ key, on }) => [key, on]));
    expect(trial.found.map(({ customerId }) => customerId)).not.toContain(stranger.customer);
  });
});
