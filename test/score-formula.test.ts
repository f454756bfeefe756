import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../src/base/database.ts';
import { newId } from '../src/base/ids.ts';
import { addDays } from '../src/base/time.ts';
import {
  answerValue,
  type Basis,
  bandOf,
  engagement,
  FACTORS,
  type Factor,
  factorsOf,
  frequency,
  type Inputs,
  type Measures,
  measuresOf,
  recency,
  round2,
  scoreOf,
  sentiment,
  spendAgainst,
  spendRank,
} from '../src/scoring/formula.ts';
import { type DayInputs, recompute } from '../src/scoring/recompute.ts';
import { SCORE_SETTINGS, scoreMistakes } from '../src/settings/score.ts';
import { accessTo, testDatabase } from './support/hub.ts';

const SETTINGS = SCORE_SETTINGS.score.value;
const BASIS: Basis = {
  weights: SETTINGS.weights,
  available: FACTORS,
  frequencyTarget: 4,
  yardstick: 'p90',
  target: 10_000,
  quantiles: null,
  answers: 'what',
};

/** Numbers that are the same in every run (a linear congruential generator: Numerical Recipes' constants). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const measures = (more: Partial<Measures>): Measures => ({
  ...{ sinceJob: null, spend: 0, jobs: 0, answer: null, answerAge: null, delivered: 0, hits: 0, opens: 0 },
  ...more,
});

const EXAMPLES = [
  {
    who: 'a champion',
    of: { sinceJob: 0, spend: 12_500, jobs: 6, answer: 100, answerAge: 0, delivered: 20, hits: 10 },
    factors: [100, 100, 100, 100, 91.67],
    score: 99.17,
  },
  { who: 'somebody new', of: { sinceJob: 5, spend: 300, jobs: 1 }, factors: [100, 10.94, 25, 50, 50], score: 52.74 },
  {
    who: 'a big one who lapsed',
    of: { sinceJob: 400, spend: 8_200, answer: 90, answerAge: 420, delivered: 15, hits: 1, opens: 2 },
    factors: [24.06, 92.55, 0, 68.02, 29.47],
    score: 41.31,
  },
  { who: 'somebody never served', of: { delivered: 6 }, factors: [0, 0, 0, 50, 20], score: 7 },
];

test.each(EXAMPLES)('score: $who comes out as the worked example says', ({ of, factors, score }) => {
  const found = factorsOf(measures(of), BASIS);
  expect(FACTORS.map((factor) => round2(found[factor]!))).toEqual(factors);
  expect(scoreOf(found, BASIS)).toBe(score);
});

test('score: the factors are exact at their boundary values', () => {
  expect([0, 30, 90, 210, null].map((days) => round2(recency(days)))).toEqual([100, 100, 79.37, 50, 0]);
  expect([0, 1_000, 10_000, 1e9, -50].map((paid) => round2(spendAgainst(paid, 10_000)))).toEqual([
    0, 28.91, 100, 100, 0,
  ]);
  expect([sentiment(100, 0), sentiment(0, 365), sentiment(null, null)]).toEqual([100, 25, 50]);
  expect([engagement(0, 0, 0), engagement(10, 1, 0), engagement(4, 10, 0)].map(round2)).toEqual([50, 28.57, 100]);
  expect([0, 2, 4, 9].map((jobs) => frequency(jobs, 4))).toEqual([0, 50, 100, 100]);
  expect([39.99, 40, 69.99, 70].map((score) => bandOf(score, SETTINGS.bands))).toEqual([
    'at_risk',
    'steady',
    'steady',
    'strong',
  ]);
  expect([sentiment(10, 365, 'whether'), sentiment(100, 366, 'whether')]).toEqual([100, 50]);
});

test('score: an answer becomes a value by its scale, and what is off the scale is none', () => {
  expect([0, 6, 10, 11, -1, Number.NaN].map((score) => answerValue('nps', score, 5))).toEqual([
    0,
    60,
    100,
    null,
    null,
    null,
  ]);
  expect([1, 3, 5, 0].map((score) => answerValue('stars', score, 5))).toEqual([0, 50, 100, null]);
  expect([answerValue('csat', 3, 5), answerValue('csat', 7, 7), answerValue('csat', 80, 100)]).toEqual([50, 100, 80]);
  expect([answerValue('custom', 3, 5), answerValue(null, 3, 5), answerValue('nps', null, 5)]).toEqual([
    null,
    null,
    null,
  ]);
});

test('score: the rank takes the middle of equal ones and never leaves 0 to 100', () => {
  const quantiles = Array.from({ length: 101 }, (_none, at) => (at < 20 ? 10 : at > 90 ? 900 : at * 5));
  expect(spendRank(0, quantiles)).toBe(0);
  expect(spendRank(10, quantiles)).toBe(9.5);
  expect(spendRank(900, quantiles)).toBe(95.5);
  expect(spendRank(1_000_000, quantiles)).toBe(100);
  expect(spendRank(250, quantiles)).toBe(50);
  expect(spendRank(1, quantiles)).toBe(0);
});

test('score: what no source tells of is dropped and the other weights are shared out; without any there is no score', () => {
  const basis = { ...BASIS, available: ['recency', 'frequency', 'spend'] as Factor[] };
  const found = factorsOf(measures({ sinceJob: 0, spend: 10_000, jobs: 4 }), basis);
  expect(found).toMatchObject({ sentiment: null, engagement: null });
  expect(scoreOf(found, basis)).toBe(100);
  expect(scoreOf(factorsOf(measures({}), { ...BASIS, available: [] }), { ...BASIS, available: [] })).toBeNull();
});

test('score: weights that do not sum to 1 are refused with their sum, and those that do within rounding are taken', () => {
  const weights = (recency: number, spend: number) => ({
    ...SETTINGS,
    weights: { ...SETTINGS.weights, recency, spend },
  });
  expect(scoreMistakes(weights(0.25, 0.25))).toEqual([
    { path: 'score.weights', message: 'must sum to 1; these sum to 0.9' },
  ]);
  expect(scoreMistakes(weights(0.1 + 0.2, 0.3))).toEqual([]);
  expect(scoreMistakes(weights(0.35 + 9e-10, 0.25))).toEqual([]);
  expect(scoreMistakes(weights(0.35 + 2e-9, 0.25))).toHaveLength(1);
});

/** Any customer, also those at the edges of every rule. */
function anybody(next: (below: number) => number): Measures {
  const edge = (values: readonly number[], below: number): number =>
    next(3) === 0 ? values[next(values.length)]! : next(below);
  return {
    sinceJob: next(5) === 0 ? null : edge([0, 29, 30, 31, 90, 210, 3650, 740_000], 1500),
    spend: edge([-500, 0, 0.01, 999.99, 10_000, 10_000.01, 1e15], 20_000),
    jobs: edge([0, 1, 3, 4, 5, 400], 12),
    answer: next(3) === 0 ? null : next(101),
    answerAge: edge([0, 364, 365, 366, 740_000], 1200),
    delivered: edge([0, 1, 4, 20], 60),
    hits: next(15),
    opens: next(15),
  };
}

