import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { connectorNames } from '../../src/registry.ts';
import { callOf } from './calls.ts';
import { type CheckOptions, checkExchanges, compare, linesOf } from './check.ts';
import { openApi } from './readers/openapi.ts';
import type { Call } from './spec.ts';
import type { SpecException, Truth } from './truth.ts';

const contact = {
  type: 'object',
  required: ['email'],
  properties: { email: { type: 'string' }, age: { type: 'integer' } },
};
const json = (schema: object) => ({ content: { 'application/json': { schema } } });

const spec = openApi('small.json', {
  openapi: '3.0.0',
  servers: [{ url: 'https://{region}.example.com/api/v1/', variables: { region: { default: 'eu' } } }],
  paths: {
    '/contacts': {
      parameters: [{ name: 'page', in: 'query', schema: { type: 'integer', minimum: 1 } }],
      get: {
        parameters: [
          { name: 'ids', in: 'query', explode: false, schema: { type: 'array', items: { type: 'integer' } } },
          {
            name: 'filter',
            in: 'query',
            style: 'deepObject',
            schema: { type: 'object', properties: { age: { type: 'integer' } } },
          },
        ],
        responses: {
          200: json({ type: 'object', required: ['items'], properties: { items: { type: 'array', items: contact } } }),
        },
      },
      post: {
        parameters: [
          { name: 'X-Key', in: 'header', required: true, schema: { type: 'string', minLength: 5 } },
          { name: 'Authorization', in: 'header', required: true, schema: { type: 'string' } },
        ],
        requestBody: { required: true, ...json(contact) },
        responses: { 201: json(contact), '4XX': json({ type: 'object', properties: { error: { type: 'string' } } }) },
      },
    },
    '/contacts/{id}': {
      get: {
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^c\\d+$' } }],
        responses: { 200: json(contact) },
      },
      delete: { responses: { 204: { description: 'gone' } } },
    },
    '/contacts/me': { get: { responses: { 200: json({ type: 'object', properties: { me: { type: 'boolean' } } }) } } },
    '/login': {
      post: {
        requestBody: {
          content: {
            'application/x-www-form-urlencoded': {
              schema: { type: 'object', properties: { user: { type: 'string' }, days: { type: 'integer' } } },
            },
          },
        },
        responses: { 200: {} },
      },
    },
  },
});

const none: Truth = { exceptions: [] };
const base = '/api/v1';
const made = callOf('POST', `${base}/contacts`, {
  headers: { 'content-type': 'application/json; charset=utf-8', 'x-key': 'abcde' },
  body: { email: 'a@example.com' },
  status: 201,
  reply: { email: 'a@example.com', age: 5 },
});

/** What is wrong with calls. */
const wrong = (calls: Call | readonly Call[], truth: Truth = none, options: CheckOptions = {}): string[] =>
  linesOf(compare([spec], truth, [calls].flat(), options));

