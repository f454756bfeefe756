import { expect, test } from 'vitest';
import { compileMapping } from '../src/mapping/compile.ts';
import type { Env } from '../src/mapping/compiler.ts';
import { defaultMapping, overlay, parseMapping } from '../src/mapping/load.ts';
import type { MappingFile, MappingOverride } from '../src/mapping/schema.ts';
import {
  toCountry,
  toDate,
  toDecimal,
  toEmails,
  toInstant,
  toPhone,
  toText,
  ValueError,
} from '../src/mapping/values.ts';
import { loadRegistry } from '../src/registry.ts';

const ENV: Env = {
  zone: 'America/New_York',
  today: '2026-06-10',
  country: 'US',
  currency: 'USD',
  account: '1',
  connector: 'made-up',
  lookup: (stream, id) => (stream === 'stages' && id === '7' ? { label: 'Won', deep: { n: 3 } } : undefined),
};

const contact = (fields: Record<string, unknown>, more: object = {}): MappingFile =>
  ({ streams: { people: { contact: { fields, ...more } } } }) as MappingFile;

/** What a directive makes of a record, put into the name of a contact. */
async function value(directive: unknown, record: unknown, field = 'name'): Promise<unknown> {
  const { mapping, errors } = compileMapping(contact({ [field]: directive }));
  expect(errors).toEqual([]);
  const { entities, issues } = await mapping.streams.get('people')!.run(record, ENV);
  return issues[0]?.message ?? entities[0]?.values[field] ?? null;
}

const mistakes = (mapping: unknown): Record<string, string> =>
  Object.fromEntries(
    compileMapping(mapping as MappingFile, ['people', 'stages']).errors.map((e) => [e.path, e.message]),
  );

test('mapping: each directive does what it says', async () => {
  expect(await value({ path: 'a.b[1].c' }, { a: { b: [{}, { c: 'x' }] } })).toBe('x');
  expect(await value({ path: 'a["b.c"]' }, { a: { 'b.c': 'x' } })).toBe('x');
  expect(await value('fixed', {})).toBe('fixed');
  expect(await value({ literal: 'fixed' }, {})).toBe('fixed');
  expect(await value({ template: '{first} {last}' }, { first: 'Ann', last: 'Miller' })).toBe('Ann Miller');
  expect(await value({ template: '{first} {last}' }, { last: 'Miller' })).toBe('Miller');
  expect(await value({ template: 'Dear {first}' }, {})).toBeNull();
  expect(await value({ first: [{ path: 'a' }, { path: 'b' }] }, { a: '', b: 'x' })).toBe('x');
  expect(await value({ join: { of: [{ path: 'a' }, { path: 'b' }], with: '-' } }, { a: 1, b: 2 })).toBe('1-2');
  expect(await value({ enum: { of: { path: 'a' }, map: { Yes: 'y' } } }, { a: 'YES' })).toBe('y');
  expect(await value({ enum: { of: { path: 'a' }, map: {}, else: 'other' } }, { a: 'x' })).toBe('other');
  expect(await value({ lookup: { in: 'stages', key: { path: 's' }, get: 'label' } }, { s: 7 })).toBe('Won');
  expect(await value({ lookup: { in: 'stages', key: { path: 's' }, get: 'deep.n' } }, { s: 7 })).toBe('3');
  expect(await value({ lookup: { in: 'stages', key: { path: 's' }, get: 'label' } }, { s: 8 })).toBeNull();
  const tags = { a: [{ tag: { name: 'x' } }, { tag: {} }, { tag: { name: 'y' } }] };
  expect(await value({ list: { of: { path: 'a' }, get: 'tag.name' } }, tags, 'tags')).toEqual(['x', 'y']);
  expect(await value({ expr: '$uppercase(a) & "!"' }, { a: 'x' })).toBe('X!');
  expect(await value({ plus_days: { of: { path: 'on' }, days: 30 } }, { on: '2024-01-31' }, 'birthday')).toBe(
    '2024-03-01',
  );
  expect(await value({ negate: { path: 'archived' } }, { archived: 'false' })).toBe('true');
});

test('mapping: a case takes the first branch that holds', async () => {
  const directive = {
    case: [
      { when: { all: [{ path: 'closed', equals: 'true' }, { not: { path: 'p', above: 0 } }] }, then: 'lost' },
      {
        when: {
          any: [
            { path: 'closed', exists: true },
            { path: 'tags', contains: 'WON' },
          ],
        },
        then: { path: 'label' },
      },
      { else: 'open' },
    ],
  };
  expect(await value(directive, { closed: true, p: 0 })).toBe('lost');
  expect(await value(directive, { closed: true, p: 1, label: 'won' })).toBe('won');
  expect(await value(directive, { tags: 'been won', label: 'w' })).toBe('w');
  expect(await value(directive, {})).toBe('open');
});

