import type { Tx } from '../base/database.ts';
import { addDays, instantOf, localDate } from '../base/time.ts';
import type { RegionHours } from '../consent/regions.ts';
import type { SuppressionRow, TouchRow } from '../consent/store.ts';
import { zonesOf } from '../model/zones.ts';
import { endsBy } from '../sequences/causes.ts';
import { EXIT_WORDS } from '../sequences/endings.ts';
import type { HoldRow } from '../sequences/holds.ts';
import type { ExitRule } from '../sequences/schema.ts';
import { loadDefinition } from '../sequences/store.ts';
import type { MessageClass, Window } from '../settings/schema.ts';
import { TemplateError } from '../texts/render.ts';
import { capFact } from './caps.ts';
import type { LinkRow } from './content.schema.ts';
import { buildContent } from './content.ts';
import type { Person } from './context.ts';
import type { ActionDeps } from './deps.ts';
import type { Freshness } from './freshness.ts';
import { decide, type Facts, SHADOW, type Verdict } from './gate.ts';
import { keepLinks } from './links.ts';
import { isCustomerFacing, type Loaded, loadFacts } from './loaded.ts';
import type { Route } from './routing.ts';
import type { RequestRow } from './store.ts';
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
  return decideLoaded(deps, tx, await loadFacts(deps, tx, requests, now), requests, freshness);
}

/** The same by facts that were loaded before, at their moment: for whoever looks ahead at many moments. */
export async function decideLoaded(
  deps: ActionDeps,
  tx: Tx,
  loaded: Loaded,
  requests: readonly RequestRow[],
  freshness: ReadonlyMap<string, Freshness>,
): Promise<Decision[]> {
  const { now } = loaded;
  const reserved: TouchRow[] = [];
  const decisions: Decision[] = [];
  const links: LinkRow[] = [];
  for (const request of requests) {
    const person = request.customer_id ? loaded.contexts.people.get(request.customer_id) : undefined;
    const found = request.connection_id
      ? (loaded.routes.byConnection(request.connection_id, request.kind) ?? {
          missing: 'the connection does not exist any more',
        })
      : loaded.routes.of(request.kind);
    const route = 'connection' in found ? found : undefined;
    const { content, problem } = await contentOf(deps, tx, request, route, loaded, links);
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
    const passed = verdict.kind === 'allow' || (verdict.kind === 'skip' && verdict.reason === SHADOW);
    if (passed && person && isCustomerFacing(request)) {
      reserved.push({
        request_id: request.id,
        customer_id: person.id,
        company_id: person.company_id,
        channel: request.channel,
        class: request.class,
        at: now,
        shadow: facts.shadow ?? false,
      });
    }
    decisions.push({ request, facts, verdict, route, content, companyId: person?.company_id ?? null });
  }
  if (!deps.content.imagined) await keepLinks(tx, links);
  return decisions;
}

async function contentOf(
  deps: ActionDeps,
  tx: Tx,
  request: RequestRow,
  route: Route | undefined,
  loaded: Loaded,
  links: LinkRow[],
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
        links,
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
  const answers = request.plan.type === 'answer' ? request.plan.to : undefined;
  const run = request.run_id ? loaded.runs.get(request.run_id) : undefined;
  const definition = run ? await loadDefinition(tx, run.sequence_id, run.version) : undefined;
  const scopes = [
    '*',
    `channel:${request.channel}`,
    ...(run ? [`sequence:${run.sequence_key}`, `campaign:${run.campaign_id}`] : []),
  ];
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
      beside: request.plan.type === 'notice',
      sequenceState: run.sequence_state,
      exits: definition?.exits ?? [],
    },
    exit: endsBy(loaded.ceased.get(run?.id ?? ''), definition?.exits ?? [])
      ? EXIT_WORDS.subject_gone
      : facing
        ? exitOf(definition?.exits ?? [], request, loaded)
        : undefined,
    // Whoever writes HELP is answered, known or not.
    customerGone: facing && !(answers && !request.customer_id) && (!person || person.deleted_at !== null),
    route:
      'connection' in route
        ? { name: route.connection.name, state: route.connection.state, reason: route.connection.reason }
        : route,
    addressProblem:
      facing && request.recipient === '' ? `There is no ${request.channel} address of the customer.` : undefined,
    suppression: suppression && { scope: suppression.scope, reason: suppression.reason, since: suppression.created_at },
    consents: loaded.consents.filter((row) => row.customer_id === request.customer_id),
    pausedUntil: loaded.wishes.find((wish) => wish.customer_id === request.customer_id)?.paused_until ?? undefined,
    answers,
    hold: hold && holdFact(hold, loaded),
    unhappy: unhappyFact(request, loaded),
    freshness:
      facing && definition?.needs_fresh_billing
        ? (freshness.get(request.customer_id ?? '') ?? { ok: false, detail: 'Billing data was not checked.' })
        : undefined,
    // Whoever just answered a survey is awake, and waits for the reply.
    window: facing && person && !answers && !isReply(request) ? windowFact(request, person, loaded) : undefined,
    caps: request.class === 'marketing' && person ? capsOf(request, person, loaded, reserved) : undefined,
    parkedUntil: 'connection' in route ? loaded.parked.get(route.connection.id) : undefined,
    outsideSession:
      request.kind === 'send_whatsapp' &&
      !answers &&
      text.content?.template === undefined &&
      !loaded.inSession.has(request.customer_id ?? ''),
    content: text.problem === undefined ? { ok: true } : { ok: false, detail: text.problem },
    shadow: (run?.shadow ?? false) || loaded.shadowed.has(request.escalation_id ?? ''),
  };
}

