import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeApiKey } from '../src/access/identity.ts';
import { SECTIONS } from '../src/transfer/apply.ts';
import { differences, tidy } from '../src/transfer/compare.ts';
import { readFiles, writeFiles } from '../src/transfer/files.ts';
import { type Api, apiFor, startTestHub, type TestHub } from './support/hub.ts';

type Row = Record<string, any>;
interface Business {
  tenantId: string;
  api: Api;
}

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ roles: 'api', connectors: ['hubspot'] });
});
afterAll(() => hub?.stop());

const fresh = (): Promise<Business> => hub.otherTenant();
async function must(business: Business, path: string, body: Row): Promise<Row> {
  const answer = await business.api('POST', path, body);
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
const exported = async (business: Business): Promise<string> => (await must(business, '/v1/export', {})).files[0].text;
const apply = (business: Business, text: string, more: Row = {}): Promise<Row> =>
  must(business, '/v1/apply', { files: [{ name: 'rapport.yaml', text }], ...more });
const refused = async (business: Business, text: string, more: Row = {}): Promise<Row[]> => {
  const { status, body } = await business.api('POST', '/v1/apply', {
    files: [{ name: 'rapport.yaml', text }],
    ...more,
  });
  expect(status, JSON.stringify(body)).toBe(422);
  return body.errors ?? body.fields;
};
const actions = ({ items }: Row): string[] => items.map((item: Row) => `${item.action} ${item.kind} ${item.name}`);
/** What a business wrote down, and how often things were changed. */
const versions = async ({ tenantId }: Business): Promise<Row[]> =>
  hub.hub.db.tenant(tenantId, async (tx) => {
    const { rows } = await tx.query(
      `select 'sequence' as what, key as name, version, latest_version from sequence where tenant_id = $1
       union all select 'template', key || channel || locale, version, 0 from template where tenant_id = $1
       union all select 'segment', name, version, 0 from segment where tenant_id = $1
       union all select 'trigger', title, version, 0 from trigger where tenant_id = $1
       union all select 'setting', key, version, 0 from setting where tenant_id = $1
       union all select 'events', '', count(*)::int, 0 from audit_event where tenant_id = $1 order by 1, 2, 3`,
      [tenantId],
    );
    return rows;
  });

const CONFIGURATION = `rapport: 1
settings:
  links: { booking: "https://cal.example.com/x" }
segments:
  - name: Gold in Berlin
    condition: { all: [{ segment: Gold }, { field: customer.city, is: Berlin }] }
  - name: Gold
    condition: score at least 70
templates:
  hello:
    - channel: email
      subject: "Hi {{ customer.first_name | default: 'there' }}"
      body: |
        Hello,

        [Book now]({{ booking.link }})
    - { channel: sms, body: "{{ business.name }}: {{ values.offer }}" }
sequences:
  - state: active
    definition:
      key: welcome
      title: Welcome
      topic: offers
      triggers: [{ name: segment.entered, settings: { segment: Gold } }]
      audience: { segment: Gold in Berlin }
      per: customer
      again: { policy: once }
      exits: [answered]
      values: { offer: "10% off" }
      steps:
        - { id: hi, day: 0, message: { channels: [email, sms], template: hello } }
        - { id: call, day: 3, do: { kind: create_task, input: { title: "Call {{ customer.name }}" } } }
triggers:
  - { name: segment.left, title: Lost gold, settings: { segment: Gold }, enabled: true, sequence: welcome }
  - { name: client.inactive, title: Quiet, settings: { days: 120 }, enabled: false }
`;

test('apply: a hand-written file makes an empty business, and the second time changes nothing', async () => {
  const business = await fresh();
  const planned = await apply(business, CONFIGURATION, { dryRun: true });
  expect(planned.applied).toBe(false);
  expect(actions(planned)).toEqual([
    'create setting links',
    'create segment Gold',
    'create segment Gold in Berlin',
    'create template hello/email/en',
    'create template hello/sms/en',
    'create sequence welcome',
    'create trigger segment.left "Lost gold"',
    'create trigger client.inactive "Quiet"',
    'left setting business',
  ]);
  expect(await exported(business)).not.toContain('Gold');
  expect(actions(await apply(business, CONFIGURATION))).toEqual(actions(planned));
  const before = await versions(business);
  const again = await apply(business, CONFIGURATION);
  expect(new Set(again.items.map(({ action }: Row) => action))).toEqual(new Set(['unchanged', 'left']));
  expect(await versions(business)).toEqual(before);
  const { body } = await business.api('GET', '/v1/sequences/welcome');
  expect(body).toMatchObject({ state: 'active', latestVersion: 1, activeVersion: 1 });
});

test('export: applied to an empty business it gives the same bytes, though ids differ', async () => {
  const [first, second] = [await fresh(), await fresh()];
  await apply(first, CONFIGURATION);
  const text = await exported(first);
  expect(text).toContain('segment: Gold');
  expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-7/);
  await apply(second, text);
  expect(await exported(second)).toBe(text);
  const split = (await must(second, '/v1/export', { split: true })).files as { name: string; text: string }[];
  expect(split.map(({ name }) => name)).toEqual([
    ...['settings.yaml', 'segments.yaml', 'templates.yaml', 'sequences.yaml', 'triggers.yaml'],
  ]);
  const third = await fresh();
  await must(third, '/v1/apply', { files: split });
  expect(await exported(third)).toBe(text);
});

