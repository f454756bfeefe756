import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { connectorNames } from '../../src/registry.ts';
import { CASES } from './cases.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Everything that is written in tests, the templates of titles included. */
const sources = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.includes('quirks.test'))
  .map((file) => readFileSync(path.join(ROOT, 'test', file), 'utf8').replaceAll("\\'", "'"))
  .join('\n');

/** Titles as tests write them; where a value stands in one, anything may. */
const written = [...sources.matchAll(/(['"`])((?:[a-z][a-z-]*|\$\{\w+\}): .+?)\1/g)].map(
  ([, , title]) => new RegExp(`^${title!.replace(/[.*+?^()|[\]\\]/g, '\\$&').replace(/\$\{[^}]*\}|%[sdij]/g, '.*')}$`),
);
const cases = new Set(CASES.map(({ name }) => name));

test.each(connectorNames())('quirks: every test that %s names as its proof exists', (name) => {
  const text = readFileSync(path.join(ROOT, 'connectors', name, 'QUIRKS.md'), 'utf8');
  const named = [...text.matchAll(/`([a-z][a-z-]*): ([^`]+)`/g)].filter(([, subject]) => subject === name);
  expect(named.length).toBeGreaterThan(0);
  const lost = named.filter(
    ([, , promise]) => !cases.has(promise!) && !written.some((title) => title.test(`${name}: ${promise}`)),
  );
  expect(lost.map(([title]) => title)).toEqual([]);
});
