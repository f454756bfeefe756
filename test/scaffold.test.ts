import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scaffold } from '../scaffold/scaffold.ts';
import { CASES } from './conformance/cases.ts';
import { HELPERS, makeOverlay, type Overlay } from './support/overlay.ts';

const GUIDE = readFileSync(fileURLToPath(new URL('../docs/write-a-connector.md', import.meta.url)), 'utf8');

/** Files the guide gives in full, in its order: the path stands behind the language of the block. */
const BLOCKS = [...GUIDE.matchAll(/^```\w+ (\S+\/\S+)\n([\s\S]*?)^```$/gm)].map(([, file, text]) => ({
  file: file!,
  text: text!,
}));
const NAME = /npm run new-connector -- (\S+)/.exec(GUIDE)?.[1] ?? '';

/** A word of the language, so that a name which slips into code as such does not compile. */
const PLAIN = 'new';

/** A connector with mistakes, each of which a case of the suite must find. */
const CARELESS = 'careless';
const MISTAKES = [
  {
    file: 'streams.ts',
    right: `textAt(record, 'deleted') === 'true'`,
    wrong: `textAt(record, 'deleted') === 'yes'`,
    found: 'what the vendor flags as deleted is deleted at the next reading',
  },
  {
    file: 'webhooks.ts',
    right: `{ ok: false, reason: 'bad_signature' }`,
    wrong: `{ ok: true }`,
    found: 'a post without the right signature is refused, and nothing of it is kept',
  },
  {
    file: 'actions.ts',
    right: `'idempotency-key': meta.requestId`,
    wrong: "'idempotency-key': `${meta.requestId} ${Math.random()}`",
    found: 'a lost answer is looked into: what the vendor did is done once',
  },
];

interface Outcome {
  name: string;
  assertionResults: { title: string; status: string; failureMessages: string[] }[];
}

let project: Overlay;
const made: Record<string, { code: number; said: string }> = {};
const checks: Record<'types' | 'style' | 'tests' | 'mistakes' | 'hand', { code: number; said: string }> = {} as never;
const outcomes: Outcome[] = [];
/** Files of the guide's connector before the guide was followed. */
let scaffolded: string[] = [];

beforeAll(async () => {
  project = makeOverlay();
  for (const name of [PLAIN, NAME, CARELESS]) made[name] = await project.run('scaffold/main.ts', name);
  scaffolded = filesOf(NAME);
  for (const { file, text } of BLOCKS) project.write(file, text);
  for (const { file, right, wrong } of MISTAKES) {
    const text = project.read(`connectors/${CARELESS}/${file}`);
    if (!text.includes(right)) throw new Error(`${file} has no ${right} that could be done wrong.`);
    project.write(`connectors/${CARELESS}/${file}`, text.replace(right, wrong));
  }
  const modules = 'node_modules';
  const vitest = [`${modules}/vitest/vitest.mjs`, 'run', '--reporter=json'] as const;
  const careless = `test/connectors/${CARELESS}.test.ts`;
  const only = `${CARELESS}: (${MISTAKES.map(({ found }) => found).join('|')})$`;
  [checks.types, checks.style, checks.tests, checks.mistakes, checks.hand] = await Promise.all([
    project.run(`${modules}/typescript/bin/tsc`, '-p', '.'),
    project.run(`${modules}/@biomejs/biome/bin/biome`, 'check', 'connectors', 'test/connectors'),
    project.run(...vitest, '--outputFile=.rapport/outcome.json', '--exclude', careless),
    project.run(...vitest, '--outputFile=.rapport/mistakes.json', careless, '-t', only),
    project.run('--input-type=module', '-e', BY_HAND),
  ]);
  for (const file of ['.rapport/outcome.json', '.rapport/mistakes.json'])
    if (existsSync(path.join(project.root, file))) outcomes.push(...JSON.parse(project.read(file)).testResults);
}, 300_000);
afterAll(() => project?.remove());

/** Loads the connector through the registry and starts its simulation as the guide's last step does. */
const BY_HAND = `
import { loadRegistry } from './src/registry.ts';
import { readOptions } from './sandbox/options.ts';
import { startByHand } from './sandbox/run.ts';
const registry = await loadRegistry();
const { streams, actions, webhooks, auth } = registry.find('${NAME}');
const args = ['${NAME}', '--fault', '429:0.2', '--late-index', '5s'];
const started = await startByHand(readOptions(args, registry.all().map(({ id }) => id)));
await started.stop();
console.log(JSON.stringify({
  known: registry.all().map(({ id }) => id).sort(),
  streams: streams.map(({ name }) => name), actions: actions.map(({ kind }) => kind), scope: webhooks.scope, auth: auth.kind,
  env: Object.keys(started.env), told: started.told,
}));`;

