import type { Tx } from '../base/database.ts';
import { addDays, instantOf, localDate } from '../base/time.ts';
import {
  type ConsentRow,
  consentsOf,
  type SuppressionRow,
  suppressionsOf,
  type TouchRow,
  touchesSince,
} from '../consent/store.ts';
import { zonesOf } from '../consent/zones.ts';
import { EXIT_WORDS, settledCustomers } from '../sequences/exits.ts';
import { type HoldRow, openHolds } from '../sequences/holds.ts';
import type { ExitRule } from '../sequences/schema.ts';
import { listTemplates, loadDefinition, type TemplateRow } from '../sequences/store.ts';
import type { Cap, SettingValue } from '../settings/schema.ts';
import { setting } from '../settings/store.ts';
import { buildContent } from './content.ts';
import { type Contexts, loadContexts, type Person } from './context.ts';
import type { ActionDeps } from './deps.ts';
import type { Freshness } from './freshness.ts';
import { decide, type Facts, type Verdict } from './gate.ts';
import { loadRoutes, type Route, type Routes } from './routing.ts';
import { type KillSwitch, listKillSwitches, type RequestRow } from './store.ts';
import { TemplateError } from './templates.ts';

/** What the gate decided about one request, with what it looked at. */
export interface Decision {
  request: RequestRow;
  facts: Facts;
  verdict: Verdict;
  route: Route | undefined;
  content: Record<string, unknown> | undefined;
  companyId: string | null;
}

interface RunFacts {
  id: string;
  state: string;
  step_id: string;
  visit: number;
  waiting_for: string | null;
  sequence_id: string;
  version: number;
  sequence_key: string;
  sequence_state: string;
}

/** Everything the decisions of a batch need, in a handful of queries. */
interface Loaded {
  now: Date;
  kills: KillSwitch[];
  runs: Map<string, RunFacts>;
  contexts: Contexts;
  routes: Routes;
  templates: TemplateRow[];
  suppressions: SuppressionRow[];
  consents: ConsentRow[];
  holds: HoldRow[];
  settled: Set<string>;
  touches: TouchRow[];
  quietHours: SettingValue<'quietHours'>;
  caps: SettingValue<'caps'>;
  zone: string;
  parked: Map<string, Date>;
  hashOf: (request: Pick<RequestRow, 'channel' | 'recipient'>) => Buffer;
}

const RUN = `select r.id, r.state, r.step_id, r.visit, r.waiting_for, r.sequence_id, r.version, s.key as sequence_key, s.state as sequence_state
  from run r join sequence s on s.tenant_id = r.tenant_id and s.id = r.sequence_id where r.tenant_id = $1 and r.id = any($2) order by r.id`;

const isCustomerFacing = (request: Pick<RequestRow, 'class'>): boolean => request.class !== 'internal';

/** Longest window any cap looks back over. */
const longest = (caps: SettingValue<'caps'>): number =>
  Math.max(1, ...[...caps.marketing, ...caps.marketingPerCompany].map((cap) => cap.days));

async function load(deps: ActionDeps, tx: Tx, requests: readonly RequestRow[], now: Date): Promise<Loaded> {
  const runIds = [...new Set(requests.map((request) => request.run_id).filter((id) => id !== null))];
  const customers = [...new Set(requests.map((request) => request.customer_id).filter((id) => id !== null))];
  const caps = await setting(tx, 'caps');
  const contexts = await loadContexts(tx, customers, now);
  const zone = (await setting(tx, 'business')).zone;
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
    contexts,
    routes,
    templates: requests.some((request) => request.plan.type === 'message') ? await listTemplates(tx) : [],
    suppressions: await suppressionsOf(tx, addresses),
    consents: requests.some((request) => request.class === 'marketing') ? await consentsOf(tx, customers) : [],
    holds: await openHolds(tx, customers, contexts.today),
    settled: await settledCustomers(tx, customers, now),
    touches: requests.some((request) => request.class === 'marketing')
      ? await touchesSince(tx, customers, companies, new Date(now.getTime() - longest(caps) * 86_400_000))
      : [],
    quietHours: await setting(tx, 'quietHours'),
    caps,
    zone,
    parked: await parkedConnections(tx, routes, requests),
    hashOf: (request) => deps.hash(tx.tenantId, request.channel, request.recipient),
  };
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

