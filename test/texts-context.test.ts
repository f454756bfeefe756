import { expect, test } from 'vitest';
import { contextOf, type Told } from '../src/actions/told.ts';
import { GROUPS } from '../src/texts/groups.ts';
import { localeFor, pickText } from '../src/texts/language.ts';
import { whole } from '../src/texts/letter.ts';
import { render } from '../src/texts/render.ts';
import { VARIABLES, variableAt } from '../src/texts/variables.ts';

const at = (text: string): Date => new Date(text);
const invoice = {
  ...{ entity_id: 'i', customer_id: 'c', stream_id: 's', remote_id: 'r', number: 'R-1', issued_on: '2026-02-20' },
  ...{ due_on: '2026-03-06', paid_on: '2026-03-18', total: '1480.00', balance: '480.00', currency: 'EUR' },
  ...{ url: 'https://pay.example.com/1', updated_at: at('2026-03-01T00:00:00Z'), status: 'open' },
};
const job = {
  ...{
    title: 'Installation',
    kind: 'installation',
    status: 'completed',
    asset: 'Pump',
    amount: '1900',
    currency: 'EUR',
  },
  ...{ scheduled_at: at('2026-03-10T23:30:00Z'), completed_on: '2026-03-10' },
};
const subjects = {
  invoice,
  job,
  payment: {
    ...{ entity_id: 'p', amount: '480', currency: 'EUR', status: 'failed', paid_on: '2026-03-15', method: 'card' },
    failure_reason: 'card expired',
  },
  deal: { name: 'Boiler', amount: '7200', currency: 'EUR', status: 'open', closes_on: '2026-04-15', stage: 'Quote' },
  ticket: {
    ...{ subject: 'Cold', priority: 'high', category: 'repair', status: 'closed', stage: 'Solved' },
    closed_at: at('2026-03-12T10:00:00Z'),
  },
  subscription: {
    ...{ name: 'Full', kind: 'contract', status: 'active', plan: 'Gold', amount: '29', currency: 'EUR' },
    ...{ started_on: '2024-04-01', ends_on: '2026-04-01', renews_on: '2026-04-01' },
  },
};

/** Everything there can be, with the trigger about `kind`. */
function told(kind: keyof typeof subjects, more: Partial<Told['person']> = {}): Told {
  const person = {
    ...{ id: 'c', name: 'Ann Smith', first_name: 'Ann', last_name: 'Smith', email: 'a@b.c', phone: '+4930' },
    ...{ locale: 'de-DE', time_zone: 'Europe/Berlin', country: 'DE', region: null, company_id: 'co' },
    ...{ company_name: 'Smith Ltd', owner_name: ' Maria Keller', owner_email: 'm@k.de', deleted_at: null },
    ...{ email_opt_out: null, job_title: 'Manager', address_line: '5 Mill', city: 'Berlin', postal_code: '1' },
    ...{ birthday: '--05-17', custom: { hubspot: { tier: 'gold' }, csv: { tier: 'x', size: 3 } } },
    ...{ since: at('2023-04-02T10:00:00Z'), company_email: 'o@s.de', company_phone: '+49', company_domain: 's.de' },
    ...{ company_industry: 'Hotels', company_city: 'Berlin', company_custom: { hubspot: { rank: 1 } } },
    ...more,
  } as NonNullable<Told['person']>;
  const key = `${kind}:1`;
  return {
    business: {
      ...{ name: 'Keller', zone: 'Europe/Berlin', country: 'DE', currency: 'EUR', postalAddress: 'A 1\nB' },
      ...{ phone: '+49', replyTo: 'h@k.de' },
    },
    links: { booking: 'https://b', review: 'https://r', payment: 'https://p' },
    today: '2026-03-18',
    now: at('2026-03-18T10:00:00Z'),
    person,
    overdue: [invoice],
    credits: new Map([['EUR', 20]]),
    circumstances: {
      ...{ runs: new Map(), escalated: new Map(), subjects: new Map([[key, subjects[kind]]]) },
      jobs: new Map([['c', job]]),
      appointments: new Map([['c', { ...job, status: 'scheduled' }]]),
      agreements: new Map([['c', subjects.subscription]]),
      scores: new Map([['c', { band: 'strong', score: 81.6, vip: true, unhappy: false }]]),
      paid: new Map([['p', invoice]]),
    },
    run: {
      ...{ id: 'r', customer_id: 'c', start_on: '2026-03-10', campaign: 'Spring check', sequence_key: 'k' },
      ...{ sequence_title: 'T', values: { offer: '10%', empty: '' }, cause: {} },
      occurrence: {
        ...{ id: 'o', trigger_name: 'job.completed', subject_kind: kind, subject_id: '1', subject_label: 'job' },
        ...{ occurred_on: '2026-03-10', data: { days: 7, nothing: null } },
      },
    },
    locale: 'de-DE',
  };
}

function paths(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (Array.isArray(value)) return value.flatMap((item, at) => paths(item, [...path, at]));
  if (value !== null && typeof value === 'object')
    return Object.entries(value).flatMap(([key, item]) => paths(item, [...path, key]));
  return [path];
}

