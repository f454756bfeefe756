import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cloudOf } from '../../connectors/outlook/clouds.ts';
import connector from '../../connectors/outlook/connector.ts';
import { createLanes } from '../../connectors/outlook/lanes.ts';
import { mimeOf } from '../../connectors/outlook/mime.ts';
import { appointmentOf, mailOf } from '../../connectors/outlook/records.ts';
import { addMail } from '../../connectors/outlook/sandbox.mail.ts';
import { addContact, slotIn } from '../../connectors/outlook/sandbox.people.ts';
import { addEvent } from '../../connectors/outlook/sandbox.routes.ts';
import { type OutlookSandbox, start } from '../../connectors/outlook/sandbox.ts';
import { graphTransport } from '../../connectors/outlook/transport.ts';
import { webhooks } from '../../connectors/outlook/webhooks.ts';
import { zoneOf } from '../../connectors/outlook/zones.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify, type RawHook } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { hasPlatform, platformJson } from '../specs/platforms.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, HOUR, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('outlook');

const AT = '2026-03-02T15:00:00Z';
const APP = { OUTLOOK_CLIENT_ID: 'outlook-app', OUTLOOK_CLIENT_SECRET: 'outlook-secret' };

describe('without a hub', () => {
  const hook = (query: string, body = ''): RawHook => ({
    method: 'POST',
    url: `https://hub.example/hooks/outlook/1${query}`,
    headers: {},
    body: Buffer.from(body),
  });
  const verdict = (one: RawHook) =>
    webhooks.verify(one, { app: {}, connection: { webhookSecret: 'the-secret' } }, new Date(AT));

  test('outlook: the handshake repeats the token, decoded, and nothing else passes for one', async () => {
    const asked = hook('?validationToken=Validation%3A+a%26b+%3Cc%3E');
    expect(await verdict(asked)).toEqual({ ok: true });
    expect(webhooks.handshake!(asked)).toEqual({ status: 200, type: 'text/plain', body: 'Validation: a&b <c>' });
    expect(await verdict(hook('?validationToken=x', '{"value":[{"changeType":"created"}]}'))).toMatchObject({
      ok: false,
    });
    expect(webhooks.handshake!(hook(`?validationToken=${'x'.repeat(5000)}`))).toMatchObject({ status: 400 });
  });

  test('outlook: what is stored of a post holds no secret', () => {
    const kept = webhooks.kept!(hook('', '{"value":[{"clientState":"the-secret","changeType":"created"}]}'));
    expect(kept.toString()).toBe('{"value":[{"changeType":"created"}]}');
  });

  test.skipIf(!hasPlatform('outlook'))("outlook: reads the vendor's samples of notifications", () => {
    const basic = platformJson('outlook', 'samples/change-notification.basic.json');
    expect(webhooks.events(hook('', JSON.stringify(basic)), undefined)).toMatchObject([
      { type: 'record', stream: 'messages', id: '{long_id_string}', change: 'changed' },
    ]);
    const life = platformJson('outlook', 'samples/lifecycle-notification.json');
    expect(webhooks.events(hook('', JSON.stringify(life)), undefined)).toMatchObject([
      { type: 'renew' },
      { type: 'poll' },
    ]);
  });

  test('outlook: settings lead to a tenant or a national cloud, and nowhere else', () => {
    const at = (settings: Record<string, unknown>) => [cloudOf('api', { settings }), cloudOf('login', { settings })];
    expect(at({})).toEqual([undefined, undefined]);
    expect(at({ tenant: 'contoso.com' })).toEqual([undefined, 'https://login.microsoftonline.com/contoso.com']);
    expect(at({ cloud: 'usgov' })).toEqual(['https://graph.microsoft.us', 'https://login.microsoftonline.us/common']);
    expect(at({ tenant: '../evil.example', cloud: 'evil' })).toEqual([
      undefined,
      'https://login.microsoftonline.com/common',
    ]);
  });

  test("outlook: Windows' names of zones are known, and what nobody knows is left out", () => {
    expect(zoneOf('W. Europe Standard Time')).toBe('Europe/Berlin');
    expect(zoneOf('America/New_York')).toBe('America/New_York');
    expect(zoneOf('tzone://Microsoft/Custom')).toBeUndefined();
  });

  test('outlook: a marketing mail carries one-click unsubscription, and no name breaks its headers', () => {
    const mime = mimeOf({
      ...{ from: 'owner@business.example', to: 'ann@example.com', toName: 'Ann\r\nBcc: all@example.com' },
      ...{ subject: 'Grüße aus Köln, und noch viel mehr als in eine Zeile passt', text: 'Hallo', html: '<p>Hallo</p>' },
      unsubscribeUrl: 'https://hub.example/u/1',
    }).toString();
    const head = mime.split('\r\n\r\n')[0]!;
    expect(head).toContain(
      'List-Unsubscribe: <https://hub.example/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click',
    );
    expect(head).not.toMatch(/^Bcc:/m);
    const words = [...head.matchAll(/=\?utf-8\?B\?([^?]*)\?=/g)].map(([, word]) =>
      Buffer.from(word!, 'base64').toString(),
    );
    expect(words.join('')).toBe('Grüße aus Köln, und noch viel mehr als in eine Zeile passt');
    for (const line of head.split('\r\n')) expect(line.length).toBeLessThan(150);
    expect(mime).toContain(Buffer.from('<p>Hallo</p>').toString('base64'));
  });

  test('outlook: an appointment is with the guest, or with whoever invited us; its times are moments', () => {
    const start = { dateTime: '2026-03-05T15:00:00.0000000', timeZone: 'UTC' };
    const organizer = { emailAddress: { address: 'owner@business.example' } };
    const guests = ['owner@business.example', 'ann@example.com'].map((address) => ({ emailAddress: { address } }));
    const room = { type: 'resource', emailAddress: { address: 'room@business.example' } };
    expect(appointmentOf({ start, organizer, isOrganizer: true, attendees: [room, ...guests] })).toMatchObject({
      guest: { address: 'ann@example.com' },
      startsAt: '2026-03-05T15:00:00.000Z',
    });
    expect(appointmentOf({ start, organizer, isOrganizer: false, attendees: guests })).toMatchObject({
      guest: { address: 'owner@business.example' },
    });
  });

  test.each([
    [{ name: 'Auto-Submitted', value: 'auto-replied' }, true],
    [{ name: 'Auto-Submitted', value: 'no' }, false],
    [{ name: 'X-Auto-Response-Suppress', value: 'All' }, true],
    [{ name: 'X-Mailer', value: 'Something' }, false],
  ])('outlook: who wrote it, a person or a machine: %j', (header, automatic) => {
    expect(mailOf({ internetMessageHeaders: [header] })).toMatchObject({ automatic });
  });

  test('outlook: a mailbox that sent too much waits an hour, and nothing is in doubt', () => {
    const body = { error: { code: 'ErrorExceededMessageLimit', message: 'Too many messages.' } };
    const now = new Date(AT);
    expect(classify(connector.errors, { status: 429, headers: {}, body }, now)).toMatchObject({
      ...{ kind: 'transient', mayHaveActed: false, until: new Date(now.getTime() + HOUR) },
    });
  });

  test('outlook: four calls of one mailbox are under way at once, and a failed one gives its place back', async () => {
    const lanes = createLanes();
    let [busy, most, ended] = [0, 0, 0];
    const work = async (): Promise<void> => {
      busy += 1;
      most = Math.max(most, busy);
      await new Promise((done) => setImmediate(done));
      busy -= 1;
      ended += 1;
      if (ended % 3 === 0) throw new Error('refused');
    };
    await Promise.allSettled(Array.from({ length: 20 }, () => lanes('one', work)));
    expect({ most, ended }).toEqual({ most: 4, ended: 20 });
  });

  test('outlook: a silent server is given up, and the client does not try again by itself', async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      // Only the first is answered: with a refusal the client would repeat.
      if (asked === 1) response.writeHead(429, { 'retry-after': '0' }).end('{}');
    });
    await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready));
    const send = await graphTransport();
    const rest = { secrets: {}, settings: {}, guarded: false, allowedHosts: ['127.0.0.1'] };
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const request = { ...rest, method: 'GET', path: '/v1.0/me', origin, headers: {} } as const;
    expect(await send({ ...request, signal: AbortSignal.timeout(5000) })).toMatchObject({ status: 429 });
    expect(asked).toBe(1);
    const failure = await send({ ...request, signal: AbortSignal.timeout(150) }).catch((error) => error);
    expect(failure).toMatchObject({ kind: 'transient', mayHaveActed: true });
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
});

