import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ScoreAsOf, scoresAsOf } from '../src/scoring/asof.ts';
import { listScores } from '../src/scoring/store.ts';
import { importFile } from '../src/sync/imports/import.ts';
import { readImportMapping } from '../src/sync/imports/mapping.ts';
import { startTestHub, type TestHub } from './support/hub.ts';
import { fail, programEnv, run } from './support/processes.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const REAL = path.resolve(process.env.REAL_DATA ?? '../shared/data');
const CDNOW = path.join(REAL, 'cdnow-sample.csv');

let hub: TestHub;
beforeAll(async () => {
  hub = await startTestHub({ connectors: ['csv'] });
});
afterAll(() => hub?.stop());

/** Milliseconds of a date, for arithmetic that is not the program's. */
const ms = (day: string): number => Date.parse(`${day}T00:00:00Z`);
const days = (from: string, to: string): number => Math.round((ms(to) - ms(from)) / 86_400_000);

/** The score of every customer of the file, worked out from its lines alone: two dates of purchase, a sum, a percentile. */
function byHand(day: string): Map<string, { score: number; factors: number[]; purchases: number }> {
  const rows = readFileSync(CDNOW, 'utf8')
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(','));
  const bought = new Map<string, { on: string; cents: number }[]>();
  for (const [customer, on, , amount] of rows)
    bought.set(customer!, [...(bought.get(customer!) ?? []), { on: on!, cents: Math.round(Number(amount) * 100) }]);
  const spend = (list: { on: string; cents: number }[], until: string): number =>
    list.filter(({ on }) => on <= until).reduce((sum, { cents }) => sum + cents, 0) / 100;
  const payers = [...bought.values()]
    .map((list) => spend(list, `${day.slice(0, 7)}-01`))
    .filter((paid) => paid > 0)
    .sort((a, b) => a - b);
  const at = 0.9 * (payers.length - 1);
  const target = payers[Math.floor(at)]! + (at % 1) * (payers[Math.ceil(at)]! - payers[Math.floor(at)]!);
  return new Map(
    [...bought].map(([customer, list]) => {
      const until = list.filter(({ on }) => on <= day);
      const last = until
        .map(({ on }) => on)
        .sort()
        .at(-1);
      const recency = last ? 100 / 2 ** (Math.max(0, days(last, day) - 30) / 180) : 0;
      const paid = 100 * Math.min(1, Math.log1p((10 * spend(list, day)) / target) / Math.log(11));
      const often = 25 * Math.min(4, until.filter(({ on }) => days(on, day) < 365).length);
      const score = Math.round(((35 * recency + 25 * paid + 20 * often) / 80) * 100) / 100;
      return [customer, { score, factors: [recency, paid, often], purchases: until.length }];
    }),
  );
}

test.skipIf(!existsSync(CDNOW))(
  'score: as of a day, the CDNOW purchases give what the lines of the file give by hand, for every customer',
  async () => {
    const { tenantId } = await hub.otherTenant('Record shop');
    const example = new URL('../examples/cdnow.yaml', import.meta.url);
    const streams = hub.hub.deps.registry.find('csv')!.streams.map(({ name }) => name);
    const mapping = readImportMapping(readFileSync(example, 'utf8'), 'cdnow.yaml', streams);
    await importFile(hub.hub.deps, tenantId, { object: 'jobs', file: CDNOW, mapping, actor: 'test' });
    const env = await programEnv(hub.hub.db.ownerUrl);
    await hub.settle();
    for (const day of ['1997-12-15', '1998-06-30']) {
      const lines =
        day === '1997-12-15'
          ? (await hub.hub.db.tenant(tenantId, (tx) => scoresAsOf(tx, day, hub.clock.now()))).scores
          : (await run(env, 'score', '--as-of', day, '--tenant', tenantId, '--json')).json<ScoreAsOf[]>();
      const expected = byHand(day);
      expect(lines).toHaveLength(expected.size);
      const wrong = lines.filter(({ externalIds, score, factors }) => {
        const hand = expected.get(externalIds.find((id) => id.startsWith('cdnow:'))!.slice('cdnow:'.length))!;
        const { recency, spend, frequency, sentiment, engagement } = factors;
        const near = [recency, spend, frequency].every((value, at) => Math.abs(value! - hand.factors[at]!) < 0.00501);
        return Math.abs(score! - hand.score) > 0.0051 || !near || sentiment !== null || engagement !== null;
      });
      expect(wrong).toEqual([]);
      expect(Math.max(...lines.map(({ score }) => score!))).toBeGreaterThan(85);
    }
    // The end of the import had everybody scored: that needs no command.
    const scored = await hub.hub.db.tenant(tenantId, (tx) => listScores(tx, { best: true, limit: 3000 }));
    expect(scored).toHaveLength(2357);
    const one = await run(env, 'score', '00004', '--tenant', tenantId);
    expect(one.stdout).toMatch(/scored on 3 of 5 factors[\s\S]*a job this month = \+\d/);
  },
);

test('score: the command says what it needs', async () => {
  const env = await programEnv(hub.hub.db.ownerUrl);
  expect((await fail(env, 'score', 'ann@example.com', '--run')).stderr).toContain('Say one of these');
});