/**
 * Decides about a batch of requests. The same function answers sending, "why not?" and the forecast; who sends holds
 * the locks of the people and enrolments concerned.
 */
export async function decideBatch(
  deps: ActionDeps,
  tx: Tx,
  requests: readonly RequestRow[],
  now: Date,
  freshness: ReadonlyMap<string, Freshness>,
): Promise<Decision[]> {
  const loaded = await load(deps, tx, requests, now);
  const reserved: TouchRow[] = [];
  const decisions: Decision[] = [];
  for (const request of requests) {
    const person = request.customer_id ? loaded.contexts.people.get(request.customer_id) : undefined;
    const found = request.connection_id
      ? (loaded.routes.byConnection(request.connection_id, request.kind) ?? {
          missing: 'the connection does not exist any more',
        })
      : loaded.routes.of(request.kind);
    const route = 'connection' in found ? found : undefined;
    const { content, problem } = await contentOf(deps, tx, request, route, loaded);
    const facts = await factsOf(
      tx,
      request,
      person,
      route ?? (found as { missing: string }),
      problem,
      loaded,
      reserved,
      freshness,
    );
    const verdict = decide(facts);
    // What this batch lets through counts for the next one of the same person.
    if (verdict.kind === 'allow' && person && isCustomerFacing(request)) {
      reserved.push({
        request_id: request.id,
        customer_id: person.id,
        company_id: person.company_id,
        class: request.class,
        at: now,
      });
    }
    decisions.push({ request, facts, verdict, route, content, companyId: person?.company_id ?? null });
  }
  return decisions;
}

async function contentOf(
  deps: ActionDeps,
  tx: Tx,
  request: RequestRow,
  route: Route | undefined,
  loaded: Loaded,
): Promise<{ content?: Record<string, unknown>; problem?: string }> {
  if (!route) return {};
  try {
    return {
      content: await buildContent(deps.content, tx, {
        request,
        route,
        contexts: loaded.contexts,
        templates: loaded.templates,
        now: loaded.now,
      }),
    };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { problem: `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.` };
  }
}

async function factsOf(
  tx: Tx,
  request: RequestRow,
  person: Person | undefined,
  route: Route | { missing: string },
  contentProblem: string | undefined,
  loaded: Loaded,
  reserved: readonly TouchRow[],
  freshness: ReadonlyMap<string, Freshness>,
): Promise<Facts> {
  const facing = isCustomerFacing(request);
  const run = request.run_id ? loaded.runs.get(request.run_id) : undefined;
  const definition = run ? await loadDefinition(tx, run.sequence_id, run.version) : undefined;
  const scopes = ['*', `channel:${request.channel}`, ...(run ? [`sequence:${run.sequence_key}`] : [])];
  const suppression = facing ? suppressionOf(request, loaded) : undefined;
  const hold =
    definition?.respects_holds && facing
      ? loaded.holds.find((row) => row.customer_id === request.customer_id)
      : undefined;
  return {
    now: loaded.now,
    request,
    killed: loaded.kills.find((kill) => scopes.includes(kill.scope)),
    run: run && {
      state: run.state,
      step_id: run.step_id,
      visit: run.visit,
      waiting_for: run.waiting_for,
      sequenceState: run.sequence_state,
      exits: definition?.exits ?? [],
    },
    exit: facing ? exitOf(definition?.exits ?? [], request, loaded) : undefined,
    customerGone: facing && (!person || person.deleted_at !== null),
    route:
      'connection' in route
        ? { name: route.connection.name, state: route.connection.state, reason: route.connection.reason }
        : route,
    addressProblem:
      facing && request.recipient === '' ? `There is no ${request.channel} address of the customer.` : undefined,
    suppression: suppression && { scope: suppression.scope, reason: suppression.reason, since: suppression.created_at },
    consents: loaded.consents.filter((row) => row.customer_id === request.customer_id),
    hold: hold && holdFact(hold, loaded),
    // A fact of its own with history; set by surveys and complaints.
    unhappy: undefined,
    freshness:
      facing && definition?.needs_fresh_billing
        ? (freshness.get(request.customer_id ?? '') ?? { ok: false, detail: 'Billing data was not checked.' })
        : undefined,
    window: facing && person ? windowFact(request, person, loaded) : undefined,
    caps: request.class === 'marketing' && person ? capFact(request.id, person, loaded, reserved) : undefined,
    parkedUntil: 'connection' in route ? loaded.parked.get(route.connection.id) : undefined,
    content: contentProblem === undefined ? { ok: true } : { ok: false, detail: contentProblem },
  };
}

