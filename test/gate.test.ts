import { expect, test } from 'vitest';
import { decide, explain, type Facts, GATES, type Verdict } from '../src/actions/gate.ts';
import type { ConsentRow } from '../src/consent/store.ts';

const NOW = new Date('2026-03-02T15:00:00Z');
const WINDOW = { days: [1, 2, 3, 4, 5, 6, 7], open: '09:00', close: '20:00' };

const consent = (more: Partial<ConsentRow>): ConsentRow =>
  ({
    customer_id: 'c',
    channel: 'email',
    topic: '*',
    class: 'marketing',
    state: 'granted',
    source: 'form',
    recorded_at: new Date('2026-01-01T00:00:00Z'),
    expires_at: null,
    ...more,
  }) as ConsentRow;

/** A marketing e-mail that every gate lets through. */
const open = (): Facts => ({
  now: NOW,
  request: {
    kind: 'send_email',
    channel: 'email',
    recipient: 'ann@example.com',
    class: 'marketing',
    topic: 'offers',
    step_id: 'first',
    visit: 1,
    stale_after: null,
    run_id: 'run',
  },
  killed: undefined,
  run: { state: 'waiting', step_id: 'first', visit: 1, waiting_for: 'action', sequenceState: 'active', exits: [] },
  exit: undefined,
  customerGone: false,
  route: { name: 'Mail', state: 'active', reason: null },
  addressProblem: undefined,
  suppression: undefined,
  consents: [consent({})],
  hold: undefined,
  unhappy: undefined,
  freshness: undefined,
  window: { window: WINDOW, zones: ['America/New_York'], source: 'explicit' },
  caps: undefined,
  parkedUntil: undefined,
  outsideSession: false,
  content: { ok: true },
});

/** One fact that closes each gate, in the order of the gates, with what must come out. */
const CLOSING: { gate: string; verdict: Verdict['kind']; reason: string; change: Partial<Facts> }[] = [
  {
    gate: 'kill switch',
    verdict: 'hold',
    reason: 'kill_switch',
    change: { killed: { scope: '*', reason: 'testing', set_by: 'user:1', set_at: NOW } },
  },
  {
    gate: 'enrolment',
    verdict: 'skip',
    reason: 'run_moved_on',
    change: {
      run: { state: 'done', step_id: 'last', visit: 1, waiting_for: null, sequenceState: 'active', exits: [] },
    },
  },
  { gate: 'exit rules', verdict: 'skip', reason: 'exit', change: { exit: 'nothing is overdue any more' } },
  { gate: 'identity and address', verdict: 'skip', reason: 'customer_gone', change: { customerGone: true } },
  {
    gate: 'suppression and consent',
    verdict: 'skip',
    reason: 'suppressed',
    change: { suppression: { scope: 'all', reason: 'stop_reply', since: NOW } },
  },
  {
    gate: 'pause of the customer',
    verdict: 'defer',
    reason: 'paused_by_customer',
    change: { pausedUntil: new Date('2026-03-20T15:00:00Z') },
  },
  {
    gate: 'promise or dispute',
    verdict: 'defer',
    reason: 'promise',
    change: { hold: { kind: 'promise', until: new Date('2026-03-10T05:00:00Z'), detail: 'promised' } },
  },
  { gate: 'unhappy', verdict: 'hold', reason: 'unhappy', change: { unhappy: 'Two complaints are open.' } },
  {
    gate: 'fresh data',
    verdict: 'hold',
    reason: 'billing_stale',
    change: { freshness: { ok: false, detail: 'Billing was not read since yesterday.' } },
  },
  {
    gate: 'staleness',
    verdict: 'hold',
    reason: 'stale',
    change: { request: { ...open().request, stale_after: new Date('2026-03-01T00:00:00Z') } },
  },
  { gate: 'channel session', verdict: 'skip', reason: 'outside_session', change: { outsideSession: true } },
  {
    gate: 'content',
    verdict: 'hold',
    reason: 'content_incomplete',
    change: { content: { ok: false, detail: 'There is no value for customer.name.' } },
  },
  {
    gate: 'ping-pong',
    verdict: 'skip',
    reason: 'ping_pong',
    change: { pingPong: 'Something at HubSpot set "jobtitle" back each time we wrote it.' },
  },
  {
    gate: 'quiet hours',
    verdict: 'defer',
    reason: 'quiet_hours',
    change: { window: { window: WINDOW, zones: ['Asia/Tokyo'], source: 'explicit' } },
  },
  {
    gate: 'frequency cap',
    verdict: 'defer',
    reason: 'frequency_cap',
    change: { caps: { detail: 'three already', freeAt: new Date('2026-03-03T15:00:00Z'), then: 'defer' } },
  },
  {
    gate: 'platform',
    verdict: 'hold',
    reason: 'connection_unusable',
    change: { route: { name: 'Mail', state: 'needs_reauthorisation', reason: 'the access was removed' } },
  },
  { gate: 'shadow', verdict: 'skip', reason: 'shadow', change: { shadow: true } },
];

test('gate: everything open lets it through', () => {
  expect(decide(open()).kind).toBe('allow');
});

test('gate: every gate has a fact here that closes it, in the order of the gates', () => {
  expect(CLOSING.map((entry) => entry.gate)).toEqual(GATES.map((gate) => gate.name));
});

test.each(CLOSING)('gate: $gate closes with $reason', ({ gate, verdict, reason, change }) => {
  const facts = { ...open(), ...change };
  const decision = decide(facts);
  expect(decision).toMatchObject({ kind: verdict, reason });
  // One closed gate is told as one closed gate, by name, with the same words as the decision.
  const closed = explain(facts).filter((entry) => entry.verdict.kind !== 'allow');
  expect(closed).toEqual([{ gate, verdict: decision }]);
});

