import { choiceOf } from '../consent/choice.ts';
import { CONFIRMATION } from '../consent/compliance.ts';
import type { RegionHours } from '../consent/regions.ts';
import type { ConsentRow } from '../consent/store.ts';
import { type Hours, nextOpenUnder } from '../consent/windows.ts';
import type { ZoneSource } from '../model/zones.ts';
import type { RequestRow } from './store.ts';
import type { KillSwitch } from './switches.ts';

/** What the gate says. A reason is a stable word; the detail is a sentence with the fact behind it. */
export type Verdict =
  | { kind: 'allow'; detail: string }
  | { kind: 'skip'; reason: string; detail: string }
  | { kind: 'defer'; reason: string; detail: string; until: Date }
  | { kind: 'hold'; reason: string; detail: string; until: Date };

/** Everything the gate looks at, loaded beforehand: the decision itself asks nobody. */
export interface Facts {
  now: Date;
  request: Pick<
    RequestRow,
    'kind' | 'channel' | 'recipient' | 'class' | 'topic' | 'step_id' | 'visit' | 'stale_after' | 'run_id'
  >;
  killed: KillSwitch | undefined;
  run:
    | {
        state: string;
        step_id: string;
        visit: number;
        waiting_for: string | null;
        sequenceState: string;
        exits: readonly string[];
        beside?: boolean; // It tells staff, and the enrolment does not wait for it.
      }
    | undefined;
  /** The rule that would end the run now, in words. */
  exit: string | undefined;
  /** Something must be left to ask for (a chase of nothing is no chase). */
  customerGone: boolean;
  route: { name: string; state: string; reason: string | null } | { missing: string };
  addressProblem: string | undefined;
  suppression: { scope: 'all' | 'marketing'; reason: string; since: Date } | undefined;
  consents: readonly ConsentRow[];
  /** Until when the customer wants no marketing. */
  pausedUntil?: Date | undefined;
  /** The word it answers; such an answer is no message of the business's own accord. */
  answers?: 'stop' | 'help' | undefined;
  hold: { kind: 'promise' | 'dispute'; until: Date; detail: string } | undefined;
  unhappy: string | undefined;
  freshness: { ok: boolean; detail: string } | undefined;
  window:
    | {
        window: Hours;
        zones: readonly string[];
        source: ZoneSource;
        /** Hours that hold beside the business's own, by the regions the person may be in. */
        regions?: readonly RegionHours[];
      }
    | undefined;
  caps: { detail: string; freeAt: Date; then: 'defer' | 'skip' } | undefined;
  parkedUntil: Date | undefined;
  /** Free text on a channel that only carries it shortly after the customer wrote. */
  outsideSession: boolean;
  content: { ok: true } | { ok: false; detail: string };
  /** Why it would only be set back: somebody else writes the same field. */
  pingPong?: string | undefined;
  /** Its enrolment is in shadow. */
  shadow?: boolean;
}

/** How long something that is held waits before the gate looks again by itself. */
const LOOK_AGAIN_MS = 10 * 60_000;

const allow = (detail: string): Verdict => ({ kind: 'allow', detail });

type Gate = { name: string; check: (facts: Facts) => Verdict };

const lookAgain = (facts: Facts): Date => new Date(facts.now.getTime() + LOOK_AGAIN_MS);

/** The reason of what would have gone out, but for the shadow. */
export const SHADOW = 'shadow';

