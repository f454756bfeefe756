import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HubSpotSandbox, start as startHubSpot } from '../../connectors/hubspot/sandbox.ts';
import { blocksOf } from '../../connectors/slack/blocks.ts';
import slack from '../../connectors/slack/connector.ts';
import { invalidBlocks } from '../../connectors/slack/sandbox.blocks.ts';
import type { Block } from '../../connectors/slack/sandbox.state.ts';
import { type SlackSandbox, start } from '../../connectors/slack/sandbox.ts';
import { slackTransport } from '../../connectors/slack/transport.ts';
import { webhooks } from '../../connectors/slack/webhooks.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify, type PreparedRequest, VendorError } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

const APP = {
  SLACK_CLIENT_ID: 'slack-app',
  SLACK_CLIENT_SECRET: 'slack-secret',
  SLACK_SIGNING_SECRET: 'slack-signing',
};
const HUBSPOT = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';

let vendor: SlackSandbox;
let crm: HubSpotSandbox;
let hub: TestHub;
let connection: Record<string, any>;
let general: string;
let rita: string;

const sharedClock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };

beforeAll(async () => {
  const port = await freePort();
  // The simulations read the hub's clock, so that all live in the same moment.
  vendor = await start({ clock: sharedClock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/slack` });
  crm = await startHubSpot({ clock: sharedClock, app: HUBSPOT, limits: false });
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['hubspot', 'slack'],
    env: {
      ...APP,
      ...HUBSPOT,
      SLACK_HOST_API: vendor.hosts.api!,
      SLACK_HOST_APP: vendor.hosts.app!,
      HUBSPOT_HOST_API: crm.hosts.api!,
      HUBSPOT_HOST_APP: crm.hosts.app!,
    },
  });
  rita = vendor.addUser('Rita Manager', 'rita@example.com').id;
  for (let n = 0; n < 450; n++) vendor.addUser(`Colleague ${n}`, `colleague${n}@example.com`);
  vendor.addUser('Build bot', '', { is_bot: true });
  general = vendor.state.addChannel('general', { is_member: true }).id;
  const owner = crm.state.addOwner('Rita', 'Manager', 'rita@example.com');
  crm.state.create('contacts', {
    firstname: 'Ann',
    lastname: 'Miller',
    email: 'ann@example.com',
    hubspot_owner_id: owner.id,
  });
  await hub.connect('hubspot');
  connection = await hub.connect('slack');
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
  await crm?.stop();
});

beforeEach(() => vendor?.server.faults.clear());

const staff = async (email: string): Promise<Record<string, any> | undefined> =>
  (await hub.api('GET', '/v1/staff')).body.items.find((person: { email: string }) => person.email === email);

const inChannel = (channel = general) => vendor.state.messages.filter((message) => message.channel === channel);
const exchanges = (method: string) => vendor.server.journal.filter((exchange) => exchange.path === `/api/${method}`);

let keys = 0;
/** Asks for a message over the API and lets the hub work. */
async function send(input: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<Record<string, any>> {
  keys += 1;
  const planned = await hub.api(
    'POST',
    '/v1/actions',
    { kind: 'send_chat', input, ...more },
    { 'idempotency-key': `chat-${keys}` },
  );
  if (planned.status !== 202) throw new Error(JSON.stringify(planned.body));
  await hub.settle();
  return action(planned.body.id);
}
const action = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;

describe('reading people', () => {
  test('slack: connects with the granted scopes and knows the workspace', () => {
    expect(connection).toMatchObject({ state: 'active', account: { id: 'T0SIM0001', name: 'Simulated workspace' } });
    const [asked] = exchanges('auth.test');
    expect(asked!.headers.authorization).toMatch(/^Bearer /);
    expect(JSON.stringify(asked!.body ?? {})).not.toContain('access-');
  });

  test('slack: every page of people is read, and bots are left out', async () => {
    const streams = (await hub.api('GET', '/v1/streams')).body.items;
    const users = streams.find((item: { stream: string }) => item.stream === 'users');
    expect(users).toMatchObject({ records: 451, error: null });
    expect(exchanges('users.list').map((exchange) => (exchange.body as Record<string, string>).limit)).toEqual([
      '200',
      '200',
      '200',
    ]);
    expect(await staff('colleague449@example.com')).toMatchObject({ name: 'Colleague 449', zone: 'America/New_York' });
  });

  test('slack: somebody new is known at once, by event', async () => {
    const user = vendor.state.addUser('Newcomer', 'new@example.com');
    expect((await vendor.announce({ type: 'team_join', user })).status).toBe(200);
    await hub.settle();
    expect(await staff('new@example.com')).toMatchObject({ name: 'Newcomer' });
  });

  test('slack: somebody who left has departed', async () => {
    const user = vendor.state.addUser('Leaver', 'leaver@example.com');
    await vendor.announce({ type: 'team_join', user });
    await hub.settle();
    await vendor.changeUser(user.id, { deleted: true });
    await hub.settle();
    expect(await staff('leaver@example.com')).toMatchObject({ departedOn: '2026-03-02' });
  });

  test('slack: an event about a bot or an unknown person changes nothing', async () => {
    const before = (await hub.api('GET', '/v1/staff')).body.items.length;
    await vendor.announce({ type: 'user_change', user: { id: vendor.state.bot.userId } });
    await vendor.announce({ type: 'user_change', user: { id: 'U0NOBODY' } });
    await hub.settle();
    expect((await hub.api('GET', '/v1/staff')).body.items).toHaveLength(before);
    expect((await hub.api('GET', '/v1/parked')).body.items).toEqual([]);
  });

  test('slack: a list that lost its members is an error, not an empty workspace', async () => {
    const lost = (body: unknown): unknown => ({ ...(body as object), members: undefined });
    vendor.server.faults.add({ kind: 'rewrite', match: /users\.list/, rewrite: lost });
    await hub.advance(2 * HOUR);
    const users = (await hub.api('GET', '/v1/streams')).body.items.find(
      (item: { stream: string }) => item.stream === 'users',
    );
    expect(users.error).toContain('holds no members');
    expect(await staff('colleague1@example.com')).toMatchObject({ departedOn: null });
    vendor.server.faults.clear();
    await hub.advance(2 * HOUR);
  });
});

describe('posting', () => {
  test('slack: posts blocks with a fallback text, no previews, and our id where people do not see it', async () => {
    const done = await send({
      target: general,
      title: 'Invoice 1042 is overdue',
      text: 'Ann Miller owes $120 since 12 days.',
      facts: [{ label: 'Owner', value: 'Rita' }],
      buttons: [
        { label: 'I have it', token: 'tok.1' },
        { label: 'Open in CRM', url: 'https://crm.example/1' },
      ],
    });
    const message = inChannel().at(-1)!;
    expect(done).toMatchObject({
      state: 'sent',
      receipt: { nativeId: `${general}:${message.ts}`, url: 'https://simulated.slack.com/', state: 'posted' },
    });
    expect(message.text).toBe('Invoice 1042 is overdue\nAnn Miller owes $120 since 12 days.');
    expect(message.metadata).toEqual({ event_type: 'rapport_action', event_payload: { id: done.id } });
    expect(message.blocks).toEqual([
      {
        type: 'section',
        text: { type: 'mrkdwn', text: '*Invoice 1042 is overdue*\nAnn Miller owes $120 since 12 days.' },
      },
      { type: 'section', fields: [{ type: 'mrkdwn', text: 'Owner:\nRita' }] },
      {
        type: 'actions',
        elements: [
          {
            type: 'button',
            text: { type: 'plain_text', text: 'I have it' },
            action_id: 'rapport_ack_0',
            value: 'tok.1',
            style: 'primary',
          },
          {
            type: 'button',
            text: { type: 'plain_text', text: 'Open in CRM' },
            action_id: 'rapport_link_1',
            url: 'https://crm.example/1',
          },
        ],
      },
    ]);
    expect(exchanges('chat.postMessage').at(-1)!.body).toMatchObject({ unfurl_links: 'false', unfurl_media: 'false' });
  });

  test('slack: a note that says <!channel> calls nobody', async () => {
    await send({
      target: general,
      title: 'R&D <b>',
      text: 'They wrote: <!channel> <@U123> & more',
      facts: [{ label: '<!here>', value: '<https://x|y>' }],
      buttons: [],
    });
    const sent = JSON.stringify(inChannel().at(-1));
    expect(sent).not.toMatch(/<[!@#h]/);
    expect(sent).toContain('&lt;!channel&gt; &lt;@U123&gt; &amp; more');
  });

  test('slack: a person is written to directly', async () => {
    const done = await send({ target: rita, title: 'For you', text: 'Hello' });
    expect(vendor.messagesTo(rita)).toHaveLength(1);
    expect(done.receipt.nativeId).toMatch(/^D0SIM\d+:\d+\.\d{6}$/);
  });

  test('slack: replaces an earlier message instead of posting another', async () => {
    const first = await send({
      target: general,
      title: 'Open',
      text: 'Somebody?',
      buttons: [{ label: 'I have it', token: 't' }],
    });
    const before = inChannel().length;
    const second = await send({
      target: general,
      title: 'Taken',
      text: 'Rita has it',
      replaces: first.receipt.nativeId,
    });
    expect(inChannel()).toHaveLength(before);
    expect(inChannel().at(-1)).toMatchObject({ text: 'Taken\nRita has it', blocks: [{ type: 'section' }] });
    expect(second).toMatchObject({ state: 'sent', receipt: { nativeId: first.receipt.nativeId, state: 'updated' } });
  });

  test.each([
    ['channel_not_found', () => vendor.state.addChannel('secret', { id: 'G0SECRET1', is_private: true }).id, /invite/],
    ['is_archived', () => vendor.state.addChannel('old', { is_archived: true }).id, /archived/],
    ['user_disabled', () => vendor.state.addUser('Gone', 'gone@example.com', { deleted: true }).id, /switched off/],
    ['a name instead of an id', () => '#general', /copy its id/],
  ])('slack: %s is final and says what to do', async (_code, target, words) => {
    const failed = await send({ target: target(), title: 'A', text: 'B' });
    expect(failed).toMatchObject({ state: 'failed', attempts: 1, detail: expect.stringMatching(words) });
  });

  test('slack: ok:false with status 200 is never taken as success', async () => {
    vendor.server.faults.add({
      kind: 'status',
      status: 200,
      match: /postMessage/,
      times: 1,
      body: { ok: false, error: 'invalid_blocks', response_metadata: { messages: ['[ERROR] bad'] } },
    });
    expect(await send({ target: general, title: 'A', text: 'B' })).toMatchObject({
      state: 'failed',
      reason: 'invalid',
      detail: 'Slack refused: invalid_blocks ([ERROR] bad).',
    });
    vendor.server.faults.add({ kind: 'status', status: 200, match: /postMessage/, times: 1, body: {} });
    expect(await send({ target: general, title: 'A', text: 'B' })).toMatchObject({ state: 'unknown' });
  });

  test('slack: a message that is gone cannot be replaced, and the reason says so', async () => {
    const failed = await send({ target: general, title: 'A', text: 'B', replaces: `${general}:1.000001` });
    expect(failed).toMatchObject({
      state: 'failed',
      reason: 'not_found',
      detail: expect.stringContaining('nothing to replace'),
    });
  });

  test('slack: the longest message stays within what Slack takes', () => {
    const nasty = '<&>😀'.repeat(600);
    const message = blocksOf({
      title: nasty.slice(0, 500),
      text: nasty.slice(0, 3000),
      facts: Array.from({ length: 10 }, () => ({ label: nasty, value: nasty })),
      buttons: [{ label: nasty, token: 'x'.repeat(2000) }, { label: 'nothing' }],
    });
    expect(invalidBlocks(message.blocks as Block[])).toEqual([]);
    expect(message.text.length).toBeLessThanOrEqual(4000);
    const written = [message.text, ...(message.blocks as Block[]).filter((block) => block.type === 'section')];
    expect(JSON.stringify(written)).not.toMatch(/&(?!amp;|lt;|gt;)/);
    // Nothing of the text is lost, only spread over several sections.
    const sections = (message.blocks as Block[]).slice(1).flatMap((block) => block.text?.text ?? []);
    expect(sections.join('').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')).toBe(
      nasty.slice(0, 3000),
    );
  });
});

describe('once', () => {
  test('slack: a lost answer to a direct message is found in the conversation with that person', async () => {
    const before = vendor.messagesTo(rita).length;
    vendor.server.faults.add({ kind: 'cut_after', match: /postMessage/, times: 1 });
    const lost = await send({ target: rita, title: 'Directly once', text: 'x' });
    await hub.advance(2 * MINUTE);
    expect(await action(lost.id)).toMatchObject({ state: 'sent' });
    expect(vendor.messagesTo(rita)).toHaveLength(before + 1);
  });

  test('slack: a history that lost its messages proves nothing, so nothing is posted again', async () => {
    vendor.server.faults.add({ kind: 'cut_after', match: /postMessage/, times: 1 });
    const lost = (body: unknown): unknown => ({ ...(body as object), messages: undefined });
    vendor.server.faults.add({ kind: 'rewrite', match: /conversations\.history/, rewrite: lost });
    const unsure = await send({ target: general, title: 'Unsure', text: 'x' });
    for (let n = 0; n < 3; n++) await hub.advance(2 * MINUTE);
    expect((await action(unsure.id)).state).toBe('unknown');
    vendor.server.faults.clear();
    await hub.advance(2 * MINUTE);
    expect((await action(unsure.id)).state).toBe('sent');
    expect(inChannel().filter((message) => message.text.startsWith('Unsure'))).toHaveLength(1);
  });

  test('slack: in a channel whose history is closed to the bot, staff rather get it twice than never', async () => {
    const open = vendor.state.addChannel('public');
    vendor.server.faults.add({ kind: 'cut_after', match: /postMessage/, times: 1 });
    const lost = await send({ target: open.id, title: 'Twice', text: 'x' });
    for (let n = 0; n < 3; n++) await hub.advance(2 * MINUTE);
    expect((await action(lost.id)).state).toBe('sent');
    expect(inChannel(open.id)).toHaveLength(2);
  });

  test('slack: a server error is transient, and internal_error may have posted', () => {
    const of = (status: number, body: unknown) => classify(slack.errors, { status, headers: {}, body }, new Date(AT));
    expect(of(503, '<html>')).toMatchObject({ kind: 'transient', mayHaveActed: false });
    expect(of(200, { ok: false, error: 'internal_error' })).toMatchObject({ kind: 'transient', mayHaveActed: true });
    expect(of(200, { ok: false, error: 'restricted_action_non_threadable_channel' })).toMatchObject({
      kind: 'forbidden',
    });
    expect(of(200, { ok: false, error: 'missing_scope', needed: 'im:write' })).toMatchObject({
      kind: 'forbidden',
      message: expect.stringContaining('im:write'),
    });
    expect(of(200, { ok: false, error: 'something_new' })).toMatchObject({ kind: 'unknown', mayHaveActed: false });
    expect(of(200, 'not an object')).toMatchObject({ kind: 'malformed', mayHaveActed: true });
    expect(of(200, { ok: true })).toBeUndefined();
  });

  test('slack: a silent server is given up, and a missing one did nothing', async () => {
    const transport = await slackTransport();
    const request: PreparedRequest = {
      method: 'POST',
      path: '/chat.postMessage',
      json: {},
      origin: vendor.hosts.api!,
      headers: { authorization: 'Bearer x' },
      secrets: {},
      settings: {},
      signal: AbortSignal.timeout(60_000),
      guarded: false,
      allowedHosts: [],
      timeoutMs: 50,
    };
    vendor.server.faults.add({ kind: 'silent', times: 1 });
    await expect(transport(request)).rejects.toMatchObject({
      kind: 'transient',
      mayHaveActed: true,
      message: expect.stringContaining('did not answer in time'),
    });
    const nobody = `http://127.0.0.1:${await freePort()}/api`;
    const refused = await transport({ ...request, origin: nobody, timeoutMs: 5000 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(VendorError);
    expect(refused).toMatchObject({ kind: 'transient', mayHaveActed: false });
  });
});

describe('what Slack posts', () => {
  const post = (body: string, headers: Record<string, string>) =>
    fetch(`${hub.url}/hooks/slack`, { method: 'POST', body, headers });
  const sign = (secret: string, timestamp: string, body: string): string =>
    `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
  const seconds = (offset = 0): string => String(Math.floor(hub.clock.now().getTime() / 1000) + offset);
  const hints = async (): Promise<{ change: string; event_key: string }[]> =>
    (
      await hub.hub.db.tenant(hub.tenantId, (tx) =>
        tx.query<{ change: string; event_key: string }>(
          'select change, event_key from hint where tenant_id = $1 and connection_id = $2',
          [hub.tenantId, connection.id],
        ),
      )
    ).rows;

  test('slack: the address is proven by echoing the challenge, signed like everything else', async () => {
    const body = JSON.stringify({ token: 'x', challenge: '3eZbrw1aB', type: 'url_verification' });
    expect(await vendor.deliver(body, 'json')).toMatchObject({ status: 200, body: '3eZbrw1aB' });
    expect((await post(body, { 'content-type': 'application/json' })).status).toBe(401);
  });

  test('slack: a missing, bad, stale, future or re-serialised signature is refused and nothing is kept', async () => {
    const body =
      '{"type": "event_callback", "event_id": "EvBad", "team_id": "T0SIM0001", "event": {"type": "app_uninstalled"}}';
    const signed = (timestamp: string, of = body, secret = APP.SLACK_SIGNING_SECRET) => ({
      'content-type': 'application/json',
      'x-slack-request-timestamp': timestamp,
      'x-slack-signature': sign(secret, timestamp, of),
    });
    const cases: [string, Record<string, string>][] = [
      [body, {}],
      [body, { ...signed(seconds()), 'x-slack-signature': '' }],
      [body, { ...signed(seconds()), 'x-slack-signature': 'v0=abc' }],
      [
        body,
        {
          ...signed(seconds()),
          'x-slack-signature': sign(APP.SLACK_SIGNING_SECRET, seconds(), body).replace('v0=', 'v1='),
        },
      ],
      [body, signed(seconds(), body, 'other')],
      [body, signed(seconds(-301))],
      [body, signed(seconds(301))],
      [body, signed('soon')],
      [JSON.stringify(JSON.parse(body)), signed(seconds())],
    ];
    for (const [bytes, headers] of cases) expect((await post(bytes, headers)).status).toBe(401);
    await hub.settle();
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body.state).toBe('active');
    expect(
      (
        await post(
          body.replace('app_uninstalled', 'nothing'),
          signed(seconds(-299), body.replace('app_uninstalled', 'nothing')),
        )
      ).status,
    ).toBe(200);
  });

  test('slack: retries of an event are taken once', async () => {
    const before = (await hints()).length;
    const body = JSON.stringify({
      type: 'event_callback',
      team_id: 'T0SIM0001',
      event_id: 'EvRetry',
      event_time: 1,
      event: { type: 'user_change', user: { id: rita } },
    });
    for (const retry of [undefined, '1', '2'])
      expect(
        (
          await vendor.deliver(
            body,
            'json',
            retry ? { 'x-slack-retry-num': retry, 'x-slack-retry-reason': 'http_timeout' } : {},
          )
        ).status,
      ).toBe(200);
    await hub.settle();
    expect(await hints()).toHaveLength(before + 1);
  });

  test('slack: an event of another workspace reaches nobody here', async () => {
    const before = (await hints()).length;
    await vendor.announce(
      { type: 'app_uninstalled' },
      {
        team_id: 'T0OTHER',
        authorizations: [{ team_id: 'T0OTHER', enterprise_id: null, is_enterprise_install: false }],
      },
    );
    await hub.settle();
    expect(await hints()).toHaveLength(before);
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body.state).toBe('active');
  });

  test('slack: talk in threads, slash commands, probes and rate notices are answered and change nothing', async () => {
    const before = (await hints()).length;
    await vendor.announce({ type: 'message', channel: general, thread_ts: '1.2', text: 'hello', user: rita });
    expect((await vendor.deliver('command=%2Frapport&text=help&team_id=T0SIM0001&trigger_id=1.2', 'form')).status).toBe(
      200,
    );
    expect((await post('ssl_check=1&token=x', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(
      200,
    );
    expect(
      (
        await vendor.deliver(
          JSON.stringify({ type: 'app_rate_limited', team_id: 'T0SIM0001', minute_rate_limited: 1 }),
          'json',
        )
      ).status,
    ).toBe(200);
    await hub.settle();
    expect(await hints()).toHaveLength(before);
  });

  test('slack: a probe cannot smuggle a press past the signature', async () => {
    const before = (await hints()).length;
    const payload = JSON.stringify({
      type: 'block_actions',
      team: { id: 'T0SIM0001' },
      actions: [{ action_id: 'rapport_ack_0', value: 'x' }],
    });
    const answer = await post(new URLSearchParams({ ssl_check: '1', payload }).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(answer.status).toBe(200);
    await hub.settle();
    expect(await hints()).toHaveLength(before);
  });

  test('slack: an installation for a whole organisation is routed by the organisation', () => {
    const read = (body: object) =>
      webhooks.events(
        {
          method: 'POST',
          url: '',
          headers: { 'content-type': 'application/json' },
          body: Buffer.from(JSON.stringify(body)),
        },
        undefined,
      );
    const base = {
      type: 'event_callback',
      event_id: 'Ev1',
      team_id: 'T1',
      enterprise_id: 'E1',
      event: { type: 'app_uninstalled' },
    };
    expect(
      read({ ...base, authorizations: [{ enterprise_id: 'E1', team_id: null, is_enterprise_install: true }] }),
    ).toMatchObject([{ type: 'revoked', account: 'E1' }]);
    expect(
      read({ ...base, authorizations: [{ enterprise_id: 'E1', team_id: 'T1', is_enterprise_install: false }] }),
    ).toMatchObject([{ account: 'T1' }]);
    expect(read({ ...base, event: { type: 'tokens_revoked', tokens: { oauth: ['U1'], bot: [] } } })).toEqual([]);
    expect(() => read({ type: 'event_callback' })).toThrow(/without an id/);
  });

  test('slack: the whole way: an escalation reaches the owner by e-mail address, and the button ends it', async () => {
    const definition = {
      key: 'tell-owner',
      title: 'Tell the owner',
      class: 'transactional',
      topic: 'service',
      triggers: [{ name: 'invoice.overdue' }],
      per: 'customer',
      again: { policy: 'always' },
      exits: [],
      steps: [
        {
          id: 'tell',
          escalate: {
            to: [{ who: 'owner' }],
            working_hours: 4,
            chat: { title: 'Call {{ customer.name }}', text: 'They <wait> & wait' },
          },
        },
      ],
    };
    const made = await hub.api('POST', '/v1/sequences', definition);
    expect(made.status).toBe(201);
    const on = await hub.api(
      'POST',
      '/v1/sequences/tell-owner/switch',
      { on: true },
      { 'if-match': `"${made.body.version}"` },
    );
    expect(on.status).toBe(200);
    const before = vendor.messagesTo(rita).length;
    const enrolled = await hub.api('POST', '/v1/enrolments', {
      sequence: 'tell-owner',
      customers: ['ann@example.com'],
      reason: 'a test',
    });
    expect(enrolled.status).toBe(200);
    await hub.settle();
    const [message, ...others] = vendor.messagesTo(rita).slice(before);
    expect(others).toEqual([]);
    expect(message!.text).toBe('Call Ann Miller\nThey &lt;wait&gt; &amp; wait');

    const pressed = await vendor.press(message!.ts, 'I have it', rita);
    expect(pressed).toMatchObject({ status: 200, body: '' });
    await hub.settle();
    const escalations = (await hub.api('GET', '/v1/escalations')).body.items;
    expect(escalations).toMatchObject([{ state: 'acknowledged', acknowledgedBy: 'rita.manager' }]);
    // The message itself says who has it, and has no button any more.
    expect(vendor.messagesTo(rita)).toHaveLength(before + 1);
    expect(message!.blocks.filter((block) => block.type === 'actions')).toEqual([]);
    expect(JSON.stringify(message!.blocks)).toContain('rita.manager has it');
  });

  test('slack: a forged or foreign token acknowledges nothing, and a link button is only answered', async () => {
    await send({
      target: general,
      title: 'Forged',
      text: 'x',
      buttons: [
        { label: 'I have it', token: '00000000-0000-7000-8000-000000000000.AAAA' },
        { label: 'Open', url: 'https://crm.example' },
      ],
    });
    const { ts } = inChannel().at(-1)!;
    const acknowledged = async (): Promise<number> =>
      (await hub.api('GET', '/v1/audit?limit=200')).body.items.filter(
        (event: { action: string }) => event.action === 'escalation.acknowledged',
      ).length;
    const before = await acknowledged();
    expect((await vendor.press(ts, 'I have it', rita)).status).toBe(200);
    expect((await vendor.press(ts, 'Open', rita)).status).toBe(200);
    await hub.settle();
    expect(await acknowledged()).toBe(before);
    expect(before).toBe(1);
    expect((await hints()).filter((hint) => hint.event_key.includes('rapport_link'))).toEqual([]);
  });

  test('slack: an uninstall is noticed, and connecting again revives the connection', async () => {
    await vendor.uninstall();
    await hub.settle();
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body).toMatchObject({
      state: 'needs_reauthorisation',
      health: { sentence: expect.stringContaining('Connect') },
    });
    const waiting = await send({ target: general, title: 'While away', text: 'x' });
    expect(waiting.state).toBe('planned');
    const again = await hub.connect('slack');
    expect(again).toMatchObject({ id: connection.id, state: 'active' });
    await hub.advance(HOUR);
    expect((await action(waiting.id)).state).toBe('sent');
  });

  test('slack: without the event, the next call notices', async () => {
    vendor.state.installed = false;
    await send({ target: general, title: 'A', text: 'B' });
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body).toMatchObject({
      state: 'needs_reauthorisation',
      health: { sentence: expect.stringContaining('removed from the Slack workspace') },
    });
    await hub.connect('slack');
    await hub.settle();
  });
});

describe('around it', () => {
  test('slack: disconnecting gives the token back', async () => {
    const other = await hub.otherTenant();
    const own = await hub.connect('slack', { api: other.api, features: ['chat'] });
    expect(own.features).toEqual(['chat']);
    expect((await other.api('DELETE', `/v1/connections/${own.id}`)).status).toBe(204);
    expect(exchanges('auth.revoke')).toHaveLength(1);
  });

  test('slack: where tokens rotate they are refreshed once, also by two at the same time', async () => {
    const port = await freePort();
    const rotating = await start({ clock: sharedClock, app: APP, rotation: true });
    const second = await startTestHub({
      at: AT,
      port,
      connectors: ['slack'],
      env: { ...APP, SLACK_HOST_API: rotating.hosts.api!, SLACK_HOST_APP: rotating.hosts.app! },
    });
    try {
      const channel = rotating.state.addChannel('general', { is_member: true }).id;
      await second.connect('slack');
      await second.settle();
      // The simulation lives on the first hub's clock; its tokens are ended by hand.
      rotating.oauth.expireAll();
      for (const n of [1, 2])
        await second.api(
          'POST',
          '/v1/actions',
          { kind: 'send_chat', input: { target: channel, title: `Rotated ${n}`, text: 'x' } },
          { 'idempotency-key': `rotated-${n}` },
        );
      await second.settle();
      await second.advance(MINUTE);
      expect(rotating.state.messages).toHaveLength(2);
      expect(rotating.oauth.counts).toEqual({ codes: 1, refreshes: 1, reused: 0 });
    } finally {
      await second.stop();
      await rotating.stop();
    }
  });
});

await vendorTruth('slack', () => vendor.server, { part: 'special' });

await conformance('slack');
