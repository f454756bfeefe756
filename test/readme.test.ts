import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { campaignCommands } from '../src/cli/campaigns.ts';
import { careCommands } from '../src/cli/care.ts';
import { conditionCommands } from '../src/cli/conditions.ts';
import { configurationCommands } from '../src/cli/configuration.ts';
import { connectCommands } from '../src/cli/connect.ts';
import { dataCommands } from '../src/cli/data.ts';
import { forecastCommands } from '../src/cli/forecast.ts';
import { identityCommands } from '../src/cli/identity.ts';
import { operateCommands } from '../src/cli/operate.ts';
import { playbookCommands } from '../src/cli/playbooks.ts';
import { privacyCommands } from '../src/cli/privacy.ts';
import { proofCommands } from '../src/cli/proof.ts';
import { remapCommands } from '../src/cli/remap.ts';
import { scoreCommands } from '../src/cli/score.ts';
import { segmentCommands } from '../src/cli/segments.ts';
import { surveyCommands } from '../src/cli/surveys.ts';
import { triggerCommands } from '../src/cli/triggers.ts';
import { scopesOf } from '../src/connections/tokens.ts';
import type { OAuth2 } from '../src/kit/index.ts';
import { loadRegistry } from '../src/registry.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const README = read('README.md');
const DOCS = [
  'README.md',
  'docs/campaigns.md',
  'docs/conditions.md',
  'docs/configuration.md',
  'docs/consent.md',
  'docs/forecast.md',
  'docs/mapping.md',
  'docs/operations.md',
  'docs/playbooks.md',
  'docs/score.md',
  'docs/segments.md',
  'docs/sequences.md',
  'docs/surveys.md',
  'docs/privacy.md',
  'docs/templates.md',
  'docs/triggers.md',
  'docs/write-a-connector.md',
];

test('readme: the scopes of the first platform are told', async () => {
  const registry = await loadRegistry();
  const { auth } = registry.find('hubspot')!;
  const { required, optional } = scopesOf(auth as OAuth2, Object.keys(auth.features));
  const part = (from: string, to: string): string[] =>
    [...README.slice(README.indexOf(from), README.indexOf(to)).matchAll(/`([a-z._-]+)`/g)].map((match) => match[1]!);
  expect(part('- Required scopes', '- Optional scopes').sort()).toEqual([...required].sort());
  expect(part('- Optional scopes', '- Webhooks:').sort()).toEqual([...optional].sort());
});

test('readme: every command, script, file and address that is named exists', async () => {
  const program = new Command('rapport');
  for (const add of [
    connectCommands,
    forecastCommands,
    operateCommands,
    playbookCommands,
    dataCommands,
    scoreCommands,
    identityCommands,
    careCommands,
    remapCommands,
    conditionCommands,
    segmentCommands,
    campaignCommands,
    configurationCommands,
    surveyCommands,
    privacyCommands,
    proofCommands,
    triggerCommands,
  ])
    add(program);
  const known = new Map(program.commands.map((command) => [command.name(), command]));
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const file of DOCS) {
    const text = read(file);
    for (const [, name, rest] of text.matchAll(/(?:`|npx |exec hub )rapport ([a-z]+(?:-[a-z]+)*)([^`\n#]*)/g)) {
      expect(known.has(name!), `${file}: rapport ${name}`).toBe(true);
      for (const [option] of rest!.matchAll(/--[a-z-]+/g))
        expect(known.get(name!)!.helpInformation(), `${file}: rapport ${name} ${option}`).toContain(option);
    }
    for (const [, name] of text.matchAll(/npm run ([a-z-]+)/g))
      expect(scripts, `${file}: npm run ${name}`).toHaveProperty(name!);
    for (const [, target] of text.matchAll(/\]\(([^)#:]+)\)/g))
      expect(existsSync(path.join(ROOT, path.dirname(file), target!)), `${file}: ${target}`).toBe(true);
    // The tutorial makes its files itself.
    for (const [, target] of text.matchAll(/`((?:src|test|connectors|mappings|examples|playbooks|docs)\/[\w./-]+)`/g))
      expect(existsSync(path.join(ROOT, target!)) || target!.includes('fernway'), `${file}: ${target}`).toBe(true);
  }
});

test('readme: every variable the program reads is told, and no other', () => {
  const config = read('src/base/config.ts');
  const declared = [...config.matchAll(/^ {2}([A-Z_]{4,}): Type\./gm)].map((match) => match[1]!);
  expect(declared.length).toBeGreaterThan(10);
  const operations = read('docs/operations.md');
  for (const name of declared) expect(operations, name).toContain(`\`${name}\``);
  const told = [...operations.matchAll(/^\| `([A-Z_]+)`(?:, `([A-Z_]+)`)?/gm)].flatMap((match) => [match[1], match[2]]);
  expect(told.filter((name) => name && name !== 'RAPPORT_PASSWORD').sort()).toEqual([...declared].sort());
});
