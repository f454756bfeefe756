import { afterAll, beforeAll, expect, test } from 'vitest';
import { localDate } from '../src/base/time.ts';
import { beginCampaigns, type CampaignStory, MAIL, REST } from './support/campaigns.ts';
import { handlersOf } from './support/handlers.ts';
import { type Row, ZONE } from './support/story.ts';

let story: CampaignStory;

beforeAll(async () => {
  story = await beginCampaigns();
  await story.set('caps', { marketing: [], marketingPerCompany: [] });
});
afterAll(() => story?.end());

const hour = new Intl.DateTimeFormat('en', { timeZone: ZONE, hour: '2-digit', hourCycle: 'h23' });
const when = (at: string): string => `${localDate(new Date(at), ZONE)} ${hour.format(new Date(at))}`;
const counted = (rows: readonly Row[], of: (at: string) => string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { enteredAt } of rows) counts[of(enteredAt)] = (counts[of(enteredAt)] ?? 0) + 1;
  return counts;
};
const runsOf = (campaign: Row) =>
  story.rows('select * from run where tenant_id = $1 and campaign_id = $2', campaign.id);

test('campaigns: a list drips in by the hour and the day, over a change of clocks, each person once', async () => {
  await story.sequence('drip', REST);
  const ids = await story.crowd('drip', 30);
  const drip = { perHour: 4, percentPerDay: 30, holdoutPercent: 20 };
  const campaign = await story.campaign('drip', 'drip', { customers: ids }, drip);
  const preview = await story.preview(campaign);
  expect(preview).toMatchObject({ total: 30, perDay: 9, perHour: 4, refused: [], late: 0 });
  expect(preview.eligible + preview.heldOut).toBe(30);
  await story.start(campaign, preview);
  await story.live('2026-03-09T23:00:00Z');
  const members = (await story.members(campaign)).filter((one) => one.enteredAt);
  expect(counted(members, (at) => when(at).slice(0, 10))).toEqual({
    ...{ '2026-03-05': 9, '2026-03-06': 9, '2026-03-07': 9, '2026-03-08': 3 },
  });
  expect(counted(members, when)).toMatchObject({
    ...{ '2026-03-05 09': 4, '2026-03-05 10': 4, '2026-03-05 11': 1, '2026-03-06 08': 4 },
    // The clocks went forward in the night before.
    '2026-03-08 08': 3,
  });
  expect(await runsOf(campaign)).toHaveLength(preview.eligible);
  expect(await story.members(campaign, 'held_out')).toHaveLength(preview.heldOut);
  expect(await story.must('GET', `/v1/campaigns/${campaign.id}`)).toMatchObject({
    ...{ state: 'done', reason: 'Everybody on the list had their turn.' },
  });
  const fired = await story.rows(
    "select outcome, count(*)::int as n from occurrence where tenant_id = $1 and subject_id = $2 and trigger_name = 'promotion.activated' group by 1",
    campaign.id,
  );
  expect(fired).toEqual([{ outcome: 'started', n: preview.eligible }]);
});

test('campaigns: two workers at once and one after let nobody in twice', async () => {
  await story.sequence('twice', REST);
  const ids = await story.crowd('twice', 8);
  const campaign = await story.campaign('twice', 'twice', { customers: ids }, { percentPerDay: 100, perHour: 100 });
  await story.start(campaign);
  story.clock.advance(20 * 60_000);
  await Promise.all([story.tick(), story.tick(), story.tick()]);
  await story.live(new Date(story.clock.now().getTime() + 86_400_000).toISOString());
  await story.tick();
  expect(await runsOf(campaign)).toHaveLength(8);
  expect(await story.members(campaign, 'entered')).toHaveLength(8);
});

test('campaigns: after a pause, and after the hub stood still, nothing is made up for', async () => {
  await story.sequence('calm', REST);
  const ids = await story.crowd('calm', 20);
  story.clock.set('2026-03-12T14:00:00Z');
  const campaign = await story.campaign('calm', 'calm', { customers: ids }, { percentPerDay: 25, perHour: 3 });
  await story.start(campaign);
  await story.live('2026-03-12T14:50:00Z');
  await story.act(campaign, 'pause', { reason: 'a mistake in the text' });
  story.clock.set('2026-03-15T14:10:00Z');
  await story.tick();
  expect(await story.members(campaign, 'entered')).toHaveLength(3);
  const running = await story.act(campaign, 'resume');
  expect(running).toMatchObject({ state: 'running', reason: null });
  await story.live('2026-03-15T14:59:59Z');
  expect(counted(await story.members(campaign, 'entered'), when)).toEqual({ '2026-03-12 10': 3, '2026-03-15 10': 2 });
  // The hub stands still for two days: the turns of those days are gone.
  story.clock.set('2026-03-17T16:30:00Z');
  await story.live('2026-03-20T23:00:00Z');
  const byDay = counted(await story.members(campaign, 'entered'), (at) => when(at).slice(0, 10));
  expect(Object.values(byDay).every((n) => n <= 5)).toBe(true);
  expect(byDay['2026-03-17']).toBe(5);
  expect(Object.values(byDay).reduce((sum, n) => sum + n, 0)).toBe(20);
});

