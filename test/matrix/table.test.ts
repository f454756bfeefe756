import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { connectorNames } from '../../src/registry.ts';
import { matrixTable } from './table.ts';

const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const TESTS = fileURLToPath(new URL('../connectors', import.meta.url));
const PLACE = /<!-- matrix -->\n([\s\S]*?)\n?<!-- \/matrix -->/;

test("matrix: the README's table says which cases each connector is tried with", async () => {
  const table = await matrixTable();
  const readme = readFileSync(README, 'utf8');
  // `npm run matrix -- --write`
  if (process.env.MATRIX_WRITE)
    writeFileSync(
      README,
      readme.replace(PLACE, () => `<!-- matrix -->\n${table}\n<!-- /matrix -->`),
    );
  expect(PLACE.exec(readFileSync(README, 'utf8'))?.[1], 'stale: npm run matrix -- --write').toBe(table);
});

test('matrix: every connector of the house is tried with the whole suite', () => {
  const files = readdirSync(TESTS).filter((file) => file.endsWith('.test.ts'));
  const text = files.map((file) => readFileSync(path.join(TESTS, file), 'utf8')).join('\n');
  const tried = [...text.matchAll(/^await conformance\('([^']+)'\);$/gm)].map((match) => match[1]);
  expect(tried.sort()).toEqual(connectorNames());
});
