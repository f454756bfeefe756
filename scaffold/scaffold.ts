import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const TEMPLATE = fileURLToPath(new URL('./template', import.meta.url));

/** Name of the example in the template; it stands in paths, texts, types and variables. */
const EXAMPLE = 'acme';

/** Files of the template and where they go. */
const places = (name: string): [from: string, to: string][] => [
  ...['connector.ts', 'streams.ts', 'actions.ts', 'webhooks.ts', 'sandbox.ts', 'sandbox.trial.ts', 'QUIRKS.md'].map(
    (file): [string, string] => [file, `connectors/${name}/${file}`],
  ),
  ['mapping.yaml', `mappings/${name}.yaml`],
  ['connector.test.ts', `test/connectors/${name}.test.ts`],
];

/**
 * Why a name cannot be that of a new connector, or undefined.
 * @param root folder of the project
 */
function nameProblem(root: string, name: string): string | undefined {
  if (!/^[a-z][a-z0-9]{1,29}$/.test(name))
    return `"${name}" is no name for a connector: 2 to 30 lower-case letters and digits, a letter first, such as pipedrive.`;
  const taken = [`connectors/${name}`, ...places(name).map(([, to]) => to)].find((to) =>
    existsSync(path.join(root, to)),
  );
  return taken && `There is ${taken} already; nothing was written. Choose another name, or change what is there.`;
}

/** The template's text under the new name: Acme, ACME and acme each in their own spelling. */
const renamed = (text: string, name: string): string =>
  text
    .replaceAll('Acme', `${name[0]!.toUpperCase()}${name.slice(1)}`)
    .replaceAll('ACME', name.toUpperCase())
    .replaceAll(EXAMPLE, name);

/** Imports of a file that moves: what is in the template goes to the connector's folder, everything else stays. */
function moved(text: string, to: string, name: string): string {
  return text.replace(/from '(\.{1,2}\/[^']+)'/g, (_all, target: string) => {
    const inProject = path.posix.join('scaffold/template', target);
    const now = inProject.replace('scaffold/template/', `connectors/${name}/`);
    const relative = path.posix.relative(path.posix.dirname(to), now);
    return `from '${relative.startsWith('.') ? relative : `./${relative}`}'`;
  });
}

/**
 * Makes a new connector: a small vendor that works, its simulation, mapping and test. Nothing is ever overwritten.
 * @param root folder of the project
 * @returns the files made
 * @throws Error when the name cannot be used
 */
export function scaffold(root: string, name: string): string[] {
  const problem = nameProblem(root, name);
  if (problem) throw new Error(problem);
  const made = places(name).map(([from, to]) => {
    const text = renamed(moved(readFileSync(path.join(TEMPLATE, from), 'utf8'), to, name), name);
    mkdirSync(path.dirname(path.join(root, to)), { recursive: true });
    writeFileSync(path.join(root, to), text, { flag: 'wx' });
    return to;
  });
  tidy(root, made);
  return made;
}

/** Lines are broken anew, because a longer name makes longer lines. */
function tidy(root: string, files: readonly string[]): void {
  const biome = path.join(root, 'node_modules/@biomejs/biome/bin/biome');
  // It is a tool of developers; without it the lines are merely long.
  if (!existsSync(biome)) return;
  const code = files.filter((file) => file.endsWith('.ts'));
  spawnSync(process.execPath, [biome, 'check', '--write', ...code], { cwd: root, stdio: 'ignore' });
}

/** What to do next, in three steps. */
export const nextSteps = (name: string): string => `Next:
  1. See it work:       npx vitest run test/connectors/${name}.test.ts
  2. Make it yours:     grep -rn REPLACE connectors/${name} mappings/${name}.yaml
                        docs/write-a-connector.md goes through it, from who the vendor is to its simulation
  3. Look at it live:   npm run sandbox -- ${name}`;