test('campaigns: the preview tells who does not enter and why, and a start must be what was looked at', async () => {
  await story.sequence('news', MAIL, { class: 'marketing' });
  const ids = await story.crowd('news', 6);
  const nobody = await story.crowd('noaddress', 1, { email: null });
  for (const id of ids.slice(0, 4))
    await story.must('POST', `/v1/customers/${id}/consent`, {
      ...{ channel: 'email', topic: 'news', state: 'granted', evidence: 'a form' },
    });
  await story.must('POST', `/v1/customers/${ids[4]}/consent`, {
    channel: 'email',
    state: 'denied',
    evidence: 'wrote so',
  });
  await story.must('POST', '/v1/enrolments', { sequence: 'news', customers: [ids[0]], reason: 'by hand' });
  const campaign = await story.campaign('news', 'news', { customers: [...ids, ...nobody] }, { percentPerDay: 100 });
  const preview = await story.preview(campaign);
  expect(preview).toMatchObject({ total: 7, eligible: 3, confirm: null });
  expect(Object.fromEntries(preview.refused.map((one: Row) => [one.reason, one.customers]))).toEqual({
    ...{ in_it: 1, opted_out: 2, unreachable: 1 },
  });
  expect(preview.samples).toHaveLength(3);
  expect(preview.samples[0].steps).toEqual([{ step: 'hello', on: preview.entries[0].on }]);
  expect(preview.messages).toEqual([{ on: preview.entries[0].on, atMost: 3 }]);
  await story.must('POST', `/v1/customers/${ids[1]}/consent`, {
    channel: 'email',
    state: 'denied',
    evidence: 'wrote so',
  });
  const body = { token: preview.token };
  const stale = await story.api('POST', `/v1/campaigns/${campaign.id}/start`, body, { 'if-match': '"1"' });
  expect(stale).toMatchObject({ status: 409 });
  expect(stale.body.fix).toContain('preview');
  await story.start(campaign);
  const refused = await story.members(campaign, 'refused');
  expect(refused.map((one) => one.reason).sort()).toEqual([
    'in_it',
    'opted_out',
    'opted_out',
    'opted_out',
    'unreachable',
  ]);
  // Who objects while waiting does not enter either.
  await story.must('POST', `/v1/customers/${ids[2]}/consent`, {
    channel: 'email',
    state: 'denied',
    evidence: 'wrote so',
  });
  await story.live(new Date(story.clock.now().getTime() + 86_400_000).toISOString());
  expect((await story.members(campaign, 'entered')).map((one) => one.customerId)).toEqual([ids[3]]);
});

test('campaigns: what would write to many needs their exact number', async () => {
  await story.sequence('many', REST);
  await story.set('campaigns', { confirmPeople: 10, confirmPercent: 100 });
  const ids = await story.crowd('many', 12);
  const campaign = await story.campaign('many', 'many', { customers: ids }, { percentPerDay: 1 });
  const preview = await story.preview(campaign);
  expect(preview.confirm).toBe(12);
  const start = (confirm?: number) =>
    story.api(
      'POST',
      `/v1/campaigns/${campaign.id}/start`,
      { token: preview.token, ...(confirm ? { confirm } : {}) },
      {
        'if-match': '"1"',
      },
    );
  expect(await start()).toMatchObject({
    status: 409,
    body: { fix: 'Send it again with "confirm": 12 (--confirm 12 on the command line).' },
  });
  expect(await start(11)).toMatchObject({ status: 409 });
  expect(await start(12)).toMatchObject({ status: 200, body: { state: 'running', members: { waiting: 12 } } });
  // The smaller of the two limits counts: one in a hundred of all customers is fewer than ten.
  await story.set('campaigns', { confirmPeople: 200, confirmPercent: 1 });
  const other = await story.campaign('many2', 'many', { customers: await story.crowd('few', 3) });
  expect((await story.preview(other)).confirm).toBe(3);
  await story.set('campaigns', { confirmPeople: 200, confirmPercent: 100 });
  await story.act(campaign, 'stop', { reason: 'enough of it' });
  expect(await story.members(campaign, 'removed')).toHaveLength(12);
});