describe('requests', () => {
  test('specs: what is as described is counted and has no problem', () => {
    const listed = callOf('GET', `${base}/contacts`, { query: { page: '2', ids: '1,2' }, reply: { items: [] } });
    expect(compare([spec], none, [made, listed])).toEqual({
      requests: 2,
      responses: 2,
      exceptions: 0,
      problems: [],
      undescribed: [],
    });
  });

  test('specs: an operation nobody describes is a problem', () => {
    expect(wrong(callOf('PUT', `${base}/contacts`))).toEqual([`PUT ${base}/contacts: operation is not described`]);
    expect(wrong(callOf('GET', '/contacts'))).toEqual(['GET /contacts: operation is not described']);
  });

  test('specs: parameters of the query are known, there when required, and of their type', () => {
    const asked = (query: Record<string, unknown>) =>
      wrong(callOf('GET', `${base}/contacts`, { query, reply: { items: [] } })).map((line) => line.split(': ')[1]);
    expect(asked({ page: '0' })).toEqual(['request.query.page must be >= 1, is 0']);
    expect(asked({ page: 'two' })).toEqual(['request.query.page must be integer, is "two"']);
    expect(asked({ ids: '1,x' })).toEqual(['request.query.ids.* must be integer, is "x"']);
    expect(asked({ pages: '1' })).toEqual(['request.query.pages is not described']);
    expect(asked({ 'filter[age]': '5' })).toEqual([]);
    expect(asked({ 'filter[age]': 'old' })).toEqual(['request.query.filter.age must be integer, is "old"']);
    expect(asked({ 'filter[size]': '5' })).toEqual(['request.query.filter.size is not described']);
  });

  test('specs: headers that are described have to be there, the general ones not', () => {
    const { 'x-key': _, ...headers } = made.headers;
    expect(wrong({ ...made, headers })).toEqual([`POST ${base}/contacts: request.headers.x-key is missing`]);
    expect(wrong({ ...made, headers: { ...headers, 'x-key': 'abc' } })).toHaveLength(1);
  });

  test('specs: values in the path are of their type, and the most literal address is meant', () => {
    expect(wrong(callOf('GET', `${base}/contacts/c1`, { reply: { email: 'a' } }))).toEqual([]);
    expect(wrong(callOf('GET', `${base}/contacts/7`, { reply: { email: 'a' } }))).toEqual([
      `GET ${base}/contacts/{id}: request.path.id must match pattern "^c\\d+$", is "7"`,
    ]);
    expect(wrong(callOf('GET', `${base}/contacts/me`, { reply: { me: true } }))).toEqual([]);
  });

  test('specs: bodies are there when required, in a form that is described, and right', () => {
    const sent = (more: Partial<Call>) => wrong({ ...made, ...more }).map((line) => line.split(': ')[1]);
    expect(sent({ body: undefined })).toEqual(['request.body is missing']);
    expect(sent({ body: { email: 'a', agee: 1 } })).toEqual(['request.body.agee is not described']);
    expect(sent({ body: { age: 'x' } }).sort()).toEqual([
      'request.body.age must be integer, is "x"',
      'request.body.email is missing',
    ]);
    expect(sent({ headers: { ...made.headers, 'content-type': 'text/plain' } })).toEqual([
      'request.headers.content-type must be one of application/json, is text/plain',
    ]);
    expect(wrong(callOf('GET', `${base}/contacts/c1`, { body: { a: 1 }, reply: { email: 'a' } }))).toHaveLength(1);
  });

  test('specs: forms are read as the values they mean, sent in either way', () => {
    const login = (type: string, body: unknown) =>
      wrong(callOf('POST', `${base}/login`, { headers: { 'content-type': type }, body, reply: '' }));
    const form = 'application/x-www-form-urlencoded';
    expect(login(form, { user: '5', days: '3' })).toEqual([]);
    expect(login(form, { user: 'a', days: 'many' })).toHaveLength(1);
    expect(login(form, { usr: 'a' })).toEqual([`POST ${base}/login: request.body.usr is not described`]);
  });
});

describe('answers', () => {
  const answered = (more: Partial<Call>) => wrong({ ...made, ...more }).map((line) => line.split(': ')[1]);

  test('specs: an answer has what is described, of its type, and nothing else', () => {
    expect(answered({ reply: { email: 5, x: 1 } })).toEqual([
      'response.body.email must be string, is 5',
      'response.body.x is not described',
    ]);
    expect(answered({ reply: '' })).toEqual(['response.body is missing']);
    expect(answered({ reply: 'created' })).toEqual(['response.body must be object, is "created"']);
    expect(wrong(callOf('DELETE', `${base}/contacts/c1`, { status: 204, reply: '' }))).toEqual([]);
    expect(wrong(callOf('DELETE', `${base}/contacts/c1`, { status: 204, reply: { ok: 1 } }))).toHaveLength(1);
  });

  test('specs: a success that is not described is a problem, a failure is listed', () => {
    expect(answered({ status: 200 })).toEqual(['response.status must be one of 201, 4XX, is 200']);
    expect(answered({ status: 409, reply: { error: 'twice' } })).toEqual([]);
    expect(answered({ status: 409, reply: { problem: 'twice' } })).toEqual(['response.body.problem is not described']);
    expect(compare([spec], none, [{ ...made, status: 503, reply: 'busy' }]).undescribed).toEqual([
      `POST ${base}/contacts: 503`,
    ]);
  });

  test('specs: a thousand records with the same flaw are one line', () => {
    const items = Array.from({ length: 1_000 }, () => ({ email: 'a', x: 1 }));
    expect(wrong(callOf('GET', `${base}/contacts`, { reply: { items } }))).toEqual([
      `GET ${base}/contacts: response.body.items.*.x is not described`,
    ]);
  });
});