const isReply = ({ plan }: RequestRow): boolean => plan.type === 'message' && plan.invitation !== undefined;

function suppressionOf(request: RequestRow, loaded: Loaded): SuppressionRow | undefined {
  return loaded.suppressions.find(
    (row) => row.channel === request.channel && row.address_hash.equals(loaded.hashOf(request)),
  );
}

function exitOf(exits: readonly ExitRule[], request: RequestRow, loaded: Loaded): string | undefined {
  if (exits.includes('invoices_settled') && loaded.settled.has(request.customer_id ?? ''))
    return EXIT_WORDS.invoices_settled;
  if (exits.includes('unhappy') && loaded.unhappy.has(request.customer_id ?? '')) return EXIT_WORDS.unhappy;
  return undefined;
}

/** Bad answers and open complaints win over every score; a later good answer, time or a person ends it. */
function unhappyFact(request: RequestRow, loaded: Loaded): string | undefined {
  const unhappy = loaded.unhappy.get(request.customer_id ?? '');
  if (!unhappy) return undefined;
  const why = unhappy.reason === 'complaint' ? 'a complaint is open' : 'the latest answer to a survey was bad';
  return `The customer is unhappy since ${unhappy.since}: ${why}. It goes out when that is settled or somebody clears it.`;
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

type Particular = { default?: Window; channels?: Record<string, Window> };

/** The most particular window there is for the channel and class, and what the person's region asks for. */
function windowFact(request: RequestRow, person: Person, loaded: Loaded): Facts['window'] {
  const { quietHours, regions, zone } = loaded;
  const messageClass = request.class as MessageClass;
  const { channel } = request;
  const ofClass = (quietHours.classes as Record<string, Particular> | undefined)?.[messageClass];
  const ofChannel = (quietHours.channels as Record<string, Window>)[channel];
  const window = ofClass?.channels?.[channel] ?? ofClass?.default ?? ofChannel ?? quietHours.default;
  return {
    window: regions.own(window, person, messageClass),
    ...zonesOf(person, zone),
    regions: [...regions.of(person, channel, messageClass), ...ofStep(request)],
  };
}

/** The hours the step itself allows. */
function ofStep({ plan }: RequestRow): RegionHours[] {
  if (plan.type !== 'message' || !plan.window) return [];
  const { open, close, weekdays = [1, 2, 3, 4, 5, 6, 7] } = plan.window;
  return [{ about: `${open}-${close} as the step says`, window: { open, close, days: weekdays } }];
}

function capsOf(
  request: RequestRow,
  person: Person,
  loaded: Loaded,
  reserved: readonly TouchRow[],
): ReturnType<typeof capFact> {
  // What is in shadow sees what others in shadow would have sent; what is real does not.
  const shadow = loaded.runs.get(request.run_id ?? '')?.shadow ?? false;
  return capFact({
    requestId: request.id,
    channel: request.channel,
    customerId: person.id,
    companyId: person.company_id,
    household: loaded.households.membersOf(person.id),
    wish: loaded.wishes.find((wish) => wish.customer_id === person.id),
    caps: loaded.caps,
    touches: [...loaded.touches, ...reserved].filter((touch) => shadow || !touch.shadow),
    now: loaded.now,
  });
}
