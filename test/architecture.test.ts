import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function files(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return files(name);
    return entry.name.endsWith('.ts') ? [name] : [];
  });
}

/** Project files a file imports, type imports included: they are dependencies of the reader too. */
function imports(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) => match[1]!);
  return found.map((target) => path.posix.normalize(path.posix.join(path.posix.dirname(file), target)));
}

// A room may import from rooms before it, never from one after it. Route files are the top of their room: they may
// use everything a request needs.
const ORDER = [
  'base',
  'kit',
  'audit',
  'settings',
  'access',
  'model',
  'mapping',
  'connections',
  'sync',
  'consent',
  'surveys',
  'conditions',
  'scoring',
  'segments',
  'triggers',
  'texts',
  'sequences',
  'actions',
  'campaigns',
  'forecast',
  'transfer',
  'http',
  'privacy',
];
const rank = (file: string): number => {
  const room = file.split('/')[1]!;
  if (!file.startsWith('src/')) return -1;
  if (file.endsWith('routes.ts')) return ORDER.length;
  const at = ORDER.indexOf(room);
  // The composition (hub, command line, jobs of the house) is above every room.
  return at === -1 ? ORDER.length + 1 : at;
};

test('architecture: rooms import downwards only', () => {
  const wrong = files('src').flatMap((file) =>
    imports(file)
      .filter((target) => target.startsWith('src/') && rank(target) > rank(file))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('architecture: connectors import from the kit only', () => {
  const wrong = files('connectors').flatMap((file) => {
    const own = file.split('/').slice(0, 2).join('/');
    return imports(file)
      .filter(
        (target) =>
          !target.startsWith(`${own}/`) && target !== 'src/kit/index.ts' && target !== 'src/kit/sandbox/index.ts',
      )
      .map((target) => `${file} imports ${target}`);
  });
  expect(wrong).toEqual([]);
});

test('architecture: nothing imports a connector by name except the registry', () => {
  const wrong = files('src').flatMap((file) =>
    imports(file)
      .filter((target) => target.startsWith('connectors/'))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('architecture: there are no import circles', () => {
  const all = [...files('src'), ...files('connectors')];
  const graph = new Map(all.map((file) => [file, imports(file)]));
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      circles.push([...trail.slice(trail.indexOf(file)), file].join(' > '));
      return;
    }
    state.set(file, 'open');
    for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of all) visit(file, []);
  expect(circles).toEqual([]);
});

test('architecture: every connector has its rooms', () => {
  for (const name of readdirSync(path.join(ROOT, 'connectors'))) {
    const rooms = readdirSync(path.join(ROOT, 'connectors', name));
    expect(rooms, name).toEqual(expect.arrayContaining(['connector.ts', 'sandbox.ts', 'QUIRKS.md']));
  }
});

test('architecture: files stay readable in one sitting', () => {
  const long = [...files('src'), ...files('connectors')]
    .map((file) => ({ file, lines: readFileSync(path.join(ROOT, file), 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > 300);
  expect(long).toEqual([]);
});

test('architecture: the text of the project names no machine, registry or path outside it', () => {
  const wrong: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(path.join(ROOT, folder))) {
      if (['node_modules', '.git', '.rapport', 'package-lock.json'].includes(entry)) continue;
      const name = path.posix.join(folder, entry);
      if (statSync(path.join(ROOT, name)).isDirectory()) walk(name);
      else if (/\.(ts|md|ya?ml|sql|json|mjs)$/.test(entry)) {
        const text = readFileSync(path.join(ROOT, name), 'utf8');
        // Written apart, so that this test does not find itself.
        if (
          new RegExp(['/work', '/(main|shared|\\.library)'].join('')).test(text) ||
          text.includes(['registry', 'npmjs', 'org'].join('.'))
        )
          wrong.push(name);
      }
    }
  };
  walk('.');
  expect(wrong).toEqual([]);
});
