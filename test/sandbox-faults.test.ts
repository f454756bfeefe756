import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createFaults, type Fault, parseDuration, parseFault, tellFault } from '../src/kit/sandbox/index.ts';
import { ask, byHand, NAMES } from './support/simulations.ts';

describe('faults in words', () => {
  test.each([
    ['429', { kind: 'status', status: 429 }],
    ['429:0.2', { kind: 'status', status: 429, chance: 0.2 }],
    ['503:20%:x3', { kind: 'status', status: 503, chance: 0.2, times: 3 }],
    ['429:after=2m', { kind: 'status', status: 429, headers: { 'retry-after': '120' } }],
    ['cut', { kind: 'cut' }],
    ['cut_after:x1', { kind: 'cut_after', times: 1 }],
    ['silent:1', { kind: 'silent', chance: 1 }],
    ['slow:200ms', { kind: 'slow', milliseconds: 200 }],
    ['slow:1.5s:0.1', { kind: 'slow', milliseconds: 1500, chance: 0.1 }],
    ['malformed', { kind: 'malformed' }],
    [' truncated ', { kind: 'truncated' }],
  ])('sandbox: "%s" is understood', (text, expected) => {
    expect(parseFault(text)).toEqual({ ...expected, text: text.trim() });
  });

  test.each([
    '',
    '200',
    '600',
    '42',
    '429:soon',
    '429:after=soon',
    '429:1.5',
    '429:0.0',
    'cut:200ms',
    'slow',
    'slow:fast',
    'cut:x0',
    'rewrite',
    'rewrite:',
    'nonsense',
    'constructor',
  ])('sandbox: "%s" is refused with what can be written', (text) => {
    expect(() => parseFault(text)).toThrow(/There are 429 .* slow:200ms/);
  });

  test.each([
    [
      'cut @GET /crm/objects',
      ['GET /crm/objects/x', 'GET /crm/objects'],
      ['POST /crm/objects', 'GET /oauth', 'XGET /crm/objects'],
    ],
    ['cut @* /a/*/c', ['GET /a/b/c', 'POST /a/b/b/c/d'], ['GET /a/c', 'GET /x/a/b/c']],
    ['cut @POST', ['POST /anything'], ['GET /anything']],
    ['cut @GET /a.b(c', ['GET /a.b(c'], ['GET /aXb(c']],
    ['550:x1 @RCPT ann@example.com', ['RCPT ann@example.com'], ['RCPT bob@example.com', 'MAIL ann@example.com']],
  ])('sandbox: "%s" strikes where it says and nowhere else', (text, hit, missed) => {
    const { match } = parseFault(text);
    for (const request of hit) expect(match!.test(request), request).toBe(true);
    for (const request of missed) expect(match!.test(request), request).toBe(false);
  });

  test('sandbox: a rewritten field is changed, renamed or lost wherever it stands, and nothing else', () => {
    const body = { email: 'a@b.example', list: [{ email: 'c@d.example', name: 'Ann' }], emails: ['x'] };
    const rewritten = (text: string): unknown => {
      const fault = parseFault(text);
      return fault.kind === 'rewrite' ? fault.rewrite(structuredClone(body)) : undefined;
    };
    expect(rewritten('rewrite:email=7')).toEqual({ email: 7, list: [{ email: 7, name: 'Ann' }], emails: ['x'] });
    expect(rewritten('rewrite:email=new@b.example')).toMatchObject({ email: 'new@b.example' });
    expect(rewritten('rewrite:email>mail')).toEqual({
      mail: 'a@b.example',
      list: [{ mail: 'c@d.example', name: 'Ann' }],
      emails: ['x'],
    });
    expect(rewritten('rewrite:email:x2')).toEqual({ list: [{ name: 'Ann' }], emails: ['x'] });
    expect(rewritten('rewrite:emails={"a":[1]}')).toMatchObject({ emails: { a: [1] } });
  });

  test('sandbox: every fault can be told in a sentence', () => {
    expect(tellFault(parseFault('429:0.2:x3 @GET /crm'))).toBe(
      'It answers with status 429 to 20 % of the requests 3 times when asked for GET /crm',
    );
    expect(tellFault(parseFault('rewrite:email=7'))).toBe('Its answer is changed (rewrite:email=7)');
    expect(tellFault({ kind: 'cut', match: /^GET / })).toContain('when asked for ^GET ');
  });

  test('sandbox: times are read with their unit', () => {
    expect(['200ms', '5s', '1.5s', '2m', '0s'].map(parseDuration)).toEqual([200, 5000, 1500, 120_000, 0]);
    for (const text of ['5', 's', '-1s', '5 hours', '']) expect(parseDuration(text), text).toBeUndefined();
  });

  test('sandbox: the same seed meets the same faults, another one others; a share is a share', () => {
    const strikes = (seed: number): string => {
      const faults = createFaults(99);
      faults.add(parseFault('429:0.2'));
      faults.seed(seed);
      return Array.from({ length: 1000 }, () => (faults.strike('GET /') ? 'x' : '.')).join('');
    };
    expect(strikes(7)).toBe(strikes(7));
    expect(strikes(7)).not.toBe(strikes(8));
    const share = strikes(7).replaceAll('.', '').length;
    expect(share).toBeGreaterThan(150);
    expect(share).toBeLessThan(250);
  });

  test('sandbox: a fault that struck as often as it should is over, and can be counted', () => {
    const faults = createFaults();
    faults.add(parseFault('503:x2 @GET /a'));
    faults.add(parseFault('cut'));
    const kinds = ['GET /a', 'GET /b', 'GET /a', 'GET /a'].map((request) => faults.strike(request)?.kind);
    expect(kinds).toEqual(['status', 'cut', 'status', 'cut']);
    expect(faults.inForce().map(({ fault, struck }) => [fault.kind, struck])).toEqual([['cut', 2]]);
  });
});

