import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { optOutDeps } from '../src/actions/optouts.ts';
import { inTurn } from '../src/actions/sender.ts';
import { beginSending, handBack } from '../src/actions/sendings.ts';
import { optOut } from '../src/consent/optout.ts';
import { eventually } from './support/children.ts';
import { handlersOf } from './support/handlers.ts';
import { isWaiting, pausingAt } from './support/pauses.ts';
import { dispatch } from './support/sending.ts';
import { beginStory, type Customer, type Row, type Story } from './support/story.ts';

let story: Story;
/** The moment the gate lets a message through, and the moment a platform is called. */
const LET_THROUGH = /set state = 'committed'/;
const HANDED_OVER = /set state = 'sending'/;

beforeAll(async () => {
  // The test sends by hand, so that it stands between the steps of sending.
  story = await beginStory({
    vendors: ['hubspot', 'quickbooks', 'twilio', 'smtp'],
    roles: 'api,sync,engine',
    alwaysOpen: true,
  });
  await story.playbook('overdue-chase');
});
const paused = new Set<() => void>();
afterEach(() => {
  for (const go of paused) go();
  paused.clear();
  story.vendors.twilio.server.faults.clear();
});
afterAll(() => story?.end());

const sms = (customer: Customer): Promise<Row> =>
  story.plan('send_sms', { text: 'Your visit is at nine.' }, { customerId: customer.id, class: 'transactional' });

/** Sends up to a moment, and goes on when told to. */
async function sendingUpTo(moment: RegExp): Promise<() => Promise<void>> {
  const { deps } = story.hub;
  const { db, reached, go } = pausingAt(deps.db, moment);
  paused.add(go);
  const sent = handlersOf(story.hub, { ...deps, db }).get('dispatch')!({ tenantId: story.tenantId });
  await reached;
  return () => {
    go();
    return sent;
  };
}
/** The customer writes STOP. Twilio would refuse to send from then on; here only the hub is to stop it. */
async function stop({ phone }: Customer): Promise<void> {
  const { twilio } = story.vendors;
  const told = twilio.reply(phone, 'STOP');
  twilio.state.optedOut.delete(phone);
  await told;
}
const denials = (customer: Customer): Promise<Row[]> =>
  story.rows("select 1 from consent where tenant_id = $1 and customer_id = $2 and state = 'denied'", customer.id);
const denied = async (customer: Customer): Promise<Row> =>
  (await story.audit(customer)).find(({ action }) => action === 'consent.denied')!;

test('races: a STOP that comes while the gate decides waits for it, and leaves nothing behind that would still go out', async () => {
  const ann = await story.customer();
  const { id } = await sms(ann);
  const goOn = await sendingUpTo(LET_THROUGH);
  await stop(ann);
  await isWaiting(story);
  expect(await denials(ann)).toEqual([]);
  await goOn();
  await story.settle();
  // Whichever of the two was next: it was taken back, or a platform had it in hand and that is told.
  const { state } = await story.action(id);
  const sent = story.textsTo(ann).length;
  expect([state, sent]).toEqual(state === 'sent' ? ['sent', 1] : ['skipped', 0]);
  expect((await denied(ann)).data.cancelled).toBe(1 - sent);
});

test('races: a STOP between the gate and the platform takes the message back', async () => {
  const ann = await story.customer();
  const { id } = await sms(ann);
  const goOn = await sendingUpTo(HANDED_OVER);
  expect(await story.action(id)).toMatchObject({ state: 'committed' });
  await stop(ann);
  await story.settle();
  expect((await denied(ann)).data).toMatchObject({ cancelled: 1, inFlight: 0 });
  await goOn();
  expect(await story.action(id)).toMatchObject({ state: 'skipped', reason: 'opted_out' });
  expect(story.textsTo(ann)).toEqual([]);
});

test('races: what was taken and then not begun goes through the gate again, and a STOP of the meantime reaches it', async () => {
  const ann = await story.customer();
  const { id } = await sms(ann);
  const goOn = await sendingUpTo(HANDED_OVER);
  const lease = { owner: 'slow', until: new Date(story.hub.clock.now().getTime() + 60_000) };
  const now = story.hub.clock.now();
  const taken = await story.hub.db.tenant(story.tenantId, (tx) => beginSending(tx, [id], lease, now));
  expect(taken).toMatchObject([{ state: 'sending', attempts: 1 }]);
  await goOn();
  await stop(ann);
  await story.settle();
  // Only who took it gives it back.
  await story.hub.db.tenant(story.tenantId, (tx) => handBack(tx, [id], 'somebody', now));
  expect(await story.action(id)).toMatchObject({ state: 'sending' });
  await story.hub.db.tenant(story.tenantId, (tx) => handBack(tx, [id], 'slow', now));
  expect(await story.action(id)).toMatchObject({ state: 'committed', attempts: 0 });
  expect(await story.rows('select 1 from action_attempt where tenant_id = $1 and request_id = $2', id)).toEqual([]);
  await dispatch(story);
  expect(await story.action(id)).toMatchObject({ state: 'skipped', reason: 'suppressed' });
  expect(story.textsTo(ann)).toEqual([]);
});

