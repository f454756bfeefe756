import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start as startHubSpot } from '../connectors/hubspot/sandbox.ts';
import { start as startQuickBooks } from '../connectors/quickbooks/sandbox.ts';
import { start as startSlack } from '../connectors/slack/sandbox.ts';
import { start as startSmtp } from '../connectors/smtp/sandbox.ts';
import { smtpTransport } from '../connectors/smtp/transport.ts';
import { start as startTwilio } from '../connectors/twilio/sandbox.ts';
import { manualClock } from '../src/base/clock.ts';
import { basicAuth, type PreparedRequest, type Sandbox, VendorError } from '../src/kit/index.ts';
import { parseFault } from '../src/kit/sandbox/index.ts';
import { loadRegistry } from '../src/registry.ts';
import { freePort, MINUTE, startTestHub } from './support/hub.ts';
import { byHand, NAMES, pageOf, press } from './support/simulations.ts';

describe('a hub beside a simulation started by hand', () => {
  test('sandbox: told nothing but what was printed, a hub connects, reads everything in spite of the faults, and hears of what people do', async () => {
    const port = await freePort();
    const hook = `http://127.0.0.1:${port}/hooks/hubspot`;
    const started = await byHand([
      'hubspot',
      '--fault',
      '429:0.2',
      '--seed',
      '5',
      '--late-index',
      '5s',
      '--hook',
      hook,
    ]);
    const hub = await startTestHub({ at: new Date().toISOString(), port, env: started.env, connectors: ['hubspot'] });
    try {
      await hub.connect('hubspot');
      const known = async (): Promise<number> => (await hub.api('GET', '/v1/customers?limit=200')).body.items.length;
      for (let round = 0; round < 3 && (await known()) < 12; round++) await hub.advance(MINUTE / 2);
      expect(await known()).toBe(12);
      expect(started.sandbox.faults!.inForce()[0]!.struck).toBeGreaterThan(0);

      await press(started, 'faults/clear');
      await press(started, 'deeds/add-contact', { firstname: 'Nora', lastname: 'Noble', email: 'nora@noble.example' });
      expect(await pageOf(started)).toContain(`<td>200</td><td>${hook}</td>`);
      await hub.settle();
      const { body } = await hub.api('GET', '/v1/customers?search=nora@noble.example');
      expect(body.items).toMatchObject([{ name: 'Nora Noble' }]);
      expect(await known()).toBe(13);
    } finally {
      await hub.stop();
    }
  });
});