/** In this order, for every channel, for sending, for "why not?" and for the forecast. */
export const GATES: readonly Gate[] = [
  {
    name: 'kill switch',
    check: (facts) =>
      facts.killed
        ? {
            kind: 'hold',
            reason: 'kill_switch',
            detail: `Switched off (${facts.killed.scope}) by ${facts.killed.set_by}: ${facts.killed.reason}`,
            until: lookAgain(facts),
          }
        : allow('Nothing is switched off.'),
  },
  { name: 'enrolment', check: enrolmentGate },
  {
    name: 'exit rules',
    check: (facts) =>
      facts.exit
        ? { kind: 'skip', reason: 'exit', detail: `The enrolment ends: ${facts.exit}.` }
        : allow('No exit rule applies.'),
  },
  { name: 'identity and address', check: addressGate },
  { name: 'suppression and consent', check: consentGate },
  { name: 'pause of the customer', check: pauseGate },
  {
    name: 'promise or dispute',
    check: (facts) =>
      facts.hold
        ? { kind: 'defer', reason: facts.hold.kind, detail: facts.hold.detail, until: facts.hold.until }
        : allow('No promise or dispute is open.'),
  },
  {
    name: 'unhappy',
    check: (facts) =>
      facts.unhappy && facts.request.class === 'marketing'
        ? { kind: 'hold', reason: 'unhappy', detail: facts.unhappy, until: lookAgain(facts) }
        : allow('The customer is not marked unhappy.'),
  },
  {
    name: 'fresh data',
    check: (facts) =>
      facts.freshness && !facts.freshness.ok
        ? { kind: 'hold', reason: 'billing_stale', detail: facts.freshness.detail, until: lookAgain(facts) }
        : allow(facts.freshness?.detail ?? 'It does not depend on billing data.'),
  },
  {
    name: 'staleness',
    check: (facts) =>
      facts.request.stale_after && facts.now > facts.request.stale_after
        ? {
            kind: 'hold',
            reason: 'stale',
            detail: `It should have gone out before ${facts.request.stale_after.toISOString()}; a person decides whether it still should.`,
            until: new Date(facts.now.getTime() + 86_400_000),
          }
        : allow('It is not too late for it.'),
  },
  {
    name: 'channel session',
    check: (facts) =>
      facts.outsideSession
        ? {
            kind: 'skip',
            reason: 'outside_session',
            detail:
              "WhatsApp carries free text only within 24 hours of the customer's last message; otherwise the text needs an approved template.",
          }
        : allow('The channel carries it now.'),
  },
  {
    name: 'content',
    check: (facts) =>
      facts.content.ok
        ? allow('The text is complete.')
        : { kind: 'hold', reason: 'content_incomplete', detail: facts.content.detail, until: lookAgain(facts) },
  },
  {
    name: 'ping-pong',
    check: (facts) =>
      facts.pingPong
        ? { kind: 'skip', reason: 'ping_pong', detail: facts.pingPong }
        : allow('Nobody sets it back each time.'),
  },
  { name: 'quiet hours', check: windowGate },
  {
    name: 'frequency cap',
    check: (facts) => {
      if (!facts.caps || facts.request.class !== 'marketing')
        return allow(facts.request.class === 'marketing' ? 'No cap is reached.' : 'Caps do not block this class.');
      return facts.caps.then === 'skip'
        ? { kind: 'skip', reason: 'frequency_cap', detail: facts.caps.detail }
        : waitOrSkip(facts, 'frequency_cap', facts.caps.detail, facts.caps.freeAt);
    },
  },
  { name: 'platform', check: platformGate },
  {
    name: 'shadow',
    check: (facts) =>
      facts.shadow
        ? { kind: 'skip', reason: SHADOW, detail: 'In shadow: it would have gone out now; nothing was sent.' }
        : allow('It is meant for real.'),
  },
];

function enrolmentGate(facts: Facts): Verdict {
  const { run, request } = facts;
  if (!request.run_id) return allow('It belongs to no sequence.');
  if (!run) return { kind: 'skip', reason: 'run_ended', detail: 'The enrolment does not exist any more.' };
  if (run.sequenceState === 'paused')
    return { kind: 'hold', reason: 'sequence_paused', detail: 'The sequence is paused.', until: lookAgain(facts) };
  if (run.state === 'paused')
    return { kind: 'hold', reason: 'run_paused', detail: 'The enrolment is paused.', until: lookAgain(facts) };
  const here = run.state === 'waiting' && run.step_id === request.step_id && run.visit === request.visit;
  return run.beside || here
    ? allow(`The enrolment waits on step ${run.step_id}.`)
    : {
        kind: 'skip',
        reason: 'run_moved_on',
        detail: `The enrolment is not on this step any more (${run.state}, ${run.step_id}).`,
      };
}

function addressGate(facts: Facts): Verdict {
  if (facts.customerGone) return { kind: 'skip', reason: 'customer_gone', detail: 'The customer was deleted.' };
  if (facts.addressProblem) return { kind: 'skip', reason: 'no_address', detail: facts.addressProblem };
  return allow(`It goes to ${facts.request.recipient}.`);
}

