import type pg from 'pg';
import { newId } from '../../../src/base/ids.ts';
import { builtInFields, type Scope, type ValueType } from '../../../src/conditions/fields.ts';
import { RELATED, type Related } from '../../../src/conditions/types.ts';

export type Random = () => number;
export type Row = Record<string, any>;

export const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

/** Texts that mean something to SQL, to JavaScript or to nobody. */
export const TEXTS = [
  'Berlin',
  'berlin',
  'Ärger',
  "O'Brien",
  'say "hi"',
  '50%',
  'a_b',
  'back\\slash',
  "'; drop table customer; --",
  '$1',
  '__proto__',
  'constructor',
  '𝕏 日本',
];
export const CODES = ['10115', '10 115', '14199', 'SW1A 1AA', 'sw1a1aa', '1011', 'K1A 0B1'];
export const NUMBERS = [-5, 0, 0.5, 1, 2, 3, 7, 10, 99.99, 100, 1000];
export const CURRENCIES = ['USD', 'EUR', null];
export const CUSTOM_NAMES = ['hours', 'installed on', '__proto__', 'it\'s "odd" $1', 'a.b'];
export const ZONES = [
  null,
  'America/New_York',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'Europe/Berlin',
  'Mars/Crater',
];
export const SOURCES = ['hubspot', 'stripe'];
const CUSTOM_VALUES = [
  ...[
    5,
    2,
    -0.5,
    '7',
    '007',
    '1e3',
    1e20,
    true,
    false,
    'yes',
    'NO',
    null,
    '',
    [],
    ['vip', 'Gold'],
    ['x'],
    {},
    { a: 1 },
  ],
  ...['Berlin', 'vip', '2026-02-20', '2026-02-30', '2024-02-29', '2025-02-29', '0000-01-01', '2026-03-02T04:30:00Z'],
  ...['2026-03-01T23:59:59+14:00', '2026-03-02T25:00:00Z', '٣', 'NaN', 'Infinity', '2026-13-01', '1'.repeat(60)],
];

const days = (from: Date, offset: number): string =>
  new Date(from.getTime() + offset * 86_400_000).toISOString().slice(0, 10);
export const OFFSETS = [
  -1500, -800, -366, -365, -181, -180, -179, -90, -31, -30, -29, -8, -7, -2, -1, 0, 1, 2, 7, 14, 30, 31, 365,
];

export const dateNear = (random: Random, now: Date): string =>
  random() < 0.15
    ? pick(random, ['2024-02-29', '2025-02-28', '2026-01-31', '2025-08-31', '2000-02-29', '1990-03-01'])
    : days(now, pick(random, OFFSETS));

/** Something of a type, or nothing. */
export function someValue(random: Random, type: ValueType, now: Date, values?: readonly string[]): unknown {
  if (random() < 0.2) return null;
  switch (type) {
    case 'text':
      return random() < 0.05 ? '' : pick(random, TEXTS);
    case 'word':
      return pick(random, values!);
    case 'postal_code':
      return pick(random, CODES);
    case 'number':
    case 'money':
      return pick(random, NUMBERS);
    case 'date':
      return dateNear(random, now);
    case 'birthday':
      return random() < 0.4
        ? pick(random, ['--02-29', '--03-01', `--${dateNear(random, now).slice(5)}`])
        : dateNear(random, now);
    case 'instant':
      return new Date(now.getTime() + (pick(random, OFFSETS) * 24 + Math.floor(random() * 48) - 24) * 3_600_000);
    case 'boolean':
      return random() < 0.5;
    case 'list':
      return random() < 0.1 ? [] : [...new Set([pick(random, TEXTS), pick(random, ['VIP', 'vip', 'Gold'])])];
    case 'custom':
      return null;
  }
}

const custom = (random: Random): Row | null =>
  random() < 0.2
    ? null
    : Object.fromEntries(
        // As JSON has it: "__proto__" is a name like any other.
        CUSTOM_NAMES.filter(() => random() < 0.6).map((name) => [name, pick(random, CUSTOM_VALUES)]),
      );

/** A customer with everything that belongs to them. */
export interface Person {
  id: string;
  customer: Row;
  company: Row | undefined;
  owner: Row | undefined;
  score: Row | undefined;
  rows: Record<Related, Row[]>;
  consents: Row[];
  segments: Row[];
}

const fieldsOf = (scope: Scope) => builtInFields().filter((field) => field.scope === scope && !field.measure);

function rowOf(random: Random, scope: Scope, now: Date): Row {
  const row: Row = {};
  for (const { column, type, values, name } of fieldsOf(scope))
    if (name !== 'customer.created_at') row[column] = someValue(random, type, now, values);
  if ('amount' in row || 'total' in row) row.currency = pick(random, CURRENCIES);
  return row;
}