function suppressionOf(request: RequestRow, loaded: Loaded): SuppressionRow | undefined {
  return loaded.suppressions.find(
    (row) => row.channel === request.channel && row.address_hash.equals(loaded.hashOf(request)),
  );
}

function exitOf(exits: readonly ExitRule[], request: RequestRow, loaded: Loaded): string | undefined {
  if (exits.includes('invoices_settled') && loaded.settled.has(request.customer_id ?? ''))
    return EXIT_WORDS.invoices_settled;
  return undefined;
}

function holdFact(hold: HoldRow, loaded: Loaded): NonNullable<Facts['hold']> {
  const detail =
    hold.kind === 'promise'
      ? `The customer promised to pay on ${hold.promised_on}; it waits until ${hold.until_on} is over.`
      : `A dispute is open (${hold.owner} takes care of it).`;
  // A dispute ends when it is closed, which nobody knows beforehand: look once a day.
  const until =
    hold.kind === 'promise'
      ? instantOf(addDays(hold.until_on, 1), '00:00', loaded.zone)
      : instantOf(addDays(localDate(loaded.now, loaded.zone), 1), '00:00', loaded.zone);
  return { kind: hold.kind, until, detail };
}

function windowFact(request: RequestRow, person: Person, loaded: Loaded): NonNullable<Facts['window']> {
  const channels = loaded.quietHours.channels as Record<string, SettingValue<'quietHours'>['default']>;
  return { window: channels[request.channel] ?? loaded.quietHours.default, ...zonesOf(person, loaded.zone) };
}

/** Whether one more marketing message would be one too many, over rolling windows, for the person and the company. */
function capFact(requestId: string, person: Person, loaded: Loaded, reserved: readonly TouchRow[]): Facts['caps'] {
  const all = [...loaded.touches, ...reserved].filter(
    (touch) => touch.class === 'marketing' && touch.request_id !== requestId,
  );
  const check = (caps: readonly Cap[], touches: readonly TouchRow[], whom: string): Facts['caps'] => {
    for (const cap of caps) {
      const since = loaded.now.getTime() - cap.days * 86_400_000;
      const within = touches.map((touch) => touch.at.getTime()).filter((at) => at > since);
      if (within.length < cap.messages) continue;
      // A place becomes free when the oldest of those that fill the cap leaves the window.
      const oldest = within.sort((a, b) => a - b)[within.length - cap.messages];
      const freeAt = new Date((oldest ?? loaded.now.getTime()) + cap.days * 86_400_000 + 1);
      return {
        detail: `${whom} already had ${within.length} marketing messages in ${cap.days} days; at most ${cap.messages} are allowed.`,
        freeAt,
        then: cap.then,
      };
    }
    return undefined;
  };
  const own = all.filter((touch) => touch.customer_id === person.id);
  const company = person.company_id ? all.filter((touch) => touch.company_id === person.company_id) : [];
  return (
    check(loaded.caps.marketing, own, 'The customer') ??
    (person.company_id ? check(loaded.caps.marketingPerCompany, company, 'The company') : undefined)
  );
}
