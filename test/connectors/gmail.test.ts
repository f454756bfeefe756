import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import connector from '../../connectors/gmail/connector.ts';
import { ownWords } from '../../connectors/gmail/messages.ts';
import { writeLetter } from '../../connectors/gmail/mime.ts';
import { headerIn, takeApart } from '../../connectors/gmail/sandbox.mail.ts';
import { type GmailSandbox, start } from '../../connectors/gmail/sandbox.ts';
import { manualClock } from '../../src/base/clock.ts';
import { classify } from '../../src/kit/index.ts';
import { importFile } from '../../src/sync/imports/import.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('gmail');

const AT = '2026-03-02T15:00:00Z';
const APP = {
  GMAIL_CLIENT_ID: 'gmail-app',
  GMAIL_CLIENT_SECRET: 'gmail-secret',
  GMAIL_PUBSUB_TOPIC: 'projects/business/topics/gmail',
  GMAIL_PUSH_ACCOUNT: 'push@business.iam.gserviceaccount.com',
};

describe('without a hub', () => {
  test('gmail: no text becomes a header, and every text arrives as it was written', () => {
    const subject = 'Grüße aus der Küche: 温水器の点検についてのお知らせです\r\nBcc: thief@example.com';
    const raw = writeLetter({
      from: { address: 'office@business.example', name: 'Müller & Söhne, Heizung' },
      to: { address: 'ann@example.com', name: 'Ann "A" <x@y.example>\nCc: z@example.com' },
      subject,
      date: new Date(AT),
      messageId: '<rapport.1@business.example>',
      text: 'Zeile eins\nZeile zwei ✓',
      html: `<p>${'lang '.repeat(200)}ü</p>`,
      headers: {},
    });
    expect(raw.split('\r\n').every((line) => line.length <= 78 && !line.includes('\n'))).toBe(true);
    const mail = takeApart(raw);
    expect(mail.headers.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['Bcc']));
    expect(mail.headers.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['Cc']));
    expect(headerIn(mail.headers, 'Subject')).toBe(subject.replace('\r\n', ' '));
    expect(headerIn(mail.headers, 'From')).toBe('Müller & Söhne, Heizung <office@business.example>');
    const texts = mail.parts!.map(({ body }) => Buffer.from(body.data!, 'base64url').toString());
    expect(texts[0]).toBe('Zeile eins\r\nZeile zwei ✓');
    expect(texts[1]).toContain('lang ü</p>');
  });

  test('gmail: what somebody quotes is not what they wrote', () => {
    expect(ownWords('STOP\r\n\r\nOn Mon, Mar 2, 2026 at 10:00 AM The Office <o@b.example> wrote:\r\n> Hello')).toBe(
      'STOP',
    );
    expect(ownWords('Passt.\n\nAm 02.03.2026 um 10:00 schrieb Büro <o@b.example>:\n> Hallo')).toBe('Passt.');
  });

  test('gmail: when a mailbox may send again stands in the sentence', () => {
    const message = 'User-rate limit exceeded.  Retry after 2026-03-02T16:30:00.000Z (Mail sending)';
    const body = {
      error: { code: 429, message, errors: [{ domain: 'usageLimits', reason: 'rateLimitExceeded', message }] },
    };
    const failure = classify(connector.errors, { status: 429, headers: {}, body }, new Date(AT));
    expect(failure).toMatchObject({ kind: 'rate_limited', until: new Date('2026-03-02T16:30:00Z') });
  });
});