test('score: more is never less: 300,000 perturbations without one violation, and nothing leaves 0 to 100', () => {
  const next = numbers(20260302);
  const bases: Basis[] = [
    BASIS,
    { ...BASIS, available: ['recency', 'spend', 'frequency'] },
    { ...BASIS, yardstick: 'rank', quantiles: Array.from({ length: 101 }, (_none, at) => at * at) },
    { ...BASIS, weights: { recency: 0.1, spend: 0.1, frequency: 0.1, sentiment: 0.3, engagement: 0.4 } },
  ];
  // Each makes a customer better; the first two only when there was a job or an answer to begin with.
  const better: ((of: Measures) => Partial<Measures>)[] = [
    (of) => ({ sinceJob: of.sinceJob === null ? 800 : Math.max(0, of.sinceJob - 1 - next(200)) }),
    (of) => ({ answer: of.answer === null ? null : Math.min(100, of.answer + 1 + next(40)) }),
    (of) => ({ spend: of.spend + 1 + next(5000) }),
    (of) => ({ jobs: of.jobs + 1 }),
    (of) => ({ hits: of.hits + 1 }),
    (of) => ({ opens: of.opens + 1 }),
    (of) => (of.opens > 0 ? { opens: of.opens - 1, hits: of.hits + 1 } : {}),
    (of) => (of.delivered > 0 ? { delivered: of.delivered - 1 } : {}),
  ];
  let violations = 0;
  let outside = 0;
  let [least, most] = [100, 0];
  for (let n = 0; n < 300_000; n++) {
    const basis = bases[n % bases.length]!;
    const before = anybody(next);
    const after = { ...before, ...better[next(better.length)]!(before) };
    const [was, is] = [scoreOf(factorsOf(before, basis), basis)!, scoreOf(factorsOf(after, basis), basis)!];
    if (is < was) violations += 1;
    least = Math.min(least, was, is);
    most = Math.max(most, was, is);
    if (was < 0 || was > 100 || is < 0 || is > 100) outside += 1;
  }
  expect({ violations, outside }).toEqual({ violations: 0, outside: 0 });
  expect([least, most]).toEqual([0, 100]);
});

