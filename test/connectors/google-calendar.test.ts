import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GoogleCalendarSandbox, start } from '../../connectors/google-calendar/sandbox.ts';
import { googleTransport } from '../../connectors/google-calendar/transport.ts';
import { manualClock } from '../../src/base/clock.ts';
import { conformance } from '../conformance/suite.ts';
import { vendorTruth } from '../specs/suite.ts';
import { freePort, MINUTE, startTestHub, type TestHub } from '../support/hub.ts';

await conformance('google-calendar');

const APP = { GOOGLE_CALENDAR_CLIENT_ID: 'calendar-app', GOOGLE_CALENDAR_CLIENT_SECRET: 'calendar-secret' };
const AT = '2026-03-02T15:00:00Z';
const SLOT = { startsAt: '2026-03-10T19:00:00Z', endsAt: '2026-03-10T20:00:00Z', about: {} };

describe('with a hub', async () => {
  let vendor: GoogleCalendarSandbox;
  let hub: TestHub;
  let connection: Record<string, any>;

  beforeAll(async () => {
    const port = await freePort();
    const clock = { now: () => (hub ? hub.clock.now() : new Date(AT)), sleep: manualClock(AT).sleep };
    vendor = await start({ clock, app: APP, limits: false });
    const { api, tasks, accounts, oauth } = vendor.hosts;
    hub = await startTestHub({
      at: AT,
      port,
      connectors: ['google-calendar'],
      env: {
        ...APP,
        GOOGLE_CALENDAR_HOST_API: api!,
        GOOGLE_CALENDAR_HOST_TASKS: tasks!,
        GOOGLE_CALENDAR_HOST_ACCOUNTS: accounts!,
        GOOGLE_CALENDAR_HOST_OAUTH: oauth!,
      },
    });
    connection = await hub.connect('google-calendar');
    await hub.settle();
  });
  afterAll(async () => {
    await hub?.stop();
    await vendor?.stop();
  });

  const act = async (kind: string, input: Record<string, unknown>): Promise<string> => {
    const { status, body } = await hub.api('POST', '/v1/actions', { kind, connectionId: connection.id, input });
    expect(status, JSON.stringify(body)).toBe(202);
    await hub.settle();
    return body.id;
  };
  const actionOf = async (id: string): Promise<Record<string, any>> => (await hub.api('GET', `/v1/actions/${id}`)).body;
  const jobs = async (where = 'true'): Promise<Record<string, any>[]> => {
    const { tenantId } = hub;
    const sql = `select * from job where tenant_id = $1 and deleted_at is null and ${where} order by scheduled_at`;
    return (await hub.hub.db.tenant(tenantId, (tx) => tx.query<Record<string, any>>(sql, [tenantId]))).rows;
  };
  const set = async (settings: Record<string, unknown>): Promise<void> => {
    const path = `/v1/connections/${connection.id}`;
    const etag = (await hub.api('GET', path)).headers.get('etag')!;
    expect((await hub.api('PATCH', path, { settings }, { 'if-match': etag })).status).toBe(200);
  };
  const lastInsert = (): Record<string, any> =>
    vendor.server.journal.findLast(({ method, path }) => method === 'POST' && path.endsWith('/events')) as never;

  test('google-calendar: guests are invited by mail, and what they answer comes back to the action and the appointment', async () => {
    const id = await act('create_calendar_event', { title: 'Boiler', ...SLOT, attendees: ['ann@example.com'] });
    const { receipt } = await actionOf(id);
    expect(vendor.state.invitations).toContain(`${receipt.nativeId}: ann@example.com`);
    expect(receipt.state).toBe('needsAction');
    // There and back again: what counts is how it stands.
    for (const [answer, status] of [
      ['accepted', 'scheduled'],
      ['declined', 'cancelled'],
      ['accepted', 'scheduled'],
    ] as const) {
      hub.clock.advance(MINUTE);
      await vendor.answer(receipt.nativeId, 'ann@example.com', answer, 'On holiday');
      await hub.hub.queue.idle();
      expect((await actionOf(id)).receipt.state).toBe(answer);
      expect(await jobs("title = 'Boiler'")).toMatchObject([{ status, native_status: answer }]);
    }
    hub.clock.advance(MINUTE);
    vendor.state.primary.remove(receipt.nativeId);
    await vendor.announce();
    await hub.hub.queue.idle();
    expect((await actionOf(id)).receipt.state).toBe('cancelled');
    expect(await jobs("title = 'Boiler'")).toEqual([]);
  });

  test('google-calendar: whole days end a day later than the last one, in the zone of the calendar', async () => {
    // Half past eight in the evening of the 9th in New York.
    const input = { title: 'Fair', startsAt: '2026-03-10T00:30:00Z', endsAt: '2026-03-10T00:30:00Z', about: {} };
    await act('create_calendar_event', { ...input, allDay: true });
    expect(lastInsert().body).toMatchObject({ start: { date: '2026-03-09' }, end: { date: '2026-03-10' } });
    await hub.advance(6 * MINUTE);
    // It begins at midnight where the business is.
    expect(await jobs("title = 'Fair'")).toMatchObject([{ status: 'scheduled', scheduled_at: expect.any(Date) }]);
  });

  test('google-calendar: a series has its zone, reminders and a video call, and comes back date by date', async () => {
    const id = await act('create_calendar_event', {
      ...{ title: 'Maintenance', ...SLOT, timeZone: 'America/Chicago', meet: true },
      recurrence: ['RRULE:FREQ=MONTHLY;COUNT=3'],
      reminders: [{ method: 'popup', minutes: 30 }],
    });
    expect(lastInsert()).toMatchObject({
      query: { sendUpdates: 'all', conferenceDataVersion: '1' },
      body: {
        start: { timeZone: 'America/Chicago' },
        reminders: { useDefault: false, overrides: [{ method: 'popup', minutes: 30 }] },
        conferenceData: { createRequest: { conferenceSolutionKey: { type: 'hangoutsMeet' } } },
      },
    });
    await hub.advance(6 * MINUTE);
    const dates = await jobs("title = 'Maintenance'");
    expect(dates).toHaveLength(3);
    // One of them is called off; the series stands.
    const { receipt } = await actionOf(id);
    const [first] = vendor.state.primary
      .living()
      .filter(({ recurringEventId }) => recurringEventId === receipt.nativeId);
    vendor.state.primary.remove(first!.id);
    await vendor.announce();
    await hub.hub.queue.idle();
    expect(await jobs("title = 'Maintenance'")).toHaveLength(2);
    expect((await actionOf(id)).receipt.state).toBe('confirmed');
  });

  test('google-calendar: a forgotten sync token costs one listing; what came and went meanwhile is known afterwards', async () => {
    const slot = { start: { dateTime: '2026-03-12T15:00:00Z' }, end: { dateTime: '2026-03-12T16:00:00Z' } };
    const gone = vendor.state.primary.insert({ summary: 'Gone meanwhile', ...slot });
    await hub.advance(6 * MINUTE);
    expect(await jobs("title like '%meanwhile'")).toHaveLength(1);
    vendor.state.primary.remove(gone.id);
    vendor.state.primary.insert({ summary: 'Made meanwhile', ...slot });
    vendor.state.forgetTokens();
    const before = vendor.server.journal.length;
    await hub.advance(6 * MINUTE);
    const listed = vendor.server.journal
      .slice(before)
      .filter(({ method, path }) => method === 'GET' && path.endsWith('/primary/events'));
    expect(listed.filter(({ status }) => status === 410)).toHaveLength(1);
    expect(listed.filter(({ query }) => query.syncToken === undefined).length).toBeGreaterThan(0);
    for (let rounds = 0; rounds < 3; rounds++) await hub.advance(25 * 60 * MINUTE);
    expect(await jobs("title like '%meanwhile'")).toMatchObject([{ title: 'Made meanwhile' }]);
  });

  test('google-calendar: a task is due on a day, and its end is followed', async () => {
    const id = await act('create_task', {
      title: 'Call',
      body: 'About the boiler',
      dueAt: '2026-03-11T01:00:00Z',
      about: {},
    });
    const { receipt } = await actionOf(id);
    // One in the morning in London is the evening before in New York.
    expect(vendor.tasks.find(receipt.nativeId)).toMatchObject({ due: '2026-03-10T00:00:00.000Z' });
    hub.clock.advance(MINUTE);
    vendor.tasks.change(receipt.nativeId, { status: 'completed', hidden: true });
    await hub.advance(6 * MINUTE);
    expect((await actionOf(id)).receipt.state).toBe('completed');
  });

  test('google-calendar: several calendars are read and watched, each with its own token, and written to by name', async () => {
    vendor.state.addCalendar('team@business.example');
    await set({ calendars: ['primary', 'team@business.example'] });
    await hub.advance(6 * MINUTE);
    expect(vendor.state.open('team@business.example')).toHaveLength(1);
    expect(vendor.state.open('primary')).toHaveLength(1);
    const id = await act('create_calendar_event', { title: 'Team visit', ...SLOT, calendar: 'team@business.example' });
    await vendor.announce('team@business.example');
    await hub.hub.queue.idle();
    expect(await jobs("title = 'Team visit'")).toMatchObject([{ status: 'scheduled' }]);
    const { receipt } = await actionOf(id);
    // It is moved by the id it has here, which names its calendar.
    const place = `team@business.example/${receipt.nativeId}`;
    await act('update_field', { object: 'event', id: place, fields: { start: '2026-03-13', end: '2026-03-14' } });
    expect(vendor.state.calendar('team@business.example').find(receipt.nativeId)).toMatchObject({
      start: { date: '2026-03-13' },
      end: { date: '2026-03-14' },
    });
    const before = vendor.server.journal.length;
    await hub.advance(6 * MINUTE);
    const asked = vendor.server.journal.slice(before).filter(({ path }) => path.endsWith('/events'));
    expect(asked.map(({ query }) => query.syncToken)).not.toContain(undefined);
    expect(new Set(asked.map(({ path }) => path)).size).toBe(2);
  });

  test('google-calendar: a silent server is given up', async () => {
    const heal = vendor.server.faults.add({ kind: 'silent' });
    const send = await googleTransport();
    const request = { method: 'GET', path: '/calendar/v3/colors', origin: vendor.hosts.api!, headers: {} } as const;
    const rest = { secrets: {}, settings: {}, guarded: false, allowedHosts: ['127.0.0.1'] };
    const failure = await send({ ...request, ...rest, signal: AbortSignal.timeout(200) }).catch((error) => error);
    heal();
    expect(failure).toMatchObject({ kind: 'transient', mayHaveActed: true });
  });

  test('google-calendar: whoever leaves a box empty is connected, and told what is missing', async () => {
    vendor.unticked.push('https://www.googleapis.com/auth/tasks');
    const other = await hub.otherTenant();
    const made = await hub.connect('google-calendar', { api: other.api });
    vendor.unticked.splice(0);
    const { body } = await other.api('GET', `/v1/connections/${made.id}`);
    expect(JSON.stringify(body)).toContain('https://www.googleapis.com/auth/tasks');
    const planned = await other.api('POST', '/v1/actions', {
      ...{ kind: 'create_task', connectionId: made.id },
      input: { title: 'Call', dueAt: AT, about: {} },
    });
    await hub.settle();
    const { body: failed } = await other.api('GET', `/v1/actions/${planned.body.id}`);
    expect(failed).toMatchObject({
      state: 'failed',
      reason: 'forbidden',
      detail: expect.stringContaining('tick every box'),
    });
  });

  test('google-calendar: disconnecting ends the channels and nobody else’s access', async () => {
    const other = await hub.otherTenant();
    const made = await hub.connect('google-calendar', { api: other.api });
    const theirs = () => vendor.state.open().filter(({ address }) => address.endsWith(made.id));
    expect(theirs()).toHaveLength(1);
    expect((await other.api('DELETE', `/v1/connections/${made.id}`)).status).toBe(204);
    expect(theirs()).toEqual([]);
    expect((await hub.api('POST', `/v1/connections/${connection.id}/test`)).body.state).toBe('active');
  });

  await vendorTruth('google-calendar', () => vendor.server, { part: 'special' });
});
