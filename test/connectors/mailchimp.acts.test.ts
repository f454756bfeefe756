import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { formOf } from '../../connectors/mailchimp/sandbox.posts.ts';
import { HOUR, MINUTE } from '../support/hub.ts';
import { type Mailchimp, SECOND_LIST, startMailchimp } from './mailchimp.setup.ts';

let { vendor, hub, somebody, read, rows, act }: Mailchimp = {} as Mailchimp;
let stop: Mailchimp['stop'] | undefined;

beforeAll(async () => {
  ({ vendor, hub, somebody, read, rows, act, stop } = await startMailchimp());
});

afterAll(() => stop?.());

beforeEach(() => vendor.server.faults.clear());

describe('webhooks', () => {
  const send = async (url: string, body: string, headers: Record<string, string>): Promise<number> =>
    (await fetch(url, { method: 'POST', body, headers })).status;

  test('mailchimp: the address holds a secret, and nothing of it is kept with a post', async () => {
    const [webhook] = vendor.state.audience.webhooks;
    const { url, body, headers } = vendor.sign(
      webhook!,
      formOf('profile', (await somebody()).member, hub.clock.now()),
      hub.clock.now(),
    );
    const secret = new URL(url).searchParams.get('secret')!;
    expect(secret.length).toBeGreaterThan(20);
    expect(await send(url.replace(secret, `${secret.slice(0, -1)}_`), body, headers)).toBe(401);
    expect(await send(url.split('?')[0]!, body, headers)).toBe(401);
    expect(await send(url, body, headers)).toBe(200);
    const { rows: kept } = await hub.hub.db.statement<{ url: string }>('select url from hook_inbox');
    expect(kept.length).toBeGreaterThan(0);
    for (const row of kept) expect(row.url).not.toContain(secret);
  });

  test('mailchimp: where posts are not signed the secret in the address is enough', async () => {
    const other = await hub.otherTenant();
    vendor.signs = false;
    const made = await hub.connect('mailchimp', { api: other.api });
    await hub.settle();
    const webhook = vendor.state.audience.webhooks.find(({ url }) => url.includes(made.id))!;
    const member = vendor.state.audience.add('unsigned@people.example', { FNAME: 'Una' });
    const { url, body, headers } = vendor.sign(webhook, formOf('subscribe', member, hub.clock.now()), hub.clock.now());
    expect(headers).not.toHaveProperty('x-mailchimp-signature');
    expect(await send(`${url}x`, body, headers)).toBe(401);
    expect(await send(url, body, headers)).toBe(200);
    await hub.settle();
    const { body: found } = await other.api('GET', '/v1/customers?search=unsigned%40people.example');
    expect(found.items).toHaveLength(1);
    vendor.signs = true;
    // Connected again, the address is entered once and from now on signed.
    await hub.connect('mailchimp', { api: other.api });
    const entered = vendor.state.audience.webhooks.filter((one) => one.url.includes(made.id));
    expect(entered).toHaveLength(1);
    expect(await send(url, body, headers)).toBe(401);
    await other.api('DELETE', `/v1/connections/${made.id}`);
  });
});

describe('what people do with campaigns', () => {
  const activities = (customer: string) =>
    rows(
      'select status, direction, automatic, channel, subject, body from activity where tenant_id = $1 and customer_id = $2 order by occurred_at',
      [customer],
    );

  test('mailchimp: opens, clicks and bounces are facts of the person; only a click is their own doing', async () => {
    const { member, customer } = await somebody();
    const campaign = vendor.state.send('Spring check', [member]);
    vendor.state.send('To partners', [member], hub.clock.now(), SECOND_LIST);
    await hub.advance(MINUTE);
    vendor.state.act(campaign, member, { action: 'open' });
    await read();
    await hub.advance(2 * HOUR);
    vendor.state.act(campaign, member, { action: 'click', url: 'https://business.example/spring' });
    vendor.state.act(campaign, member, { action: 'bounce', type: 'soft' });
    const before = vendor.server.journal.length;
    await read();
    expect(await activities(customer.id)).toEqual([
      expect.objectContaining({ status: 'open', direction: 'in', automatic: true, subject: 'About Spring check' }),
      expect.objectContaining({
        status: 'click',
        automatic: false,
        channel: null,
        body: 'https://business.example/spring',
      }),
      expect.objectContaining({ status: 'bounce', automatic: true, body: 'soft' }),
    ]);
    // Only what is new is asked for, of campaigns of this audience.
    const asked = vendor.server.journal.slice(before).filter(({ path }) => path.endsWith('/email-activity'));
    expect(asked.map(({ path }) => path)).toEqual([`/3.0/reports/${campaign.id}/email-activity`]);
    expect(asked[0]!.query).toHaveProperty('since');
  });
});