test('races: of what was taken together, nothing begins any more once the time for it is over', async () => {
  const begun: number[] = [];
  let open = true;
  const { results, left } = await inTurn(
    [0, 1, 2, 3, 4, 5, 6],
    3,
    () => open,
    async (item) => {
      begun.push(item);
      await Promise.resolve();
      if (item === 3) open = false;
      return item * 10;
    },
  );
  // The first ones begin at once, whatever the time; what had begun comes to its end.
  expect(begun.slice(0, 3)).toEqual([0, 1, 2]);
  expect(results).toEqual(begun.map((item) => item * 10));
  expect([...begun, ...left]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(left.length).toBeGreaterThan(0);
  expect(
    await inTurn(
      [1, 2],
      3,
      () => false,
      async (item) => item,
    ),
  ).toEqual({ results: [1, 2], left: [] });
});

test('races: a STOP during the call cannot take it back, says so, and is obeyed from then on', async () => {
  const ann = await story.customer();
  const { id } = await sms(ann);
  let answer: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  story.vendors.twilio.server.faults.add({
    kind: 'rewrite',
    match: /^POST .*\/Messages\.json$/,
    rewrite: async (body: unknown) => {
      await held;
      return body;
    },
  });
  const sending = dispatch(story);
  await eventually(() => story.textsTo(ann)[0]);
  await stop(ann);
  await story.settle();
  expect((await denied(ann)).data).toMatchObject({ cancelled: 0, inFlight: 1 });
  answer();
  await sending;
  expect(await story.action(id)).toMatchObject({ state: 'sent' });
  const next = await sms(ann);
  await dispatch(story);
  expect(await story.action(next.id)).toMatchObject({ state: 'skipped', reason: 'suppressed' });
  expect(story.textsTo(ann)).toHaveLength(1);
});

test.each([
  ['is being decided', LET_THROUGH],
  ['was let through', HANDED_OVER],
])('races: a STOP from a number two people share stops the other one’s message that %s', async (_when, moment) => {
  const ann = await story.customer();
  const bob = await story.customer({ phone: ann.phone });
  expect(bob.id).not.toBe(ann.id);
  const { id } = await sms(bob);
  const goOn = await sendingUpTo(moment);
  await stop(ann);
  if (moment === LET_THROUGH) await isWaiting(story);
  else await story.settle();
  await goOn();
  await story.settle();
  const { state } = await story.action(id);
  const { data } = await denied(ann);
  expect([state, story.textsTo(bob).length]).toEqual(data.cancelled === 1 ? ['skipped', 0] : ['sent', 1]);
  if (moment === HANDED_OVER) expect(data).toMatchObject({ cancelled: 1, inFlight: 0 });
});

test.each(['their own number', 'a number somebody else has too'])(
  'races: a message is not let through while a STOP from %s is being written down',
  async (whose) => {
    const ann = await story.customer();
    const bob = whose === 'their own number' ? ann : await story.customer({ phone: ann.phone });
    let begun: () => void = () => {};
    let finish: () => void = () => {};
    const standing = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    paused.add(() => finish());
    const choice = {
      channel: 'sms',
      address: ann.phone,
      scope: 'all',
      reason: 'stop_reply',
      source: 'reply',
    } as const;
    const at = story.clock.now();
    const written = story.hub.db.tenant(story.tenantId, async (tx) => {
      await optOut(optOutDeps(story.hub.deps), tx, { ...choice, evidence: {}, at });
      begun();
      await held;
    });
    await standing;
    const { id } = await sms(bob);
    const sending = dispatch(story);
    await isWaiting(story);
    finish();
    await written;
    await sending;
    expect(await story.action(id)).toMatchObject({ state: 'skipped', reason: 'suppressed' });
    expect(story.textsTo(bob)).toEqual([]);
  },
);

test('races: in a storm of STOPs and senders, nobody who opted out has a message left that could go out', async () => {
  const people = await Promise.all(Array.from({ length: 12 }, () => story.customer()));
  for (const person of people) for (let n = 0; n < 3; n++) await sms(person);
  const broken: Row[] = [];
  let watching = true;
  const watcher = (async () => {
    while (watching)
      broken.push(
        ...(await story.rows(
          `select r.id from action_request r join consent c on c.tenant_id = r.tenant_id and c.customer_id = r.customer_id and c.channel = r.channel and c.state = 'denied'
           where r.tenant_id = $1 and r.channel = 'sms' and r.state in ('planned', 'committed')`,
        )),
      );
  })();
  const stopping = people.filter((_, n) => n % 2 === 0);
  await Promise.all([...Array.from({ length: 4 }, () => dispatch(story)), ...stopping.map(stop)]);
  await story.settle();
  await dispatch(story);
  watching = false;
  await watcher;
  expect(broken).toEqual([]);
  for (const person of people) {
    const states = (await story.actions(person)).map(({ state }) => state);
    expect(states.filter((state) => state === 'sent')).toHaveLength(story.textsTo(person).length);
    if (!stopping.includes(person)) expect(states).toEqual(['sent', 'sent', 'sent']);
    else expect(states.every((state) => state === 'sent' || state === 'skipped')).toBe(true);
  }
});

test.each(['*', 'channel:sms'])('races: the kill switch %s reaches what the gate had let through', async (scope) => {
  const ann = await story.customer();
  const { id } = await sms(ann);
  const goOn = await sendingUpTo(HANDED_OVER);
  await story.must('PUT', `/v1/kill-switches/${scope}`, { reason: 'stop everything' });
  await goOn();
  await dispatch(story);
  expect(await story.action(id)).toMatchObject({ state: 'planned', held: true, reason: 'kill_switch' });
  expect(story.textsTo(ann)).toEqual([]);
  await story.must('DELETE', `/v1/kill-switches/${scope}`);
  await dispatch(story);
  expect(await story.action(id)).toMatchObject({ state: 'sent' });
});

/** A customer whose first reminder is planned and due. */
const owing = (more: Row = {}): Promise<Customer> => story.chased({ owes: [100], ...more });

test.each([
  ['a payment', (ann: Customer) => story.pay(ann, 100), 'skipped'],
  ['an answer', (ann: Customer) => story.write(ann, 'What is this about?'), 'skipped'],
  ['a dispute', (ann: Customer) => story.must('POST', `/v1/customers/${ann.id}/disputes`, {}), 'planned'],
  [
    'a pause of the enrolment',
    async (ann: Customer) => {
      const { id } = await story.enrolment(ann);
      await story.must('POST', `/v1/enrolments/${id}/pause`, undefined, await story.version(`/v1/enrolments/${id}`));
    },
    'planned',
  ],
  [
    'a switch',
    () => story.must('PUT', '/v1/kill-switches/sequence:overdue-chase', { reason: 'wrong text' }),
    'planned',
  ],
] as const)('races: %s between the gate and the platform stops the reminder', async (_what, happens, state) => {
  const ann = await owing();
  const goOn = await sendingUpTo(HANDED_OVER);
  expect(await story.actions(ann)).toMatchObject([{ state: 'committed', channel: 'email' }]);
  await happens(ann);
  await goOn();
  await dispatch(story);
  expect(await story.actions(ann)).toMatchObject([{ state }]);
  expect(story.mailsTo(ann)).toEqual([]);
  await story.api('DELETE', '/v1/kill-switches/sequence:overdue-chase');
});

test('races: a payment that comes while the gate decides waits for it, and the reminder does not go out', async () => {
  const ann = await owing();
  const goOn = await sendingUpTo(LET_THROUGH);
  await story.vendors.quickbooks.pay(ann.invoices[0]!, 100);
  await isWaiting(story);
  const balance = async () =>
    (
      await story.rows(
        'select sum(balance)::int as owed from invoice where tenant_id = $1 and customer_id = $2',
        ann.id,
      )
    )[0]!;
  expect(await balance()).toEqual({ owed: 100 });
  await goOn();
  await story.settle();
  expect(await balance()).toEqual({ owed: 0 });
  const [{ state }] = (await story.actions(ann)) as [Row];
  expect([state, story.mailsTo(ann).length]).toEqual(state === 'sent' ? ['sent', 1] : ['skipped', 0]);
  expect(await story.enrolment(ann)).toMatchObject({ state: 'exited' });
});

test('races: a part payment between the gate and the platform changes what the reminder says', async () => {
  const ann = await owing({ owes: [100] });
  const goOn = await sendingUpTo(HANDED_OVER);
  await story.pay(ann, 30);
  await goOn();
  await dispatch(story);
  expect(story.mailsTo(ann).map(({ subject }) => subject)).toEqual([expect.stringContaining('$70.00')]);
});