describe('with a hub', async () => {
  let vendor: OutlookSandbox;
  let hub: TestHub;
  let connection: Record<string, any>;
  let ann: string;

  beforeAll(async () => {
    const port = await freePort();
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP, limits: false });
    const env = { ...APP, OUTLOOK_HOST_API: vendor.hosts.api!, OUTLOOK_HOST_LOGIN: vendor.hosts.login! };
    hub = await startTestHub({ at: AT, port, connectors: ['outlook'], env });
    addContact(vendor.mailbox, {
      ...{ displayName: 'Ann Archer', givenName: 'Ann', surname: 'Archer', categories: ['VIP'] },
      ...{ emailAddresses: [{ name: 'Ann', address: 'ann@example.com' }], birthday: '1974-07-22T11:59:00Z' },
    });
    connection = await hub.connect('outlook');
    await hub.settle();
    ann = (await hub.api('GET', '/v1/customers?search=ann%40example.com')).body.items[0].id;
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const act = async (kind: string, input: Record<string, unknown>): Promise<() => Promise<Record<string, any>>> => {
    const body = { kind, customerId: ann, connectionId: connection.id, input, class: 'transactional' };
    const planned = await hub.api('POST', '/v1/actions', body);
    expect(planned.status, JSON.stringify(planned.body)).toBe(202);
    await hub.settle();
    return async () => (await hub.api('GET', `/v1/actions/${planned.body.id}`)).body;
  };
  const mail = { to: 'ann@example.com', subject: 'Your visit', text: 'We come tomorrow.' };
  const sentMail = (id: string) => vendor.mailbox.find('message', id)!;

  test('outlook: connecting tells mailbox, zone and task list, and subscribes with the secret of the connection', async () => {
    expect(connection.account).toMatchObject({ id: vendor.mailbox.user.id, timeZone: 'America/New_York' });
    const living = vendor.subscriptions.living();
    expect(living.map(({ resource }) => resource).sort()).toEqual([
      'me/contacts',
      'me/events',
      "me/mailFolders('inbox')/messages",
      `me/todo/lists/${vendor.mailbox.taskList}/tasks`,
    ]);
    for (const { notificationUrl, clientState } of living) {
      expect(notificationUrl).toContain(connection.id);
      expect(clientState!.length).toBeGreaterThan(20);
    }
    const { body } = await hub.api('GET', `/v1/customers/${ann}`);
    expect(JSON.stringify(body)).toContain('1974-07-22');
  });

  test('outlook: a mail is kept in Sent Items with our mark, and found again by it', async () => {
    const { receipt } = await (await act('send_email', mail))();
    expect(sentMail(receipt.nativeId)).toMatchObject({
      isDraft: false,
      parentFolderId: 'sentitems',
      subject: 'Your visit',
    });
    expect(receipt).toMatchObject({ state: 'sent', url: expect.stringContaining('https://outlook.office365.com/') });
  });

  test('outlook: a lost answer to a draft leaves one mail, and the draft is taken up again', async () => {
    const before = vendor.mailbox.sent.length;
    const drafts = (): number => vendor.mailbox.all('message').filter(({ isDraft }) => isDraft).length;
    vendor.server.faults.add({ kind: 'cut_after', match: /^POST \/v1\.0\/me\/messages$/, times: 1 });
    const action = await act('send_email', { ...mail, subject: 'Once' });
    for (let round = 0; round < 6; round++) await hub.advance(5 * MINUTE);
    expect((await action()).state).toBe('sent');
    expect(vendor.mailbox.sent).toHaveLength(before + 1);
    expect(drafts()).toBe(0);
  });

  test('outlook: a mail that was sent and that searches still show as a draft is not sent again', async () => {
    const before = vendor.mailbox.sent.length;
    vendor.server.faults.add({ kind: 'cut_after', match: /^POST \/v1\.0\/me\/messages\/[^/]+\/send$/, times: 1 });
    // Searches show the mailbox as it was: what is a draft there was sent.
    const stale = vendor.server.faults.add({
      ...{ kind: 'rewrite', match: /^GET \/v1\.0\/me\/messages$/ },
      rewrite: (body) => {
        const { value, ...rest } = body as { value: object[] };
        return { ...rest, value: value.map((one) => ({ ...one, isDraft: true })) };
      },
    });
    const action = await act('send_email', { ...mail, subject: 'Shown late' });
    for (let round = 0; round < 3; round++) await hub.advance(5 * MINUTE);
    stale();
    for (let round = 0; round < 4; round++) await hub.advance(10 * MINUTE);
    expect(await action()).toMatchObject({ state: 'sent' });
    expect(vendor.mailbox.sent).toHaveLength(before + 1);
  });

  test('outlook: an answer goes into the conversation it answers', async () => {
    const from = { emailAddress: { address: 'ann@example.com' } };
    const asked = addMail(vendor.mailbox, { from, subject: 'When?', internetMessageId: "<it's@example.com>" });
    const { receipt } = await (await act('send_email', { ...mail, inReplyTo: "<it's@example.com>" }))();
    expect(sentMail(receipt.nativeId)).toMatchObject({ conversationId: asked.conversationId, isDraft: false });
  });

  test('outlook: marketing goes out in the MIME form, with its header and our mark', async () => {
    const unsubscribeUrl = 'https://hub.example/u/1';
    const { receipt, state } = await (await act('send_email', { ...mail, unsubscribeUrl }))();
    expect(state).toBe('sent');
    const { internetMessageHeaders, singleValueExtendedProperties } = sentMail(receipt.nativeId);
    expect(internetMessageHeaders).toContainEqual({ name: 'List-Unsubscribe', value: `<${unsubscribeUrl}>` });
    expect(singleValueExtendedProperties).toHaveLength(1);
  });

  test('outlook: an address that does not exist comes back as a bounce, and nothing more goes there', async () => {
    const action = await act('send_email', { ...mail, subject: 'Bounced' });
    const { receipt } = await action();
    const original = sentMail(receipt.nativeId);
    const report = addMail(vendor.mailbox, {
      ...{ from: { emailAddress: { address: 'postmaster@business.example' } }, subject: 'Undeliverable: Bounced' },
      ...{ conversationId: original.conversationId },
      mime: 'Content-Type: multipart/report\r\n\r\nFinal-Recipient: rfc822;ann@example.com\r\nAction: failed\r\nStatus: 5.1.10\r\n',
    });
    await vendor.subscriptions.tell('message', report, 'created');
    await hub.settle();
    expect((await action()).receipt).toMatchObject({ state: 'bounced' });
    const again = await act('send_email', { ...mail, subject: 'Again' });
    expect((await again()).state).toBe('skipped');
  });

  test('outlook: a repeated transactionId is refused, and the appointment of the first try is its receipt', async () => {
    const before = vendor.mailbox.all('event').length;
    const slot = { startsAt: '2026-03-05T15:00:00Z', endsAt: '2026-03-05T16:00:00Z' };
    // The first try is made and its answer lost; the index shows it so late that it is tried again.
    vendor.server.faults.add({ kind: 'cut_after', match: /^POST \/v1\.0\/me\/events$/, times: 1 });
    vendor.lateIndexMs = 10 * MINUTE;
    const action = await act('create_calendar_event', { title: 'Visit', ...slot, about: {} });
    for (let round = 0; round < 4; round++) await hub.advance(3 * MINUTE);
    vendor.lateIndexMs = 0;
    for (let round = 0; round < 6; round++) await hub.advance(10 * MINUTE);
    expect(await action()).toMatchObject({ state: 'sent' });
    expect(vendor.mailbox.all('event')).toHaveLength(before + 1);
    const refused = vendor.server.journal.filter(({ path, status }) => path === '/v1.0/me/events' && status === 409);
    expect(refused.length).toBeGreaterThan(0);
  });

  test('outlook: what a guest answers, a task that is ticked off and an appointment that is cancelled come back', async () => {
    const slot = { startsAt: '2026-03-06T15:00:00Z', endsAt: '2026-03-06T16:00:00Z' };
    const visit = await act('create_calendar_event', {
      title: 'Visit',
      ...slot,
      attendees: ['ann@example.com'],
      about: {},
    });
    const task = await act('create_task', { title: 'Call', dueAt: slot.startsAt, about: {} });
    const [{ receipt: made }, { receipt: todo }] = [await visit(), await task()];
    expect(todo.state).toBe('notStarted');
    const attendees = [
      { emailAddress: { address: 'ann@example.com' }, type: 'required', status: { response: 'declined' } },
    ];
    await vendor.subscriptions.tell('event', vendor.mailbox.update('event', made.nativeId, { attendees })!, 'updated');
    // Nobody tells of this one: the next reading does.
    vendor.mailbox.update('todoTask', todo.nativeId, { status: 'completed' });
    await hub.settle();
    expect((await visit()).receipt).toMatchObject({ state: 'declined' });
    const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      tx.query(
        "select status, native_status from job where tenant_id = $1 and title = 'Visit' and native_status = 'declined'",
        [hub.tenantId],
      ),
    );
    expect(rows).toEqual([{ status: 'cancelled', native_status: 'declined' }]);
    await hub.advance(HOUR);
    expect((await task()).receipt).toMatchObject({ state: 'completed' });
    vendor.mailbox.update('event', made.nativeId, { isCancelled: true });
    await hub.advance(HOUR);
    expect((await visit()).receipt).toMatchObject({ state: 'cancelled' });
  });

  test('outlook: a reply is an answer of the customer, and mail that leaves the inbox stays one', async () => {
    const from = { emailAddress: { address: 'Ann@Example.com' } };
    const uniqueBody = { contentType: 'text', content: 'Tomorrow is fine.' };
    const reply = addMail(vendor.mailbox, { from, subject: 'Re: Your visit', uniqueBody, bodyPreview: 'Tomorrow' });
    await vendor.subscriptions.tell('message', reply, 'created');
    await hub.settle();
    vendor.mailbox.remove('message', reply.id);
    await hub.advance(HOUR);
    const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      tx.query(
        "select direction, automatic, body, customer_id from activity where tenant_id = $1 and subject = 'Re: Your visit' and deleted_at is null",
        [hub.tenantId],
      ),
    );
    expect(rows).toEqual([{ direction: 'in', automatic: false, body: 'Tomorrow is fine.', customer_id: ann }]);
  });

  const living = async (): Promise<string[]> => {
    const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      tx.query<{ remote_id: string }>(
        `select r.remote_id from source_record r join stream s on s.tenant_id = r.tenant_id and s.id = r.stream_id
         where r.tenant_id = $1 and s.name = 'contacts' and r.deleted_at is null`,
        [hub.tenantId],
      ),
    );
    return rows.map((row) => row.remote_id).sort();
  };
  const ids = (): string[] =>
    vendor.mailbox
      .all('contact')
      .map(({ id }) => id)
      .sort();

  test('outlook: a token that is forgotten means everything anew, and what was deleted meanwhile is found', async () => {
    const [kept, gone] = ['Kept', 'Gone'].map((displayName) => addContact(vendor.mailbox, { displayName }));
    await hub.advance(HOUR);
    expect(await living()).toEqual(ids());
    vendor.mailbox.remove('contact', gone!.id);
    vendor.mailbox.update('contact', kept!.id, { displayName: 'Kept still' });
    addContact(vendor.mailbox, { displayName: 'Made meanwhile' });
    vendor.forgetTokens();
    await hub.advance(HOUR);
    const refused = vendor.server.journal.filter(({ status }) => status === 410);
    expect(refused.length).toBeGreaterThan(0);
    // Missed once it is put aside, missed again it is gone.
    for (let day = 0; day < 3; day++) await hub.advance(31 * 24 * HOUR);
    expect(await living()).toEqual(ids());
  });

  test('outlook: subscriptions that the vendor removed are made anew, and what was missed is read', async () => {
    const before = new Set(vendor.subscriptions.living().map(({ id }) => id));
    expect(before.size).toBe(4);
    addContact(vendor.mailbox, { displayName: 'Told by nobody' });
    await vendor.subscriptions.life('subscriptionRemoved');
    await hub.settle();
    const after = vendor.subscriptions.living();
    expect(after.filter(({ id }) => before.has(id))).toEqual([]);
    expect(after).toHaveLength(4);
    expect(await living()).toEqual(ids());
    addContact(vendor.mailbox, { displayName: 'Missed' });
    await vendor.subscriptions.life('missed');
    await hub.settle();
    expect(await living()).toEqual(ids());
    const ends = (): number =>
      Math.min(...vendor.subscriptions.living().map((one) => Date.parse(one.expirationDateTime)));
    const old = ends();
    hub.clock.advance(HOUR);
    await vendor.subscriptions.life('reauthorizationRequired');
    await hub.settle();
    expect(ends()).toBeGreaterThan(old);
  });

  test('outlook: a series is read by its appointments, however the change was told', async () => {
    const slot = slotIn(vendor.mailbox, 3);
    const series = { subject: 'Weekly', ...slot };
    const master = addEvent(vendor.mailbox, { ...series, type: 'seriesMaster' });
    addEvent(vendor.mailbox, { ...series, type: 'occurrence', seriesMasterId: master.id });
    await vendor.subscriptions.tell('event', master, 'created');
    await hub.settle();
    const { rows } = await hub.hub.db.tenant(hub.tenantId, (tx) =>
      tx.query<{ n: number }>("select count(*)::int as n from job where tenant_id = $1 and title = 'Weekly'", [
        hub.tenantId,
      ]),
    );
    expect(rows).toEqual([{ n: 1 }]);
  });

  test('outlook: whoever disconnects takes the subscriptions back', async () => {
    expect((await hub.api('DELETE', `/v1/connections/${connection.id}`)).status).toBe(204);
    expect(vendor.subscriptions.living()).toEqual([]);
  });

  await vendorTruth('outlook', () => vendor.server, { part: 'special' });
});