test('apply: a dry run of a change tells the differences and leaves no trace, also not in what is read afterwards', async () => {
  const business = await fresh();
  await apply(business, CONFIGURATION);
  const before = await versions(business);
  const text = await exported(business);
  const edited = text
    .replace('day: 3', 'day: 5')
    .replace('Hello,', 'Good day,')
    .replace('booking: https://cal.example.com/x', 'booking: https://cal.example.com/y');
  const planned = await apply(business, edited, { dryRun: true });
  expect(planned.items.filter(({ action }: Row) => action === 'update')).toEqual([
    expect.objectContaining({
      name: 'links',
      differences: ['booking: "https://cal.example.com/x" -> "https://cal.example.com/y"'],
    }),
    expect.objectContaining({ name: 'hello/email/en', differences: ['body: - Hello,', 'body: + Good day,'] }),
    expect.objectContaining({
      name: 'welcome',
      differences: ['definition.steps[call].day: 3 -> 5'],
      note: expect.stringContaining('keeps the version they began with'),
    }),
  ]);
  expect(await versions(business)).toEqual(before);
  // The version the rehearsal had made is another one's now.
  await apply(business, text.replace('day: 3', 'day: 7'));
  const { body } = await business.api('GET', '/v1/sequences/welcome');
  expect([body.latestVersion, body.activeVersion, body.definition.steps[1].day]).toEqual([2, 2, 7]);
});

test('apply: every mistake is told with its file, line and place, and nothing is applied', async () => {
  const business = await fresh();
  const before = await versions(business);
  const wrong = CONFIGURATION.replace('customer.name }}', 'customer.nam }}')
    .replace('{{ values.offer }}', '{{ valus.offer }}')
    .replace('score at least 70', 'scor at least 70')
    .replace('settings: { days: 120 }', 'settings: { days: 3 }');
  const errors = await refused(business, wrong);
  const line = (needle: string): number => wrong.split('\n').findIndex((text) => text.includes(needle)) + 1;
  const places = errors.map(({ path }) => path);
  expect(places).toEqual(
    expect.arrayContaining([
      expect.stringMatching(new RegExp(`^rapport\\.yaml:${line('scor at')} segments\\[1\\]\\.condition`)),
      `rapport.yaml:${line('valus')} templates.hello[1].body`,
      `rapport.yaml:${line('customer.nam }')} sequences[0].definition.steps[1].do.input.title`,
      expect.stringMatching(new RegExp(`^rapport\\.yaml:${line('days: 3 }')} triggers\\[1\\]\\.settings`)),
    ]),
  );
  expect(errors.find(({ path }) => path.includes('body'))!.message).toBe(
    'there is no variable "valus.offer"; did you mean "values.offer"?',
  );
  expect(await versions(business)).toEqual(before);
  for (const [text, place, message] of [
    ['rapport: 1\nsequences:\n  - state: [', 'rapport.yaml:3', 'Flow sequence'],
    ['- 1', 'rapport.yaml:1', 'begins with "rapport: 1"'],
    ['rapport: 2\nsegmets: []', 'rapport.yaml:1 rapport', 'must be 1'],
    ['rapport: 1\nsegmets: []', 'rapport.yaml:2 segmets', 'is no section; there are settings'],
    ['rapport: 1\nsegments:\n  - { name: A }\n  - { name: A, condition: x, nix: 1 }', 'rapport.yaml:4', 'nix'],
    [
      'rapport: 1\nsegments:\n  - { name: A, condition: x }\n  - { name: A, condition: x }',
      'rapport.yaml:4 segments[1]',
      'stands a second time; first at rapport.yaml:3',
    ],
  ] as const) {
    const [error] = (await refused(business, text)).filter(({ path }) => path.startsWith(place));
    expect(error, text).toBeDefined();
    if (message !== 'nix') expect(error!.message, text).toContain(message);
  }
});

