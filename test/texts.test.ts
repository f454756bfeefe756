import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { definitionErrors } from '../src/sequences/validate.ts';
import { textProblems } from '../src/texts/check.ts';
import { FILTERS } from '../src/texts/filters.ts';
import { render } from '../src/texts/render.ts';
import { exampleContext, VARIABLES } from '../src/texts/variables.ts';

const messages = (text: string, scope?: 'staff'): string[] =>
  textProblems(text, scope).map(({ line, message }) => `${line}: ${message}`);

test('texts: a variable nobody knows is refused with its line and the name that was probably meant', () => {
  expect(messages('Hello {{ customer.first_nme }},')).toEqual([
    '1: there is no variable "customer.first_nme"; did you mean "customer.first_name"?',
  ]);
  expect(messages('Hello,\n\n{{ first_name }}')).toEqual([
    '3: there is no variable "first_name"; did you mean "customer.first_name"?',
  ]);
  expect(messages('{% for invoice in invoices %}{{ invoice.numbr }}{% endfor %}')).toEqual([
    '1: there is no variable "invoice.numbr"; did you mean "invoices.number"?',
  ]);
  expect(messages('{{ invoices[0].amont }}')[0]).toContain('did you mean "invoices.amount"?');
  expect(messages('{% if job.finished_on %}x{% endif %}')[0]).toContain('there is no variable "job.finished_on"');
  expect(messages('{{ xyzzyplugh.q }}')[0]).toContain('docs/templates.md lists them');
  expect(messages('{{ business.qqqqqqqqqqqqqqqq }}')[0]).toContain('business has name, phone');
});

test('texts: loop variables, assigned and captured ones are no unknowns', () => {
  expect(
    messages(
      '{% assign who = customer.first_name | default: "you" %}{{ who }}{% capture line %}{{ who }}!{% endcapture %}{{ line }}{% for i in invoices %}{{ i.number }}{{ forloop.last }}{% endfor %}{{ invoices.size }}{{ invoices.first.amount }}',
    ),
  ).toEqual([]);
  expect(messages('{{ who }}{% assign who = "x" %}')[0]).toContain('there is no variable "who"');
});

test('texts: every variable there is can be printed, in a list and out of it, and every filter works as it tells', () => {
  for (const { name, type, only } of VARIABLES) {
    if (type === 'list') continue;
    const [list, member] = name.split('[].');
    const text = member
      ? `{% for item in ${list} %}{{ item.${member} }}{% endfor %}`
      : `{{ ${name.replace('.*', '.anything')} }}`;
    expect(textProblems(text, only === 'staff' ? 'staff' : 'customer'), name).toEqual([]);
  }
  const context = { ...exampleContext('customer'), values: { price: 49 } };
  for (const [name, { example }] of Object.entries(FILTERS)) {
    const [text, told] = example.split(' gives ');
    expect(render(text!, context).replaceAll('\u202f', ' '), name).toBe(told);
  }
});

test('texts: filters nobody knows, mistakes of form and tags that read files are refused in words', () => {
  expect(messages('\n{{ customer.name | uppcase }}')).toEqual([
    '2: there is no filter "uppcase"; did you mean "upcase"?',
  ]);
  expect(messages('{% if customer.name %}x')).toEqual(['1: tag {% if customer.name %} not closed']);
  expect(messages('a {{ customer.name')[0]).toContain('not closed');
  expect(messages("{% render 'secrets' %}")[0]).toContain('there is no tag "render" here');
  expect(messages('{{ customer.name | raw }}')[0]).toContain('there is no filter "raw"');
  expect(messages('{{ customer }}')[0]).toContain('group of values');
  expect(messages('{{ invoices }}')[0]).toContain('this is a list');
  expect(messages('{{ customer.name | day }}')[0]).toContain('is no date');
});

test('texts: loops without end, doubling texts and texts of ten megabytes are refused at once', () => {
  const started = performance.now();
  expect(messages('{% for i in (1..1000000000) %}x{% endfor %}')).toEqual([
    '1: it grows too large: a loop or a filter repeats too much',
  ]);
  const nested =
    '{% for a in (1..999) %}{% for b in (1..999) %}{% for c in (1..999) %}x{% endfor %}{% endfor %}{% endfor %}';
  expect(messages(nested)).toEqual(['1: it takes too long to write: a loop goes round too often']);
  const doubling = `{% assign a = "xxxxxxxxxx" %}${'{% assign a = a | append: a %}'.repeat(40)}{{ a }}`;
  expect(messages(doubling)[0]).toContain('it grows too large');
  expect(messages('x'.repeat(10_000_000))).toEqual([
    'undefined: is 10000000 characters long; at most 100000 are taken',
  ]);
  expect(performance.now() - started).toBeLessThan(3000);
});

