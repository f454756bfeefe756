import { expect, test } from 'vitest';
import { callOf, describeFiles, once, requestOf, responseOf } from './calls.ts';
import { platformFile, platformJson } from './platforms.ts';
import { graphQL } from './readers/graphql.ts';
import { odata } from './readers/odata.ts';
import type { Spec } from './spec.ts';

const ask = (query: string, variables?: object, reply?: unknown, status = 200) =>
  callOf('POST', '/graphql', { body: { query, ...(variables ? { variables } : {}) }, reply, status });

describeFiles('shopify', 'GraphQL', () => {
  const shopify = once(() => graphQL('schema.graphql', platformFile('shopify', 'schema.graphql')));
  const orders = 'query ($n: Int!) { orders(first: $n, sortKey: UPDATED_AT) { edges { node { id name closed } } } }';

  test('specs: GraphQL: fields, arguments and variables are those of the schema', () => {
    const asked = (query: string, variables?: object) => requestOf(shopify(), ask(query, variables));
    expect(asked(orders, { n: 5 })).toEqual(['query orders']);
    const at = 'request.body.query.orders';
    for (const [query, variables, ...problems] of [
      [orders, { n: '5' }, 'request.body.variables.n must be integer'],
      [orders, {}, 'request.body.variables.n is missing'],
      [orders, { n: 5, m: 1 }, 'request.body.variables.m is not described'],
      [
        '{ orders(first: 5) { edges { node { idd } } } }',
        {},
        `${at}.edges.node.idd is not described: Order has no such field`,
      ],
      ['{ orders(frist: 5) { edges { cursor } } }', {}, `${at}().frist is not described`],
      ['{ orders(first: "5") { edges { cursor } } }', {}, `${at}().first must be Int`],
      [
        '{ orders(first: 5, sortKey: NAME_OF_X) { edges { cursor } } }',
        {},
        `${at}().sortKey must be one of OrderSortKeys`,
      ],
      ['{ orders(first: 5) { edges } }', {}, `${at}.edges needs to say which of its fields are wanted`],
      ['{ order(id: "1") { name { first } } }', {}, 'request.body.query.order.name has no fields'],
      ['{ order { name } }', {}, 'request.body.query.order().id is missing'],
      [
        'query ($a: String) { order(id: $a) { name } }',
        {},
        'request.body.query.order().id $a is String where ID! is wanted',
      ],
      ['query ($a: Int) { shop { name } }', {}, 'request.body.query.$a is declared and not used'],
      ['{ order(id: $a) { name } }', {}, 'request.body.query.order().id $a is not declared'],
      ['{ ...Unknown }', {}, 'request.body.query has no fragment Unknown'],
    ] as [string, object, ...string[]][])
      expect(asked(query, variables).slice(1), query).toEqual(problems);
    for (const broken of ['{ orders', '{ orders( }', 'quary { a }', '{ a(b: ) }', '{ \u0001 }'])
      expect(asked(broken), broken).toEqual(['graphql', expect.stringMatching(/^request\.body\.query /)]);
  });

  test('specs: GraphQL: inputs of mutations are compared, as variables and as written', () => {
    const update =
      'mutation M($input: CustomerInput!) { customerUpdate(input: $input) { customer { id } userErrors { field message } } }';
    expect(requestOf(shopify(), ask(update, { input: { id: 'x', tags: ['a'] } }))).toEqual(['mutation customerUpdate']);
    expect(requestOf(shopify(), ask(update, { input: { id: 'x', tagz: ['a'] } })).slice(1)).toEqual([
      'request.body.variables.input.tagz is not described',
    ]);
    const inline = (input: string) =>
      requestOf(shopify(), ask(`mutation { customerUpdate(input: ${input}) { customer { id } } }`)).slice(1);
    expect(inline('{ id: "x", tags: ["a"] }')).toEqual([]);
    expect(inline('{ id: "x", tags: [5], nme: "y" }')).toEqual([
      'request.body.query.customerUpdate().input.tags must be String',
      'request.body.query.customerUpdate().input.nme is not described',
    ]);
  });

  test('specs: GraphQL: the answer has the shape of the question', () => {
    const answer = (node: object) =>
      responseOf(shopify(), ask(orders, { n: 5 }, { data: { orders: { edges: [{ node }] } }, extensions: {} }));
    expect(answer({ id: '1', name: '#1', closed: false })).toEqual([]);
    expect(answer({ id: 1, name: null, closed: false, more: 1 })).toEqual([
      'response.body.data.orders.edges.0.node.id must be string',
      'response.body.data.orders.edges.0.node.name must be string',
      'response.body.data.orders.edges.0.node.more is not described',
    ]);
    expect(answer({ id: '1', name: '#1' })).toEqual(['response.body.data.orders.edges.0.node.closed is missing']);
    const bare = (reply: object) => responseOf(shopify(), ask(orders, { n: 5 }, reply));
    expect(bare({ errors: [{ message: 'no' }] })).toEqual([]);
    expect(bare({ errors: ['no'] })).toHaveLength(1);
    expect(bare({ dta: {} })).toEqual(['response.body.dta is not described', 'response.body.data is missing']);
  });

  test('specs: GraphQL: aliases, fragments and conditions shape the answer', () => {
    const query = `query ($deep: Boolean!) { a: order(id: "1") { ...O } b: order(id: "2") { name @include(if: $deep) } }
      fragment O on Order { id customer { ... on Customer { id } } }`;
    const answer = (data: object) => responseOf(shopify(), ask(query, { deep: true }, { data }));
    expect(requestOf(shopify(), ask(query, { deep: true }))).toEqual(['query order, order']);
    expect(answer({ a: { id: '1', customer: null }, b: {} })).toEqual([]);
    expect(answer({ a: { id: '1', customer: { id: 5 } }, b: null })).toHaveLength(1);
    expect(answer({ order: null, a: null, b: null })).toEqual(['response.body.data.order is not described']);
  });
});

