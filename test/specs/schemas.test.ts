import { describe, expect, test } from 'vitest';
import type { Direction, Schema } from './normalise.ts';
import { Schemas } from './schemas.ts';

const check = (schema: Schema, value: unknown, direction: Direction = 'response', document: object = {}): string[] =>
  new Schemas(document).check(schema, value, direction, 'it').map(({ at, says }) => `${at} ${says}`);

const person = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
};

describe('names', () => {
  test('specs: a member that is not described is found, also where the schema leaves the object open', () => {
    expect(check(person, { name: 'Ann' })).toEqual([]);
    expect(check(person, { name: 'Ann', agee: 5 })).toEqual(['it.agee is not described']);
    expect(check({ type: 'array', items: person }, [{ name: 'Ann' }, { name: 'Bob', x: 1 }])).toEqual([
      'it.1.x is not described',
    ]);
  });

  test('specs: names are free where the schema says so or describes none', () => {
    expect(check({ type: 'object' }, { any: 1 })).toEqual([]);
    expect(check({ ...person, additionalProperties: true }, { name: 'Ann', any: 1 })).toEqual([]);
    expect(check({ type: 'object', additionalProperties: person }, { a: { name: 'Ann', x: 1 } })).toEqual([
      'it.a.x is not described',
    ]);
    expect(check({ type: 'object', additionalProperties: false }, { any: 1 })).toEqual(['it.any is not described']);
    const byPattern = { type: 'object', patternProperties: { '^x-': { type: 'string' } } };
    expect(check(byPattern, { 'x-a': 'b', y: 1 })).toEqual(['it.y is not described']);
    expect(check(byPattern, { 'x-a': 1 })).toEqual(['it.x-a must be string']);
  });

  test('specs: the parts of a whole describe its members together, even when each part is closed', () => {
    const whole = {
      allOf: [
        { ...person, additionalProperties: false },
        { type: 'object', properties: { id: { type: 'string' } }, additionalProperties: false },
      ],
    };
    expect(check(whole, { name: 'Ann', id: '1' })).toEqual([]);
    expect(check(whole, { name: 'Ann', id: '1', x: 1 })).toEqual(['it.x is not described']);
  });

  test('specs: what is read-only need not be sent, and is found when it is', () => {
    const record = {
      type: 'object',
      required: ['id', 'name', 'secret'],
      properties: {
        id: { $ref: '#/id' },
        name: { type: 'string' },
        secret: { type: 'string', writeOnly: true },
      },
    };
    const document = { id: { type: 'string', readOnly: true } };
    expect(check(record, { name: 'Ann', secret: 's' }, 'request', document)).toEqual([]);
    expect(check(record, { id: '1', name: 'Ann', secret: 's' }, 'request', document)).toEqual([
      'it.id is read-only and is sent',
    ]);
    expect(check(record, { id: '1', name: 'Ann' }, 'response', document)).toEqual([]);
    expect(check(record, { name: 'Ann' }, 'response', document)).toEqual(['it.id is missing']);
  });
});