test('gate: of two closed gates the earlier one decides', () => {
  for (const [at, first] of CLOSING.entries()) {
    for (const second of CLOSING.slice(at + 1)) {
      const decision = decide({ ...open(), ...second.change, ...first.change });
      expect(decision, `${first.gate} before ${second.gate}`).toMatchObject({ reason: first.reason });
    }
  }
});

test('gate: what waits has a moment at which it is looked at again, and it is later', () => {
  for (const { change } of CLOSING) {
    const decision = decide({ ...open(), ...change });
    if (decision.kind === 'defer' || decision.kind === 'hold')
      expect(decision.until.getTime()).toBeGreaterThan(NOW.getTime());
  }
});

test('gate: every verdict is a sentence with the fact behind it', () => {
  for (const { change } of CLOSING) {
    for (const { verdict } of explain({ ...open(), ...change })) expect(verdict.detail).toMatch(/^\S.{5,}[^:]$/s);
  }
});

const request = (more: Partial<Facts['request']>): Facts['request'] => ({ ...open().request, ...more });

test('consent: marketing without consent is silence', () => {
  expect(decide({ ...open(), consents: [] })).toMatchObject({ kind: 'skip', reason: 'no_consent' });
  expect(decide({ ...open(), consents: [consent({ channel: 'sms' })] })).toMatchObject({ reason: 'no_consent' });
  expect(decide({ ...open(), consents: [consent({ topic: 'news' })] })).toMatchObject({ reason: 'no_consent' });
  expect(decide({ ...open(), consents: [consent({ topic: 'offers' })] }).kind).toBe('allow');
  expect(decide({ ...open(), consents: [consent({ channel: '*' })] }).kind).toBe('allow');
});

test('consent: an expired consent is none', () => {
  expect(decide({ ...open(), consents: [consent({ expires_at: NOW })] })).toMatchObject({ reason: 'no_consent' });
});

test('consent: an objection beats any consent, of the topic and of everything', () => {
  for (const topic of ['*', 'offers'])
    expect(decide({ ...open(), consents: [consent({}), consent({ topic, state: 'denied' })] })).toMatchObject({
      kind: 'skip',
      reason: 'opted_out',
    });
  // Another topic was refused: this one goes on.
  expect(decide({ ...open(), consents: [consent({}), consent({ topic: 'news', state: 'denied' })] }).kind).toBe(
    'allow',
  );
});

test('consent: transactional needs none, and a refusal of marketing does not stop it', () => {
  const transactional = { ...open(), request: request({ class: 'transactional' }), consents: [] };
  expect(decide(transactional).kind).toBe('allow');
  expect(
    decide({ ...transactional, suppression: { scope: 'marketing', reason: 'unsubscribed', since: NOW } }).kind,
  ).toBe('allow');
  expect(decide({ ...transactional, suppression: { scope: 'all', reason: 'stop_reply', since: NOW } })).toMatchObject({
    reason: 'suppressed',
  });
});

test('consent: staff are told whatever a customer refused', () => {
  const internal = { ...open(), request: request({ class: 'internal' }), consents: [], window: undefined };
  expect(decide({ ...internal, suppression: { scope: 'all', reason: 'stop_reply', since: NOW } }).kind).toBe('allow');
});

test('enrolment: paused waits, moved on is over, another visit of the step is another message', () => {
  const run = open().run!;
  expect(decide({ ...open(), run: { ...run, sequenceState: 'paused' } })).toMatchObject({ reason: 'sequence_paused' });
  expect(decide({ ...open(), run: { ...run, state: 'paused' } })).toMatchObject({ kind: 'hold', reason: 'run_paused' });
  expect(decide({ ...open(), run: { ...run, visit: 2 } })).toMatchObject({ kind: 'skip', reason: 'run_moved_on' });
  expect(decide({ ...open(), run: undefined })).toMatchObject({ reason: 'run_ended' });
  expect(decide({ ...open(), run: undefined, request: request({ run_id: null }) }).kind).toBe('allow');
});

test('caps: transactional and internal messages are not capped', () => {
  const caps: Facts['caps'] = { detail: 'three', freeAt: new Date('2026-03-03T15:00:00Z'), then: 'skip' };
  expect(decide({ ...open(), caps })).toMatchObject({ kind: 'skip', reason: 'frequency_cap' });
  expect(decide({ ...open(), caps, request: request({ class: 'transactional' }) }).kind).toBe('allow');
});

test('quiet hours: an hour that suits every possible zone, or a person decides', () => {
  const zones = ['America/New_York', 'America/Los_Angeles'];
  const early = { ...open(), window: { window: WINDOW, zones, source: 'phone' as const } };
  // 10:00 in New York is 07:00 in Los Angeles.
  expect(decide(early)).toMatchObject({ kind: 'defer', until: new Date('2026-03-02T17:00:00Z') });
  const never = { ...WINDOW, open: '09:00', close: '10:00' };
  expect(decide({ ...open(), window: { window: never, zones, source: 'phone' as const } })).toMatchObject({
    kind: 'hold',
    reason: 'no_common_hours',
  });
});

test('platform: gone is final, unusable waits for a person, busy waits for its time', () => {
  expect(decide({ ...open(), route: { missing: 'no connected platform can send email' } })).toMatchObject({
    kind: 'skip',
    reason: 'no_connection',
  });
  expect(decide({ ...open(), route: { name: 'Mail', state: 'revoked', reason: null } })).toMatchObject({
    kind: 'skip',
  });
  const until = new Date('2026-03-02T15:05:00Z');
  expect(decide({ ...open(), parkedUntil: until })).toMatchObject({ kind: 'defer', reason: 'rate_limited', until });
  expect(decide({ ...open(), parkedUntil: NOW }).kind).toBe('allow');
});
