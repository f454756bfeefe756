import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { byCursor } from '../../connectors/zendesk/exports.ts';
import { eventOf } from '../../connectors/zendesk/sandbox.hooks.ts';
import { start, type ZendeskSandbox } from '../../connectors/zendesk/sandbox.ts';
import { webhooks } from '../../connectors/zendesk/webhooks.ts';
import { manualClock } from '../../src/base/clock.ts';
import { readCredential } from '../../src/connections/credentials.ts';
import type { RawHook, Reply } from '../../src/kit/index.ts';
import { conformance } from '../conformance/suite.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('zendesk');

const AT = '2026-03-02T15:00:00Z';
const APP = { ZENDESK_CLIENT_ID: 'zendesk-app', ZENDESK_CLIENT_SECRET: 'zendesk-secret' };

let vendor: ZendeskSandbox;
let hub: TestHub;
let connection: Record<string, any>;

beforeAll(async () => {
  const port = await freePort();
  const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
  vendor = await start({ clock, app: APP });
  const { state } = vendor;
  state.addStatus('open', 'Waiting for parts');
  state.addField('ticket', {
    ...{ title: 'Boiler', type: 'tagger', removable: true },
    custom_field_options: [{ name: 'Gas', value: 'boiler_gas' }],
  });
  const early = new Date(Date.parse(AT) - 10 * MINUTE);
  state.add('users', { name: 'Ann Archer', email: 'ann@example.com' }, early);
  state.add('users', { name: 'Ben Baker', email: 'ben@example.com' }, early);
  hub = await startTestHub({
    at: AT,
    port,
    connectors: ['zendesk'],
    env: { ...APP, ZENDESK_HOST_API: vendor.hosts.api! },
  });
  connection = await hub.connect('zendesk', { settings: vendor.credentials });
  vendor.hookUrl = connection.webhookUrl;
  await hub.settle();
});

afterAll(async () => {
  await hub?.stop();
  await vendor?.stop();
});

beforeEach(() => vendor.server.faults.clear());

const rows = async (sql: string, values: unknown[] = []): Promise<Record<string, any>[]> =>
  (await hub.hub.db.tenant(hub.tenantId, (tx) => tx.query(sql, [hub.tenantId, ...values]))).rows;

const user = (name: string) => vendor.state.live('users').find((one) => one.name === name)!;
const ticketHere = async (id: number) =>
  (await rows('select * from ticket where tenant_id = $1 and remote_id = $2', [String(id)]))[0];

/** A ticket of Ann's that the hub knows. */
async function ticketOf(name: string, more: Record<string, unknown> = {}) {
  const ticket = vendor.state.add('tickets', { subject: 'Leak', requester_id: user(name).id, ...more });
  await vendor.tell('ticket.created', 'tickets', ticket.id);
  await hub.settle();
  return ticket;
}

async function act(kind: string, input: Record<string, unknown>): Promise<Record<string, any>> {
  const { status, body } = await hub.api('POST', '/v1/actions', { kind, input, connectionId: connection.id });
  expect(status, JSON.stringify(body)).toBe(202);
  await hub.settle();
  return (await hub.api('GET', `/v1/actions/${body.id}`)).body;
}