describeFiles('monday', "monday's schema", () => {
  test('specs: GraphQL: unions and interfaces are answered by the members asked for', () => {
    const monday = graphQL('schema.graphql', platformFile('monday', 'schema.graphql'));
    const query =
      '{ boards(ids: [1]) { items_page(limit: 5) { cursor items { id column_values { id ... on StatusValue { label } } } } } }';
    const answer = (values: object[]) => {
      const items_page = { cursor: null, items: [{ id: '1', column_values: values }] };
      return responseOf(monday, ask(query, undefined, { data: { boards: [{ items_page }] } }));
    };
    expect(requestOf(monday, ask(query))).toEqual(['query boards']);
    expect(answer([{ id: 's', label: 'Done' }, { id: 't' }])).toEqual([]);
    expect(answer([{ label: 5, text: 'x' }])).toHaveLength(3);
  });
});

describeFiles('sap', 'OData 2', () => {
  const read = (file: string): Spec => odata(file, platformFile('sap', file));
  const partners = once(() => read('API_BUSINESS_PARTNER.edmx'));
  const base = '/sap/opu/odata/sap/API_BUSINESS_PARTNER';

  test('specs: OData: sets, keys, navigation and query options are those of the metadata', () => {
    const get = (path: string, query: object = {}) =>
      requestOf(partners(), callOf('GET', base + path, { query: { ...query } }));
    const good = {
      $filter: "LastChangeDate ge datetime'2026-01-01T00:00:00' and substringof('x',SearchTerm1)",
      $expand: 'to_BusinessPartnerAddress/to_EmailAddress',
      $select: 'BusinessPartner,to_BusinessPartnerAddress/CityName',
      $orderby: 'BusinessPartner desc',
      $top: '5',
      $format: 'json',
    };
    expect(get('/A_BusinessPartner', good)).toEqual(['GET /A_BusinessPartner']);
    expect(get("/A_BusinessPartner('1')/to_BusinessPartnerAddress")).toEqual([
      'GET /A_BusinessPartner({key})/to_BusinessPartnerAddress',
    ]);
    const wrong = {
      $filter: "LastChangeDate ge '2026' and City eq 'x'",
      $select: 'Nme',
      $expand: 'to_Adress',
      $orderby: 'BusinessPartner down',
      $top: 'all',
      $fliter: 'x',
    };
    expect(get('/A_BusinessPartner', wrong).slice(1)).toEqual([
      'request.query.$filter.City is not described: A_BusinessPartnerType has no City',
      'request.query.$filter.LastChangeDate must be compared with Edm.DateTime',
      'request.query.$select.Nme is not described: A_BusinessPartnerType has no Nme',
      'request.query.$expand.to_Adress is not described: A_BusinessPartnerType has no to_Adress',
      'request.query.$orderby.BusinessPartner must be asc or desc',
      'request.query.$top must be a whole number',
      'request.query.$fliter is not described',
    ]);
    expect(get('/A_BusinesPartner')).toEqual(['no operation']);
    expect(get("/A_BusinessPartner('1')/to_Nothing")).toEqual(['no operation']);
    expect(get('/A_BusinessPartner(1)').slice(1)).toEqual(['request.path.BusinessPartner must be Edm.String']);
    expect(get("/A_CustomerDunning(Customer='1',Compny='2')").slice(1)).toEqual([
      'request.path.Compny is no key',
      'request.path.CompanyCode is missing',
      'request.path.DunningArea is missing',
    ]);
  });

  test('specs: OData: what is written is of the type, and only where the metadata allows writing', () => {
    const dunning = "/A_CustomerDunning(Customer='1',CompanyCode='1010',DunningArea='')";
    const patch = (body: object) =>
      requestOf(partners(), callOf('PATCH', base + dunning, { body, status: 204 })).slice(1);
    expect(patch({ DunningBlock: 'X' })).toEqual([]);
    expect(patch({ DunningBlok: 'X', DunningLevel: 1 })).toEqual([
      'request.body.DunningLevel must be string',
      'request.body.DunningBlok is not described',
    ]);
    const partner = requestOf(
      partners(),
      callOf('PATCH', `${base}/A_BusinessPartner('1')`, { body: { Customer: '1' } }),
    );
    expect(partner.slice(1)).toEqual(['request.body.Customer is read-only and is sent']);
    const bills = read('API_BILLING_DOCUMENT_SRV.edmx');
    const service = '/sap/opu/odata/sap/API_BILLING_DOCUMENT_SRV';
    expect(requestOf(bills, callOf('POST', `${service}/A_BillingDocument`, { body: {} })).slice(1)).toEqual([
      'request.method cannot be created',
    ]);
    const pdf = (query: Record<string, string>, method = 'GET') =>
      requestOf(bills, callOf(method, `${service}/GetPDF`, { query })).slice(1);
    expect(pdf({ BillingDocument: "'9000'" })).toEqual([]);
    expect(pdf({ BillingDocument: '9000' }, 'POST')).toEqual([
      'request.method must be GET',
      'request.query.BillingDocument must be Edm.String',
    ]);
  });

  test('specs: OData: answers are wrapped and typed as version 2 does', () => {
    const answer = (reply: object) => responseOf(partners(), callOf('GET', `${base}/A_BusinessPartner`, { reply }));
    const address = { results: [{ CityName: 'x', to_EmailAddress: { __deferred: { uri: '' } } }] };
    const one = { __metadata: {}, BusinessPartner: '1', BirthDate: '/Date(0)/', to_BusinessPartnerAddress: address };
    expect(answer({ d: { results: [one], __count: '1' } })).toEqual([]);
    expect(answer({ d: { results: [{ BusinessPartner: 1, BirthDate: '1.1.1980', Nme: 'x' }] } })).toEqual([
      'response.body.d.results.0.BusinessPartner must be string',
      expect.stringContaining('response.body.d.results.0.BirthDate must match pattern'),
      'response.body.d.results.0.Nme is not described',
    ]);
    expect(answer({ value: [one] })).toEqual(['response.body.d is missing', 'response.body.value is not described']);
  });
});

