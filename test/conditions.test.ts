import { expect, test } from 'vitest';
import type { Catalogue } from '../src/conditions/catalogue.ts';
import { checkCondition } from '../src/conditions/check.ts';
import { compileCondition } from '../src/conditions/compile.ts';
import { LIMITS } from '../src/conditions/types.ts';

const SEGMENT = '0198a000-0000-7000-8000-000000000001';
const CATALOGUE: Catalogue = {
  custom: new Map(
    (
      [
        { name: 'customer.custom.installed_on', scope: 'customer', seen: ['date'], sources: ['hubspot'] },
        { name: 'customer.custom.planned', scope: 'customer', seen: [], sources: ['hubspot'] },
        { name: 'job.custom.hours', scope: 'job', seen: ['number'], sources: [] },
      ] as const
    ).map((field) => [field.name, field]),
  ),
  segments: new Map([[SEGMENT, 'Gold']]),
};

/** The mistakes of a condition, as `place: what would be right`. */
const mistakes = (value: unknown): string[] =>
  checkCondition(value, CATALOGUE).problems.map(({ path, message }) => `${path}: ${message}`);

const compiled = (value: unknown) => {
  const { problems, condition } = checkCondition(value, CATALOGUE);
  expect(problems).toEqual([]);
  return compileCondition(condition!, { now: new Date('2026-03-02T15:00:00Z'), zone: 'UTC', currency: 'USD' });
};

test('conditions: what is right passes and comes back in its canonical form', () => {
  for (const right of [
    { field: 'customer.city', is: 'Berlin' },
    { field: 'customer.postal_code', between: { from: '10115', to: '14199' } },
    { field: 'customer.custom.installed_on', in_last: { months: 6 } },
    { field: 'customer.custom.planned', above: 5 },
    { field: 'customer.custom.installed_on', source: 'hubspot', on: '2026-03-01' },
    { field: 'customer.balance_due', currency: 'EUR', above: 100 },
    { field: 'score.band', one_of: ['strong', 'steady'] },
    { count: 'job', where: { field: 'job.custom.hours', above: 2 }, at_least: 2 },
    { latest: 'survey_response.score', below: 7 },
    { consent: 'email', topic: 'news', is: 'none' },
    { segment: SEGMENT },
    { days_since: ['purchase', 'answer'], at_least: 90 },
    { not: { any: [{ exists: 'deal' }, { field: 'company.industry', empty: true }] } },
  ])
    expect(checkCondition(right, CATALOGUE)).toEqual({ problems: [], condition: right });
  expect(checkCondition({ all: [{ any: [{ field: 'customer.city', is: 'Bonn' }] }] }).condition).toEqual({
    field: 'customer.city',
    is: 'Bonn',
  });
  expect(checkCondition({ consent: 'email', topic: '*', is: 'denied' }).condition).toEqual({
    consent: 'email',
    is: 'denied',
  });
  expect(checkCondition({ days_since: ['answer', 'purchase'], above: -0 }).condition).toEqual({
    days_since: ['purchase', 'answer'],
    above: 0,
  });
});

