import type pg from 'pg';
import { newId } from '../../../src/base/ids.ts';
import { type Catalog, completed, insertRow, type Row } from './catalog.ts';
import { campaignFacts } from './facts.campaigns.ts';
import { clockFacts } from './facts.clock.ts';
import { completenessFacts } from './facts.completeness.ts';
import { coordinatorFacts, peopleFacts } from './facts.people.ts';
import { privacyFacts } from './facts.privacy.ts';
import { scoringFacts } from './facts.scoring.ts';
import { segmentFacts } from './facts.segments.ts';
import { documentFacts, sourceFacts } from './facts.sources.ts';
import { surveyFacts } from './facts.surveys.ts';
import { type Facts, type Flavour, LONG_AGO, newIds } from './facts.ts';
import { workFacts } from './facts.work.ts';
import { textOf, UUID } from './text.ts';

/** A tenant with at least one row in every table. */
export interface Tenant {
  tenantId: string;
  /** Stands in every text of this tenant that no other has. */
  mark: string;
  ids: ReturnType<typeof newIds>;
  rows: Map<string, Row[]>;
  /** Every id in its rows. */
  known: Set<string>;
  /** A row as stored. */
  row(table: string, at?: number): Row;
  /** A row as an attacker could name it: the ids are right, what only the tenant knows is not in it. */
  named(table: string, at?: number): any;
}

/** The one whose data is to be protected has more than one row of most things, and differs in all that can differ. */
const VICTIM: Flavour = {
  mark: 'VICTIM',
  zone: 'America/Chicago',
  due: new Date('2026-03-02T09:00:00Z'),
  days: [1, 2, 3],
};
const ATTACKER: Flavour = {
  mark: 'ATTACKER',
  zone: 'America/New_York',
  due: new Date('2026-03-02T10:00:00Z'),
  days: [1, 7],
};

/** The rows of a tenant, not stored yet; a table nobody thought of gets one row of fillers. */
export function newTenant(catalog: Catalog, kind: 'victim' | 'attacker'): Tenant {
  const ids = newIds();
  const tenantId = newId();
  const flavour = kind === 'victim' ? VICTIM : ATTACKER;
  const { mark } = flavour;
  const facts: Facts = {
    ...peopleFacts(ids, flavour),
    ...sourceFacts(ids, flavour),
    ...clockFacts(ids),
    ...completenessFacts(ids),
    ...documentFacts(ids, flavour),
    ...workFacts(ids, flavour),
    ...scoringFacts(ids, flavour),
    ...segmentFacts(ids, flavour),
    ...privacyFacts(ids),
    ...campaignFacts(ids, flavour),
    ...surveyFacts(ids, flavour),
    ...coordinatorFacts(ids, flavour),
  };
  const given = (table: string): Row[] => (facts[table] ?? [{}]).slice(0, kind === 'victim' ? undefined : 1);
  const rows = new Map(
    catalog.tables.map((table) => [
      table,
      given(table).map((row) => completed(catalog, table, { tenant_id: tenantId, ...row }, mark)),
    ]),
  );
  const row = (table: string, at = 0): Row => {
    const found = rows.get(table)?.[at];
    if (!found) throw new Error(`The tenant has no row ${at} of ${table}.`);
    return found;
  };
  const named = (table: string, at = 0): any => {
    const { tenant_id: _tenant, ...fields } = row(table, at);
    const defaults = { version: 1, row_version: 1, depth: 0, visit: 1 };
    return withoutMark({ ...defaults, ...fields }, mark);
  };
  const known = new Set(textOf([...rows.values()]).match(UUID));
  return { tenantId, mark, ids, rows, known, row, named };
}

function withoutMark(value: unknown, mark: string): unknown {
  if (typeof value === 'string') return value.replaceAll(mark, 'given');
  if (Array.isArray(value)) return value.map((item) => withoutMark(item, mark));
  if (Buffer.isBuffer(value)) return Buffer.from(value.toString().replaceAll(mark, 'given'));
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutMark(item, mark)]));
}

/** Stores a tenant, as the owner of the tables. */
export async function storeTenant(client: pg.Client, tenant: Tenant): Promise<void> {
  await client.query('insert into tenant (id, name, created_at) values ($1, $2, $3) on conflict do nothing', [
    tenant.tenantId,
    `${tenant.mark}-name`,
    LONG_AGO,
  ]);
  for (const who of ['user', 'colleague'] as const)
    await client.query(
      'insert into user_account (id, email, name, password_hash, created_at) values ($1, $2, $3, $4, $5)',
      [tenant.ids[who], `${tenant.mark}-${who}@example.com`.toLowerCase(), `${tenant.mark}-${who}`, 'none', LONG_AGO],
    );
  for (const [table, rows] of tenant.rows) for (const row of rows) await insertRow(client, table, row);
}
