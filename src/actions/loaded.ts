import type { Tx } from '../base/database.ts';
import { type Households, householdsOf } from '../consent/households.ts';
import { type Preference, preferencesOf } from '../consent/preferences.ts';
import { type RegionBook, regionBook } from '../consent/regions.ts';
import {
  type ConsentRow,
  consentsOf,
  type SuppressionRow,
  suppressionsOf,
  type TouchRow,
  touchesSince,
} from '../consent/store.ts';
import { unhappyOf } from '../scoring/store.ts';
import { type Ceased, ceasedCauses } from '../sequences/causes.ts';
import { settledCustomers } from '../sequences/exits.ts';
import { type HoldRow, openHolds } from '../sequences/holds.ts';
import { listTemplates, type TemplateRow } from '../sequences/store.ts';
import type { SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { longest } from './caps.ts';
import { type Contexts, loadContexts } from './context.ts';
import type { ActionDeps } from './deps.ts';
import { loadRoutes, type Routes } from './routing.ts';
import type { RequestRow } from './store.ts';
import { type KillSwitch, listKillSwitches } from './switches.ts';

interface RunFacts {
  id: string;
  state: string;
  step_id: string;
  visit: number;
  waiting_for: string | null;
  sequence_id: string;
  campaign_id: string | null;
  version: number;
  sequence_key: string;
  sequence_state: string;
  shadow: boolean;
}

/** Everything the decisions of a batch need, in a handful of queries. */
export interface Loaded {
  now: Date;
  kills: KillSwitch[];
  runs: Map<string, RunFacts>;
  /** Escalations of enrolments in shadow. */
  shadowed: Set<string>;
  contexts: Contexts;
  routes: Routes;
  templates: TemplateRow[];
  suppressions: SuppressionRow[];
  consents: ConsentRow[];
  holds: HoldRow[];
  settled: Set<string>;
  /** Enrolments of which what started them ceased. */
  ceased: Map<string, Ceased>;
  unhappy: Awaited<ReturnType<typeof unhappyOf>>;
  /** Customers who wrote on WhatsApp within the last 24 hours. */
  inSession: Set<string>;
  touches: TouchRow[];
  quietHours: SettingValue<'quietHours'>;
  regions: RegionBook;
  /** What people asked for beside consent. */
  wishes: Preference[];
  households: Pick<Households, 'membersOf' | 'everybody'>;
  caps: SettingValue<'caps'>;
  zone: string;
  parked: Map<string, Date>;
  hashOf: (request: Pick<RequestRow, 'channel' | 'recipient'>) => Buffer;
}

const NO_HOUSEHOLDS: Loaded['households'] = { membersOf: (id) => new Set([id]), everybody: [] };

const RUN = `select r.id, r.state, r.step_id, r.visit, r.waiting_for, r.sequence_id, r.campaign_id, r.version, s.key as sequence_key, s.state as sequence_state, r.shadow
  from run r join sequence s on s.tenant_id = r.tenant_id and s.id = r.sequence_id where r.tenant_id = $1 and r.id = any($2) order by r.id`;

export const isCustomerFacing = (request: Pick<RequestRow, 'class'>): boolean => request.class !== 'internal';

/** Loads what the decisions about these requests need. */
export async function loadFacts(deps: ActionDeps, tx: Tx, requests: readonly RequestRow[], now: Date): Promise<Loaded> {
  const runIds = [...new Set(requests.map((request) => request.run_id).filter((id) => id !== null))];
  const customers = [...new Set(requests.map((request) => request.customer_id).filter((id) => id !== null))];
  const caps = await setting(tx, 'caps');
  const marketing = requests.some((request) => request.class === 'marketing');
  const wishes = marketing ? await preferencesOf(tx, customers) : [];
  const households =
    marketing && (caps.marketingPerHousehold ?? []).length > 0 ? await householdsOf(tx, customers) : NO_HOUSEHOLDS;
  const templates = requests.some((request) => request.plan.type === 'message') ? await listTemplates(tx) : [];
  const contexts = await loadContexts(tx, customers, now, {
    runIds,
    escalationIds: requests.map((request) => request.escalation_id).filter((id) => id !== null),
    texts: textsOf(requests, templates),
  });
  const { zone, country } = await setting(tx, 'business');
  const quietHours = await setting(tx, 'quietHours');
  const companies = [...contexts.people.values()].map((person) => person.company_id).filter((id) => id !== null);
  const addresses = requests
    .filter(isCustomerFacing)
    .map((request) => ({ channel: request.channel, hash: deps.hash(tx.tenantId, request.channel, request.recipient) }));
  const runs = runIds.length > 0 ? (await tx.query<RunFacts>(RUN, [tx.tenantId, runIds])).rows : [];
  const routes = await loadRoutes(tx, deps.registry);
  return {
    now,
    kills: await listKillSwitches(tx),
    runs: new Map(runs.map((run) => [run.id, run])),
    shadowed: await shadowedEscalations(
      tx,
      requests.map(({ escalation_id }) => escalation_id).filter((id) => id !== null),
    ),
    contexts,
    routes,
    templates,
    suppressions: await suppressionsOf(tx, addresses),
    consents: requests.some(isCustomerFacing) ? await consentsOf(tx, customers) : [],
    wishes,
    households,
    holds: await openHolds(tx, customers, contexts.today),
    settled: await settledCustomers(tx, customers, now),
    ceased: await ceasedCauses(
      tx,
      requests.flatMap(({ run_id, customer_id }) => (run_id && customer_id ? [{ id: run_id, customer_id }] : [])),
    ),
    unhappy: requests.some((request) => request.class === 'marketing') ? await unhappyOf(tx, customers) : new Map(),
    inSession: await wroteOnWhatsApp(
      tx,
      requests.filter((request) => request.kind === 'send_whatsapp').map((request) => request.customer_id),
      now,
    ),
    touches: marketing
      ? await touchesSince(
          tx,
          [...new Set([...customers, ...households.everybody])],
          companies,
          new Date(now.getTime() - longest(caps, wishes) * 86_400_000),
        )
      : [],
    quietHours,
    regions: regionBook({ quietHours, holidays: await setting(tx, 'holidays') }, country),
    caps,
    zone,
    parked: await parkedConnections(tx, routes, requests),
    hashOf: (request) => deps.hash(tx.tenantId, request.channel, request.recipient),
  };
}

async function shadowedEscalations(tx: Tx, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await tx.query<{ id: string }>(
    'select e.id from escalation e join run r on r.tenant_id = e.tenant_id and r.id = e.run_id where e.tenant_id = $1 and e.id = any($2) and r.shadow',
    [tx.tenantId, ids],
  );
  return new Set(rows.map((row) => row.id));
}

/** The texts these requests are written from; undefined where that is known only later. */
function textsOf(requests: readonly RequestRow[], templates: readonly TemplateRow[]): string | undefined {
  if (requests.some(({ plan }) => plan.type === 'staff')) return undefined;
  const keys = new Set(requests.map(({ plan }) => (plan.type === 'message' ? plan.template : '')));
  return JSON.stringify([
    templates.filter(({ key }) => keys.has(key)),
    requests.map(({ plan }) => (plan.type === 'do' ? plan.input : '')),
  ]);
}

/** How long WhatsApp carries free text after the customer's last message (Twilio: "24-hour session"). */
const SESSION_MS = 24 * 3_600_000;

async function wroteOnWhatsApp(tx: Tx, customers: readonly (string | null)[], now: Date): Promise<Set<string>> {
  if (customers.length === 0) return new Set();
  const { rows } = await tx.query<{ customer_id: string }>(
    `select distinct customer_id from activity where tenant_id = $1 and customer_id = any($2) and channel = 'whatsapp' and direction = 'in' and occurred_at > $3`,
    [tx.tenantId, customers, new Date(now.getTime() - SESSION_MS)],
  );
  return new Set(rows.map((row) => row.customer_id));
}

/** Platforms that said "not before": known from the shared buckets. */
async function parkedConnections(tx: Tx, routes: Routes, requests: readonly RequestRow[]): Promise<Map<string, Date>> {
  const accounts = new Map<string, string>();
  for (const kind of new Set(requests.map((request) => request.kind))) {
    const route = routes.of(kind);
    if ('connection' in route)
      for (const budget of route.connector.limits)
        accounts.set(
          `${route.connector.id}:${budget.name}:${budget.scope === 'app' ? '*' : route.connection.account_id}`,
          route.connection.id,
        );
  }
  if (accounts.size === 0) return new Map();
  const { rows } = await tx.query<{ key: string; parked_until: Date }>(
    'select key, parked_until from rate_bucket where key = any($1) and parked_until is not null',
    [[...accounts.keys()]],
  );
  const parked = new Map<string, Date>();
  for (const row of rows) {
    const id = accounts.get(row.key)!;
    if (!parked.has(id) || parked.get(id)! < row.parked_until) parked.set(id, row.parked_until);
  }
  return parked;
}