test('campaigns: taking it back stops what has not gone out and tells what has', async () => {
  await story.sequence(
    'back',
    [{ id: 'wait', wait: { hours: 1 }, only_if: undefined }, ...MAIL].map(({ only_if: _none, ...step }: Row) => step),
  );
  story.clock.set('2026-03-24T14:00:00Z');
  const ids = await story.crowd('back', 6);
  const campaign = await story.campaign('back', 'back', { customers: ids }, { percentPerDay: 100, perHour: 4 });
  await story.start(campaign);
  await story.live('2026-03-24T14:59:59Z');
  // The first got the mail, the next three are in the sequence, two wait for their turn.
  story.clock.set('2026-03-24T15:00:30Z');
  await story.settle();
  const entered = (await story.members(campaign, 'entered')).length;
  const undone = await story.act(campaign, 'undo', { reason: 'the wrong price' });
  expect(undone).toMatchObject({
    ...{ removed: 6 - entered, ended: entered - 1, out: [{ channel: 'email', messages: 1, people: 1 }] },
    ...{ others: { enrolments: 1, ended: false }, campaign: { state: 'stopped' } },
  });
  story.clock.set('2026-03-25T16:00:00Z');
  await story.settle();
  expect(story.vendors.smtp.mails().filter(({ envelope }) => envelope.to[0]!.startsWith('back'))).toHaveLength(1);
  const again = await story.act(campaign, 'undo', { reason: 'the rest as well', endOthers: true });
  expect(again).toMatchObject({ ended: 1, others: { ended: true } });
});

test('campaigns: existing customers enter as of their last job, where their day is', async () => {
  await story.sequence('care', [
    { id: 'hello', message: { channels: ['email'], template: 'hello' } },
    { id: 'ask', day: 14, at: '10:00', message: { channels: ['email'], template: 'hello' } },
    { id: 'offer', day: 45, at: '10:00', message: { channels: ['email'], template: 'hello' } },
  ]);
  story.clock.set('2026-03-30T14:00:00Z');
  const ids = await story.crowd('care', 4);
  for (const [at, day] of ['2026-03-25', '2026-03-01', '2026-01-01'].entries())
    await story.rows(
      `insert into job (tenant_id, stream_id, remote_id, entity_id, status, completed_on, customer_id, mapping_version, updated_at)
       values ($1, $2, $3, $2, 'completed', $4, $5, 'x', $6)`,
      ...[ids[at], `care${at}`, day, ids[at], story.clock.now()],
    );
  const entry = { mode: 'as_if', date: 'last_job' };
  const campaign = await story.campaign('care', 'care', { customers: ids }, { percentPerDay: 100, entry });
  const preview = await story.preview(campaign);
  expect(preview.refused.map((one: Row) => one.reason).sort()).toEqual(['no_date', 'over']);
  expect(preview.steps.sort((a: Row, b: Row) => (a.step < b.step ? -1 : 1))).toEqual([
    { step: 'ask', people: 1 },
    { step: 'offer', people: 1 },
  ]);
  await story.start(campaign);
  await story.live('2026-03-30T16:00:00Z');
  const runs = await story.rows(
    'select step_id, start_on, wake_at from run where tenant_id = $1 and campaign_id = $2 order by start_on',
    campaign.id,
  );
  expect(runs).toEqual([
    { step_id: 'offer', start_on: '2026-03-01', wake_at: new Date('2026-04-15T14:00:00Z') },
    { step_id: 'ask', start_on: '2026-03-25', wake_at: new Date('2026-04-08T14:00:00Z') },
  ]);
});