describe('connecting', () => {
  test('zendesk: the name of the account is asked for, and nothing else can become part of the address', async () => {
    const { api } = await hub.otherTenant();
    const ask = (settings?: Record<string, unknown>) =>
      api('POST', '/v1/connections', { connector: 'zendesk', settings });
    for (const settings of [undefined, { subdomain: 'evil.example/' }, { subdomain: 'a.b' }, { subdomain: '' }]) {
      const { status, body } = await ask(settings);
      expect(status).toBe(422);
      expect(JSON.stringify(body)).toContain('subdomain');
    }
    const own = { ...hub.hub.config.env };
    delete hub.hub.config.env.ZENDESK_HOST_API;
    const { body } = await ask({ subdomain: 'green-lane' });
    Object.assign(hub.hub.config.env, own);
    expect(body.authorizeUrl).toMatch(/^https:\/\/green-lane\.zendesk\.com\/oauth\/authorizations\/new\?/);
  });

  test('zendesk: tokens are asked for in JSON, with how long they are to live and the scope', async () => {
    const asked = vendor.server.journal.find(({ path }) => path === '/oauth/tokens')!;
    expect(asked.headers['content-type']).toBe('application/json');
    expect(asked.body).toMatchObject({ scope: 'read write', expires_in: 86_400, refresh_token_expires_in: 7_689_600 });
    expect(connection).toMatchObject({ account: { id: 'brightglass' }, settings: { subdomain: 'brightglass' } });
  });

  test('zendesk: whoever is no administrator is told so', async () => {
    const { api } = await hub.otherTenant();
    Object.assign(vendor.state.tables.users.get(vendor.state.admin)!, { role: 'agent' });
    const failed = hub.connect('zendesk', { settings: vendor.credentials, api });
    await expect(failed).rejects.toThrow(/is no administrator/);
    Object.assign(vendor.state.tables.users.get(vendor.state.admin)!, { role: 'admin' });
  });

  test('zendesk: an account that is gone pauses the connection and says so', async () => {
    vendor.isSuspended = true;
    const { body } = await hub.api('POST', `/v1/connections/${connection.id}/test`);
    vendor.isSuspended = false;
    expect(JSON.stringify(body)).toContain('no Zendesk at this address');
    const again = await hub.api('POST', `/v1/connections/${connection.id}/test`);
    expect(again.status).toBe(200);
    expect((await hub.api('GET', `/v1/connections/${connection.id}`)).body.state).toBe('active');
  });
});