test('context: every value a text gets stands in the list of variables, and every variable of the list can have a value', () => {
  const all = Object.keys(subjects).map((kind) => contextOf(told(kind as keyof typeof subjects)));
  const given = all.flatMap((context) => paths(context)).filter(([root]) => root !== 'locale' && root !== 'zone');
  for (const path of given)
    expect(variableAt(path), path.join('.')).toBeTypeOf(variableAt(path) === 'any' ? 'string' : 'object');
  const names = new Set(
    given.map((path) =>
      path
        .map((part) => (part === 0 ? '[]' : part))
        .join('.')
        .replace('.[]', '[]'),
    ),
  );
  // What only other rooms and the moment of sending know.
  const elsewhere = ['links', 'survey', 'staff', 'level'];
  const never = VARIABLES.filter(({ type, name }) => type !== 'list' && !name.endsWith('*'))
    .map(({ name }) => name)
    .filter((name) => !elsewhere.some((room) => name.startsWith(room)) && !names.has(name));
  expect(never).toEqual([]);
  expect(Object.keys(GROUPS)).toEqual(expect.arrayContaining(elsewhere));
});

test('context: dates and amounts are those of the customer’s clock and language', () => {
  expect(
    render(
      '{{ invoice.amount }} von {{ invoice.total }}, {{ invoice.due_on | day }}; {{ overdue.total }}; {{ job.scheduled_on }}; {{ appointment.date | day }} {{ appointment.time | time }}; {{ customer.since }}; {{ score.value }}',
      contextOf(told('invoice')),
    ).replaceAll('\u00a0', ' '),
  ).toBe('480,00 € von 1.480,00 €, 6. März 2026; 460,00 €; 2026-03-11; 11. März 2026 00:30; 2023-04-02; 82');
});

test('context: what the trigger is about goes before the latest of its kind', () => {
  const about = told('job');
  about.circumstances.subjects.set('job:1', { ...job, title: 'The one meant' });
  expect(render('{{ job.title }}', contextOf(about))).toBe('The one meant');
  about.run = undefined;
  expect(render('{{ job.title }}', contextOf(about))).toBe('Installation');
  expect(render('{{ payment.link }}', contextOf(told('payment')))).toBe('https://pay.example.com/1');
});

test('context: words that stand for nothing are no names, but Null is one', () => {
  for (const first_name of ['', '  ', 'null', 'NULL', 'undefined', 'N/A', '-', '??'])
    expect(() => render('Dear {{ customer.first_name }},', contextOf(told('job', { first_name }))), first_name).toThrow(
      'there is no value for customer.first_name',
    );
  expect(
    render('{{ customer.first_name }} {{ customer.last_name }}', contextOf(told('job', { last_name: 'Null' }))),
  ).toBe('Ann Null');
  expect(() => render('{{ values.empty }}', contextOf(told('job')))).toThrow('there is no value for values.empty');
  expect(
    render('{{ customer.custom.tier }} {{ customer.custom.size }} {{ company.custom.rank }}', contextOf(told('job'))),
  ).toBe('gold 3 1');
});

test('context: a text that greets nobody or says nothing is not whole', () => {
  expect(() => whole('Dear ,\nhow are you', 'the text "x"')).toThrow(
    'the greeting of the text "x" names nobody ("Dear ,")',
  );
  expect(() => whole('Bonjour ,', 'it')).toThrow('names nobody');
  expect(() => whole(' \n ', 'the text "x"')).toThrow('the text "x" is empty for this customer');
  expect(whole('Bonjour !\n', 'it')).toBe('Bonjour !');
  expect(whole('Hello,\nwe , too', 'it')).toBe('Hello,\nwe , too');
});

test('language: exactly theirs, else without region, else the business’s, else English; a single language is meant for all', () => {
  const texts = (...locales: string[]) => locales.map((locale) => ({ key: 'k', channel: 'email', locale }));
  const pick = (own: string | null, business: string, ...locales: string[]): string | undefined =>
    pickText(texts(...locales), { key: 'k', channel: 'email', locale: own, business })?.locale;
  expect(pick('de-AT', 'fr', 'de', 'de-AT', 'en', 'fr')).toBe('de-AT');
  expect(pick('de_at', 'fr', 'en', 'de', 'de-AT')).toBe('de-AT');
  expect(pick('de-CH', 'fr', 'de-AT', 'de', 'en', 'fr')).toBe('de');
  expect(pick('de', 'fr', 'de-AT', 'fr')).toBe('de-AT');
  expect(pick('pl', 'fr', 'de', 'fr', 'en')).toBe('fr');
  expect(pick(null, 'fr', 'de', 'fr', 'en')).toBe('fr');
  expect(pick('pl', 'it', 'de', 'en')).toBe('en');
  expect(pick('pl', 'it', 'de')).toBe('de');
  expect(pick('pl', 'it', 'de', 'es')).toBeUndefined();
  expect(pick('???', 'it', 'de', 'en')).toBe('en');
  expect(pickText(texts('en'), { key: 'other', channel: 'email', locale: 'en', business: 'en' })).toBeUndefined();
  // English words with Polish dates would be neither.
  expect([localeFor('en', 'pl'), localeFor('de', 'de_AT'), localeFor('en', 'en-GB')]).toEqual(['en', 'de-AT', 'en-GB']);
});