describe('what is no evidence', () => {
  const bad = { ...made, body: { x: 1 }, reply: { y: 1 } };

  test('specs: a fault that answers in place of the simulation spoils the exchange, a changed answer the answer', () => {
    expect(wrong({ ...bad, fault: 'status' } as Call)).toEqual([]);
    expect(wrong({ ...bad, fault: 'rewrite' } as Call).every((line) => line.includes('request.'))).toBe(true);
    expect(wrong({ ...bad, fault: 'slow' } as Call)).toEqual(wrong(bad));
  });

  test('specs: what the simulation refused as invalid may be so', () => {
    expect(wrong({ ...made, body: { x: 1 }, status: 400, reply: { error: 'no' } })).toEqual([]);
    expect(wrong({ ...made, body: { x: 1 }, status: 409, reply: { error: 'no' } })).toHaveLength(2);
  });
});

describe('exceptions', () => {
  const bad = { ...made, reply: { email: 'a', x: 1, y: 2 } };
  const allowed: SpecException = {
    operation: `POST ${base}/contacts`,
    at: 'response.body.x',
    why: 'newer than the description',
    verified: 'here',
  };

  test('specs: an exception allows what it names and nothing beside it', () => {
    expect(wrong(bad, { exceptions: [allowed] })).toEqual([`POST ${base}/contacts: response.body.y is not described`]);
    expect(wrong(bad, { exceptions: [{ ...allowed, at: 'response.body.(x|y)' }] })).toEqual([]);
    expect(wrong(bad, { exceptions: [{ ...allowed, at: 'response.*.*' }] })).toEqual([]);
    expect(compare([spec], { exceptions: [{ ...allowed, at: 'response.**' }] }, [bad]).exceptions).toBe(1);
    expect(wrong(bad, { exceptions: [{ ...allowed, operation: 'GET *' }] })).toHaveLength(3);
  });

  test('specs: an exception that no longer applies is a problem', () => {
    const stale = `POST ${base}/contacts: response.body.x no longer applies: take the exception away (newer than the description)`;
    expect(wrong(made, { exceptions: [allowed] })).toEqual([stale]);
    expect(
      wrong({ ...made, reply: { email: 5 } }, { exceptions: [{ ...allowed, at: 'response.body.email' }] }),
    ).toEqual([]);
    expect(wrong(bad, { exceptions: [{ ...allowed, at: 'response.body.*', says: /missing/ }] })).toHaveLength(3);
  });

  test('specs: of tests in several files, the one an exception names has to meet it', () => {
    const exceptions = [{ ...allowed, shownBy: 'trouble' }];
    expect(wrong(made, { exceptions }, { part: 'sync' })).toEqual([]);
    expect(wrong(made, { exceptions }, { part: 'trouble' })).toHaveLength(1);
    expect(wrong({ ...bad, reply: { email: 'a', x: 1 } }, { exceptions }, { part: 'trouble' })).toEqual([]);
  });

  test('specs: every written exception says why and where it was verified, for a connector there is', async () => {
    const folder = fileURLToPath(new URL('./exceptions', import.meta.url));
    for (const file of readdirSync(folder)) {
      expect(connectorNames(), file).toContain(path.basename(file, '.ts'));
      const { exceptions } = ((await import(path.join(folder, file))) as { default: Truth }).default;
      for (const exception of exceptions) {
        expect(exception.why.length, `${file} ${exception.at}`).toBeGreaterThan(15);
        expect(exception.verified, `${file} ${exception.at}`).not.toBe('');
      }
    }
  });
});

test("specs: a vendor's posts are compared, and brought calls are read as the description has them", () => {
  const post = ({ body }: { body: string }) => (body === 'good' ? [] : [{ at: 'post.body', says: 'must be good' }]);
  const deliveries = [
    { url: '', body: 'good' },
    { url: '', body: 'bad' },
  ];
  const report = compare([spec], { exceptions: [], post }, [made], { deliveries });
  expect(report).toMatchObject({ requests: 1, responses: 3 });
  expect(linesOf(report)).toEqual(['posts: post.body must be good']);
  const read: Truth['read'] = (call, isDescribed) => (isDescribed(call) ? call : { ...call, method: 'POST' });
  expect(wrong({ ...made, method: 'PUT' }, { exceptions: [], read })).toEqual([]);
});

test('specs: a platform nobody describes has nothing to compare with', async () => {
  expect(await checkExchanges('webhook', [])).toBeUndefined();
});