test('apply: what no file names is left unless it is pruned, and what is used is not removed', async () => {
  const business = await fresh();
  await apply(business, CONFIGURATION);
  const only = 'rapport: 1\nsegments:\n  - { name: Gold, condition: score at least 70 }\ntriggers: []\n';
  const left = await apply(business, only);
  expect(actions(left)).toEqual([
    'unchanged segment Gold',
    'left trigger segment.left "Lost gold"',
    'left trigger client.inactive "Quiet"',
    'left segment Gold in Berlin',
  ]);
  const errors = await refused(business, only, { prune: true, dryRun: true });
  expect(errors).toEqual([
    { path: 'segment Gold in Berlin', message: expect.stringContaining('is used by the sequence "Welcome"') },
  ]);
  const all = `${only}sequences: []\ntemplates: {}\nsettings: {}\n`;
  const pruned = await apply(business, all, { prune: true });
  expect(
    actions(pruned)
      .filter((text) => text.startsWith('remove'))
      .sort(),
  ).toEqual([
    'remove segment Gold in Berlin',
    'remove sequence welcome',
    'remove setting business',
    'remove setting links',
    'remove template hello/email/en',
    'remove template hello/sms/en',
    'remove trigger client.inactive "Quiet"',
    'remove trigger segment.left "Lost gold"',
  ]);
  expect(await exported(business)).not.toContain('welcome');
  // Out of use is not gone: it comes back with its history.
  await apply(business, CONFIGURATION);
  expect((await business.api('GET', '/v1/sequences/welcome')).body.state).toBe('active');
});

test('apply: settings are left to owners and admins', async () => {
  const business = await fresh();
  const { key } = await makeApiKey(hub.hub.access, business.tenantId, { name: 'x', role: 'integrator', by: 'test' });
  const integrator = { ...business, api: apiFor(hub.url, key) };
  const [error] = await refused(integrator, CONFIGURATION);
  expect(error).toEqual({
    path: 'rapport.yaml:3 settings.links',
    message: expect.stringContaining('owners and admins'),
  });
  const without = CONFIGURATION.replace(/settings:\n.*\n/, '');
  expect((await apply(integrator, without)).applied).toBe(true);
});

test('compare: differences are told by place, lists by what names their items', () => {
  expect(
    differences(
      { a: 1, steps: [{ id: 'x', day: 1 }, { id: 'y' }] },
      { a: 2, steps: [{ id: 'y' }, { id: 'x', day: 1 }] },
    ),
  ).toEqual(['a: 1 -> 2', 'steps: another order: y, x']);
  expect(differences({ list: ['a', 'b'] }, { list: ['a', 'c', 'd'] })).toEqual([
    'list[1]: "b" -> "c"',
    'list[2]: added "d"',
  ]);
  expect(differences({ a: { b: 1 } }, { a: {} })).toEqual(['a.b: removed 1']);
  expect(differences({ a: 1, b: 2 }, { b: 2, a: 1 })).toEqual([]);
});

// Texts as people and platforms write them, and worse: quotes, colons, blanks at the ends, line breaks of every kind.
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        '\n',
        ' ',
        '- ',
        ': ',
        '#',
        "'",
        '"',
        '\\',
        '|',
        '>',
        '%',
        '&a',
        '*a',
        '!x',
        '?',
        'yes',
        '1',
        'null',
        '\t',
        '\r',
        '\u2028',
        'ü',
        '😀',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
);
const clean = text.map((found) => found.replace(/[{}\u0000]/g, '').replace(/\p{Surrogate}/gu, ''));