describe('with a hub', async () => {
  let vendor: GmailSandbox;
  let hub: TestHub;
  let connection: Record<string, any>;

  beforeAll(async () => {
    const port = await freePort();
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP, hookUrl: `http://127.0.0.1:${port}/hooks/gmail`, limits: false });
    const { api, google, accounts, oauth } = vendor.hosts;
    hub = await startTestHub({
      at: AT,
      port,
      connectors: ['gmail', 'csv'],
      env: {
        ...APP,
        GMAIL_HOST_API: api!,
        GMAIL_HOST_GOOGLE: google!,
        GMAIL_HOST_ACCOUNTS: accounts!,
        GMAIL_HOST_OAUTH: oauth!,
      },
    });
    connection = await hub.connect('gmail');
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  /** Somebody of this address, known from a file. */
  const customer = async (email: string, api = hub.api, tenantId = hub.tenantId): Promise<string> => {
    const find = async () => (await api('GET', `/v1/customers?search=${encodeURIComponent(email)}`)).body.items[0]?.id;
    const known = await find();
    if (known) return known;
    const folder = await mkdtemp(path.join(os.tmpdir(), 'rapport-gmail-'));
    const file = path.join(folder, 'customers.csv');
    await writeFile(file, `Id,Name,Email\n${email},Somebody,${email}`);
    await importFile(hub.hub.deps, tenantId, { object: 'contacts', file, actor: 'test' });
    await rm(folder, { recursive: true });
    return find();
  };
  const send = async (
    to: string,
    more: Record<string, unknown> = {},
    who = connection,
    api = hub.api,
    tenantId = hub.tenantId,
  ): Promise<string> => {
    const { status, body } = await api('POST', '/v1/actions', {
      ...{
        kind: 'send_email',
        connectionId: who.id,
        class: 'transactional',
        customerId: await customer(to, api, tenantId),
      },
      input: { to, subject: 'Visit', text: 'We come tomorrow.', ...more },
    });
    expect(status, JSON.stringify(body)).toBe(202);
    await hub.settle();
    return body.id;
  };
  const actionOf = async (id: string, api = hub.api): Promise<Record<string, any>> =>
    (await api('GET', `/v1/actions/${id}`)).body;
  const sent = () => vendor.mailbox.messages.filter(({ labelIds }) => labelIds.includes('SENT'));
  const header = (id: string, name: string): string => headerIn(vendor.mailbox.find(id)!.payload.headers, name) ?? '';
  const told = async (): Promise<void> => {
    hub.clock.advance(MINUTE);
    expect(await vendor.announce()).toMatchObject({ status: 204 });
    await hub.hub.queue.idle();
  };
  const activities = async (): Promise<Record<string, any>[]> => {
    const sql = 'select * from activity where tenant_id = $1 order by occurred_at';
    return (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query<Record<string, any>>(sql, [hub.tenantId]))).rows;
  };

  test('gmail: a mail carries our id, the way out and the thread it answers; its answer comes back without the quote', async () => {
    const first = await actionOf(await send('ann@example.com', { unsubscribeUrl: 'https://hub.example/u/1' }));
    const { nativeId } = first.receipt;
    expect(header(nativeId, 'Message-ID')).toBe(`<rapport.${first.id}@business.example>`);
    expect(header(nativeId, 'List-Unsubscribe')).toBe(
      '<https://hub.example/u/1>, <mailto:office@business.example?subject=unsubscribe>',
    );
    expect(header(nativeId, 'List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
    const quoted =
      'Fine!\n\nOn Mon, Mar 2, 2026 at 10:00 AM The Office <office@business.example> wrote:\n> We come tomorrow.';
    const answer = vendor.mailbox.receive('Ann <ann@example.com>', 'Re: Visit', quoted, header(nativeId, 'Message-ID'));
    await told();
    expect(await activities()).toMatchObject([
      { direction: 'in', channel: 'email', body: 'Fine!', address: 'ann@example.com', automatic: false },
    ]);
    const second = await actionOf(await send('ann@example.com', { inReplyTo: header(answer.id, 'Message-ID') }));
    expect(vendor.mailbox.find(second.receipt.nativeId)!.threadId).toBe(vendor.mailbox.find(nativeId)!.threadId);
  });

  test('gmail: nothing of the mailbox is read but answers to us, and a machine is no person', async () => {
    const { receipt } = await actionOf(await send('ben@example.com'));
    const before = (await activities()).length;
    const calls = vendor.server.journal.length;
    vendor.mailbox.receive('aunt@example.com', 'Family', 'Very private');
    vendor.mailbox.receive('ben@example.com', 'Away', 'I am back on Monday.', header(receipt.nativeId, 'Message-ID'), {
      'Auto-Submitted': 'auto-replied',
    });
    await told();
    const after = await activities();
    expect(after).toHaveLength(before + 1);
    expect(after.at(-1)).toMatchObject({ automatic: true, subject: 'Away' });
    const read = vendor.server.journal.slice(calls).filter(({ query }) => query.format === 'full');
    expect(read).toHaveLength(1);
  });

  test('gmail: a bounce is told of the mail it returns; an address that does not exist is closed, a late one is not', async () => {
    const late = await send('late@example.com');
    vendor.mailbox.bounce((await actionOf(late)).receipt.nativeId, '4.4.1', 'The server does not answer.');
    const gone = await send('gone@example.com');
    const { nativeId } = (await actionOf(gone)).receipt;
    vendor.mailbox.bounce(nativeId, '5.1.1', 'The email account does not exist.');
    await told();
    expect((await actionOf(late)).receipt.state).toBe('delayed');
    expect((await actionOf(gone)).receipt).toMatchObject({ state: 'bounced', nativeId });
    const count = sent().length;
    expect((await actionOf(await send('gone@example.com'))).state).toBe('skipped');
    expect(sent()).toHaveLength(count);
  });

  test('gmail: a history that is too old costs one search, and no answer is lost or counted twice', async () => {
    const { receipt } = await actionOf(await send('cleo@example.com'));
    const before = (await activities()).length;
    vendor.mailbox.receive('cleo@example.com', 'Re: Visit', 'Yes', header(receipt.nativeId, 'Message-ID'));
    vendor.mailbox.forgetHistory();
    const calls = vendor.server.journal.length;
    await hub.advance(6 * MINUTE);
    expect(await activities()).toHaveLength(before + 1);
    const asked = vendor.server.journal.slice(calls).filter(({ path }) => path.endsWith('/history'));
    expect(asked.map(({ status }) => status)).toEqual([404]);
    await hub.advance(6 * MINUTE);
    expect(vendor.server.journal.at(-1)).toMatchObject({ status: 200 });
  });

  test('gmail: a mail whose Message-ID Gmail replaced is found again by our own header', async () => {
    vendor.mailbox.rewritesIds = true;
    const count = sent().length;
    vendor.server.faults.add({ kind: 'cut_after', times: 1, match: /messages\/send$/ });
    const id = await send('dora@example.com');
    for (let rounds = 0; rounds < 5; rounds++) await hub.advance(2 * MINUTE);
    vendor.mailbox.rewritesIds = false;
    expect(await actionOf(id)).toMatchObject({ state: 'sent', receipt: { nativeId: sent().at(-1)!.id } });
    expect(sent()).toHaveLength(count + 1);
  });

  test('gmail: who may only send sends, reads nothing, and never sends in doubt a second time', async () => {
    const other = await hub.otherTenant();
    const made = await hub.connect('gmail', { api: other.api, features: ['send'] });
    await hub.settle();
    const count = sent().length;
    expect(await actionOf(await send('eve@example.com', {}, made, other.api, other.tenantId), other.api)).toMatchObject(
      {
        state: 'sent',
      },
    );
    vendor.server.faults.add({ kind: 'cut_after', times: 1, match: /messages\/send$/ });
    const id = await send('fay@example.com', {}, made, other.api, other.tenantId);
    for (let rounds = 0; rounds < 5; rounds++) await hub.advance(10 * MINUTE);
    expect(await actionOf(id, other.api)).toMatchObject({ state: 'unknown', attempts: 1 });
    expect(sent()).toHaveLength(count + 2);
  });

  test('gmail: an alias that is not confirmed is told before Gmail replaces it', async () => {
    const path = `/v1/connections/${connection.id}`;
    const set = async (fromAddress: string): Promise<string> => {
      const etag = (await hub.api('GET', path)).headers.get('etag')!;
      expect(
        (await hub.api('PATCH', path, { settings: { fromAddress, fromName: 'Service' } }, { 'if-match': etag })).status,
      ).toBe(200);
      await hub.api('POST', `${path}/prepare`);
      return JSON.stringify((await hub.api('GET', path)).body);
    };
    expect(await set('new@business.example')).toContain('no confirmed alias');
    expect(await set('service@business.example')).not.toContain('no confirmed alias');
    const { receipt } = await actionOf(await send('gil@example.com'));
    expect(header(receipt.nativeId, 'From')).toBe('Service <service@business.example>');
  });

  await vendorTruth('gmail', () => vendor.server, { part: 'special' });
});
