import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { callOf, describeFiles, requestOf, responseOf, sample } from './calls.ts';
import { loadSpecs, PLATFORMS, readSpec } from './platforms.ts';
import { swagger as swaggerOf } from './readers/swagger.ts';
import type { Call } from './spec.ts';

const spec = (platform: string, file: string) => readSpec(platform, file)!;

/** What the descriptions of a platform say about an answer. */
async function answerOf(platform: string, call: Call): Promise<string[]> {
  const { specs } = (await loadSpecs(platform))!;
  const found = specs.find((one) => one.find(call));
  return found ? responseOf(found, call) : ['no operation'];
}

describe.skipIf(!existsSync(PLATFORMS))('every platform (skipped without PLATFORM_SPECS)', () => {
  // Schemas of values rather than calls, and one list of names: read where a connector names them.
  const OTHERS = [
    'aws-sns/paginators-1.json',
    'messagebird/bird-v1.schemas.json',
    'slack/event-wrapper.schema.json',
    'teams/adaptive-card-1.5.schema.json',
    'zapier/exported-schema.json',
  ];

  test('specs: every description in the folder is of a kind that is read', () => {
    const unread: string[] = [];
    let read = 0;
    for (const platform of readdirSync(PLATFORMS)) {
      const folder = path.join(PLATFORMS, platform);
      if (!statSync(folder).isDirectory()) continue;
      for (const file of readdirSync(folder, { recursive: true }) as string[]) {
        if (file.startsWith('samples') || !/\.(json|graphql|edmx|xml)$/.test(file)) continue;
        if (readSpec(platform, file)) read += 1;
        else unread.push(`${platform}/${file}`);
      }
    }
    expect(unread.sort()).toEqual(OTHERS);
    expect(read).toBeGreaterThan(50);
  });

  test("specs: the vendors' own samples of answers are as the vendors describe them", async () => {
    for (const [platform, method, at, status, file] of [
      ['zendesk', 'GET', '/api/v2/incremental/tickets/cursor', 200, 'incremental-tickets-cursor.json'],
      ['zendesk', 'GET', '/api/v2/organizations/35436', 200, 'organization.json'],
      ['zendesk', 'GET', '/api/v2/satisfaction_ratings', 200, 'satisfaction-ratings.json'],
      ['intercom', 'POST', '/contacts/search', 200, 'contacts-search.json'],
      ['intercom', 'GET', '/companies/scroll', 200, 'companies-scroll.json'],
      ['pipedrive', 'GET', '/api/v2/activities', 200, 'activities-list.json'],
      ['pipedrive', 'GET', '/api/v2/persons', 200, 'persons-list.json'],
      ['pipedrive', 'GET', '/v1/users/me', 200, 'users-me.json'],
      ['calendly', 'GET', '/scheduled_events', 200, 'scheduled-events.json'],
      ['calendly', 'GET', '/users/me', 200, 'user-me.json'],
      ['sendgrid', 'GET', '/v3/suppression/bounces', 200, 'bounces.json'],
      ['whatsapp-cloud', 'POST', '/v23.0/123/messages', 200, 'response-send.json'],
      ['activecampaign', 'POST', '/api/3/contact/sync', 201, 'contact-sync-201.json'],
      ['twilio', 'POST', `/2010-04-01/Accounts/AC${'0'.repeat(32)}/Messages.json`, 201, 'message-created.json'],
      ['slack', 'GET', '/api/auth.test', 200, 'auth.test.ok.json'],
    ] as const) {
      const call = callOf(method, at, { status, reply: sample(platform, file) });
      expect(await answerOf(platform, call), `${platform} ${file}`).toEqual([]);
      // And the same with something in it that is not described, or is not a document at all.
      expect(await answerOf(platform, { ...call, reply: 'no' }), `${platform} ${file}, spoilt`).not.toEqual([]);
    }
  });
});

