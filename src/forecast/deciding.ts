import { addressOf, KIND_OF_CHANNEL } from '../actions/channels.ts';
import { CHANNEL_CLOSED } from '../actions/ending.ts';
import { decideLoaded } from '../actions/facts.ts';
import type { Freshness } from '../actions/freshness.ts';
import { imaginedRequest } from '../actions/imagined.ts';
import { isCustomerFacing, type Loaded, loadFacts } from '../actions/loaded.ts';
import type { RequestRow } from '../actions/store.ts';
import { localDate } from '../base/time.ts';
import type { TouchRow } from '../consent/store.ts';
import { RUNNING } from '../sequences/runs.ts';
import type { Definition } from '../sequences/schema.ts';
import { CHANNELS, type Channel } from '../settings/schema.ts';
import type { Traveller, Turn, World } from './world.ts';

/** Before a real sending the invoices are read again; looking ahead takes them as they are. */
const FRESH: Freshness = { ok: true, detail: 'The invoices are read again just before sending.' };
const ALWAYS_FRESH = { get: () => FRESH } as unknown as ReadonlyMap<string, Freshness>;

/** What the gate looks at, of one customer. */
interface Own {
  loaded: Loaded;
  consents: Loaded['consents'];
  holds: Loaded['holds'];
  wishes: Loaded['wishes'];
  suppressions: Loaded['suppressions'];
}

/**
 * What the gate looks at, by its own loader, for one day of the business after the other: facts with a date (what is
 * overdue, what is promised) are those of that day. Messages that will have gone out by then count for the caps.
 */