/** Everything there is of a connector. */
const filesOf = (name: string): string[] =>
  ['connectors', 'mappings', 'test/connectors']
    .flatMap((folder) =>
      readdirSync(path.join(project.root, folder), { recursive: true }).map((file) => `${folder}/${String(file)}`),
    )
    .filter((file) => file.includes(name) && path.extname(file) !== '')
    .sort();

/** Tests of a file in the project, each with what became of it. */
function results(file: string): Record<string, string> {
  const outcome = outcomes.find(({ name }) => name.endsWith(file));
  return Object.fromEntries(
    (outcome?.assertionResults ?? []).map(({ title, status, failureMessages }) => [
      title,
      [status, ...failureMessages].join('\n'),
    ]),
  );
}

/**
 * Every case of the suite is passed, but for those whose reasons are given, in the suite's order; so is every other test.
 * @returns titles of the tests beside the suite
 */
function expectConforming(name: string, reasons: readonly string[]): string[] {
  const found = results(`test/connectors/${name}.test.ts`);
  const failed = Object.entries(found).filter(([, outcome]) => !/^(passed|skipped)$/.test(outcome));
  expect(failed, checks.tests.said.slice(-2000)).toEqual([]);
  const skipped: string[] = [];
  const titles = CASES.map((one) => {
    const title = `${name}: ${one.name}`;
    if (found[title] === 'passed') return title;
    const start = `${title} (not applicable: `;
    const other = Object.keys(found).find((known) => known.startsWith(start)) ?? '';
    expect(found[other], `${title} was not tried.\n${checks.tests.said.slice(-2000)}`).toBe('skipped');
    skipped.push(other.slice(start.length, -1));
    return other;
  });
  expect(skipped).toEqual(reasons);
  // A made-up vendor has published no description.
  const described = `${name}: every request and every answer is as the vendor describes it`;
  const special = Object.keys(found).filter((title) => !titles.includes(title) && !title.startsWith(described));
  expect(special.map((title) => found[title])).toEqual(special.map(() => 'passed'));
  expect(special.length).toBeGreaterThan(1);
  return special;
}

describe('a new connector', () => {
  test('scaffold: every room, the mapping and the test are made, and three steps are named', () => {
    expect(made[PLAIN]!.code, made[PLAIN]!.said).toBe(0);
    const files = filesOf(PLAIN);
    const rooms = ['actions.ts', 'connector.ts', 'sandbox.trial.ts', 'sandbox.ts', 'streams.ts', 'webhooks.ts'];
    expect(files).toEqual([
      ...['QUIRKS.md', ...rooms].map((room) => `connectors/${PLAIN}/${room}`),
      `mappings/${PLAIN}.yaml`,
      `test/connectors/${PLAIN}.test.ts`,
    ]);
    for (const file of files) expect(made[PLAIN]!.said).toContain(file);
    for (const step of [1, 2, 3]) expect(made[PLAIN]!.said).toMatch(new RegExp(`^ {2}${step}\\. `, 'm'));
  });

  test('scaffold: it compiles and is written as the house writes', () => {
    expect(checks.types, checks.types.said).toMatchObject({ code: 0 });
    expect(checks.style, checks.style.said).toMatchObject({ code: 0 });
  });

  test('scaffold: it conforms from the first minute: every case of the suite is passed, or is none of its vendor', () => {
    expectConforming(PLAIN, [
      'the vendor merges nothing',
      'there is no list of deletions',
      'deletions are learned of in other ways',
      'the vendor merges nothing',
      'no record that was merged away tells its survivor',
      'the vendor does not tell its fields',
      'what we subscribed to does not end',
      'every earlier try can be recognised',
      'no earlier try is looked for in an index',
      'the vendor refuses no second one itself',
      ...Array(5).fill('it is connected with keys, which do not end by themselves'),
      'it has no allowance for a day or month',
    ]);
  });

  test('scaffold: a mistake in it is found by the case that is about it', () => {
    const found = results(`test/connectors/${CARELESS}.test.ts`);
    for (const { found: promise } of MISTAKES)
      expect(found[`${CARELESS}: ${promise}`], checks.mistakes.said.slice(-2000)).toMatch(/^failed\n/);
  });

  test('scaffold: whatever is to be replaced is marked, in every file, and the example is gone', () => {
    for (const file of filesOf(PLAIN).filter((name) => !name.endsWith('.test.ts'))) {
      expect(project.read(file), file).toContain('REPLACE');
      expect(project.read(file), file).not.toMatch(/acme/i);
    }
  });
});

