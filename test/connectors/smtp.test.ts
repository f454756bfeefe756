import { createHash, createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { start as startCrm } from '../../connectors/hubspot/sandbox.ts';
import { actions } from '../../connectors/smtp/actions.ts';
import connector from '../../connectors/smtp/connector.ts';
import { smtpError } from '../../connectors/smtp/errors.ts';
import type { ReceivedMail } from '../../connectors/smtp/sandbox.mail.ts';
import { type SmtpSandbox, start } from '../../connectors/smtp/sandbox.ts';
import { poolOptions } from '../../connectors/smtp/transport.ts';
import { manualClock } from '../../src/base/clock.ts';
import type { PreparedRequest } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

const CRM = { HUBSPOT_CLIENT_ID: 'hubspot-app', HUBSPOT_CLIENT_SECRET: 'hubspot-secret' };
const AT = '2026-03-02T15:00:00Z';
const UNSUBSCRIBE = `https://hub.example/u/${'t'.repeat(43)}?from=mail&list=all-of-the-messages-of-main-street-services`;

let server: SmtpSandbox;
let crm: Awaited<ReturnType<typeof startCrm>>;
let hub: TestHub;
let connection: Record<string, any>;
let people = 0;
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const dkim = { dkimDomain: 'mainstreet.example', dkimSelector: 'hub', dkimPrivateKey: privateKey };
const connect = (more: Record<string, unknown> = {}, call = hub.api) =>
  call('POST', '/v1/connections', { connector: 'smtp', settings: { ...server.credentials, ...dkim, ...more } });

beforeAll(async () => {
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  server = await start({ clock, app: {} });
  crm = await startCrm({ clock, app: CRM, limits: false });
  for (let n = 0; n < 60; n++) {
    crm.state.create('contacts', { firstname: 'Ann', lastname: `Miller ${n}`, email: `ann${n}@example.com` });
  }
  hub = await startTestHub({
    at: AT,
    port: await freePort(),
    connectors: ['hubspot', 'smtp'],
    env: { ...CRM, HUBSPOT_HOST_API: crm.hosts.api!, HUBSPOT_HOST_APP: crm.hosts.app! },
  });
  // Quiet hours are another room's promise: here every hour is open.
  const always = { open: '00:00', close: '24:00', days: [1, 2, 3, 4, 5, 6, 7] };
  const { headers } = await hub.api('GET', '/v1/settings/quietHours');
  const open = { default: always, channels: {} };
  const set = await hub.api('PUT', '/v1/settings/quietHours', open, { 'if-match': headers.get('etag')! });
  expect(set.status).toBeLessThan(300);
  await hub.connect('hubspot');
  await hub.settle();
  connection = (await connect({ bounceDomain: 'bounces.mainstreet.example' })).body.connection;
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await crm?.stop();
  await server?.stop();
});

beforeEach(async () => {
  server.faults.clear();
  // The allowance of mails a minute is full again.
  await hub.advance(2 * MINUTE);
});

/** A person nobody wrote to yet: address and customer id. */
async function somebody(): Promise<{ email: string; id: string }> {
  const email = `ann${people++}@example.com`;
  const { body } = await hub.api('GET', `/v1/customers?search=${encodeURIComponent(email)}`);
  return { email, id: body.items[0].id };
}

const action = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;

/** Plans a mail and lets the hub come to rest. */
async function write(
  who: { email: string; id: string },
  more: Record<string, unknown> = {},
): Promise<Record<string, any>> {
  const input = { to: who.email, toName: 'Ann Miller', subject: 'Your visit', text: 'We come tomorrow.', ...more };
  const planned = await hub.api('POST', '/v1/actions', {
    kind: 'send_email',
    customerId: who.id,
    class: 'transactional',
    input,
  });
  expect(planned.status).toBe(202);
  await hub.settle();
  return action(planned.body.id);
}

const mailsTo = (address: string): ReceivedMail[] =>
  server.mails().filter(({ envelope }) => envelope.to.includes(address));

/** Changes settings of the connection for one piece of work. */
async function withSettings<T>(settings: Record<string, unknown>, work: () => Promise<T>): Promise<T> {
  const patch = async (values: Record<string, unknown>) => {
    const { headers } = await hub.api('GET', `/v1/connections/${connection.id}`);
    const answer = await hub.api(
      'PATCH',
      `/v1/connections/${connection.id}`,
      { settings: values },
      { 'if-match': headers.get('etag')! },
    );
    expect(answer.status).toBe(200);
  };
  await patch(settings);
  try {
    return await work();
  } finally {
    await patch(Object.fromEntries(Object.keys(settings).map((name) => [name, connection.settings[name]])));
  }
}

describe('connecting', () => {
  test('smtp: the test logs in, and no secret is shown', async () => {
    expect(connection).toMatchObject({
      state: 'active',
      webhookUrl: null,
      account: { id: 'hub@example.com@127.0.0.1', name: 'Main Street Services <hello@mainstreet.example>' },
    });
    const shown = JSON.stringify((await hub.api('GET', '/v1/connections')).body);
    expect(shown).not.toContain(server.credentials.password);
    expect(shown).not.toContain('PRIVATE KEY');
    expect(server.mails()).toEqual([]);
  });

  test('smtp: what is wrong is said before anything is stored', async () => {
    const said = async (more: Record<string, unknown>) => {
      const answer = await connect(more, (await hub.otherTenant()).api);
      expect(answer.status).toBe(422);
      return JSON.stringify(answer.body);
    };
    expect(await said({ password: 'wrong' })).toContain('does not accept user and password');
    expect(await said({ port: await freePort() })).toContain('cannot be reached');
    expect(await said({ host: 'mail.invalid' })).toContain('cannot be found');
    expect(await said({ dkimSelector: undefined })).toContain('DKIM needs all three');
    expect(await said({ dkimPrivateKey: 'no key' })).toContain('cannot be read');
    expect(await said({ fromAddress: 'a@example.com\r\nBcc: b@example.com' })).toContain('fromAddress');
    expect(await said({ fromAdress: 'a@example.com' })).toContain('fromAdress');
  });

  test('smtp: a server on a private network is refused, unless the operator named it', async () => {
    for (const host of ['127.0.0.2', '10.0.0.1', '169.254.169.254', '::1', '[::1]']) {
      const answer = await connect({ host }, (await hub.otherTenant()).api);
      expect(answer.status).toBe(422);
      expect(JSON.stringify(answer.body)).toContain('private network');
    }
  });

  test('smtp: nothing is read, so there are no streams and no address to post to', () => {
    expect(connector.streams).toEqual([]);
    expect(connector).not.toHaveProperty('webhooks');
  });
});

const prepared = (settings: Record<string, unknown>, secrets: Record<string, string> = {}): PreparedRequest => ({
  method: 'POST',
  path: '/send',
  origin: '',
  headers: {},
  secrets,
  settings,
  signal: AbortSignal.timeout(1000),
  guarded: true,
  allowedHosts: [],
});

describe('encryption', () => {
  test('smtp: without encryption nothing is sent, except to neighbours that were named', async () => {
    expect(await poolOptions(prepared({ host: '8.8.8.8' }))).toMatchObject({
      host: '8.8.8.8',
      port: 587,
      secure: false,
      requireTLS: true,
      tls: { rejectUnauthorized: true },
    });
    expect(await poolOptions(prepared({ host: '8.8.8.8', port: 25 }))).toMatchObject({
      secure: false,
      requireTLS: true,
    });
    expect(await poolOptions(prepared({ host: '8.8.8.8', port: 465 }))).toMatchObject({ secure: true });
    const named = { ...prepared({ host: 'localhost' }), allowedHosts: ['localhost'] };
    const neighbour = await poolOptions(named);
    expect(neighbour).toMatchObject({ requireTLS: false, tls: { rejectUnauthorized: true, servername: 'localhost' } });
    // The address that was checked is what is connected to; the name stays for the certificate.
    expect(neighbour.host).toMatch(/^(127\.0\.0\.1|::1)$/);
  });

  test('smtp: nothing is repeated behind the back of the hub', async () => {
    expect(await poolOptions(prepared({ host: '8.8.8.8' }))).toMatchObject({
      maxRequeues: 0,
      maxConnections: 3,
      maxMessages: 100,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  });

  test('smtp: a certificate nobody vouches for is refused, named neighbour or not', async () => {
    const encrypted = await start({ clock: hub.clock, app: {}, encrypted: true });
    try {
      const answer = await connect({ ...encrypted.credentials }, (await hub.otherTenant()).api);
      expect(answer.status).toBe(422);
      expect(JSON.stringify(answer.body)).toContain('certificate that nobody vouches for');
    } finally {
      await encrypted.stop();
    }
  });
});

/** Whether a DKIM signature (rsa-sha256, relaxed) holds, by RFC 6376 and not by the library that made it. */
function signatureHolds(mail: ReceivedMail): boolean {
  const [head, body] = [
    mail.raw.slice(0, mail.raw.indexOf('\r\n\r\n')),
    mail.raw.slice(mail.raw.indexOf('\r\n\r\n') + 4),
  ];
  const fields = head.split(/\r\n(?![ \t])/);
  const relaxed = (field: string) => {
    const colon = field.indexOf(':');
    return `${field.slice(0, colon).toLowerCase().trim()}:${field
      .slice(colon + 1)
      .replace(/\r\n/g, '')
      .replace(/[ \t]+/g, ' ')
      .trim()}`;
  };
  const signature = fields.find((field) => /^dkim-signature:/i.test(field))!;
  const tags = Object.fromEntries(
    signature
      .slice(signature.indexOf(':') + 1)
      .split(';')
      .map((tag) => [tag.slice(0, tag.indexOf('=')).trim(), tag.slice(tag.indexOf('=') + 1).replace(/\s+/g, '')]),
  );
  const lines = body
    .replace(/[ \t]+(?=\r\n)/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/(\r\n)*$/, '\r\n');
  if (createHash('sha256').update(lines, 'latin1').digest('base64') !== tags.bh) return false;
  const left = [...fields].reverse();
  const signed = tags.h!.split(':').flatMap((name) => {
    const at = left.findIndex((field) => field.toLowerCase().startsWith(`${name.toLowerCase()}:`));
    return at < 0 ? [] : [relaxed(left.splice(at, 1)[0]!)];
  });
  const unsigned = relaxed(signature.replace(/([;\s]b=)[^;]*$/, '$1').replace(/([;\s]b=)[^;]*(?=;)/, '$1'));
  const verifier = createVerify('RSA-SHA256').update([...signed, unsigned].join('\r\n'), 'latin1');
  return verifier.verify(createPublicKey(keys.privateKey), tags.b!, 'base64');
}

describe('sending', () => {
  test('smtp: one recipient, a Message-ID of ours, text and HTML, an address for its bounce', async () => {
    const who = await somebody();
    const done = await write(who, {
      subject: 'Grüße & Termin',
      text: 'Wir kommen um 10.',
      html: '<p>Wir kommen um <b>10</b>.</p>',
      inReplyTo: '<before@example.com>',
    });
    expect(done).toMatchObject({
      state: 'sent',
      receipt: { nativeId: `<${done.id}@mainstreet.example>`, state: 'accepted' },
    });
    const [mail, ...others] = mailsTo(who.email);
    expect(others).toEqual([]);
    expect(mail!.envelope).toEqual({ from: `bounce+${done.id}@bounces.mainstreet.example`, to: [who.email] });
    expect(mail!).toMatchObject({
      subject: 'Grüße & Termin',
      text: 'Wir kommen um 10.',
      html: '<p>Wir kommen um <b>10</b>.</p>',
    });
    expect(mail!.headers).toMatchObject({
      from: ['Main Street Services <hello@mainstreet.example>'],
      to: [`Ann Miller <${who.email}>`],
      'message-id': [`<${done.id}@mainstreet.example>`],
      'in-reply-to': ['<before@example.com>'],
      'auto-submitted': ['auto-generated'],
      date: [hub.clock.now().toUTCString().replace('GMT', '+0000')],
    });
    expect(mail!.headers).not.toHaveProperty('list-unsubscribe');
    expect(mail!.headers['content-type']![0]).toContain('multipart/alternative');
  });

  test('smtp: one-click unsubscribe is one header each, both signed', async () => {
    const who = await somebody();
    await write(who, { unsubscribeUrl: UNSUBSCRIBE, html: '<p>Hi</p>' });
    const mail = mailsTo(who.email)[0]!;
    expect(mail.headers['list-unsubscribe']).toEqual([`<${UNSUBSCRIBE}>`]);
    expect(mail.headers['list-unsubscribe-post']).toEqual(['List-Unsubscribe=One-Click']);
    expect(mail.headers['list-id']).toEqual(['Main Street Services <messages.mainstreet.example>']);
    // It is longer than a line may be, and still one address when it is unfolded.
    expect(mail.raw).toMatch(/^List-Unsubscribe:\r\n <https:/m);
    const signature = mail.headers['dkim-signature']![0]!;
    const covered = /;\s*h=([^;]+)/.exec(signature)![1]!.replace(/\s/g, '').toLowerCase().split(':');
    for (const name of ['from', 'to', 'subject', 'date', 'message-id', 'list-unsubscribe', 'list-unsubscribe-post'])
      expect(covered).toContain(name);
    expect(signatureHolds(mail)).toBe(true);
    const changed = { ...mail, raw: mail.raw.replace('List-Unsubscribe-Post: List', 'List-Unsubscribe-Post: Lost') };
    expect(signatureHolds(changed)).toBe(false);
  });

  test('smtp: without https there is no one-click, which would not work', async () => {
    const who = await somebody();
    await write(who, { unsubscribeUrl: 'http://hub.example/u/token' });
    const { headers } = mailsTo(who.email)[0]!;
    expect(headers['list-unsubscribe']).toEqual(['<http://hub.example/u/token>']);
    expect(headers).not.toHaveProperty('list-unsubscribe-post');
  });

  test('smtp: no text becomes a header or a second recipient', async () => {
    const who = await somebody();
    const evil = '\r\nBcc: victim@example.com\r\nX-Evil: 1\r\n\r\nbody';
    await write(who, {
      subject: `Hello${evil}`,
      toName: `Ann${evil}", victim@example.com, <x@y.z>`,
      text: `.\r\n.\r\nMAIL FROM:<a@b.c>\r\n${evil}`,
      inReplyTo: `<a@b>${evil}`,
    });
    const mail = mailsTo(who.email)[0]!;
    expect(mail.envelope.to).toEqual([who.email]);
    for (const name of ['bcc', 'x-evil', 'in-reply-to', 'cc']) expect(mail.headers).not.toHaveProperty(name);
    expect(mail.headers.to).toHaveLength(1);
    expect(mail.text).toContain('MAIL FROM:<a@b.c>');
    expect(mailsTo('victim@example.com')).toEqual([]);
    const requestFor = (more: Record<string, unknown>) => {
      const input = { to: 'a@example.com', subject: 's', text: 't', ...more };
      const ctx = { settings: connection.settings, now: new Date(AT) };
      const meta = { requestId: 'r', firstTriedAt: new Date(AT) };
      return actions[0]!.request(ctx as never, input as never, meta);
    };
    for (const to of [
      'a@example.com>\r\nRCPT TO:<victim@example.com',
      'a@example.com, victim@example.com',
      'a b@example.com',
    ]) {
      expect(() => requestFor({ to })).toThrow('is not one');
    }
    const link = 'https://hub.example/u/a>,\r\n <https://evil.example/>\r\nX-Evil: 2';
    const { headers } = requestFor({ unsubscribeUrl: link }).json as { headers: Record<string, string> };
    expect(headers['List-Unsubscribe']).toMatch(/^<https:\/\/hub\.example\/u\/[^<>\s]+>$/);
  });

  test('smtp: many mails share three connections, and each goes once', async () => {
    const before = server.counts.connections;
    server.counts.mostOpen = server.counts.open;
    const who = await Promise.all(Array.from({ length: 6 }, somebody));
    for (const person of who) {
      const input = { to: person.email, subject: 'All at once', text: 'Hello' };
      await hub.api('POST', '/v1/actions', {
        kind: 'send_email',
        customerId: person.id,
        class: 'transactional',
        input,
      });
    }
    await hub.settle();
    for (const { email } of who)
      expect(mailsTo(email).filter(({ subject }) => subject === 'All at once')).toHaveLength(1);
    expect(server.counts.connections - before).toBeLessThanOrEqual(3);
    expect(server.counts.mostOpen).toBeLessThanOrEqual(3);
  });

  test('smtp: a connection the server closed meanwhile is replaced', async () => {
    const who = await somebody();
    await write(who);
    server.dropConnections();
    const next = await write(who);
    if (next.state === 'planned') await hub.advance(3 * MINUTE);
    expect((await action(next.id)).state).toBe('sent');
    expect(mailsTo(who.email)).toHaveLength(2);
  });

  test('smtp: mails count against the allowance of a minute, log-ins do not', () => {
    const [allowance] = connector.limits;
    expect(allowance).toMatchObject({ scope: 'account', calls: 30, seconds: 60 });
    expect(allowance?.match?.({ method: 'POST', path: '/send' })).toBe(true);
    expect(allowance?.match?.({ method: 'POST', path: '/verify' })).toBe(false);
  });
});

describe('refusals', () => {
  test('smtp: an address that does not exist is closed', async () => {
    const who = await somebody();
    server.faults.add({ kind: 'status', status: 550, body: '5.1.1 No such user here', match: /^RCPT ann/, times: 1 });
    expect(await write(who)).toMatchObject({
      state: 'failed',
      reason: 'recipient_invalid',
      detail: expect.stringContaining('does not exist'),
    });
    expect(await write(who)).toMatchObject({ state: 'skipped', reason: 'suppressed' });
  });

  test("smtp: a refusal of the sender is not the recipient's fault", async () => {
    const who = await somebody();
    server.faults.add({ kind: 'status', status: 553, body: '5.1.8 Sender domain unknown', match: /^MAIL /, times: 1 });
    expect(await write(who)).toMatchObject({ state: 'failed', reason: 'invalid' });
    expect(await write(who)).toMatchObject({ state: 'sent' });
  });

  test('smtp: greylisting is waited out, and the mail goes once', async () => {
    const who = await somebody();
    server.faults.add({
      kind: 'status',
      status: 450,
      body: '4.2.0 Greylisted, come back later',
      match: /^RCPT /,
      times: 1,
    });
    const first = await write(who);
    expect(first).toMatchObject({
      state: 'planned',
      reason: 'transient',
      detail: expect.stringContaining('try again later'),
    });
    await hub.advance(3 * MINUTE);
    expect(await action(first.id)).toMatchObject({ state: 'sent', attempts: 2 });
    expect(mailsTo(who.email)).toHaveLength(1);
    expect(mailsTo(who.email)[0]!.headers['message-id']).toEqual([`<${first.id}@mainstreet.example>`]);
  });

  test('smtp: an answer to the message itself is an answer: it was not taken', async () => {
    const who = await somebody();
    server.faults.add({ kind: 'status', status: 451, body: '4.3.0 Try again', match: /^DATA /, times: 1 });
    const later = await write(who);
    expect(later.state).toBe('planned');
    await hub.advance(3 * MINUTE);
    expect((await action(later.id)).state).toBe('sent');
    server.faults.add({ kind: 'status', status: 554, body: '5.6.0 Bad content', match: /^DATA /, times: 1 });
    expect(await write(who)).toMatchObject({ state: 'failed', reason: 'invalid' });
    expect(mailsTo(who.email)).toHaveLength(1);
  });

  test('smtp: a changed password asks for a new one, and the mail waits', async () => {
    const who = await somebody();
    server.changePassword('another-password');
    server.dropConnections();
    const waiting = await write(who);
    expect(waiting.state).toBe('planned');
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}`);
    expect(body).toMatchObject({
      state: 'needs_reauthorisation',
      health: { sentence: expect.stringContaining('user and password') },
    });
    expect((await connect({ password: 'another-password' })).body.connection.id).toBe(connection.id);
    await hub.advance(25 * MINUTE);
    expect((await action(waiting.id)).state).toBe('sent');
    expect(mailsTo(who.email)).toHaveLength(1);
  });

  test('smtp: a login that fails for the moment is no wrong password', async () => {
    const who = await somebody();
    server.dropConnections();
    server.faults.add({
      kind: 'status',
      status: 454,
      body: '4.7.0 Temporary authentication failure',
      match: /^AUTH /,
      times: 3,
    });
    const later = await write(who);
    expect(later).toMatchObject({ state: 'planned', reason: 'transient' });
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body.state).toBe('active');
    server.faults.clear();
    await hub.advance(3 * MINUTE);
    expect((await action(later.id)).state).toBe('sent');
  });

  test('smtp: a block pauses the connection, and nothing is lost', async () => {
    const who = await somebody();
    server.faults.add({
      kind: 'status',
      status: 554,
      body: '5.7.1 Blocked, see our policy',
      match: /^RCPT /,
      times: 1,
    });
    const waiting = await write(who);
    expect(waiting).toMatchObject({ state: 'planned', reason: 'connection_unusable' });
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body).toMatchObject({
      state: 'paused',
      health: { sentence: expect.stringContaining('policy or reputation') },
    });
    await hub.api('POST', `/v1/connections/${connection.id}/test`, {});
    await hub.advance(25 * MINUTE);
    expect((await action(waiting.id)).state).toBe('sent');
  });

  test('smtp: every refusal means one thing', () => {
    const kind = (response: string, command = 'RCPT TO', code = 'EENVELOPE') =>
      smtpError({ code, command, response, responseCode: Number(response.slice(0, 3)) }, true, 'mail.example.com').kind;
    for (const text of [
      '421 4.3.2 closing',
      '450 4.2.1 busy',
      '451 4.7.1 greylisted',
      '452 4.2.2 full',
      '503 5.5.1 sequence',
    ])
      expect(kind(text)).toBe('transient');
    for (const text of ['421 4.7.0 Too many messages, slow down', '450 4.3.2 rate limit exceeded', '451 Throttled'])
      expect(kind(text, 'MAIL FROM')).toBe('rate_limited');
    for (const text of [
      '550 5.1.1 unknown',
      '550-5.1.2 bad domain',
      '550 5.1.3 syntax',
      '551 not local',
      '553 bad mailbox',
    ])
      expect(kind(text)).toBe('recipient_invalid');
    for (const text of ['550 5.7.1 relay denied', '554 5.7.1 spam', '550 5.7.26 DMARC', '553 5.7.1 policy'])
      expect(kind(text)).toBe('paused');
    for (const text of [
      '530 5.7.0 authenticate',
      '534 5.7.9 app password',
      '550 5.7.60 no rights',
      '554 5.2.252 SendAsDenied; x',
    ])
      expect(kind(text, 'MAIL FROM')).toBe('auth_revoked');
    for (const text of ['550 mailbox name not allowed', '552 5.3.4 too big', '554 5.6.1 content'])
      expect(kind(text, 'DATA', 'EMESSAGE')).toBe('invalid');
    expect(kind('550 5.1.1 unknown sender', 'MAIL FROM')).toBe('invalid');
    expect(kind('535 5.7.8 bad', 'AUTH PLAIN', 'EAUTH')).toBe('auth_revoked');
    expect(kind('454 4.7.0 later', 'AUTH PLAIN', 'EAUTH')).toBe('transient');
    expect(kind('502 5.5.1 unknown command', 'STARTTLS', 'ETLS')).toBe('paused');
    expect(smtpError({ code: 'EENVELOPE', message: 'No recipients defined' }, false, 'h').kind).toBe('invalid');
    for (const code of ['ECONNECTION', 'ESOCKET', 'ETIMEDOUT', 'EABORT', 'EPROTOCOL']) {
      expect(smtpError({ code }, false, 'h')).toMatchObject({ kind: 'transient', mayHaveActed: false });
      expect(smtpError({ code }, true, 'h')).toMatchObject({ kind: 'transient', mayHaveActed: true });
    }
  });
});

describe('lost answers', () => {
  test('smtp: a person may send it again, under the same Message-ID', async () => {
    const who = await somebody();
    server.faults.add({ kind: 'cut', match: /^DATA /, times: 1 });
    const lost = await write(who);
    expect(lost.state).toBe('unknown');
    expect(mailsTo(who.email)).toHaveLength(0);
    await hub.api(
      'POST',
      `/v1/actions/${lost.id}/settle`,
      { as: 'again', reason: 'Not in the mailbox' },
      { 'if-match': `"${lost.version}"` },
    );
    await hub.settle();
    expect((await action(lost.id)).state).toBe('sent');
    expect(mailsTo(who.email).map(({ headers }) => headers['message-id'])).toEqual([
      [`<${lost.id}@mainstreet.example>`],
    ]);
  });

  test('smtp: what broke before the message was on its way is tried again by itself', async () => {
    const who = await somebody();
    let sent = 0;
    for (const step of ['CONNECT', 'AUTH', 'MAIL', 'RCPT']) {
      server.dropConnections();
      server.faults.add({ kind: 'cut', match: new RegExp(`^${step}`), times: 1 });
      const first = await write(who);
      expect(first, step).toMatchObject({
        state: 'planned',
        reason: 'transient',
        detail: expect.stringContaining('did not leave'),
      });
      await hub.advance(3 * MINUTE);
      expect((await action(first.id)).state, step).toBe('sent');
      expect(mailsTo(who.email)).toHaveLength(++sent);
    }
  });

  test('smtp: a silent server is given up: before the message safely, after it with a question', async () => {
    const who = await somebody();
    await withSettings({ timeoutSeconds: 1 }, async () => {
      server.faults.add({ kind: 'silent', match: /^RCPT /, times: 1 });
      const before = await write(who);
      expect(before).toMatchObject({ state: 'planned', reason: 'transient' });
      server.faults.add({ kind: 'silent', match: /^DATA /, times: 1 });
      const after = await write(who, { subject: 'Silence after' });
      expect(after).toMatchObject({ state: 'unknown' });
      await hub.advance(3 * MINUTE);
      expect((await action(before.id)).state).toBe('sent');
    });
    expect(mailsTo(who.email)).toHaveLength(1);
  });
});

test('smtp: two businesses on one server each write under their own name', async () => {
  const other = await hub.otherTenant();
  const second = await connect(
    { fromAddress: 'info@other.example', fromName: 'Other', password: 'another-password' },
    other.api,
  );
  expect(second.body.connection).toMatchObject({ account: { name: 'Other <info@other.example>' } });
  const who = await somebody();
  await write(who);
  expect(mailsTo(who.email)[0]!.headers.from).toEqual(['Main Street Services <hello@mainstreet.example>']);
});

test('smtp: no secret is in any line of the log', () => {
  const log = hub.lines.join('\n');
  expect(log.length).toBeGreaterThan(0);
  for (const secret of [server.credentials.password, 'another-password', privateKey.slice(60, 120)])
    expect(log).not.toContain(secret);
});

await conformance('smtp');