test('mapping: lists become lists of objects, and money is summed without floats', async () => {
  const lines = { each: { of: { path: 'lines' }, as: { text: { path: 'd' } }, when: { path: 'd', exists: true } } };
  const { mapping, errors } = compileMapping({
    streams: {
      bills: {
        invoice: {
          fields: {
            number: { path: 'no' },
            status: 'open',
            lines,
            total: { sum: { of: { path: 'lines' }, as: { multiply: [{ path: 'n' }, { path: 'price' }] } } },
          },
        },
      },
    },
  } as unknown as MappingFile);
  expect(errors).toEqual([]);
  const record = { no: 1, lines: [{ d: 'a', n: 3, price: '0.10' }, { d: 'b', n: 1, price: 0.2 }, { n: 0 }] };
  const { entities } = await mapping.streams.get('bills')!.run(record, ENV);
  expect(entities[0]!.values).toMatchObject({ total: '0.50', lines: [{ text: 'a' }, { text: 'b' }] });
});

test('values: dates are not guessed', () => {
  expect(toDate('2026-03-04', 'UTC')).toBe('2026-03-04');
  expect(() => toDate('03/04/2026', 'UTC')).toThrow(ValueError);
  expect(toDate('03/04/2026', 'UTC', 'dd/MM/yyyy')).toBe('2026-04-03');
  // Half past one in the night in London is still the day before in New York.
  expect(toDate('2026-03-04T01:30:00Z', 'America/New_York')).toBe('2026-03-03');
  expect(() => toDate('0001-01-01', 'UTC')).toThrow(/not plausible/);
  expect(() => toDate('2026-02-30', 'UTC')).toThrow(ValueError);
  expect(toDate('', 'UTC')).toBeNull();
});

test('values: instants come in many clothes', () => {
  const same = '2026-03-04T12:00:00.000Z';
  for (const text of [same, '2026-03-04 12:00:00Z', '2026-03-04T13:00:00+01:00', 'Wed, 04 Mar 2026 12:00:00 +0000'])
    expect(toInstant(text, 'America/New_York')).toBe(same);
  expect(toInstant(1772625600, 'UTC')).toBe(same);
  expect(toInstant('1772625600000', 'UTC')).toBe(same);
  // Without an offset it is a time of the account's own clock.
  expect(toInstant('2026-03-04T07:00:00', 'America/New_York')).toBe(same);
  expect(() => toInstant('soon', 'UTC')).toThrow(ValueError);
});

test('values: amounts never pass through a float and separators are never guessed', () => {
  expect(toDecimal('9007199254740993.07')).toBe('9007199254740993.07');
  expect(toDecimal('1,234.56')).toBe('1234.56');
  expect(toDecimal('12,34,567.00')).toBe('1234567.00');
  expect(toDecimal('1.234,56', ',')).toBe('1234.56');
  expect(toDecimal('$1,234.50')).toBe('1234.50');
  expect(toDecimal('(12.50)')).toBe('-12.50');
  expect(toDecimal("1'234.50 CHF".replace(' CHF', 'CHF'))).toBe('1234.50');
  expect(toDecimal(1e21)).toBe('1000000000000000000000');
  expect(toDecimal(1e-7)).toBe('0.0000001');
  for (const text of ['12,50', '1.234,56', '1,2,3', 'twelve', '1.2.3', 'NaN', {}, Number.NaN])
    expect(() => toDecimal(text), String(text)).toThrow(ValueError);
});

test('values: phone numbers, addresses, countries, text', () => {
  expect(toPhone('(415) 555-2671', 'US')).toBe('+14155552671');
  expect(toPhone('whatsapp:+4915112345678', undefined)).toBe('+4915112345678');
  expect(() => toPhone('555', 'US')).toThrow(ValueError);
  expect(toEmails('Ann <ANN@Example.com>, bob@example.com; ann@example.com')).toEqual([
    'ann@example.com',
    'bob@example.com',
  ]);
  expect(() => toEmails('ann at example')).toThrow(ValueError);
  expect(toCountry('Germany')).toBe('DE');
  expect(toCountry('uk')).toBe('GB');
  expect(() => toCountry('Atlantis')).toThrow(ValueError);
  expect(toText('a\u0000b')).toBe('ab');
  expect(() => toText({})).toThrow(ValueError);
});