const document = (random: Random, kind: Related, now: Date): Row => ({
  ...rowOf(random, kind, now),
  entity_id: newId(),
  custom: custom(random),
  deleted_at: random() < 0.1 ? now : null,
  ...(kind === 'invoice' ? { duplicate_of: random() < 0.1 ? newId() : null } : {}),
});

export const SEGMENTS = ['0198a000-0000-7000-8000-000000000001', '0198a000-0000-7000-8000-000000000002'];

/** People made up from a seed: every field of the model is filled, missing or odd in some of them. */
export function makePeople(random: Random, count: number, now: Date): Person[] {
  const both = (): Row | null => {
    const [a, b] = [custom(random), custom(random)];
    return a || b ? { ...(a ? { hubspot: a } : {}), ...(b ? { stripe: b } : {}) } : null;
  };
  const companies = Array.from({ length: 3 }, () => ({
    ...rowOf(random, 'company', now),
    id: newId(),
    custom: both(),
    deleted_at: random() < 0.2 ? now : null,
  }));
  const owners = Array.from({ length: 2 }, () => ({
    ...rowOf(random, 'owner', now),
    entity_id: newId(),
    deleted_at: null,
  }));
  return Array.from({ length: count }, () => {
    const [company, owner] = [pick(random, [...companies, undefined]), pick(random, [...owners, undefined])];
    const rows = Object.fromEntries(
      RELATED.map((kind) => [
        kind,
        Array.from({ length: Math.floor(random() * 4) }, () => document(random, kind, now)),
      ]),
    ) as Person['rows'];
    const id = newId();
    return {
      id,
      customer: {
        ...rowOf(random, 'customer', now),
        source_created_at: someValue(random, 'instant', now),
        created_at: new Date(now.getTime() - 3 * 86_400_000),
        local_zone: pick(random, ZONES),
        custom: both(),
        company_id: company?.id ?? null,
        owner_id: owner?.entity_id ?? null,
      },
      company,
      owner,
      score:
        random() < 0.3 ? undefined : { ...rowOf(random, 'score', now), vip: random() < 0.5, unhappy: random() < 0.3 },
      rows,
      consents: ['email', 'sms', '*'].flatMap((channel) =>
        ['*', 'news'].flatMap((topic) =>
          random() < 0.6
            ? []
            : [
                {
                  ...{ channel, topic, state: pick(random, ['granted', 'granted', 'denied', 'per_topic']) },
                  class: pick(random, ['marketing', 'marketing', 'transactional']),
                  expires_at: pick(random, [null, new Date(now.getTime() - 1000), new Date(now.getTime() + 1000)]),
                },
              ],
        ),
      ),
      segments: SEGMENTS.flatMap((segment_id) =>
        random() < 0.5 ? [] : [{ segment_id, entered_at: now, left_at: random() < 0.3 ? now : null }],
      ),
    };
  });
}

/** Stores people as rows of a tenant, as the owner of the tables. */
export async function storePeople(
  client: pg.Client,
  tenantId: string,
  people: readonly Person[],
  now: Date,
): Promise<void> {
  const known = new Map<string, Set<string>>();
  const insert = async (table: string, row: Row): Promise<void> => {
    const given: Row = { tenant_id: tenantId, ...row };
    if (!known.has(table)) {
      const { rows } = await client.query(
        'select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped',
        [table],
      );
      known.set(table, new Set(rows.map(({ attname }) => attname)));
    }
    const names = Object.keys(given).filter((name) => known.get(table)!.has(name));
    await client.query(
      `insert into ${table} (${names.join(', ')}) values (${names.map((_name, at) => `$${at + 1}`).join(', ')})`,
      names.map((name) => (name === 'custom' && given[name] ? JSON.stringify(given[name]) : given[name])),
    );
  };
  const golden = { provenance: '{}', sources: 1, updated_at: now };
  const record = { stream_id: newId(), mapping_version: 'm', updated_at: now };
  const companies = new Set(people.flatMap(({ company }) => (company ? [company] : [])));
  for (const company of companies) await insert('company', { ...company, ...golden, created_at: now });
  for (const owner of new Set(people.flatMap(({ owner }) => (owner ? [owner] : []))))
    await insert('owner', { ...owner, ...record, remote_id: newId() });
  for (const { id, customer, score, rows, consents, segments } of people) {
    await insert('customer', { id, ...customer, ...golden });
    const made = { day: '2026-01-01', formula: 1, rules: 1, yardstick: 1, updated_at: now };
    if (score) await insert('customer_score', { customer_id: id, ...score, ...made });
    for (const kind of RELATED)
      for (const row of rows[kind]) await insert(kind, { ...row, ...record, customer_id: id, remote_id: newId() });
    for (const consent of consents)
      await insert('consent', {
        ...consent,
        customer_id: id,
        basis: 'x',
        source: 'x',
        evidence: '{}',
        recorded_at: now,
      });
    for (const member of segments) await insert('segment_member', { ...member, customer_id: id });
  }
}