let database: Awaited<ReturnType<typeof testDatabase>>;
let db: Database;

beforeAll(async () => {
  database = await testDatabase();
  db = openDatabase({ ...accessTo(database.url), max: 1 });
});

afterAll(async () => {
  await db?.close();
  await database?.drop();
});

const DAY = '2026-03-02';

function inputsOf({ sinceJob, answerAge, ...rest }: Measures): DayInputs {
  const on = (days: number | null): string | null => (days === null ? null : addDays(DAY, -Math.min(days, 700_000)));
  return {
    ...rest,
    day: DAY,
    reason: null,
    lastJobOn: on(sinceJob),
    answeredOn: rest.answer === null ? null : on(answerAge),
  };
}

test('score: SQL and the program make the same of thousands of customers, to the last shown digit', async () => {
  const next = numbers(7);
  const quantiles = Array.from({ length: 101 }, (_none, at) => Math.round(at ** 2.1 * 100) / 100);
  const everything = ['jobs', 'payments', 'surveys', 'messages'] as const;
  const cases = [
    { settings: SETTINGS, sources: everything, target: 10_000 },
    { settings: { ...SETTINGS, yardstick: 'rank', answers: 'whether' }, sources: everything, target: 1 },
    { settings: { ...SETTINGS, frequencyTarget: 7 }, sources: ['jobs', 'surveys'] as const, target: 33.33 },
  ];
  for (const { settings, sources, target } of cases) {
    const rows = Array.from({ length: 2000 }, () => inputsOf(anybody(next)));
    // Each on a day of its own would sort them apart; the order of equal days is the order given.
    const rules = { settings: settings as never, sources: [...sources], kept: {} };
    const found = await db.tenant(newId(), (tx) => recompute(tx, rows, rules, { target, quantiles }));
    const has = (...any: string[]): boolean => any.some((source) => (sources as readonly string[]).includes(source));
    const basis: Basis = {
      ...BASIS,
      ...{ target, quantiles, frequencyTarget: settings.frequencyTarget },
      yardstick: settings.yardstick as 'p90',
      answers: settings.answers as 'what',
      available: FACTORS.filter((factor) =>
        factor === 'spend'
          ? has('payments')
          : factor === 'sentiment'
            ? has('surveys')
            : factor === 'engagement'
              ? has('messages')
              : true,
      ),
    };
    const different = rows.filter((row, at) => {
      const factors = factorsOf(measuresOf(row as Inputs, { jobs: DAY, surveys: DAY }), basis);
      const same = FACTORS.every((factor) =>
        factors[factor] === null
          ? found[at]!.factors[factor] === null
          : Math.abs(factors[factor]! - found[at]!.factors[factor]!) < 1e-9,
      );
      return !same || scoreOf(factors, basis) !== found[at]!.score;
    });
    expect(different).toEqual([]);
  }
});