test('export: any text comes back from YAML as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ body: clean, subject: clean }), { minLength: 1, maxLength: 5 }), (variants) => {
      const value = {
        hello: variants.map((variant, at) => ({ channel: 'email', locale: `a${'abcdef'[at]}`, ...variant })),
      };
      const [file] = writeFiles([{ key: 'templates', value }], false);
      const { items, errors } = readFiles([file!], SECTIONS);
      expect(errors).toEqual([]);
      expect(items.map((item) => tidy(item.value))).toEqual(value.hello.map(tidy));
    }),
    { numRuns: 400 },
  );
});

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const line = clean.map((found) => found.replace(/\s+/g, ' ').trim().slice(0, 100) || 'x');
const body = clean.map((found) => (found.trim() === '' ? 'x' : found));

/** A configuration that can be applied, in the form of a file. */
const configuration = fc
  .record({
    names: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
    titles: fc.uniqueArray(line, { minLength: 2, maxLength: 3, selector: (name) => name.toLowerCase() }),
    texts: fc.uniqueArray(
      fc.record({
        locale: fc.constantFrom('en', 'de', 'fr-CA'),
        channel: fc.constantFrom('email', 'sms', 'whatsapp'),
        body,
        subject: line,
      }),
      { minLength: 1, maxLength: 4, selector: (one) => one.locale + one.channel },
    ),
    values: fc.dictionary(word, clean, { maxKeys: 3 }),
    steps: fc.array(fc.constantFrom('message', 'task', 'wait', 'await', 'escalate', 'end'), {
      minLength: 1,
      maxLength: 6,
    }),
    state: fc.constantFrom('draft', 'active', 'paused'),
    mode: fc.constantFrom('live', 'shadow'),
    days: fc.integer({ min: 30, max: 300 }),
    text: line,
    enabled: fc.boolean(),
  })
  .map(({ names, titles, texts, values, steps, state, mode, days, text: words, enabled }) => ({
    settings: { links: { booking: `https://x.example/${days}`, review: '', payment: '' } },
    segments: titles.map((name, at) => ({
      name,
      condition:
        at === 0
          ? { field: 'customer.city', is: words }
          : { any: [{ segment: titles[at - 1] }, { field: 'score.value', at_least: days / 10 }] },
      settleMinutes: days,
    })),
    templates: Object.fromEntries(names.map((key) => [key, texts])),
    sequences: names.map((key, at) => ({
      ...{ state, mode },
      definition: {
        ...{ key, title: titles[at % titles.length], topic: 'offers', per: 'customer', exits: ['answered'], values },
        triggers: [{ name: 'segment.entered', settings: { segment: titles[0] } }],
        audience: { segment: titles[1] },
        again: { policy: 'after_days', days },
        steps: steps.map((kind, nth) =>
          stepOf(kind === 'end' && nth < steps.length - 1 ? 'wait' : kind, `s${nth}`, names[at]!, words),
        ),
      },
    })),
    triggers: [1, 2].map((nth) => ({ name: 'client.inactive', title: words, settings: { days: days + nth }, enabled })),
  }));

function stepOf(kind: string, id: string, template: string, title: string): Row {
  if (kind === 'message') return { id, message: { channels: ['email', 'sms'], template } };
  if (kind === 'task') return { id, title, do: { kind: 'create_task', input: { title, due_in_days: 2 } } };
  if (kind === 'wait') return { id, wait: { days: 2, hours: 3 } };
  if (kind === 'await') return { id, await_answer: { days: 3 } };
  if (kind === 'escalate')
    return { id, escalate: { to: [{ who: 'owner' }], working_hours: 1.5, chat: { title, text: title } } };
  return { id, end: { reason: title } };
}

test('export: for any configuration export, apply into an empty business and export give the same bytes, and applying again changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(configuration, async (sections) => {
      const [first, second] = [await fresh(), await fresh()];
      const [file] = writeFiles(
        Object.entries(sections).map(([key, value]) => ({ key, value })),
        false,
      );
      await apply(first, file!.text);
      const out = await exported(first);
      expect(
        (await apply(first, file!.text)).items.filter(({ action }: Row) => action !== 'unchanged' && action !== 'left'),
      ).toEqual([]);
      await apply(second, out);
      expect(await exported(second)).toBe(out);
      const before = await versions(second);
      expect(new Set((await apply(second, out)).items.map(({ action }: Row) => action))).toEqual(
        new Set(['unchanged']),
      );
      expect(await versions(second)).toEqual(before);
    }),
    { numRuns: 6 },
  );
});
