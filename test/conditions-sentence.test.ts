import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkCondition } from '../src/conditions/check.ts';
import { describeCondition } from '../src/conditions/describe.ts';
import { parseCondition } from '../src/conditions/parse.ts';
import type { Condition } from '../src/conditions/types.ts';
import { seededRandom } from '../src/kit/sandbox/index.ts';
import { SEGMENTS, TEXTS } from './support/conditions/business.ts';
import { Generator } from './support/conditions/generate.ts';

const NAMES = {
  segments: new Map([
    [SEGMENTS[0]!, 'Gold "and" more'],
    [SEGMENTS[1]!, 'Gold'],
    // Two of one name: neither can be told by it.
    ['0198a000-0000-7000-8000-000000000003', 'Gold'],
  ]),
};

/** Reads like this, and means that. */
const EXAMPLES: [sentence: string, condition: Condition][] = [
  [
    'has at least 2 completed jobs in the last 6 months and balance due over 100',
    {
      all: [
        {
          count: 'job',
          where: {
            all: [
              { field: 'job.status', is: 'completed' },
              { field: 'job.completed_on', in_last: { months: 6 } },
            ],
          },
          at_least: 2,
        },
        { field: 'customer.balance_due', above: 100 },
      ],
    },
  ],
  [
    'city is one of "Berlin", "Bonn" and (tags include any of "vip" or score at least 70)',
    {
      all: [
        { field: 'customer.city', one_of: ['Berlin', 'Bonn'] },
        {
          any: [
            { field: 'customer.tags', has_any: ['vip'] },
            { field: 'score.value', at_least: 70 },
          ],
        },
      ],
    },
  ],
  [
    'has no open deal and days since last purchase or job or answer at least 90',
    {
      all: [
        { not: { exists: 'deal', where: { field: 'deal.status', is: 'open' } } },
        { days_since: ['purchase', 'job', 'answer'], at_least: 90 },
      ],
    },
  ],
  [
    'has an invoice (due more than 30 days ago and balance over 50 EUR)',
    {
      exists: 'invoice',
      where: {
        all: [
          { field: 'invoice.due_on', more_than_ago: { days: 30 } },
          { field: 'invoice.balance', currency: 'EUR', above: 50 },
        ],
      },
    },
  ],
  ['birthday has its anniversary in 3 days', { field: 'customer.birthday', anniversary_in: { days: 3 } }],
  ['latest score of survey responses under 7', { latest: 'survey_response.score', below: 7 }],
  [
    'total amount of succeeded payments in the last 1 year at least 1000',
    {
      sum: 'payment.amount',
      where: {
        all: [
          { field: 'payment.status', is: 'succeeded' },
          { field: 'payment.paid_on', in_last: { years: 1 } },
        ],
      },
      at_least: 1000,
    },
  ],
  [
    'not (company custom field "Zone \\"A\\"" from "hubspot" is yes) and consent to sms about "news" is none',
    {
      all: [
        { not: { field: 'company.custom.Zone "A"', source: 'hubspot', is: true } },
        { consent: 'sms', topic: 'news', is: 'none' },
      ],
    },
  ],
  [
    'postal code between "10115" and "14199"',
    { field: 'customer.postal_code', between: { from: '10115', to: '14199' } },
  ],
  ['is in segment "Gold \\"and\\" more"', { segment: SEGMENTS[0]! }],
  [`is in segment ${SEGMENTS[1]}`, { segment: SEGMENTS[1]! }],
  [
    'VIP is yes or score band is at_risk',
    {
      any: [
        { field: 'score.vip', is: true },
        { field: 'score.band', is: 'at_risk' },
      ],
    },
  ],
];

test.each(EXAMPLES)('conditions: "%s" says what it means, there and back', (sentence, condition) => {
  expect(describeCondition(condition, NAMES)).toBe(sentence);
  expect(parseCondition(sentence, NAMES)).toEqual({ problems: [], condition });
});