test('conditions: every mistake is told at once, with its place and what would be right there', () => {
  const table: [condition: unknown, place: string][] = [
    [
      { field: 'customer.ctiy', is: 'Berlin' },
      '.field: there is no field "customer.ctiy" of the customer…; did you mean "customer.city"?',
    ],
    [
      { field: 'customer.birthday', is: 'Berlin' },
      '.is: cannot be tested of "customer.birthday", which is a birthday; it takes on, before, after, on_or_before, on_or_after, between, in_last, in_next, more_than_ago, more_than_ahead, today, empty, anniversary_in, anniversary_within',
    ],
    [{ field: 'customer.birthday', on: '2026-02-31' }, '.on: "2026-02-31" is no day of the calendar'],
    [
      { field: 'customer.birthday', after: '0001-01-01' },
      '.after: the year of "0001-01-01" is not between 1800 and 2299',
    ],
    [
      { field: 'customer.status', is: 'custmer' },
      '.is: "custmer" is not one of the words of this field: lead, customer, inactive, other; did you mean "customer"?',
    ],
    [{ field: 'customer.tags', has_any: [] }, '.has_any: is an empty list: name at least one'],
    [{ field: 'job.status', is: 'completed' }, '.field: "job.status" is no field of the customer…'],
    [
      { exists: 'job', where: { field: 'invoice.status', is: 'open' } },
      '.where.field: "invoice.status" is no field of the job',
    ],
    [
      { exists: 'job', where: { exists: 'invoice' } },
      '.where.exists: cannot stand here: within "where" only fields of the job can be tested',
    ],
    [
      { exists: 'jobs' },
      '.exists: must be one of deal, ticket, invoice, payment, job, subscription, activity, survey_response; did you mean "job"?',
    ],
    [
      { count: 'job', at_least: Number.NaN },
      '.at_least: must be a number between -1000000000000000 and 1000000000000000, not NaN',
    ],
    [{ count: 'job', at_least: 1.5 }, '.at_least: must be a whole number from 0 to 1000000, not 1.5'],
    [
      { sum: 'invoice.number', above: 1 },
      '.sum: "invoice.number" is no field of a related object that can be added up',
    ],
    [
      { field: 'customer.custom.instaled_on', empty: true },
      '.field: there is no field "customer.custom.instaled_on" of the customer…; did you mean "customer.custom.installed_on"?',
    ],
    [
      { field: 'customer.custom.installed_on', above: 5 },
      '.above: compares "customer.custom.installed_on" with a number, but it holds date',
    ],
    [
      { field: 'customer.city', is: 'a', is_not: 'b' },
      ': has 2 tests (is, is_not); it takes one, several go into "all"',
    ],
    [
      { field: 'customer.city' },
      ': needs a test: one of is, is_not, one_of, none_of, contains, starts_with, ends_with, empty',
    ],
    [
      { field: 'customer.city', in_last: { months: 1 } },
      '.in_last: cannot be tested of "customer.city", which is a text; it takes is, is_not, one_of, none_of, contains, starts_with, ends_with, empty',
    ],
    [
      { field: 'customer.created_at', in_last: { month: 1 } },
      '.in_last: "month" is no unit; the units are days, weeks, months, years; did you mean "months"?',
    ],
    [
      { field: 'customer.birthday', anniversary_in: { days: 500 } },
      '.anniversary_in.days: must be a whole number from 0 to 365, not 500',
    ],
    [{ field: 'score.value', between: { from: 9, to: 1 } }, '.between: ends before it begins: 9 comes after 1'],
    [
      { consent: 'mail', is: 'granted' },
      '.consent: must be one of the channels email, sms, whatsapp, chat, push, in_app, call; did you mean "email"?',
    ],
    [
      { segment: '0198a000-0000-7000-8000-00000000000f' },
      '.segment: there is no segment 0198a000-0000-7000-8000-00000000000f',
    ],
    [{ segment: 'Gold' }, '.segment: must be the id of a segment'],
    [{ days_since: ['lunch'], at_least: 1 }, '.days_since[0]: must be one of purchase, job, answer'],
    [
      { field: 'customer.balance_due', above: 1, currency: 'eur' },
      '.currency: must be a currency such as "EUR" (ISO 4217)',
    ],
    [
      { field: 'customer.city', is: 'x', source: 'hubspot' },
      '.source: has a meaning only for custom fields of the customer and the company',
    ],
    [
      { anny: [] },
      ': does not say what is tested: it needs one of all, any, not, field, exists, count, sum, average, latest, earliest, consent, segment, days_since; did you mean "any"?',
    ],
    [
      {},
      ': is empty: it needs one of all, any, not, field, exists, count, sum, average, latest, earliest, consent, segment, days_since',
    ],
    [[], ': must be a condition such as {"field": "customer.city", "is": "Berlin"}'],
    [null, ': must be a condition such as {"field": "customer.city", "is": "Berlin"}'],
    [{ all: [] }, '.all: is an empty list: it needs at least one condition'],
    [
      { not: { field: 'customer.city', is: '' } },
      '.not.is: must not be empty; to find what is missing use "empty": true',
    ],
    [
      { field: 'customer.postal_code', between: { from: '1', to: '22' } },
      '.between: must have a beginning and an end of the same length',
    ],
    [
      { field: 'customer.spend', empty: true },
      '.empty: cannot be tested of "customer.spend", which is an amount; it takes is, is_not, above, below, at_least, at_most, between',
    ],
    [{ field: 'customer.city', is: 'x', where: {} }, '.where: is no test'],
  ];
  const elsewhere = '; fields of related objects stand in exists, count, sum, average, latest or earliest';
  expect(mistakes({ all: table.map(([wrong]) => wrong) })).toEqual(
    table.map(([, told], at) => `all[${at}]${told.replace('…', elsewhere)}`),
  );
});