describe('webhooks', () => {
  test('zendesk: one webhook is made, used again, and switched on again; its secret is kept through a refresh', async () => {
    const secret = async () => (await readCredential(hub.hub.deps, hub.tenantId, connection.id)).secrets.signingSecret;
    const [webhook] = [...vendor.state.webhooks.values()].filter(({ endpoint }) => endpoint === connection.webhookUrl);
    expect(await secret()).toBe(webhook!.secret);
    webhook!.status = 'inactive';
    vendor.oauth.expireAll();
    expect((await hub.api('POST', `/v1/connections/${connection.id}/prepare`)).status).toBeLessThan(300);
    const now = [...vendor.state.webhooks.values()].filter(({ endpoint }) => endpoint === connection.webhookUrl);
    expect(now).toHaveLength(1);
    expect(now[0]!.status).toBe('active');
    expect(await secret()).toBe(webhook!.secret);
  });

  test('zendesk: what the printed secret of test posts signs is refused', async () => {
    const ann = user('Ann Archer');
    const event = eventOf(vendor.state, 'user.deleted', 'users', ann.id, {});
    const { url, body, headers } = vendor.sign(event, undefined, 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==');
    expect((await fetch(url, { method: 'POST', body, headers })).status).toBe(401);
  });

  const told = (what: string, more: object, settings: Record<string, unknown> = {}) => {
    const body = {
      id: 'e-1',
      type: `zen:event-type:${what}`,
      time: '2025-01-08T10:12:07.672717030Z',
      detail: { id: '5' },
      ...more,
    };
    const hook: RawHook = { method: 'POST', url: '', headers: {}, body: Buffer.from(JSON.stringify(body)) };
    return webhooks.events(hook, { settings });
  };

  test('zendesk: which of two merged users is gone can be set', () => {
    const event = { user: { id: '9' } };
    expect(told('user.merged', { event })).toMatchObject([{ change: 'merged', id: '5', into: '9' }]);
    expect(told('user.merged', { event }, { mergeEvent: 'about_survivor' })).toMatchObject([{ id: '9', into: '5' }]);
    // Without the other one it is a change like any.
    expect(told('user.merged', { event: {} })).toMatchObject([{ change: 'changed', id: '5' }]);
  });

  test('zendesk: conversations and unknown events are left alone, moments have nine digits', () => {
    expect(told('messaging_ticket.message_added', {})).toEqual([]);
    expect(told('agent.unified_state_changed', {})).toEqual([]);
    expect(told('ticket.merged', {})).toMatchObject([{ change: 'changed', at: new Date('2025-01-08T10:12:07.672Z') }]);
  });
});

describe('what comes back', () => {
  test('zendesk: a ticket of ours that is solved counts as done, and closes here', async () => {
    const action = await act('create_task', {
      title: 'Call back',
      dueAt: '2026-03-05T15:00:00Z',
      about: { contact: String(user('Ann Archer').id) },
    });
    const id = Number(action.receipt.nativeId);
    expect(vendor.state.tables.tickets.get(id)).toMatchObject({
      type: 'task',
      due_at: '2026-03-05T15:00:00Z',
      is_public: false,
    });
    expect(action.receipt.url).toBe(`https://brightglass.zendesk.com/agent/tickets/${id}`);
    vendor.state.change('tickets', id, { status: 'solved' });
    await vendor.tell('ticket.status_changed', 'tickets', id, { current: 'SOLVED', previous: 'NEW' });
    await hub.settle();
    expect((await hub.api('GET', `/v1/actions/${action.id}`)).body).toMatchObject({ receipt: { state: 'solved' } });
    expect(await ticketHere(id)).toMatchObject({ status: 'closed', native_status: 'solved' });
  });

  test('zendesk: a status is known by its own name, and can be written by it', async () => {
    const ticket = await ticketOf('Ann Archer');
    const done = await act('update_field', {
      object: 'ticket',
      id: String(ticket.id),
      fields: { status: 'waiting for PARTS' },
    });
    expect(done).toMatchObject({ state: 'sent' });
    expect(ticket).toMatchObject({ status: 'open' });
    await hub.settle();
    expect(await ticketHere(ticket.id)).toMatchObject({
      stage: 'Waiting for parts',
      status: 'open',
      native_status: 'open',
    });
    const odd = await act('update_field', { object: 'ticket', id: String(ticket.id), fields: { status: 'asleep' } });
    expect(odd).toMatchObject({ state: 'failed', reason: 'invalid' });
    expect(odd.detail).toContain('Waiting for parts');
  });

  test('zendesk: fields of the account are told with their choices, and written by their number', async () => {
    const { body } = await hub.api('GET', `/v1/connections/${connection.id}/fields/tickets`);
    const boiler = body.items.find((item: { label: string }) => item.label === 'Boiler');
    expect(boiler).toMatchObject({ custom: true, type: 'enum', options: [{ value: 'boiler_gas', label: 'Gas' }] });
    const ticket = await ticketOf('Ann Archer', { custom_fields: [{ id: 1, value: 'kept' }] });
    await act('update_field', {
      object: 'ticket',
      id: String(ticket.id),
      fields: { [boiler.name]: 'boiler_gas', priority: 'high' },
    });
    expect(ticket).toMatchObject({
      priority: 'high',
      custom_fields: [
        { id: 1, value: 'kept' },
        { id: Number(boiler.name), value: 'boiler_gas' },
      ],
    });
  });

  test('zendesk: somebody saves a ticket while we write: it is read again and written', async () => {
    const ticket = await ticketOf('Ann Archer');
    const conflict = {
      error: 'UpdateConflict',
      description: 'Safe Update prevented the update due to outdated ticket data',
    };
    vendor.server.faults.add({ kind: 'status', status: 409, body: conflict, match: /^PUT /, times: 1 });
    const done = await act('update_field', { object: 'ticket', id: String(ticket.id), fields: { priority: 'low' } });
    expect(done).toMatchObject({ state: 'planned' });
    await hub.advance(MINUTE);
    expect(ticket.priority).toBe('low');
  });

  const answers = (name: string) =>
    rows(
      `select a.body, a.direction from activity a join contact_projection c on c.tenant_id = $1 and c.entity_id = a.customer_id
       where a.tenant_id = $1 and c.remote_id = $2 order by a.occurred_at`,
      [String(user(name).id)],
    );

  test('zendesk: what a customer writes is an answer, at once or at the next poll; what staff writes is none', async () => {
    const ticket = await ticketOf('Ann Archer');
    const write = (by: number, body: string, isPublic = true) =>
      vendor.state.audit(ticket.id, by, { comment: { body, public: isPublic } }).comment!;
    const said = write(user('Ann Archer').id, 'Tomorrow suits me.');
    const told = { comment: { id: String(said.id), is_public: true, author: { is_staff: false } } };
    await vendor.tell('ticket.comment_added', 'tickets', ticket.id, told);
    await hub.settle();
    expect(await answers('Ann Archer')).toMatchObject([{ body: 'Tomorrow suits me.', direction: 'in' }]);
    write(vendor.state.admin, 'We come at nine.');
    write(vendor.state.admin, 'Bring the long ladder.', false);
    write(user('Ann Archer').id, 'Thank you!');
    for (let minutes = 0; minutes < 4; minutes++) await hub.advance(5 * MINUTE);
    expect((await answers('Ann Archer')).map(({ body }) => body)).toEqual(['Tomorrow suits me.', 'Thank you!']);
  });

  test('zendesk: a rating comes with its ticket, as five stars or one', async () => {
    const ticket = await ticketOf('Ben Baker');
    vendor.state.addRating({
      ticket_id: ticket.id,
      requester_id: user('Ben Baker').id,
      score: 'bad',
      comment: 'Too late',
    });
    await vendor.tell('ticket.tags_changed', 'tickets', ticket.id);
    await hub.settle();
    const [rating] = await rows('select * from survey_response where tenant_id = $1');
    expect(rating).toMatchObject({ kind: 'stars', comment: 'Too late' });
    expect(Number(rating!.score)).toBe(1);
  });

  test('zendesk: a customer who becomes a colleague is no customer any more', async () => {
    const { id } = vendor.state.add('users', { name: 'Cora Cole', email: 'cora@example.com' });
    await vendor.tell('user.created', 'users', id);
    await hub.settle();
    const found = async () => (await hub.api('GET', '/v1/customers?search=cora%40example.com')).body.items.length;
    expect(await found()).toBe(1);
    vendor.state.change('users', id, { role: 'agent' });
    await vendor.tell('user.tags_changed', 'users', id);
    await hub.settle();
    const kept = await rows('select deleted_at from contact_projection where tenant_id = $1 and remote_id = $2', [
      String(id),
    ]);
    expect(kept[0]!.deleted_at).not.toBeNull();
    const owners = await rows('select name from owner where tenant_id = $1', []);
    expect(owners.map(({ name }) => name)).toContain('Cora Cole');
  });
});

describe('doing', () => {
  test('zendesk: a note on a person goes under what staff wrote, once', async () => {
    const ann = user('Ann Archer');
    vendor.state.change('users', ann.id, { notes: 'Has a dog.' });
    vendor.server.faults.add({ kind: 'cut_after', match: /^PUT /, times: 1 });
    const note = await act('add_note', { body: 'Wants a call.', about: { contact: String(ann.id) } });
    for (let minutes = 0; minutes < 4; minutes++) await hub.advance(MINUTE);
    expect((await hub.api('GET', `/v1/actions/${note.id}`)).body).toMatchObject({ state: 'sent' });
    expect(ann.notes).toBe('Has a dog.\n2026-03-02: Wants a call.');
  });

  test('zendesk: a comment is for staff unless it is said to be public', async () => {
    const ticket = await ticketOf('Ann Archer');
    await act('add_note', { body: 'For us', about: { ticket: String(ticket.id) } });
    await act('add_note', { body: 'For you', public: true, about: { ticket: String(ticket.id) } });
    const written = vendor.state.audits.filter(({ ticket_id: id }) => id === ticket.id).map(({ comment }) => comment);
    expect(written).toMatchObject([
      { body: 'For us', public: false },
      { body: 'For you', public: true },
    ]);
  });

  test('zendesk: tags are added beside the others', async () => {
    const ticket = await ticketOf('Ann Archer', { tags: ['theirs'] });
    await act('add_tag', { tag: 'call now', about: { ticket: String(ticket.id) } });
    expect(ticket.tags).toEqual(['theirs', 'call_now']);
    await act('remove_tag', { tag: 'call now', about: { ticket: String(ticket.id) } });
    expect(ticket.tags).toEqual(['theirs']);
  });
});

test('zendesk: an export that goes on and does not say where stops the reading', () => {
  const { paging } = byCursor('/x');
  const next = (body: object) =>
    (paging as unknown as { next: (reply: Reply) => unknown }).next({ status: 200, headers: {}, body });
  expect(next({ end_of_stream: true, after_cursor: 'abc' })).toBeUndefined();
  expect(next({ end_of_stream: false, after_cursor: 'abc' })).toBe('abc');
  expect(() => next({ tickets: [] })).toThrow(/goes on, but not where/);
});
