import { expect, test } from 'vitest';
import { compilers } from '../src/http/compile.ts';

const SCHEMA = {
  type: 'object',
  required: ['n'],
  additionalProperties: false,
  properties: { n: { type: 'integer', default: 1 }, at: { type: 'string', format: 'date' } },
};
const route = (schema: object, httpPart?: string) => ({ method: 'GET', url: '/', httpStatus: '200', httpPart, schema });
const validator = (schema: object, httpPart: string, atStart = false) =>
  compilers(atStart).buildValidator({})(route(schema, httpPart) as never);
const serializer = (schema: object, atStart = false) =>
  compilers(atStart).buildSerializer({}, {})(route(schema) as never);

test.each([false, true])(
  'compile: a body must be right and says all that is wrong, compiled at start: %s',
  (atStart) => {
    const check = validator(SCHEMA, 'body', atStart);
    expect(check({ n: 2, at: '2026-03-01' })).toBe(true);
    expect(check({ n: '2', at: 'soon', more: 1 })).toBe(false);
    expect((check.errors as { keyword: string }[]).map(({ keyword }) => keyword).sort()).toEqual([
      'additionalProperties',
      'format',
      'type',
    ]);
    // What was wrong with one says nothing about the next.
    expect(check({ n: 3 })).toBe(true);
    expect(check.errors).toBeNull();
  },
);

test('compile: a query comes as text and is converted in place', () => {
  const query = { n: '7' } as Record<string, unknown>;
  expect(validator(SCHEMA, 'querystring')(query)).toBe(true);
  expect(query).toEqual({ n: 7 });
});

test('compile: an answer is written as its schema says', () => {
  expect(serializer(SCHEMA)({ n: 1, secret: 'x' })).toBe('{"n":1}');
});

test('compile: a schema that cannot be compiled is told by the start when asked, else by its first use', () => {
  const broken = { type: 'object', properties: { a: { $ref: 'Missing#' } } };
  expect(() => validator(broken, 'body', true)).toThrow(/Missing/);
  expect(() => serializer(broken, true)).toThrow(/Missing/);
  const check = validator(broken, 'body');
  expect(() => check({ a: 1 })).toThrow(/Missing/);
  const write = serializer(broken);
  expect(() => write({ a: 1 })).toThrow(/Missing/);
});