test('mapping: a value that does not fit costs its field; a critical one costs the record', async () => {
  const { mapping } = compileMapping({
    streams: {
      bills: {
        invoice: {
          fields: { number: { path: 'no' }, status: { path: 's' }, total: { path: 't' }, due_on: { path: 'd' } },
        },
      },
    },
  } as unknown as MappingFile);
  const { issues } = await mapping.streams.get('bills')!.run({ no: 'a', s: 'nonsense', t: 'x', d: '01/02/2026' }, ENV);
  expect(issues.map((issue) => issue.field).sort()).toEqual(['due_on', 'status', 'total']);
  expect(issues.filter((issue) => issue.critical).map((issue) => issue.field)).toContain('total');
  for (const issue of issues) expect(issue.message).toMatch(/expected|one of/);
});

test('mapping: an enum without "else" names the word it does not know', async () => {
  expect(await value({ enum: { of: { path: 'a' }, map: { open: 'o' } } }, { a: 'new state' })).toMatch(
    /"new state" is not in the list of known words \(open\)/,
  );
});

test('mapping: mistakes are named with their path', () => {
  expect(mistakes(contact({ emial: { path: 'x' }, name: { pth: 'x' } }))).toEqual({
    'streams.people.contact.fields.emial': expect.stringContaining('no field "emial"'),
    'streams.people.contact.fields.name': expect.any(String),
  });
  expect(mistakes(contact({ firstname: { path: 'x' } }))['streams.people.contact.fields.firstname']).toContain(
    'did you mean first_name?',
  );
  expect(mistakes({ streams: { folk: { contact: { fields: {} } } } })['streams.folk']).toContain('not a stream');
  expect(mistakes({ streams: { people: { person: { fields: {} } } } })['streams.people.person']).toContain(
    'not a canonical kind',
  );
  expect(
    mistakes({
      streams: {
        people: { invoice: { fields: { number: 'x', status: { enum: { of: { path: 'a' }, map: { a: 'opne' } } } } } },
      },
    }),
  ).toMatchObject({
    'streams.people.invoice.fields.status.enum.map.a': expect.stringContaining('"opne" is not one of'),
  });
  expect(mistakes(contact({ name: { date: { of: { path: 'x' }, formt: 'yyyy' } } }))).toMatchObject({
    'streams.people.contact.fields.name.date.formt': expect.stringContaining('not an option'),
  });
  expect(mistakes(contact({ name: { expr: '$uppercase(' } }))['streams.people.contact.fields.name.expr']).toContain(
    'JSONata',
  );
  expect(
    mistakes(contact({ name: 'x' }, { references: { company: { to: 'firms', id: { path: 'x' } } } })),
  ).toMatchObject({ 'streams.people.contact.references.company.to': expect.stringContaining('not a stream') });
});

test('mapping: an expression cannot hang, read the machine or bring a slow pattern', async () => {
  const started = performance.now();
  expect(await value({ expr: '($f := function($x){ $f($x + 1) }; $f(1))' }, {})).toMatch(/expression failed/);
  expect(await value({ expr: '$sum([1..100000000])' }, {})).toMatch(/expression failed/);
  expect(await value({ expr: '$match(a, /(a+)+$/)' }, { a: `${'a'.repeat(40)}!` })).toMatch(/expression failed/);
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(await value({ path: 'constructor.name' }, {})).toBeNull();
  expect(await value({ path: '__proto__.toString' }, {})).toBeNull();
});

test('mapping: three levels, field by field; null removes; nothing leaks into other objects', async () => {
  const base = contact({ name: { path: 'a' }, email: { path: 'e' } }, { custom: { x: { path: 'x' } } });
  const tenant: MappingOverride = { streams: { people: { contact: { fields: { name: { path: 'b' } } } } } };
  const own: MappingOverride = {
    streams: { people: { contact: { fields: { email: null }, custom: { y: { path: 'y' } } } } },
  };
  const merged = overlay(overlay(base, tenant), own).streams.people!.contact!;
  expect(merged.fields).toEqual({ name: { path: 'b' } });
  expect(merged.custom).toEqual({ x: { path: 'x' }, y: { path: 'y' } });
  expect(base.streams.people!.contact!.fields).toHaveProperty('email');

  const evil = JSON.parse(
    '{"streams": {"__proto__": {"polluted": {"fields": {}}}, "constructor": {"keys": {"fields": {}}}}}',
  );
  overlay(base, evil as MappingOverride);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(typeof Object.keys).toBe('function');
});

test('mapping: text that is no mapping is refused in words', () => {
  expect(() => parseMapping('streams: [', 'mine.yaml')).toThrow(/mine.yaml is not YAML/);
  expect(() => parseMapping('stream: {}', 'mine.yaml')).toThrow(/form of a mapping/);
});

test('mapping: every mapping that ships compiles against its connector', async () => {
  const registry = await loadRegistry();
  for (const connector of registry.all()) {
    const streams = connector.streams.map((stream) => stream.name);
    expect(compileMapping(defaultMapping(connector.id), streams).errors, connector.id).toEqual([]);
  }
});