/** Objection beats everything; marketing needs more than silence. */
function consentGate(facts: Facts): Verdict {
  const { request, suppression, consents, now } = facts;
  if (request.class === 'internal') return allow('Staff are told without asking.');
  const { channel, class: messageClass, topic, recipient } = request;
  if (facts.answers === 'stop' && suppression?.reason === 'stop_reply' && now <= confirmableUntil(suppression.since))
    return allow(`One confirmation of the STOP is allowed (${CONFIRMATION.source}).`);
  const choice = choiceOf({ channel, class: messageClass, topic, recipient, suppression, consents, now });
  return choice.allowed ? allow(choice.detail) : { kind: 'skip', reason: choice.reason, detail: choice.detail };
}

const confirmableUntil = (since: Date): Date => new Date(since.getTime() + CONFIRMATION.value.minutes * 60_000);

/** What would wait until after it is too late is left out now, with the reason it had to wait for. */
const waitOrSkip = (facts: Facts, reason: string, detail: string, until: Date): Verdict => {
  const last = facts.request.stale_after;
  return last && until > last
    ? { kind: 'skip', reason, detail: `${detail} By then it would be too late for it.` }
    : { kind: 'defer', reason, detail, until };
};

/** A pause people ask for themselves; it ends by itself. */
function pauseGate(facts: Facts): Verdict {
  const { pausedUntil, request, now } = facts;
  if (!pausedUntil || pausedUntil <= now || request.class !== 'marketing')
    return allow('The customer did not ask for a pause.');
  const detail = `The customer asked for a pause until ${pausedUntil.toISOString().slice(0, 10)}.`;
  return waitOrSkip(facts, 'paused_by_customer', detail, pausedUntil);
}

function windowGate(facts: Facts): Verdict {
  if (!facts.window) return allow('It has no quiet hours.');
  const { window, zones, source, regions = [] } = facts.window;
  const where = zones.length > 3 ? `${zones.length} possible zones` : zones.join(' and ');
  const own = `${window.open}-${window.close} in ${where} (from ${source})`;
  const laws =
    regions.length > 3 ? `the hours of ${regions.length} regions` : regions.map(({ about }) => about).join(', ');
  const hours = laws ? `${own} and ${laws}` : own;
  const open = nextOpenUnder(facts.now, [
    { zones, window },
    ...regions.map((region) => ({ zones, window: region.window })),
  ]);
  if (!open)
    return { kind: 'hold', reason: 'no_common_hours', detail: `No moment suits ${hours}.`, until: lookAgain(facts) };
  return open.getTime() === facts.now.getTime()
    ? allow(`Within ${hours}.`)
    : { kind: 'defer', reason: 'quiet_hours', detail: `Outside ${hours}.`, until: open };
}

function platformGate(facts: Facts): Verdict {
  const { route } = facts;
  if ('missing' in route)
    return {
      kind: 'skip',
      reason: 'no_connection',
      detail: `${route.missing[0]!.toUpperCase()}${route.missing.slice(1)}.`,
    };
  if (route.state === 'revoked')
    return { kind: 'skip', reason: 'no_connection', detail: `${route.name} was disconnected.` };
  if (route.state !== 'active')
    return {
      kind: 'hold',
      reason: 'connection_unusable',
      detail: `${route.name} cannot be used: ${route.reason ?? route.state}`,
      until: lookAgain(facts),
    };
  if (facts.parkedUntil && facts.parkedUntil > facts.now)
    return {
      kind: 'defer',
      reason: 'rate_limited',
      detail: `${route.name} takes no more calls until ${facts.parkedUntil.toISOString()}.`,
      until: facts.parkedUntil,
    };
  return allow(`${route.name} is ready.`);
}

/** The decision: the first gate that does not allow. */
export function decide(facts: Facts): Verdict {
  for (const gate of GATES) {
    const verdict = gate.check(facts);
    if (verdict.kind !== 'allow') return verdict;
  }
  return allow('Every gate is open.');
}

/** Every gate with what it says, for "why" and "why not". */
export const explain = (facts: Facts): { gate: string; verdict: Verdict }[] =>
  GATES.map((gate) => ({ gate: gate.name, verdict: gate.check(facts) }));
