import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rehearse } from '../src/cli/rehearsal/run.ts';
import { readCases } from '../src/cli/rehearsal/schema.ts';
import { type StageRecords, stageConnector } from '../src/cli/rehearsal/stage.ts';
import { loadRegistry } from '../src/registry.ts';
import { startTestHub, type TestHub } from './support/hub.ts';

const FOLDER = fileURLToPath(new URL('../playbooks/tests', import.meta.url));
const FILES = readdirSync(FOLDER).filter(
  (file) => file.endsWith('.yaml') && new RegExp(process.env.ONLY ?? '').test(file),
);

let hub: TestHub;
const records: StageRecords = new Map();

beforeAll(async () => {
  const webhook = (await loadRegistry(['webhook'])).find('webhook')!;
  hub = await startTestHub({ connectors: [], madeUp: [stageConnector(webhook, records)], memoryQueue: true });
  // The business every hub of the tests has takes no part.
  await hub.hub.db.statement('delete from tenant_due where tenant_id = $1', [hub.tenantId]);
});
afterAll(() => hub?.stop());

for (const file of FILES) {
  const cases = readCases(path.join(FOLDER, file));
  describe(file, () => {
    for (const one of cases.cases)
      test(`playbook ${path.basename(file, '.yaml')}: ${one.name}`, async () => {
        const { problems } = await rehearse({ hub: hub.hub, clock: hub.clock, records }, FOLDER, cases, one);
        expect(problems).toEqual([]);
      });
  });
}

test('playbook list: each says what it does by day and what it needs; connecting and filling in meets it', async () => {
  const { api } = await hub.otherTenant('Needs');
  const views = async (): Promise<Record<string, any>> =>
    Object.fromEntries((await api('GET', '/v1/playbooks')).body.items.map((one: { key: string }) => [one.key, one]));
  const missing = async (key: string): Promise<string[]> =>
    (await views())[key].needs.filter(({ met }: { met: boolean }) => !met).map(({ name }: { name: string }) => name);
  const before = (await views())['post-job'];
  expect(before).toMatchObject({ title: 'After a job', installed: false, state: null, ready: false });
  expect(before.steps[0]).toEqual({
    ...{ id: 'thanks', day: 1, at: '10:00' },
    does: 'By e-mail, text message or WhatsApp: Thank-you and request for a review',
  });
  expect(await missing('post-job')).toEqual([
    ...['email|sms|whatsapp', 'email|sms', 'create_task', 'send_chat', 'booking.link', 'review.link'],
  ]);
  expect(await missing('win-back')).toContain('values.offer_de');
  expect(await missing('new-customer')).toContain('existing-customer');
  expect(await missing('overdue-chase')).toContain('accounts');

  await api('POST', '/v1/connections', { connector: 'webhook', settings: { bearerToken: 'x'.repeat(30) } });
  const { headers } = await api('GET', '/v1/settings/links');
  const links = { booking: 'https://cal.example.com', review: 'https://reviews.example.com', payment: '' };
  await api('PUT', '/v1/settings/links', links, { 'if-match': headers.get('etag')! });
  const after = (await views())['post-job'];
  expect(after.ready).toBe(true);
  expect(after.needs.find(({ name }: { name: string }) => name === 'create_task').by).toHaveLength(1);
  // Shipped empty, filled in with the sequence.
  const installed = await api('POST', '/v1/playbooks/win-back/install');
  expect(installed.body.needs.map(({ name }: { name: string }) => name).sort()).toEqual([
    ...['values.offer', 'values.offer_de', 'values.offer_es', 'values.offer_fr'],
  ]);
  const { definition } = installed.body;
  const filled = { ...definition, values: { ...definition.values, offer: 'Ten off.' } };
  await api('PUT', '/v1/sequences/win-back', filled, { 'if-match': installed.headers.get('etag')! });
  expect(await missing('win-back')).not.toContain('values.offer');
});