describeFiles('outlook', 'OData 4', () => {
  const graph = once(() => odata('metadata.xml', platformFile('outlook', 'metadata.xml')));

  test("specs: OData: Graph's keys as steps, bound operations and notes of values are read", () => {
    const get = (path: string) => requestOf(graph(), callOf('GET', path, { query: { $select: 'subject,from' } }));
    expect(get('/v1.0/me/messages/AAA=')).toEqual(['GET /me/messages/{key}']);
    expect(get('/v1.0/users/a@example.com/messages')).toEqual(['GET /users/{key}/messages']);
    expect(get('/v1.0/me/mesages')).toEqual(['no operation']);
    for (const [path, file] of [
      ['/v1.0/me/messages/1', 'message.get.json'],
      ['/v1.0/me/events/1', 'event.get.json'],
      ['/v1.0/me/calendarView/delta', 'calendarview.delta.json'],
    ] as const) {
      const reply = platformJson('outlook', `samples/${file}`);
      expect(responseOf(graph(), callOf('GET', path, { reply })), file).toEqual([]);
      expect(responseOf(graph(), callOf('GET', path, { reply: { ...reply, sbject: 1 } })), file).toHaveLength(1);
    }
    const mail = (body: object) => requestOf(graph(), callOf('POST', '/v1.0/me/sendMail', { body, status: 202 }));
    const message = { subject: 's', body: { contentType: 'text', content: 'x' } };
    expect(mail({ message, saveToSentItems: false })).toEqual(['POST /me/sendMail']);
    expect(mail({ mesage: message, saveToSentItems: 'false' }).slice(1)).toEqual([
      'request.body.mesage is not described',
      'request.body.saveToSentItems must be boolean',
      'request.body.Message is missing',
    ]);
  });
});