/** A pattern by itself would match anything here. */
const like = (pattern: RegExp) => expect.stringMatching(pattern);

const HTTP = NAMES.filter((name) => !['csv', 'smtp'].includes(name));

describe('faults of every vendor', () => {
  test.each(HTTP)('sandbox: %s can fail in every way there is', async (name) => {
    const started = await byHand([name]);
    // Any address will do: a refusal is an answer, too.
    const url = `${new URL(Object.values(started.sandbox.hosts)[0]!).origin}/api/somewhere`;
    const { faults } = started.sandbox;
    const plain = (await ask(url)) as { status: number; text: string };
    // Salesforce refuses with a list.
    const [field] = Object.keys([JSON.parse(plain.text)].flat()[0]);
    const struck = async (text: string) => {
      faults!.clear();
      const fault = parseFault(`${text} @GET /api/some`);
      faults!.add(fault);
      const before = performance.now();
      const answer = await ask(url);
      expect(faults!.inForce()[0]!.struck, text).toBe(1);
      return { ...answer, took: performance.now() - before };
    };
    expect(await struck('429')).toMatchObject({ status: 429 });
    expect(await struck('cut')).toMatchObject({ error: 'TypeError' });
    expect(await struck('cut_after')).toMatchObject({ error: 'TypeError' });
    expect(await struck('silent')).toMatchObject({ error: 'TimeoutError' });
    expect((await struck('slow:100ms')).took).toBeGreaterThan(95);
    expect(() => JSON.parse('{"broken": [1, 2')).toThrow();
    expect(await struck('malformed')).toMatchObject({ text: '{"broken": [1, 2' });
    expect(await struck('truncated')).toMatchObject({ error: 'TypeError' });
    expect(await struck(`rewrite:${field}=77`)).toMatchObject({ text: expect.stringContaining(`"${field}":77`) });
    faults!.clear();
    expect(await ask(url)).toEqual(plain);
  });

  test('sandbox: the vendor acted when only its answer was lost, and did not when the connection broke before', async () => {
    const started = await byHand(['twilio']);
    const { accountSid, authToken, messagingServiceSid } = started.sandbox.credentials as Record<string, string>;
    const send = (fault: Fault['kind']) => {
      started.sandbox.faults!.add(parseFault(`${fault}:x1`));
      return fetch(`${started.sandbox.hosts.api}/2010-04-01/Accounts/${accountSid}/Messages.json`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}` },
        body: new URLSearchParams({ To: '+14155550100', Body: 'Hello', MessagingServiceSid: messagingServiceSid! }),
      })
        .then((answer) => answer.text())
        .catch(() => 'broken');
    };
    for (const [fault, sent] of [
      ['cut', 0],
      ['cut_after', 1],
      ['truncated', 2],
      ['malformed', 3],
    ] as const) {
      await send(fault);
      expect(started.sandbox.report().sms_out, fault).toBe(sent);
    }
  });

  test('sandbox: a mail server can fail in every way there is', async () => {
    const started = await byHand(['smtp']);
    const { faults, credentials } = started.sandbox;
    const converse = (fault: string) => {
      faults!.clear();
      faults!.add(parseFault(fault));
      return conversation(Number(credentials!.port), credentials!);
    };
    const mails = () => started.sandbox.report().mails;
    expect(await converse('550:x1 @RCPT')).toMatchObject({ RCPT: like(/^550 /) });
    expect(await converse('cut @MAIL')).toMatchObject({ MAIL: like(/^$/), ended: true });
    expect(mails()).toBe(0);
    expect(await converse('cut_after @DATA')).toMatchObject({ '.': like(/^$/), ended: true });
    expect(mails()).toBe(1);
    expect(await converse('malformed @DATA')).toMatchObject({ '.': like(/^Lorem/) });
    expect(mails()).toBe(2);
    expect(await converse('truncated @DATA')).toMatchObject({ '.': like(/^25$/), ended: true });
    expect(mails()).toBe(3);
    expect(await converse('malformed @CONNECT')).toMatchObject({ CONNECT: like(/^Lorem/) });
    expect(await converse('silent @RCPT')).toMatchObject({ RCPT: like(/^$/), ended: false });
    expect(await converse('slow:50ms @RCPT')).toMatchObject({
      RCPT: like(/^250/),
      '.': like(/^250 2\.0\.0 Ok: queued/),
    });
    faults!.clear();
    faults!.add({ kind: 'rewrite', rewrite: () => 'something else' });
    expect(await conversation(Number(credentials!.port), credentials!)).toMatchObject({
      '.': like(/^250 something else/),
    });
  });
});

/** Speaks SMTP by hand, as far as it gets. @returns the answer to each step, and whether the server hung up */
async function conversation(port: number, { user, password }: Record<string, string | number>) {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  let ended = false;
  socket.on('data', (chunk) => {
    heard += String(chunk);
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close').then(() => {
    ended = true;
  });
  const answer = async (): Promise<string> => {
    const complete = () => /^\d{3} .*\r\n$/m.test(heard) || /^[A-Z].*\r\n$/m.test(heard);
    const deadline = Date.now() + 300;
    while (!complete() && !ended && Date.now() < deadline)
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 5))]);
    const text = heard.trim();
    heard = '';
    return text;
  };
  const answers: Record<string, string | boolean> = { CONNECT: await answer() };
  const login = Buffer.from(`\0${user}\0${password}`).toString('base64');
  for (const line of [
    'EHLO test',
    `AUTH PLAIN ${login}`,
    'MAIL FROM:<a@example.com>',
    'RCPT TO:<b@example.com>',
    'DATA',
    'Subject: Hello\r\n\r\nHello\r\n.',
  ]) {
    socket.write(`${line}\r\n`);
    const step = line.startsWith('Subject') ? '.' : line.slice(0, 4);
    answers[step] = await answer();
    if (!/^[23]/.test(answers[step] as string)) break;
  }
  if (answers['.'] === '25') await closed;
  answers.ended = ended;
  socket.destroy();
  return answers;
}