test('campaigns: into an open one comes who enters the segment later; who left it before their turn does not', async () => {
  const segment = await story.must('POST', '/v1/segments', {
    ...{ name: 'Open', condition: { field: 'customer.tags', has_any: ['open'] }, settleMinutes: 0 },
  });
  await story.sequence('open', REST);
  const early = await story.crowd('early', 2, { tags: ['open'] });
  await story.settle();
  const campaign = await story.campaign('open', 'open', { segment: segment.id }, { open: true, percentPerDay: 50 });
  expect((await story.api('DELETE', `/v1/segments/${segment.id}`)).status).toBe(409);
  await story.start(campaign);
  const later = await story.crowd('late', 1, { tags: ['open'] });
  const touch = async (ids: readonly string[]) => {
    await story.rows(
      "insert into customer_stale (tenant_id, reader, customer_id) select $1, 'segments', unnest($2::uuid[])",
      ids,
    );
    await handlersOf(story.hub).get('segments')!({ tenantId: story.tenantId });
  };
  await touch(later);
  await story.settle();
  await story.rows("update customer set tags = '{}' where tenant_id = $1 and id = $2", early[1]);
  await touch([early[1]!]);
  await story.settle();
  await story.live(new Date(story.clock.now().getTime() + 3 * 86_400_000).toISOString());
  const states = Object.fromEntries((await story.members(campaign)).map((one) => [one.name, one.reason ?? one.state]));
  expect(states).toEqual({ early1: 'entered', early2: 'left', late1: 'entered' });
  expect(await story.must('GET', `/v1/campaigns/${campaign.id}`)).toMatchObject({ state: 'running' });
  await story.act(campaign, 'stop', { reason: 'over now' });
});

test('campaigns: enrolments are made, read and taken back one by one', async () => {
  await story.sequence('crud', REST);
  const [ann, bob, cid] = await story.crowd('crud', 3);
  const campaign = await story.campaign('crud', 'crud', { customers: [ann] }, { percentPerDay: 100 });
  const path = `/v1/campaigns/${campaign.id}/enrolments`;
  expect((await story.api('POST', path, { customers: [bob], reason: 'they asked' })).status).toBe(409);
  await story.start(campaign);
  const key = { 'idempotency-key': 'crud' };
  const wish = { customers: [bob, cid, ann, 'nobody@example.com'], reason: 'they asked' };
  const added = await story.must('POST', path, wish, key);
  expect(added.items.map((one: Row) => one.outcome.split(':')[0])).toEqual([
    expect.stringContaining('enters'),
    expect.stringContaining('enters'),
    'was on the list already',
    'refused',
  ]);
  expect(await story.must('POST', path, wish, key)).toEqual(added);
  const out = (id: string, version: string) =>
    story.api('DELETE', `${path}/${id}?reason=by%20mistake`, undefined, { 'if-match': version });
  expect((await story.api('DELETE', `${path}/${cid}?reason=by%20mistake`)).status).toBe(428);
  expect((await out(cid!, '"7"')).status).toBe(412);
  expect((await out(cid!, '"1"')).status).toBe(204);
  await story.live(new Date(story.clock.now().getTime() + 86_400_000).toISOString());
  expect((await story.members(campaign, 'entered')).map((one) => one.customerId).sort()).toEqual([ann, bob].sort());
  const tag = await story.version(`${path}/${bob}`);
  expect((await out(bob!, tag['if-match']!)).status).toBe(204);
  const [run] = await story.rows('select state from run where tenant_id = $1 and customer_id = $2', bob);
  expect(run).toEqual({ state: 'stopped' });
  const { api } = await story.otherTenant();
  expect((await api('GET', `/v1/campaigns/${campaign.id}`)).status).toBe(404);
  expect((await api('GET', path)).status).toBe(404);
  expect((await api('POST', `/v1/campaigns/${campaign.id}/preview`)).status).toBe(404);
});

test('campaigns: one that is started changes its title and end only, and a win-back of regular customers is warned of', async () => {
  await story.sequence('win-back-short', REST, { topic: 'win-back' });
  const condition = 'at least 20 days since the last job';
  const made = await story.api('POST', '/v1/campaigns', {
    ...{ key: 'short', title: 'short', sequence: 'win-back-short' },
    audience: { condition: { days_since: ['job'], at_least: 20 } },
  });
  expect(made.status, condition).toBe(201);
  expect(made.body.warnings[0]).toContain('20 days');
  const wrong = await story.api('POST', '/v1/campaigns', {
    ...{
      key: 'wrong',
      title: 'wrong',
      sequence: 'nope',
      audience: { condition: { field: 'customer.citty', is: 'x' } },
    },
  });
  expect(wrong.status).toBe(422);
  const started = await story.campaign('fixed', 'drip', { customers: await story.crowd('fixed', 1) });
  await story.start(started);
  const patch = async (body: Row) =>
    story.api('PATCH', `/v1/campaigns/${started.id}`, body, await story.version(`/v1/campaigns/${started.id}`));
  expect((await patch({ holdoutPercent: 50 })).status).toBe(409);
  expect((await patch({ title: 'Fixed' })).status).toBe(200);
  expect((await story.api('DELETE', `/v1/campaigns/${made.body.id}`, undefined, { 'if-match': '"1"' })).status).toBe(
    204,
  );
});