describe('names', () => {
  test('scaffold: what is no name is refused in words, and nothing is written', async () => {
    const before = filesOf('');
    for (const name of [
      ...['', 'Upper', 'with-hyphen', 'with_line', 'with space', 'a', '9lives', 'ümlaut', '../up', 'a/b', 'a\nb'],
      'x'.repeat(31),
    ])
      expect(() => scaffold(project.root, name), name).toThrow('is no name for a connector');
    for (const args of [[], ['one', 'two'], ['--unheard-of'], ['Upper']]) {
      const { code, said } = await project.run('scaffold/main.ts', ...args);
      expect({ args, code }).toEqual({ args, code: 1 });
      expect(said).toMatch(/is no name for a connector|npm run new-connector -- <name>/);
    }
    expect(filesOf('')).toEqual(before);
  });

  test('scaffold: nothing is ever overwritten, and nothing half made', () => {
    project.write('mappings/half.yaml', 'streams: {}\n');
    project.write('test/connectors/tested.test.ts', '// mine\n');
    for (const [name, there] of [
      [PLAIN, `connectors/${PLAIN}`],
      ['half', 'mappings/half.yaml'],
      ['tested', 'test/connectors/tested.test.ts'],
    ] as const) {
      const before = filesOf('').map((file) => [file, project.read(file)]);
      expect(() => scaffold(project.root, name)).toThrow(`There is ${there} already; nothing was written.`);
      expect(filesOf('').map((file) => [file, project.read(file)])).toEqual(before);
    }
    expect(project.read('test/connectors/tested.test.ts')).toBe('// mine\n');
  });
});

describe('the guide', () => {
  test('scaffold: the guide replaces everything that was made, so that nothing of the example stays', () => {
    expect(made[NAME]!.code, made[NAME]!.said).toBe(0);
    expect(BLOCKS.map(({ file }) => file).sort()).toEqual(scaffolded);
    for (const file of scaffolded) expect(project.read(file), file).not.toMatch(/REPLACE|acme/i);
  });

  test('scaffold: followed word for word, the guide gives a conforming connector, tried in what is special about it', () => {
    const special = expectConforming(NAME, [
      'the vendor merges nothing',
      'there is no list of deletions',
      'deletions are learned of in other ways',
      'the vendor merges nothing',
      'no record that was merged away tells its survivor',
      'the vendor does not tell its fields',
      'what we subscribed to does not end',
      'no time is signed: a replay is known by its event',
      'every earlier try can be recognised',
      'the vendor refuses no second one itself',
      "it is connected on the vendor's page",
      'it has no allowance for a day or month',
    ]);
    for (const subject of [/connecting/, /its end is followed/, /closed for the night/])
      expect(special.filter((title) => subject.test(title))).toHaveLength(1);
  });

  test('scaffold: what comes out keeps the rules of the house', () => {
    const found = results('architecture.test.ts');
    expect(Object.keys(found).length).toBeGreaterThan(4);
    expect(new Set(Object.values(found))).toEqual(new Set(['passed']));
  });

  test('scaffold: the registry finds it by itself, and its simulation starts by hand', () => {
    expect(checks.hand.code, checks.hand.said).toBe(0);
    expect(JSON.parse(checks.hand.said.trim().split('\n').at(-1)!)).toMatchObject({
      known: [...HELPERS, NAME, PLAIN, CARELESS].sort(),
      streams: ['clients', 'visits'],
      actions: ['create_task'],
      scope: 'app',
      auth: 'oauth2',
      env: [
        'FERNWAY_HOST_API',
        'FERNWAY_HOST_APP',
        'FERNWAY_CLIENT_ID',
        'FERNWAY_CLIENT_SECRET',
        'FERNWAY_WEBHOOK_SECRET',
      ],
      told: expect.arrayContaining(['Lists and searches show changes 5000 ms late.']),
    });
  });

  test('scaffold: the surprises of both name tests that exist', () => {
    const found = results('quirks.test.ts');
    for (const name of [PLAIN, NAME])
      expect(found[`quirks: every test that ${name} names as its proof exists`], name).toBe('passed');
  });

  test('scaffold: every surprise the guide writes down is covered by tests that passed, or says that none does', () => {
    const passed = Object.entries(results(`test/connectors/${NAME}.test.ts`)).filter(([, how]) => how === 'passed');
    const titles = new Set(passed.map(([title]) => title));
    const rows = project
      .read(`connectors/${NAME}/QUIRKS.md`)
      .split('\n')
      .filter((line) => line.startsWith('| ') && !line.startsWith('| what'));
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows) {
      const named = [...row.matchAll(/`([^`]+: [^`]+)`/g)].map(([, title]) => title!);
      if (named.length === 0) expect(row).toContain('not covered');
      for (const title of named) expect(titles).toContain(title);
    }
  });
});