export class Days {
  readonly #world: World;
  #day = '';
  #own = new Map<string, Own>();
  #runs = new Set<string>();
  /** Messages on the way so far, by whom they count for. */
  readonly #touches = new Map<string, TouchRow[]>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Facts for these requests at a moment, one after the other. Everybody with something to do that day is loaded at once. */
  async of(requests: readonly RequestRow[], now: Date): Promise<(request: RequestRow) => Loaded> {
    const { zone, agenda } = this.#world;
    const day = localDate(now, zone);
    if (day !== this.#day) {
      this.#day = day;
      this.#own = new Map();
      this.#runs = new Set();
    }
    const isKnown = ({ customer_id: id, run_id: run }: Pick<RequestRow, 'customer_id' | 'run_id'>): boolean =>
      (id === null || this.#own.has(id)) && (run === null || this.#runs.has(run));
    const missing = new Set(requests.flatMap((request) => (isKnown(request) ? [] : (request.customer_id ?? []))));
    if (missing.size > 0) {
      for (const turn of agenda.before(now.getTime() + 86_400_000)) {
        const id = customerOf(turn);
        if (id && !this.#own.has(id)) missing.add(id);
      }
      await this.#load(missing, now);
    }
    return (request) => this.#facts(request, now);
  }

  async #load(customers: ReadonlySet<string>, now: Date): Promise<void> {
    const { deps, tx, people } = this.#world;
    const asked = [...customers].flatMap((id) => {
      const person = people.get(id);
      // Every channel: which of them it will be is told by the steps.
      return CHANNELS.flatMap((channel) => {
        const recipient = person && addressOf(person, channel);
        return recipient ? [{ id, channel, recipient }] : [];
      });
    });
    const requests = [
      ...asked.map((one) => anyRequest({ ...one, run: null, template: '' }, now)),
      ...this.#aboutRuns(customers, now),
    ];
    const loaded = await loadFacts(deps, tx, requests, now);
    const consents = Map.groupBy(loaded.consents, (row) => row.customer_id);
    const holds = Map.groupBy(loaded.holds, (row) => row.customer_id);
    const wishes = Map.groupBy(loaded.wishes, (row) => row.customer_id);
    const closed = Map.groupBy(loaded.suppressions, (row) => `${row.channel} ${row.address_hash.toString('hex')}`);
    const addresses = Map.groupBy(asked, ({ id }) => id);
    for (const row of loaded.touches) this.#keep(row);
    for (const id of customers)
      this.#own.set(id, {
        ...{ loaded, consents: consents.get(id) ?? [], holds: holds.get(id) ?? [], wishes: wishes.get(id) ?? [] },
        suppressions: (addresses.get(id) ?? []).flatMap(
          ({ channel, recipient }) =>
            closed.get(`${channel} ${deps.hash(tx.tenantId, channel, recipient).toString('hex')}`) ?? [],
        ),
      });
  }

  /** Enrolments of these customers, and every text one of them may need. */
  #aboutRuns(customers: ReadonlySet<string>, now: Date): RequestRow[] {
    const seen = new Set<unknown>();
    return [...this.#world.travellers.values()].flatMap(({ run, definition, stuck }) => {
      if (stuck || !RUNNING.includes(run.state) || !customers.has(run.customer_id)) return [];
      this.#runs.add(run.id);
      const keys = seen.has(definition) ? [''] : [...templatesOf(definition), ''];
      seen.add(definition);
      const about = { id: run.customer_id, channel: 'email' as const, recipient: '', run: run.id };
      return keys.map((template) => anyRequest({ ...about, template }, now));
    });
  }

  #facts(request: RequestRow, now: Date): Loaded {
    const { loaded, ...own } = this.#own.get(request.customer_id ?? '')!;
    const person = loaded.contexts.people.get(request.customer_id ?? '');
    const around = [...loaded.households.membersOf(request.customer_id ?? ''), `company ${person?.company_id}`];
    const touches = request.class === 'marketing' ? around.flatMap((id) => this.#touches.get(id) ?? []) : [];
    const traveller = this.#world.travellers.get(request.run_id ?? '');
    const runs: Loaded['runs'] = new Map();
    if (traveller) {
      const { run, key, sequenceState } = traveller;
      const { id, state, step_id, visit, waiting_for, sequence_id, version, campaign_id } = run;
      const about = { sequence_key: key, sequence_state: sequenceState, shadow: false };
      runs.set(id, { ...{ id, state, step_id, visit, waiting_for, sequence_id, version, campaign_id }, ...about });
    }
    return { ...loaded, ...own, now, touches, runs };
  }

  /** A message that goes out counts from now on. */
  count(request: RequestRow, now: Date): void {
    const own = this.#own.get(request.customer_id ?? '');
    const company_id = own?.loaded.contexts.people.get(request.customer_id ?? '')?.company_id ?? null;
    const { id: request_id, customer_id, channel, class: of } = request;
    this.#keep({
      ...{ request_id, customer_id: customer_id!, company_id, channel, class: of, at: now, shadow: false },
    });
  }

  #keep(row: TouchRow): void {
    for (const key of [row.customer_id, ...(row.company_id ? [`company ${row.company_id}`] : [])]) {
      const own = this.#touches.get(key);
      if (!own) this.#touches.set(key, [row]);
      else if (!own.some(({ request_id }) => request_id === row.request_id)) own.push(row);
    }
  }
}

function customerOf(turn: Turn): string | null {
  if (turn.kind === 'arrival') return turn.arrival.customerId;
  if (turn.kind === 'wake') return turn.traveller.run.customer_id;
  return turn.kind === 'request' ? turn.request.customer_id : null;
}

/** A request for everything the gate's loader loads for one. */
const anyRequest = (
  one: { id: string; channel: Channel; recipient: string; run: string | null; template: string },
  now: Date,
): RequestRow =>
  imaginedRequest(
    {
      ...{ kind: KIND_OF_CHANNEL[one.channel], channel: one.channel, recipient: one.recipient, run_id: one.run },
      ...{ class: 'marketing', topic: null, customer_id: one.id },
      plan: { type: 'message', template: one.template, then: [] },
    },
    now,
  );

const templatesOf = ({ steps }: Definition): string[] => [
  ...new Set(
    steps.flatMap((step) =>
      'message' in step ? [step.message.template] : 'survey' in step ? [step.survey.template] : [],
    ),
  ),
];

type Asked = Extract<Turn, { kind: 'request' }>;
type Outcome = { traveller: Traveller; outcome: string; detail: string | null };