describe('a late index', () => {
  const AT = '2026-03-02T15:00:00Z';
  const started: Sandbox[] = [];
  afterAll(() => Promise.all(started.map((sandbox) => sandbox.stop())));
  const keep = <Simulation extends Sandbox>(sandbox: Simulation): Simulation => {
    started.push(sandbox);
    return sandbox;
  };

  test('sandbox: whatever connector allows for a late index has a simulation whose index can be late', async () => {
    const allows = (await loadRegistry())
      .all()
      .filter(
        ({ streams, actions }) =>
          streams.some((stream) => stream.list && (stream.incremental?.lagSeconds ?? 0) > 0) ||
          actions.some(({ idempotency }) => idempotency.kind === 'marker' && idempotency.settleSeconds > 0),
      );
    expect(allows.length).toBeGreaterThan(3);
    for (const { id, sandbox } of allows) {
      const one = keep(await (await sandbox()).start({ clock: manualClock(AT), app: {} }));
      expect(one.lateIndexMs, id).toBe(0);
    }
  });

  test('sandbox: a late index shows a record as it was before, and then as it is', async () => {
    const clock = manualClock(AT);
    const crm = keep(await startHubSpot({ clock, app: {} }));
    const { id } = crm.state.create('contacts', { firstname: 'Ann' });
    const since = String(clock.now().getTime());
    const found = async (filter: object[]) => {
      const answer = await fetch(`${crm.hosts.api}/crm/objects/2026-09/contacts/search`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${crm.oauth.allow([])}` },
        body: JSON.stringify({
          filterGroups: [{ filters: filter }],
          sorts: [{ propertyName: 'lastmodifieddate', direction: 'ASCENDING' }],
          properties: ['firstname'],
        }),
      });
      const { results, total } = (await answer.json()) as any;
      expect(total).toBe(results.length);
      return results.map((record: any) => record.properties.firstname);
    };
    const all = [{ propertyName: 'lastmodifieddate', operator: 'GTE', value: since }];
    clock.advance(MINUTE);
    crm.lateIndexMs = 5000;
    for (const firstname of ['Beth', 'Cleo']) {
      crm.state.update('contacts', id, { firstname });
      clock.advance(3000);
    }
    const made = crm.state.create('contacts', { firstname: 'New' });
    expect(await found(all)).toEqual(['Beth']);
    expect(await found([{ propertyName: 'firstname', operator: 'EQ', value: 'Cleo' }])).toEqual([]);
    // A single record is read from where it is kept.
    expect(crm.state.find('contacts', id)!.properties.firstname).toBe('Cleo');
    clock.advance(2000);
    expect(await found(all)).toEqual(['Cleo']);
    clock.advance(3000);
    expect(await found(all)).toEqual(['Cleo', 'New']);
    crm.state.archive('contacts', made.id);
    expect(await found(all)).toEqual(['Cleo']);
  });

  test('sandbox: queries of the books are late in the same way', async () => {
    const clock = manualClock(AT);
    const books = keep(await startQuickBooks({ clock, app: {} }));
    const { Id } = books.state.addCustomer({ DisplayName: 'Before' });
    const names = async (): Promise<string[]> => {
      const query = 'select * from Customer orderby MetaData.LastUpdatedTime startposition 1 maxresults 10';
      const answer = await fetch(
        `${books.hosts.api}/v3/company/${books.realmId}/query?${new URLSearchParams({ query })}`,
        {
          headers: { accept: 'application/json', authorization: `Bearer ${books.oauth.allow([])}` },
        },
      );
      const { QueryResponse } = (await answer.json()) as any;
      return (QueryResponse.Customer ?? []).map((customer: any) => customer.DisplayName);
    };
    clock.advance(MINUTE);
    books.lateIndexMs = 5000;
    // It is one index: a company that is met later is as late.
    expect(books.company('42').lateIndexMs).toBe(5000);
    books.state.change('Customer', Id, { DisplayName: 'After' });
    books.state.addCustomer({ DisplayName: 'New' });
    expect(await names()).toEqual(['Before']);
    clock.advance(5000);
    expect(await names()).toEqual(['After', 'New']);
  });

  test('sandbox: lists of messages are late for new ones', async () => {
    const clock = manualClock(AT);
    const phone = keep(await startTwilio({ clock, app: {} }));
    const chat = keep(await startSlack({ clock, app: {} }));
    phone.lateIndexMs = 5000;
    chat.lateIndexMs = 5000;
    phone.state.receive('+14155550100', '+15005550006', 'Hello');
    const { id } = chat.state.addChannel('general', { is_member: true });
    chat.state.post(id, { text: 'Hello', blocks: [] });
    const { accountSid, keySid, keySecret } = phone.credentials;
    const counts = async (): Promise<number[]> => {
      const list = await fetch(`${phone.hosts.api}/2010-04-01/Accounts/${accountSid}/Messages.json`, {
        headers: { authorization: basicAuth(keySid, keySecret) },
      });
      const history = await fetch(`${chat.hosts.api}/conversations.history?channel=${id}`, {
        headers: { authorization: `Bearer ${chat.oauth.allow(['channels:history'])}` },
      });
      return [((await list.json()) as any).messages.length, ((await history.json()) as any).messages.length];
    };
    expect(await counts()).toEqual([0, 0]);
    clock.advance(5000);
    expect(await counts()).toEqual([1, 1]);
  });

  test('sandbox: a page of a list costs the same among 50,000 records as among 500', async () => {
    const crm = keep(await startHubSpot({ clock: manualClock(AT), app: {}, journal: 0 }));
    const begin = Date.parse(AT);
    const fastest = (count: number, read: () => { records: unknown[] }): number => {
      for (let n = crm.state.all('contacts').length; n < count; n++)
        crm.state.create('contacts', { firstname: 'Ann' }, new Date(begin + n * 1000).toISOString());
      const times = Array.from({ length: 40 }, () => {
        const before = performance.now();
        expect(read().records).toHaveLength(100);
        return performance.now() - before;
      });
      return Math.min(...times);
    };
    const page = () => crm.state.page('contacts', 100, '100200', false);
    const search = () =>
      crm.state.search('contacts', {
        filterGroups: [
          { filters: [{ propertyName: 'lastmodifieddate', operator: 'GTE', value: String(begin + 200_000) }] },
        ],
        sorts: [{ propertyName: 'lastmodifieddate', direction: 'ASCENDING' }],
        limit: 100,
      });
    const small = [page, search].map((read) => fastest(500, read));
    const large = [page, search].map((read) => fastest(50_000, read));
    // Walking through all of them is hundreds of times slower.
    for (const [at, time] of large.entries()) expect(time, ['page', 'search'][at]).toBeLessThan(small[at]! * 20 + 0.2);
  });
});

describe('a mail server gone wrong', () => {
  let server: Awaited<ReturnType<typeof startSmtp>>;
  beforeAll(async () => {
    server = await startSmtp({ clock: manualClock('2026-03-02T15:00:00Z'), app: {} });
  });
  afterAll(() => server?.stop());

  /** Sends a mail while it fails; answers what the connector makes of that. */
  async function send(fault: string): Promise<VendorError> {
    server.faults.clear();
    server.faults.add(parseFault(fault));
    const transport = await smtpTransport();
    const { password, ...settings } = server.credentials;
    const address = 'ann@example.com';
    const json = {
      from: { name: 'Hub', address: 'hub@example.com' },
      to: { name: 'Ann', address },
      ...{ subject: 'Hello', text: 'Hello', messageId: '<1@example.com>', headers: {} },
      envelope: { from: 'hub@example.com', to: [address] },
    };
    const request: Partial<PreparedRequest> = {
      ...{ method: 'POST', path: '/send', origin: '', headers: {}, json, guarded: true },
      ...{ settings: { ...settings, timeoutSeconds: 2 }, secrets: { password }, allowedHosts: ['127.0.0.1'] },
      signal: AbortSignal.timeout(5000),
    };
    return transport(request as PreparedRequest).then(
      () => Promise.reject(new Error(`${fault} was not noticed.`)),
      (error: unknown) => error as VendorError,
    );
  }

  test('sandbox: a mail that was taken and confirmed with rubbish may have been sent', async () => {
    for (const [fault, taken] of [
      ['malformed @DATA', 1],
      ['truncated @DATA', 2],
      ['cut_after @DATA', 3],
    ] as const) {
      const error = await send(fault);
      expect(error, fault).toBeInstanceOf(VendorError);
      expect(server.mails(), fault).toHaveLength(taken);
      expect(error.mayHaveActed, `${fault}: ${error.message}`).toBe(true);
    }
  });

  test('sandbox: rubbish before the mail left is no verdict on the mail', async () => {
    const before = server.mails().length;
    for (const fault of ['malformed @CONNECT', 'malformed @MAIL', 'malformed @RCPT', 'truncated @RCPT', 'cut @MAIL']) {
      const error = await send(fault);
      expect(error, fault).toBeInstanceOf(VendorError);
      expect({ fault, kind: error.kind, acted: error.mayHaveActed }).toEqual({
        fault,
        kind: 'transient',
        acted: false,
      });
    }
    expect(server.mails()).toHaveLength(before);
  });
});

test('sandbox: every simulation of a vendor that answers can fail on demand', async () => {
  const silent: string[] = [];
  for (const name of NAMES) {
    const { sandbox } = await byHand([name]);
    if (!sandbox.faults) silent.push(name);
  }
  // Files have no vendor.
  expect(silent).toEqual(['csv']);
});
