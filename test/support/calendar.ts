import type { ManualClock } from '../../src/base/clock.ts';
import { manualClock } from '../../src/base/clock.ts';
import type { Tx } from '../../src/base/database.ts';
import { newId } from '../../src/base/ids.ts';
import { instantOf, type LocalDate } from '../../src/base/time.ts';
import { markStale } from '../../src/model/stale.ts';
import { triggerDefinition } from '../../src/triggers/catalogue.ts';
import type { StartRuns } from '../../src/triggers/detect.ts';
import { runDetection } from '../../src/triggers/jobs.ts';
import { insertTrigger } from '../../src/triggers/store.ts';
import type { TestHub } from './hub.ts';

export const ZONE = 'America/New_York';
export type Values = Record<string, unknown>;

export interface Found {
  trigger: string;
  key: string;
  on: LocalDate;
  at: Date;
  detected: Date;
  outcome: string;
  customer: string | null;
}

/** A business whose facts are written straight into the model, with a clock of its own. */
export interface Business {
  tenantId: string;
  clock: ManualClock;
  tx<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  customer(values?: Values): Promise<string>;
  /** A document of a customer. @returns its entity id */
  document(kind: string, customer: string | null, values: Values): Promise<string>;
  change(kind: string, id: string, values: Values): Promise<void>;
  /** A trigger, switched on now. */
  on(name: string, settings?: Values): Promise<string>;
  /** Sets the clock to a wall-clock time and looks. */
  at(date: LocalDate, time?: string, zone?: string): Promise<void>;
  look(): Promise<void>;
  found(name?: string): Promise<Found[]>;
}

/** Every occurrence counts as started. */
const started: StartRuns = async (_tx, _trigger, occurrences) =>
  occurrences.map(({ id }) => ({ id, outcome: 'started', runId: null }));

export async function business(
  hub: TestHub,
  options: { now?: string; zone?: string; start?: StartRuns } = {},
): Promise<Business> {
  const { tenantId } = await hub.otherTenant(`Business ${newId()}`);
  const { db } = hub.hub;
  const clock = manualClock(options.now ?? '2026-03-02T15:00:00Z');
  const start = options.start ?? started;
  const tx: Business['tx'] = (work) => db.tenant(tenantId, work);
  const insert = async (inner: Tx, table: string, values: Values): Promise<void> => {
    const names = Object.keys(values);
    await inner.query(
      `insert into ${table} (tenant_id, ${names.join(', ')}) values ($1, ${names.map((_, at) => `$${at + 2}`).join(', ')})`,
      [tenantId, ...Object.values(values)],
    );
  };
  const stale = (inner: Tx, customer: unknown): Promise<void> =>
    typeof customer === 'string' ? markStale(inner, 'dates', [{ customerId: customer, depth: 0 }]) : Promise.resolve();
  if (options.zone)
    await tx((inner) =>
      inner.query(
        `insert into setting (tenant_id, key, value, version, updated_at, updated_by) values ($1, 'business', $2, 9, $3, 'test')
         on conflict (tenant_id, key) do update set value = excluded.value`,
        [tenantId, { zone: options.zone }, clock.now()],
      ),
    );
  const look = (): Promise<void> => runDetection({ db, clock, start, wake: async () => {} } as never, tenantId);
  return {
    tenantId,
    clock,
    tx,
    customer: (values = {}) =>
      tx(async (inner) => {
        const id = newId();
        const now = clock.now();
        await insert(inner, 'customer', {
          ...{ id, name: 'Ann', provenance: {}, sources: 1, created_at: now, updated_at: now },
          ...values,
        });
        return id;
      }),
    document: (kind, customer, values) =>
      tx(async (inner) => {
        const id = newId();
        const common = { stream_id: newId(), remote_id: id.slice(-6), entity_id: id, customer_id: customer };
        await insert(inner, kind, { ...common, mapping_version: 'm', updated_at: clock.now(), ...values });
        await stale(inner, customer);
        return id;
      }),
    change: (kind, id, values) =>
      tx(async (inner) => {
        const names = Object.keys(values);
        const { rows } = await inner.query<{ customer_id: string }>(
          `update ${kind} set ${names.map((name, at) => `${name} = $${at + 3}`).join(', ')} where tenant_id = $1 and entity_id = $2 returning customer_id`,
          [tenantId, id, ...Object.values(values)],
        );
        await stale(inner, rows[0]?.customer_id);
      }),
    on: (name, settings = {}) =>
      tx((inner) =>
        insertTrigger(
          inner,
          {
            name,
            title: name,
            settings: { ...(triggerDefinition(name).defaults as Values), ...settings },
            sequence_id: null,
            enabled: true,
          },
          clock.now(),
        ),
      ),
    at: async (date, time = '12:00', zone = options.zone ?? ZONE) => {
      clock.set(instantOf(date, time, zone));
      await look();
    },
    look,
    found: (name) =>
      tx(async (inner) => {
        const { rows } = await inner.query<Found>(
          `select trigger_name as trigger, business_key as key, occurred_on as on, occurred_at as at, detected_at as detected, outcome, customer_id as customer
           from occurrence where tenant_id = $1 and ($2::text is null or trigger_name = $2) order by occurred_at, business_key`,
          [tenantId, name ?? null],
        );
        return rows;
      }),
  };
}