test('conditions: a text is never compared with a date, nor a date with a text', () => {
  expect(mistakes({ field: 'customer.name', before: '2026-01-01' })).toEqual([
    'before: cannot be tested of "customer.name", which is a text; it takes is, is_not, one_of, none_of, contains, starts_with, ends_with, empty',
  ]);
  expect(mistakes({ field: 'invoice.due_on', is: 'soon' })[0]).toMatch(
    /^field: "invoice.due_on" is no field of the customer/,
  );
  expect(mistakes({ exists: 'invoice', where: { field: 'invoice.due_on', before: 'soon' } })).toEqual([
    'where.before: must be a date such as "2026-03-31", not "soon"',
  ]);
});

test('conditions: what nests too deep, has too many parts or too long lists is refused, however large it is', () => {
  const deep = (levels: number): unknown =>
    Array.from({ length: levels }).reduce((inner) => ({ not: inner }), { field: 'customer.city', is: 'x' } as unknown);
  expect(mistakes(deep(LIMITS.depth - 1))).toEqual([]);
  expect(mistakes(deep(LIMITS.depth))).toEqual([
    `${'not.'.repeat(LIMITS.depth - 1)}not: nests too deep: conditions stand in each other 10 times at most`,
  ]);
  expect(mistakes(deep(50))).toHaveLength(1);
  // Deeper than a stack could follow, and in a circle.
  expect(mistakes(deep(200_000))).toHaveLength(1);
  const circle: Record<string, unknown> = {};
  circle.all = [circle, circle];
  expect(mistakes(circle).length).toBeLessThan(60);
  const wide = (parts: number) => ({ any: Array.from({ length: parts }, () => ({ exists: 'job' })) });
  expect(mistakes(wide(LIMITS.nodes - 1))).toEqual([]);
  expect(mistakes(wide(LIMITS.nodes))).toEqual([
    `any[${LIMITS.nodes - 1}]: is one too many: a condition has 200 parts at most`,
  ]);
  expect(mistakes(wide(1_000_000))).toHaveLength(1);
  const list = Array.from({ length: LIMITS.list }, (_all, at) => `t${at}`);
  const tagged = { field: 'customer.tags', has_any: list };
  expect(mistakes(tagged)).toEqual([]);
  expect(mistakes({ ...tagged, has_any: [...list, 'more'] })[0]).toMatch(/a list has 500 at most/);
  expect(mistakes({ all: [tagged, tagged, tagged, tagged, tagged] })[0]).toMatch(
    /^all\[4\].has_any: makes more than 2000/,
  );
  expect(mistakes({ field: 'customer.city', is: 'x'.repeat(501) })[0]).toMatch(/500 at most/);
});

test('conditions: names that every object inherits are no forms, fields, tests, units or words', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    const own = (key: string, value: unknown) => JSON.parse(`{${JSON.stringify(key)}: ${JSON.stringify(value)}}`);
    for (const wrong of [
      own(name, 1),
      { field: name, is: 'x' },
      { field: `customer.${name}`, is: 'x' },
      { field: 'customer.city', ...own(name, 'x') },
      { field: 'customer.created_at', in_last: own(name, 1) },
      { exists: name },
      { exists: 'job', where: { field: `job.${name}`, is: 'x' } },
      { sum: `job.${name}`, above: 1 },
      { field: 'customer.status', is: name },
      { consent: name, is: 'granted' },
      { field: `${name}.custom.x`, empty: true },
      { days_since: [name], above: 1 },
    ])
      expect(mistakes(wrong).length, JSON.stringify(wrong)).toBeGreaterThan(0);
  }
});

