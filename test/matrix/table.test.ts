import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { connectorNames, loadRegistry } from '../../src/registry.ts';
import { platformTable, registrationTable } from './platforms.ts';
import { matrixTable } from './table.ts';

const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const TESTS = fileURLToPath(new URL('../connectors', import.meta.url));

/** @param name of the place in the README */
function expectTable(name: string, table: string): void {
  const place = new RegExp(`<!-- ${name} -->\n([\\s\\S]*?)\n?<!-- /${name} -->`);
  // `npm run matrix -- --write`
  if (process.env.MATRIX_WRITE)
    writeFileSync(
      README,
      readFileSync(README, 'utf8').replace(place, () => `<!-- ${name} -->\n${table}\n<!-- /${name} -->`),
    );
  expect(place.exec(readFileSync(README, 'utf8'))?.[1], 'stale: npm run matrix -- --write').toBe(table);
}

test("matrix: the README's table says which cases each connector is tried with", async () => {
  expectTable('matrix', await matrixTable());
});

test("matrix: the README's tables of platforms and of their registrations are what the connectors say", async () => {
  const connectors = (await loadRegistry()).all();
  expectTable('connectors', platformTable(connectors));
  expectTable('registrations', registrationTable(connectors));
});

test('matrix: every connector of the house is tried with the whole suite', () => {
  const files = readdirSync(TESTS).filter((file) => file.endsWith('.test.ts'));
  const text = files.map((file) => readFileSync(path.join(TESTS, file), 'utf8')).join('\n');
  const tried = [...text.matchAll(/^await conformance\('([^']+)'\);$/gm)].map((match) => match[1]);
  expect(tried.sort()).toEqual(connectorNames());
});
