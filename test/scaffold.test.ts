import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scaffold } from '../scaffold/scaffold.ts';
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

interface Outcome {
  name: string;
  assertionResults: { title: string; status: string; failureMessages: string[] }[];
}

let project: Overlay;
const made: Record<string, { code: number; said: string }> = {};
const checks: Record<'types' | 'style' | 'tests' | 'hand', { code: number; said: string }> = {} as never;
let outcomes: Outcome[] = [];
/** Files of the guide's connector before the guide was followed. */
let scaffolded: string[] = [];

beforeAll(async () => {
  project = makeOverlay();
  for (const name of [PLAIN, NAME]) made[name] = await project.run('scaffold/main.ts', name);
  scaffolded = filesOf(NAME);
  for (const { file, text } of BLOCKS) project.write(file, text);
  const modules = 'node_modules';
  [checks.types, checks.style, checks.tests, checks.hand] = await Promise.all([
    project.run(`${modules}/typescript/bin/tsc`, '-p', '.'),
    project.run(`${modules}/@biomejs/biome/bin/biome`, 'check', 'connectors', 'test/connectors'),
    project.run(`${modules}/vitest/vitest.mjs`, 'run', '--reporter=json', '--outputFile=outcome.json'),
    project.run('--input-type=module', '-e', BY_HAND),
  ]);
  if (existsSync(path.join(project.root, 'outcome.json')))
    outcomes = JSON.parse(project.read('outcome.json')).testResults as Outcome[];
}, 120_000);
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

describe('a new connector', () => {
  test('scaffold: every room, the mapping and the test are made, and three steps are named', () => {
    expect(made[PLAIN]!.code, made[PLAIN]!.said).toBe(0);
    const files = filesOf(PLAIN);
    const rooms = ['QUIRKS.md', 'actions.ts', 'connector.ts', 'sandbox.ts', 'streams.ts', 'webhooks.ts'];
    expect(files).toEqual([
      ...rooms.map((room) => `connectors/${PLAIN}/${room}`),
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

  test('scaffold: its test is green from the first minute, and is about what matters', () => {
    const found = results(`${PLAIN}.test.ts`);
    expect(Object.keys(found).length, checks.tests.said).toBeGreaterThan(5);
    expect(new Set(Object.values(found))).toEqual(new Set(['passed']));
    for (const subject of [/read, over all pages/, /webhook/, /gets lost/, /late/])
      expect(Object.keys(found).some((title) => title.startsWith(`${PLAIN}: `) && subject.test(title))).toBe(true);
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

  test('scaffold: followed word for word, the guide gives a connector with every test of its own green', () => {
    const found = results(`${NAME}.test.ts`);
    expect(new Set(Object.values(found)), checks.tests.said.slice(-2000)).toEqual(new Set(['passed']));
    // Connecting, the first load, a webhook, and an action whose answer gets lost.
    for (const subject of [/connecting/, /read over all pages/, /webhook/, /lost answer/])
      expect(Object.keys(found).filter((title) => title.startsWith(`${NAME}: `) && subject.test(title))).toHaveLength(
        1,
      );
  });

  test('scaffold: what comes out keeps the rules of the house', () => {
    const found = results('architecture.test.ts');
    expect(Object.keys(found).length).toBeGreaterThan(4);
    expect(new Set(Object.values(found))).toEqual(new Set(['passed']));
  });

  test('scaffold: the registry finds it by itself, and its simulation starts by hand', () => {
    expect(checks.hand.code, checks.hand.said).toBe(0);
    expect(JSON.parse(checks.hand.said.trim().split('\n').at(-1)!)).toMatchObject({
      known: [...HELPERS, NAME, PLAIN].sort(),
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

  test('scaffold: every surprise the guide writes down names tests that exist, or says that none does', () => {
    const titles = new Set([...Object.keys(results(`${NAME}.test.ts`))]);
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