test('conditions: every condition is told in a sentence that is read back as the same condition', () => {
  const generator = new Generator(seededRandom(11), new Date('2026-03-02T15:00:00Z'));
  const said = new Map<string, string>();
  for (let n = 0; n < 3000; n++) {
    const { problems, condition } = checkCondition(generator.condition(5));
    expect(problems).toEqual([]);
    const sentence = describeCondition(condition!, NAMES);
    const read = parseCondition(sentence, NAMES);
    expect(read, sentence).toEqual({ problems: [], condition });
    // Two that differ are never told alike.
    const json = JSON.stringify(condition);
    expect(said.get(sentence) ?? json, sentence).toBe(json);
    said.set(sentence, json);
  }
});

test('conditions: a sentence that cannot be read tells where and what should stand there', () => {
  const told = (sentence: string): string => {
    const [problem] = parseCondition(sentence, NAMES).problems;
    return `${problem?.path} ${problem?.message}`;
  };
  expect(told('')).toBe('sentence:1 a field of the customer, or "has" expected, but the sentence ends');
  expect(told('city')).toMatch(/^sentence:5 a test such as is, contains/);
  expect(told('city is "Berlin')).toBe('sentence:9 a text begins here and its closing quote is missing');
  expect(told('city is "a" and city is "b" or city is "c"')).toMatch(
    /^sentence:32 parentheses around what belongs together/,
  );
  expect(told('has 2 jobs')).toMatch(/^sentence:5 .*"at least"/);
  expect(told('has a paid job')).toMatch(/^sentence:7 one of deals, tickets/);
  expect(told('has a job in the last 3 fortnights')).toMatch(
    /^sentence:25 days, weeks, months or years expected, "fortnights" found/,
  );
  expect(told('has a job (city is "x")')).toMatch(/^sentence:12 a field of the job expected/);
  expect(told('is in segment "Silver"')).toMatch(/^sentence:15 the name of a segment there is/);
  expect(told('is in segment "Gold"')).toMatch(/several segments/);
  expect(told('city is "x";')).toBe('sentence:12 ";" cannot be read');
  // What can be read and makes no sense is told by its place in the condition.
  expect(told('birthday on 2026-02-31')).toBe('on "2026-02-31" is no day of the calendar');
  expect(told('days since last job at least 1.5')).toMatch(/^at_least must be a whole number/);
});

test('conditions: no sentence breaks the reader, whatever stands in it', () => {
  const random = seededRandom(5);
  const generator = new Generator(random, new Date('2026-03-02T15:00:00Z'));
  const pieces = [
    ...TEXTS,
    '(',
    ')',
    'and',
    'or',
    'not (',
    '"',
    '\\',
    'has a',
    '2026-02-30',
    '-',
    ',',
    '\u0000',
    '1e999',
    'of',
  ];
  for (let n = 0; n < 1500; n++) {
    const words = describeCondition(checkCondition(generator.condition(4)).condition!, NAMES).split(' ');
    for (let change = 0; change < 3; change++)
      words.splice(
        Math.floor(random() * words.length),
        Math.floor(random() * 2),
        pieces[Math.floor(random() * pieces.length)]!,
      );
    const { problems, condition } = parseCondition(words.join(' '), NAMES);
    expect(problems.length === 0).toBe(condition !== undefined);
  }
  for (const text of [
    '('.repeat(100_000),
    'not ('.repeat(9_000),
    '"'.repeat(40_000),
    ' '.repeat(49_999),
    'city is "x" and '.repeat(3000),
  ])
    expect(parseCondition(text).problems.length).toBeGreaterThan(0);
});

test('conditions: the examples of the documentation are true, the condition and the sentence beside it the same', () => {
  const text = readFileSync(new URL('../docs/conditions.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\{.*?\})` \| `(.*?)`/gm)].filter(([row]) => !/\b[AB]\b|<id>/.test(row));
  expect(rows.length).toBeGreaterThan(14);
  for (const [, json, sentence] of rows) {
    const { problems, condition } = checkCondition(JSON.parse(json!));
    expect(problems, json).toEqual([]);
    expect(describeCondition(condition!)).toBe(sentence);
    expect(parseCondition(sentence!)).toEqual({ problems: [], condition });
  }
});