test('conditions: nothing a person wrote becomes part of the statement', () => {
  const nasty = [`'; drop table customer; --`, '$1', '$2', '"', '\\', '%_', "E'\\'", '/*', '💥', '\u202e', '{{x}}'];
  for (const text of nasty) {
    const custom: Catalogue = {
      custom: new Map(
        ['customer', 'company', 'job'].map((scope) => [
          `${scope}.custom.${text}`,
          { name: `${scope}.custom.${text}`, scope: scope as 'job', seen: [], sources: [] },
        ]),
      ),
    };
    for (const make of [
      (x: string) => ({ field: 'customer.city', is: x }),
      (x: string) => ({ field: 'customer.tags', has_all: [x, 'b'] }),
      (x: string) => ({ field: `customer.custom.${x}`, source: x, contains: x }),
      (x: string) => ({ field: `company.custom.${x}`, has_none: [x] }),
      (x: string) => ({ latest: `job.custom.${x}`, where: { field: `job.custom.${x}`, is: x }, starts_with: x }),
      (x: string) => ({ sum: `job.custom.${x}`, above: 1 }),
      (x: string) => ({ consent: 'email', topic: x, is: 'none' }),
    ]) {
      const known = { custom: new Map([...custom.custom, ...plain]) };
      const sqlOf = (x: string): { sql: string; values: unknown[] } => {
        const { problems, condition } = checkCondition(make(x), known);
        expect(problems).toEqual([]);
        return compileCondition(condition!, { now: new Date(0), zone: 'UTC', currency: 'USD' });
      };
      const { sql, values } = sqlOf(text);
      expect(sql).toBe(sqlOf('harmless').sql);
      expect(JSON.stringify(values)).toContain(JSON.stringify(text).slice(1, -1).replaceAll('\\', '\\').slice(0, 3));
    }
  }
});
const plain: [string, any][] = ['customer', 'company', 'job'].map((scope) => [
  `${scope}.custom.harmless`,
  { name: `${scope}.custom.harmless`, scope, seen: [], sources: [] },
]);

test('conditions: every subquery names the tenant, and those about a customer name the customer', () => {
  const { sql } = compiled({
    all: [
      { exists: 'job', where: { field: 'job.status', is: 'completed' } },
      { count: 'invoice', at_least: 1 },
      { sum: 'payment.amount', above: 1 },
      { latest: 'deal.amount', above: 1 },
      { field: 'company.name', is: 'x' },
      { field: 'owner.name', is: 'x' },
      { field: 'score.vip', is: true },
      { consent: 'email', is: 'granted' },
      { segment: SEGMENT },
      { days_since: ['job'], above: 1 },
      { field: 'customer.spend', above: 1 },
      { field: 'customer.overdue_balance', above: 1 },
    ],
  });
  const tables = [...sql.matchAll(/from ([a-z_]+) (t\d+) where/g)];
  expect(tables.length).toBeGreaterThan(12);
  for (const [, table, alias] of tables) {
    expect(sql, table).toContain(`${alias}.tenant_id = $1`);
    const on = { company: 'id', owner: 'entity_id' }[table!] ?? 'customer_id';
    expect(sql, table).toContain(`${alias}.${on} = c.${on === 'customer_id' ? 'id' : `${table}_id`}`);
  }
});

test('conditions: it is told what can change the answer, and whether time alone can', () => {
  const {
    sql: _sql,
    values: _values,
    ...told
  } = compiled({
    all: [
      { field: 'customer.city', is: 'x' },
      { count: 'job', where: { field: 'job.completed_on', in_last: { months: 6 } }, at_least: 2 },
      { field: 'customer.balance_due', above: 100 },
      { segment: SEGMENT },
    ],
  });
  expect(told).toEqual({
    fields: {
      contact: ['city'],
      job: ['completed_on', 'customer_id', 'deleted_at'],
      invoice: ['balance', 'currency', 'customer_id', 'deleted_at', 'duplicate_of', 'status'],
      segment: [],
    },
    consent: false,
    segments: [SEGMENT],
    timeRelative: true,
  });
  const relative = (value: unknown): boolean => compiled(value).timeRelative;
  expect(relative({ field: 'customer.city', is: 'today' })).toBe(false);
  expect(relative({ field: 'customer.birthday', before: '2000-01-01' })).toBe(false);
  expect(relative({ field: 'customer.birthday', anniversary_in: { days: 3 } })).toBe(true);
  expect(relative({ field: 'customer.overdue_balance', above: 1 })).toBe(true);
  expect(relative({ not: { exists: 'job', where: { field: 'job.scheduled_at', today: true } } })).toBe(true);
  expect(relative({ days_since: ['job'], above: 1 })).toBe(true);
  expect(relative({ consent: 'email', is: 'none' })).toBe(true);
});