describe('actions', () => {
  test('mailchimp: a journey is started by the address shown for its trigger', async () => {
    const { member } = await somebody();
    const automation = 'https://us19.api.mailchimp.com/3.0/customer-journeys/journeys/12/steps/34/actions/trigger';
    expect(await act('enrol_in_automation', { automation, about: { contact: member.id } })).toMatchObject({
      state: 'sent',
    });
    expect(vendor.state.started).toEqual([{ what: 'journey:12/34', email: member.email_address }]);
  });

  test('mailchimp: a journey whose answer got lost is not started twice: nobody can be asked', async () => {
    const { member } = await somebody();
    const before = vendor.state.started.length;
    vendor.server.faults.add({ kind: 'cut_after', match: /POST .*\/trigger$/, times: 1 });
    const action = await act('enrol_in_automation', { automation: 'journey:12/34', about: { contact: member.id } });
    for (let times = 0; times < 4; times++) await hub.advance(12 * HOUR);
    const left = (await hub.api('GET', `/v1/actions/${action.id}`)).body;
    expect(left).toMatchObject({ state: 'unknown', attempts: 1 });
    expect(left.detail).toContain('A person decides');
    expect(vendor.state.started).toHaveLength(before + 1);
  });

  test('mailchimp: a journey that was refused for haste is started once afterwards', async () => {
    const { member } = await somebody();
    const before = vendor.state.started.length;
    vendor.server.faults.add({ kind: 'status', status: 403, body: 'Forbidden', match: /POST .*\/trigger$/, times: 1 });
    const action = await act('enrol_in_automation', { automation: 'journey:12/34', about: { contact: member.id } });
    expect(action).toMatchObject({ state: 'planned', reason: 'rate_limited' });
    await hub.advance(2 * MINUTE);
    expect((await hub.api('GET', `/v1/actions/${action.id}`)).body).toMatchObject({ state: 'sent' });
    expect(vendor.state.started).toHaveLength(before + 1);
  });

  test('mailchimp: a tag can be put on without starting what begins with it', async () => {
    const { member } = await somebody();
    await act('add_tag', { tag: 'Gold', about: { contact: member.id } });
    await act('add_tag', { tag: 'Band A', quiet: true, about: { contact: member.id } });
    expect(vendor.state.tagged.slice(-2)).toMatchObject([
      { tag: 'Gold', active: true, quiet: false },
      { tag: 'Band A', active: true, quiet: true },
    ]);
  });

  test('mailchimp: fields are written by their tags, null clears, and nobody is brought back', async () => {
    const { member } = await somebody({ PLAN: 'Gold' });
    const fields = { PLAN: null, LASTCONT: '2026-03-02', vip: true };
    const written = await act('update_field', { object: 'contact', id: member.id, fields });
    expect(written).toMatchObject({
      state: 'sent',
      receipt: { url: expect.stringContaining('us19.admin.mailchimp.com') },
    });
    expect(member).toMatchObject({ vip: true, merge_fields: { PLAN: '', LASTCONT: '2026-03-02' } });
    const wrong = await act('update_field', { object: 'contact', id: member.id, fields: { PLAN: 'Platinum' } });
    expect(wrong).toMatchObject({ state: 'failed', reason: 'invalid', detail: expect.stringContaining('PLAN') });
    const bodies = vendor.server.journal.filter(({ method }) => method === 'PATCH' || method === 'PUT');
    for (const { body } of bodies)
      expect(['unsubscribed', undefined]).toContain((body as Record<string, unknown>).status);
  });

  test('mailchimp: an unsubscribe here is told to Mailchimp, a topic as the interest it belongs to', async () => {
    const { member, customer } = await somebody();
    const consent = async (body: object) => hub.api('POST', `/v1/customers/${customer.id}/consent`, body);
    const given = { channel: 'email', state: 'denied', evidence: 'Said so on the phone.' };
    const topic = await consent({ ...given, topic: 'offers' });
    expect(topic.status, JSON.stringify(topic.body)).toBeLessThan(300);
    await hub.settle();
    expect(member).toMatchObject({ status: 'subscribed', interests: { '9143cf3bd1': false } });
    expect((await consent(given)).status).toBeLessThan(300);
    await hub.settle();
    expect(member.status).toBe('unsubscribed');
    const told = vendor.server.journal.filter(({ method, path }) => method === 'PATCH' && path.endsWith(member.id));
    expect(told).toHaveLength(2);
    await hub.advance(10 * MINUTE);
    await read();
    expect(
      vendor.server.journal.filter(({ method, path }) => method === 'PATCH' && path.endsWith(member.id)),
    ).toHaveLength(2);
  });
});
