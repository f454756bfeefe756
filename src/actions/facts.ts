import type { Tx } from '../base/database.ts';
import { addDays, instantOf, localDate } from '../base/time.ts';
import type { SuppressionRow, TouchRow } from '../consent/store.ts';
import { zonesOf } from '../model/zones.ts';
import { endsBy } from '../sequences/causes.ts';
import { EXIT_WORDS } from '../sequences/exits.ts';
import type { HoldRow } from '../sequences/holds.ts';
import type { ExitRule } from '../sequences/schema.ts';
import { loadDefinition } from '../sequences/store.ts';
import type { Cap, SettingValue } from '../settings/schema.ts';
import { buildContent } from './content.ts';
import type { Person } from './context.ts';
import type { ActionDeps } from './deps.ts';
import type { Freshness } from './freshness.ts';
import { decide, type Facts, type Verdict } from './gate.ts';
import { isCustomerFacing, type Loaded, loadFacts } from './loaded.ts';
import type { Route } from './routing.ts';
import type { RequestRow } from './store.ts';
import { TemplateError } from './templates.ts';
import { pingPongs } from './writes.ts';

/** What the gate decided about one request, with what it looked at. */
export interface Decision {
  request: RequestRow;
  facts: Facts;
  verdict: Verdict;
  route: Route | undefined;
  content: Record<string, unknown> | undefined;
  companyId: string | null;
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
  const loaded = await loadFacts(deps, tx, requests, now);
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
      { content, problem },
      loaded,
      reserved,
      freshness,
    );
    if (route && content) {
      const asked = { ...request, connection_id: route.connection.id, content };
      facts.pingPong = (await pingPongs(deps, tx, [asked])).get(request.id);
    }
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
  text: { content?: Record<string, unknown> | undefined; problem?: string | undefined },
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
    exit: endsBy(loaded.ceased.get(run?.id ?? ''), definition?.exits ?? [])
      ? EXIT_WORDS.subject_gone
      : facing
        ? exitOf(definition?.exits ?? [], request, loaded)
        : undefined,
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
    outsideSession:
      request.kind === 'send_whatsapp' &&
      text.content?.template === undefined &&
      !loaded.inSession.has(request.customer_id ?? ''),
    content: text.problem === undefined ? { ok: true } : { ok: false, detail: text.problem },
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
  // One that was let through before and is decided anew in this batch counts once.
  const all = [...new Map([...loaded.touches, ...reserved].map((touch) => [touch.request_id, touch])).values()].filter(
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