describe('dialects', () => {
  test('specs: null is allowed where any dialect allows it, and nowhere else', () => {
    for (const schema of [
      { type: 'string', nullable: true },
      { type: 'string', 'x-nullable': true },
      { type: ['string', 'null'] },
      { type: 'string', enum: ['a'], nullable: true },
      { $ref: '#/text', nullable: true },
      { allOf: [{ $ref: '#/text' }], nullable: true },
    ]) {
      expect(check(schema, null, 'response', { text: { type: 'string' } }), JSON.stringify(schema)).toEqual([]);
      expect(check(schema, 5, 'response', { text: { type: 'string' } }), JSON.stringify(schema)).not.toEqual([]);
    }
    expect(check({ type: 'string' }, null)).toEqual(['it must be string']);
    const nested = { type: 'object', nullable: true, properties: { a: { type: 'string' } } };
    expect(check(nested, { a: 5 })).toEqual(['it.a must be string']);
  });

  test('specs: bounds are read as the older and the newer drafts write them', () => {
    for (const schema of [{ minimum: 0, exclusiveMinimum: true }, { exclusiveMinimum: 0 }]) {
      expect(check(schema, 0)).toEqual(['it must be > 0']);
      expect(check(schema, 1)).toEqual([]);
    }
    expect(check({ minimum: 0, exclusiveMinimum: false }, 0)).toEqual([]);
  });

  test('specs: lists with a form for each place are read in both ways of writing them', () => {
    for (const key of ['items', 'prefixItems']) {
      const pair = { type: 'array', [key]: [{ type: 'string' }, { type: 'integer' }] };
      expect(check(pair, ['a', 1])).toEqual([]);
      expect(check(pair, [1, 1])).toEqual(['it.0 must be string']);
    }
  });

  test('specs: loose words for types mean what they say, unknown ones and broken patterns nothing', () => {
    expect(check({ type: 'int' }, 'a')).toEqual(['it must be integer']);
    expect(check({ type: 'mystery' }, 'a')).toEqual([]);
    expect(check({ type: 'string', pattern: '(' }, 'a')).toEqual([]);
    expect(check({ type: 'string', pattern: '^b' }, 'a')).toEqual(['it must match pattern "^b"']);
  });

  test('specs: times in the forms vendors use are checked', () => {
    const of = (format: string) => ({ type: 'string', format });
    expect(check(of('date-time-rfc-2822'), 'Fri, 24 May 2019 17:18:27 +0000')).toEqual([]);
    expect(check(of('date-time-rfc-2822'), '2019-05-24T17:18:27Z')).not.toEqual([]);
    expect(check(of('date-time'), '2019-05-24')).not.toEqual([]);
    expect(check(of('a format nobody knows'), 'anything')).toEqual([]);
  });
});

describe('choices and references', () => {
  const card = {
    type: 'object',
    required: ['card'],
    properties: { kind: { enum: ['card'] }, card: { type: 'string' } },
  };
  const bank = {
    type: 'object',
    required: ['iban', 'bic'],
    properties: { kind: { enum: ['bank'] }, iban: { type: 'string' }, bic: { type: 'string' } },
  };

  test('specs: of a choice, what keeps the value from the nearest form is told, at its place', () => {
    const either = { oneOf: [card, bank] };
    expect(check(either, { kind: 'card', card: '1' })).toEqual([]);
    expect(check(either, { kind: 'bank', iban: 'x' })).toEqual(['it.bic is missing']);
    expect(check(either, { kind: 'card', card: 5 })).toEqual(['it.card must be string']);
    expect(check(either, 'card')).toEqual(['it must be object']);
    expect(check({ anyOf: [{ type: 'string' }, { type: 'array', items: card }] }, [{ card: 5 }])).toEqual([
      'it.0.card must be string',
    ]);
  });

  test('specs: forms that overlap are no contradiction', () => {
    expect(check({ oneOf: [{ type: 'object' }, card] }, { card: '1' })).toEqual([]);
  });

  test('specs: schemas that contain themselves are followed as far as the value goes', () => {
    const document = {
      tree: { type: 'object', required: ['n'], properties: { n: { type: 'integer' }, of: { $ref: '#/tree' } } },
      circle: { $ref: '#/circle' },
    };
    expect(check({ $ref: '#/tree' }, { n: 1, of: { n: 2, of: { n: 'x', y: 1 } } }, 'response', document)).toEqual([
      'it.of.of.n must be integer',
      'it.of.of.y is not described',
    ]);
    expect(() => new Schemas(document).resolve({ $ref: '#/circle' })).toThrow(/leads back to itself/);
    expect(() => check({ $ref: '#/nowhere' }, 1, 'response', document)).toThrow(/does not have/);
  });

  test('specs: names with slashes and blanks in them are found', () => {
    const document = { 'a/b': { 'c d~': { type: 'string' } } };
    expect(check({ $ref: '#/a~1b/c%20d~0' }, 5, 'response', document)).toEqual(['it must be string']);
  });

  test('specs: a value is never changed by being looked at', () => {
    const value = { age: '5', extra: true };
    check({ ...person, properties: { age: { type: 'integer', default: 3 } } }, value);
    expect(value).toEqual({ age: '5', extra: true });
  });
});