test('playbook install: once, with surveys and texts, and never over what was edited', async () => {
  const { api } = await hub.otherTenant('Edits');
  const first = await api('POST', '/v1/playbooks/post-job/install');
  expect(first).toMatchObject({ status: 201, body: { key: 'post-job', state: 'draft' } });
  const survey = await api('GET', '/v1/surveys/post-job');
  expect(survey.status).toBe(200);
  const text = { subject: 'Ours', body: 'Ours' };
  const place = '/v1/templates/post-job-thanks/email/en';
  expect((await api('PUT', place, text, { 'if-match': '"1"' })).status).toBeLessThan(300);
  // Installed anew after it was removed: the text that was edited stays.
  const again = await api('POST', '/v1/playbooks/post-job/install');
  expect(again.body.id).toBe(first.body.id);
  const { items } = (await api('GET', '/v1/templates')).body;
  const own = items.filter((one: { key: string; locale: string }) => one.key === 'post-job-thanks');
  expect(own).toHaveLength(12);
  expect(
    own.find((one: { channel: string; locale: string }) => one.channel === 'email' && one.locale === 'en'),
  ).toMatchObject(text);
});

test("playbook test: what happens otherwise than expected is told in words, and a sequence of one's own can be tried", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rapport-cases-'));
  try {
    writeFileSync(
      path.join(folder, 'mine.yaml'),
      `sequence:
  key: mine
  title: Mine
  topic: service
  triggers: [{ name: job.completed }]
  per: customer
  again: { policy: once }
  exits: [booked]
  steps:
    - { id: second, day: 46, at: "09:00", message: { channels: [sms], template: mine } }
templates:
  mine: [{ channel: sms, body: "Hello {{ customer.first_name }}" }]
`,
    );
    writeFileSync(
      path.join(folder, 'cases.yaml'),
      `playbook: mine.yaml
cases:
  - name: on day 46 a text message at nine
    facts: [{ on: 2026-03-02 14:00, job: { kind: repair, status: completed, completed_on: 2026-03-02 } }]
    starts: 2026-03-02
    expect: [{ day: 46, at: "09:00", sms: mine, says: Hello Ann }]
    ends: reached the end
    until: 2026-05-01
  - name: wrong in every way
    facts: [{ on: 2026-03-02 14:00, job: { kind: repair, status: completed, completed_on: 2026-03-02 } }]
    starts: 2026-03-03
    expect:
      - { on: 2026-04-17 10:00, sms: mine }
      - { on: 2026-04-18, email: other }
    until: 2026-05-01
`,
    );
    const cases = readCases(path.join(folder, 'cases.yaml'));
    const play = (at: number) => rehearse({ hub: hub.hub, clock: hub.clock, records }, folder, cases, cases.cases[at]!);
    expect((await play(0)).problems).toEqual([]);
    const { problems } = await play(1);
    expect(problems).toEqual([
      'It starts on 2026-03-03, but started on 2026-03-02.',
      'Expected day 45, 2026-04-17 10:00  sms mine, but the time is another: day 45, 2026-04-17 09:00  sms mine (step second)',
      'Expected, but did not happen: day 46, 2026-04-18  email other',
      'It goes on, but it ended: reached the end.',
    ]);
    writeFileSync(path.join(folder, 'bad.yaml'), 'playbook: mine.yaml\ncases: [{ name: x, facts: [], until: soon }]\n');
    expect(() => readCases(path.join(folder, 'bad.yaml'))).toThrow(/bad\.yaml cannot be read: .*until/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("playbook list: a sequence of one's own says what it lacks when it is saved and switched on, and works all the same", async () => {
  const { api } = await hub.otherTenant('Lacks');
  const definition = {
    ...{ key: 'own', title: 'Own', class: 'transactional', topic: 'news', per: 'customer', exits: [] },
    ...{ triggers: [{ name: 'manual' }], again: { policy: 'always' } },
    steps: [{ id: 'say', message: { channels: ['sms', 'whatsapp'], template: 'x' } }],
  };
  await api('PUT', '/v1/templates/x/sms/en', { body: 'Hello' });
  const made = await api('POST', '/v1/sequences', definition);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const words = 'Sends messages by text message or WhatsApp: connect a platform that can.';
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  expect(made.body.missing).toEqual([words]);
  const tag = { 'if-match': made.headers.get('etag')! };
  const on = await api('POST', '/v1/sequences/own/switch', { on: true }, tag);
  expect(on.body).toMatchObject({ state: 'active', missing: [words] });
  await api('POST', '/v1/connections', { connector: 'webhook', settings: { bearerToken: 'x'.repeat(30) } });
  expect((await api('GET', '/v1/sequences/own')).body.missing).toEqual([]);
});