describeFiles('zendesk', 'OpenAPI 3.0', () => {
  test('specs: OpenAPI: a request of the vendor is right, a misspelt one is found', () => {
    const body = sample('zendesk', 'ticket-create-request.json');
    const openapi = spec('zendesk', 'openapi.json');
    const made = callOf('POST', '/api/v2/tickets', { body, status: 201 });
    expect(requestOf(openapi, made)).toEqual(['POST /api/v2/tickets']);
    const wrong = { ticket: { ...body.ticket, prioritty: 'high', subject: 5 } };
    expect(requestOf(openapi, { ...made, body: wrong })).toEqual([
      'POST /api/v2/tickets',
      'request.body.ticket.subject must be string',
      'request.body.ticket.prioritty is not described',
    ]);
  });
});

describeFiles('mailgun', 'OpenAPI 3.1 and multipart', () => {
  test('specs: a multipart form is read as its fields', () => {
    const headers = { 'content-type': 'multipart/form-data; boundary=xx' };
    const field = (name: string, value: string) =>
      `--xx\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const send = (...fields: string[]) =>
      requestOf(
        spec('mailgun', 'openapi.json'),
        callOf('POST', '/v3/example.com/messages', { headers, body: `${fields.join('')}--xx--\r\n` }),
      );
    const text = [
      field('from', 'a@example.com'),
      field('to', 'b@example.com'),
      field('subject', 's'),
      field('text', 't'),
    ];
    expect(send(...text)).toEqual(['POST /v3/{domain_name}/messages']);
    expect(send(...text, field('o:dkim', 'yes'))).toHaveLength(1);
    expect(send(...text, field('o:dkim', 'maybe'))).toHaveLength(2);
    expect(send(...text.slice(1))).toContain('request.body.from is missing');
  });
});

describeFiles('mailchimp', 'Swagger 2', () => {
  const swagger = () => spec('mailchimp', 'openapi.json');

  test('specs: Swagger: bodies, paths below the base and lists in one parameter are read', () => {
    const member = { email_address: 'a@example.com', status: 'subscribed' };
    const put = (body: object) => requestOf(swagger(), callOf('POST', '/3.0/lists/1/members', { body }));
    expect(put(member)).toEqual(['POST /3.0/lists/{list_id}/members']);
    expect(put({ ...member, status: 'friend', nam: 'x' })).toEqual([
      'POST /3.0/lists/{list_id}/members',
      expect.stringMatching(/^request\.body\.status must be one of subscribed/),
      'request.body.nam is not described',
    ]);
    const list = (query: Record<string, string>) =>
      requestOf(swagger(), callOf('GET', '/3.0/lists', { query })).slice(1);
    expect(list({ fields: 'lists.id,lists.name', count: '10' })).toEqual([]);
    expect(list({ count: 'ten', page: '2' })).toEqual([
      'request.query.count must be integer',
      'request.query.page is not described',
    ]);
  });

  test('specs: Swagger: lists are parted as the description says, by commas where it says nothing', () => {
    const items = { type: 'string', enum: ['a', 'b'] };
    const parameter = (name: string, more: object) => ({ name, in: 'query', type: 'array', items, ...more });
    const parameters = [parameter('x', {}), parameter('y', { collectionFormat: 'pipes' })];
    const small = swaggerOf('small.json', { swagger: '2.0', paths: { '/': { get: { parameters, responses: {} } } } });
    const asked = (query: object) => requestOf(small, callOf('GET', '/', { query: { ...query } })).slice(1);
    expect(asked({ x: 'a,b', y: 'a|b' })).toEqual([]);
    expect(asked({ x: 'a|b', y: 'a,b' })).toEqual([
      'request.query.x.0 must be one of a, b',
      'request.query.y.0 must be one of a, b',
    ]);
  });

  test('specs: Swagger: answers are compared', () => {
    const answer = (reply: unknown) => responseOf(swagger(), callOf('GET', '/3.0/ping', { reply }));
    expect(answer({ health_status: "Everything's Chimpy!" })).toEqual([]);
    expect(answer({ health: 'good' })).toEqual(['response.body.health is not described']);
  });
});