test('texts: what is known to staff texts only is refused elsewhere', () => {
  expect(messages('{{ staff.name }}')).toEqual(['1: "staff.name" is known in texts for staff only']);
  expect(messages('{{ staff.name }} {{ level }}', 'staff')).toEqual([]);
});

test('texts: a missing value holds the text and is named, however it is asked for', () => {
  const context = { customer: { email: 'a@b.c' }, invoices: [{ number: null }], unset: null };
  for (const [text, told] of [
    ['Dear {{ customer.first_name }},', 'there is no value for customer.first_name (given name)'],
    ['{% assign name = customer.first_name %}Dear {{ name }},', 'there is no value for customer.first_name'],
    ['{% assign name = customer.first_name | upcase %}Dear {{ name }},', 'there is no value for customer.first_name'],
    ['{{ "Dear " | append: customer.first_name }}', 'there is no value for customer.first_name'],
    ['Dear {{ customer.first_name | capitalize | default: "x" }}', 'there is no value for customer.first_name'],
    ['{{ job.completed_on | day }}', 'there is no value for job (the job)'],
    ['{% for i in invoices %}{{ i.number }}{% endfor %}', 'there is no value for i.number'],
    ['Dear {{ unset }},', 'there is no value for unset'],
    ['{{ customer.first_name | default: customer.name }}', 'for customer.first_name | default: customer.name'],
  ] as const)
    expect(() => render(text, context), text).toThrow(told);
  expect(() => render('a\nb {{ customer.name }}', context, 'the e-mail text "chase" (de)')).toThrow(
    'there is no value for customer.name (full name), which the e-mail text "chase" (de), line 2 needs',
  );
  expect(render('{{ customer.first_name | default: customer.name | default: "there" }}', context)).toBe('there');
  expect(render('Dear {{ customer.first_name | default: "customer" }},{% if job %} x{% endif %}', context)).toBe(
    'Dear customer,',
  );
});

test('texts: dates, times and amounts are written as the language of the customer does', () => {
  const context = (locale: string): object => ({
    locale,
    zone: 'Europe/Berlin',
    business: { currency: 'EUR' },
    on: '2026-03-06',
    at: '2026-03-06T23:30:00Z',
  });
  const text = '{{ on | day }}; {{ at | day }}; {{ "14:30" | time }}; {{ 1234.5 | money }}';
  expect(render(text, context('de')).replaceAll('\u00a0', ' ')).toBe('6. März 2026; 7. März 2026; 14:30; 1.234,50 €');
  expect(render(text, context('en')).replaceAll('\u202f', ' ')).toBe(
    'March 6, 2026; March 7, 2026; 2:30 PM; €1,234.50',
  );
  expect(render('{{ on | weekday }}', context('fr'))).toBe('vendredi');
});

test('texts: mistakes in the texts of a definition are told by step and field', () => {
  const errors = definitionErrors({
    ...{ key: 'x', title: 'x', topic: 'x', triggers: [{ name: 'manual' }], per: 'customer' },
    ...{ again: { policy: 'once' }, exits: [], values: { offer: '10%', bad: 'for {{ customer.name }}' } },
    steps: [
      {
        id: 'a',
        do: { kind: 'create_task', input: { title: 'Call {{ customer.nam }}', body: 'one\n{{ values.offr }}' } },
      },
      {
        id: 'b',
        escalate: {
          to: [{ who: 'owner' }],
          working_hours: 1,
          task: { title: '{{ staff.name }}: {{ ovrdue.total }}' },
        },
      },
    ],
  });
  expect(errors).toEqual([
    { path: 'steps[0].do.input.title', message: 'there is no variable "customer.nam"; did you mean "customer.name"?' },
    { path: 'steps[0].do.input.body', message: 'line 2: the sequence has no value "offr"; did you mean "offer"?' },
    {
      path: 'steps[1].escalate.task.title',
      message: 'there is no variable "ovrdue.total"; did you mean "overdue.total"?',
    },
    { path: 'values.bad', message: 'is put into texts as it stands; write variables into the text itself' },
  ]);
});

test('texts: docs/templates.md tells every variable and filter', () => {
  const docs = readFileSync(new URL('../docs/templates.md', import.meta.url), 'utf8');
  for (const { name, meaning } of VARIABLES) expect(docs, name).toContain(`| \`${name}\` | ${meaning} |`);
  for (const [name, { meaning }] of Object.entries(FILTERS))
    expect(docs, name).toContain(`| \`${name}\` | ${meaning} |`);
});