/** Takes what is due through the gate, the most important first. @returns what came of steps by that */
export async function decideTurns(world: World, days: Days, turns: readonly Turn[], now: Date): Promise<Outcome[]> {
  const asked = turns
    .filter((turn): turn is Asked => turn.kind === 'request')
    .filter(({ traveller }) => !traveller || isOpen(traveller))
    .sort((a, b) => b.request.priority - a.request.priority);
  const facts = await days.of(
    asked.map(({ request }) => request),
    now,
  );
  const outcomes: Outcome[] = [];
  for (const turn of asked) {
    const outcome = isCustomerFacing(turn.request)
      ? await decideOne(world, days, turn, facts(turn.request), now)
      : await done(world, facts(turn.request), turn, now);
    if (outcome && turn.traveller) outcomes.push({ traveller: turn.traveller, ...outcome });
  }
  return outcomes;
}

const isOpen = ({ run, stuck }: Traveller): boolean => !stuck && (run.state === 'waiting' || run.state === 'active');

/** What is done natively or told to staff is taken as done. */
async function done(
  world: World,
  loaded: Loaded,
  { request, traveller }: Asked,
  now: Date,
): Promise<Omit<Outcome, 'traveller'> | undefined> {
  if (world.exact) {
    const [decision] = await decideLoaded(world.deps, world.tx, loaded, [request], ALWAYS_FRESH);
    world.witness.decided?.(traveller, decision!, now);
  }
  world.internal.push(comingOf(request, traveller, now, world.zone));
  if (request.plan.type === 'notice') return undefined;
  return { outcome: 'sent', detail: null };
}

const comingOf = (request: RequestRow, traveller: Traveller | undefined, at: Date, zone: string) => ({
  ...{ at, on: localDate(at, traveller?.run.zone ?? zone), customerId: request.customer_id ?? '' },
  ...{ sequence: traveller?.key ?? '', runId: request.run_id ?? '', step: request.step_id ?? '' },
  ...{ channel: request.channel, class: request.class, kind: request.kind },
});

async function decideOne(
  world: World,
  days: Days,
  turn: Asked,
  loaded: Loaded,
  now: Date,
): Promise<Omit<Outcome, 'traveller'> | undefined> {
  const { deps, tx, agenda, witness } = world;
  const { request, traveller } = turn;
  const [decision] = await decideLoaded(deps, tx, loaded, [request], ALWAYS_FRESH);
  const { verdict } = decision!;
  witness.decided?.(traveller, decision!, now);
  switch (verdict.kind) {
    case 'allow':
      days.count(request, now);
      world.coming.push(comingOf(request, traveller, now, world.zone));
      return { outcome: 'sent', detail: null };
    case 'defer':
      agenda.add(verdict.until, { ...turn, request: { ...request, not_before: verdict.until } });
      return undefined;
    case 'hold':
      return hold(world, turn, verdict, now);
    case 'skip': {
      const next = CHANNEL_CLOSED.has(verdict.reason) ? otherChannel(world, request) : undefined;
      if (!next) return { outcome: 'skipped', detail: verdict.detail };
      agenda.add(now, { kind: 'request', request: imaginedRequest(next, now), traveller });
      return undefined;
    }
  }
}

/** The same message on the next channel that has an address. */
function otherChannel(world: World, request: RequestRow): RequestRow | undefined {
  if (request.plan.type !== 'message' || request.plan.then.length === 0) return undefined;
  const person = world.people.get(request.customer_id ?? '');
  const [channel, ...then] = request.plan.then;
  const recipient = person && addressOf(person, channel!);
  if (!recipient) return undefined;
  const kind = KIND_OF_CHANNEL[channel as keyof typeof KIND_OF_CHANNEL];
  return { ...request, kind, channel: channel!, recipient, plan: { ...request.plan, then } };
}

/** It waits for somebody: what comes after it cannot be told, unless whoever asks takes it as settled. */
function hold(
  world: World,
  { request, traveller }: Asked,
  verdict: { reason: string; detail: string },
  at: Date,
): Omit<Outcome, 'traveller'> | undefined {
  if (traveller) {
    const { reason, detail } = verdict;
    world.held.set(request.id, { traveller, step: request.step_id ?? '', reason, detail, at });
    if (world.settlesHolds) return { outcome: 'sent', detail: `taken as settled: ${detail}` };
    traveller.stuck = reason;
  }
  return undefined;
}
