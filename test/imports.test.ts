import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CsvSandbox, start } from '../connectors/csv/sandbox.ts';
import { makeApiKey } from '../src/access/identity.ts';
import { detectAsOf, simulate } from '../src/sequences/simulate.ts';
import { type ImportResult, importFile } from '../src/sync/imports/import.ts';
import { type ImportMapping, readImportMapping } from '../src/sync/imports/mapping.ts';
import { CATCH_UP_DAYS } from '../src/triggers/schema.ts';
import { startTestHub, type TestHub } from './support/hub.ts';

const AT = '2026-03-02T15:00:00Z';
const REAL = path.resolve(process.env.REAL_DATA ?? '../shared/data');

let hub: TestHub;
let exports: CsvSandbox;

beforeAll(async () => {
  hub = await startTestHub({ at: AT, connectors: ['csv'] });
  exports = await start();
});

afterAll(async () => {
  await hub?.stop();
  await exports?.stop();
});

const streams = (): string[] => hub.hub.deps.registry.find('csv')!.streams.map((stream) => stream.name);
const mappingOf = (text: string): ImportMapping => readImportMapping(text, 'test.yaml', streams());

/** A tenant of its own for a test, with what the test asks it. */
async function business() {
  const { tenantId, api } = await hub.otherTenant();
  const query = async <T = Record<string, any>>(sql: string): Promise<T[]> =>
    (await hub.hub.db.tenant(tenantId, (tx) => tx.query<T>(sql.replaceAll('$t', `'${tenantId}'`)))).rows;
  const count = async (table: string, where = 'true'): Promise<number> =>
    (await query<{ n: number }>(`select count(*)::int as n from ${table} where tenant_id = $t and ${where}`))[0]!.n;
  return {
    tenantId,
    api,
    query,
    count,
    import: (object: string, file: string, mapping?: ImportMapping | string): Promise<ImportResult> =>
      importFile(hub.hub.deps, tenantId, {
        object,
        file,
        mapping: typeof mapping === 'string' ? mappingOf(mapping) : mapping,
        actor: 'test',
      }),
    /** Open parked items by line. */
    parked: () =>
      query<{ kind: string; reason: string; line: number; payload: unknown; times: number }>(
        "select kind, reason, (detail->>'line')::int as line, payload, times from parked_item where tenant_id = $t and resolved_at is null order by 3, 2",
      ),
  };
}

const CONTACTS = `
objects:
  contacts: { id: { path: id } }
streams:
  contacts:
    contact:
      fields: { name: { path: name }, email: { email: { path: email } }, birthday: { date: { path: born } } }
`;

const ORDERS = `
name: shop
defaults: { currency: GBP }
objects:
  contacts: { id: { path: Customer }, columns: [Customer, Country] }
  invoices:
    id: { path: Invoice }
    group: true
    require:
      - { test: { of: { number: { path: Quantity } }, above: 0 }, reason: nothing was sold }
streams:
  contacts:
    contact: { fields: { external_ids: { list: { template: "shop:{Customer}" } }, country: { country: { path: Country } } } }
  invoices:
    invoice:
      fields:
        number: { path: first.Invoice }
        status: open
        issued_on: { date: { path: first.Day } }
        due_on: { date: { path: first.Day } }
        total: { sum: { of: { path: rows }, as: { multiply: [{ path: Quantity }, { path: Price }] } } }
        currency: { path: "@currency" }
        lines: { each: { of: { path: rows }, as: { description: { path: Item }, quantity: { number: { path: Quantity } } } } }
      references: { customer: { to: contacts, id: { path: first.Customer } } }
`;
const ORDER_HEADER = ['Invoice', 'Item', 'Quantity', 'Price', 'Day', 'Customer', 'Country'];

describe('rows', () => {
  test('imports: good rows land, each bad one is parked with its line and the reason', async () => {
    const shop = await business();
    const file = await exports.write(
      'people.csv',
      [
        ['id', 'name', 'email', 'born'],
        ['1', 'Ann', 'ann@example.com', '1980-02-03'],
        ['', 'Nobody', 'nobody@example.com', ''],
        ['2', 'Zoë "Z" Müller', 'Zoe@Example.com ', ''],
      ],
      {
        broken: [
          { afterRow: 2, line: '7,"never closed,x' },
          { afterRow: 3, line: 'a,b,c,d,e' },
        ],
      },
    );
    const result = await shop.import('contacts', file, CONTACTS);
    expect(result).toMatchObject({
      rows: 5,
      skipped: 0,
      parked: 3,
      records: { contacts: 2 },
      changed: { contacts: 2 },
    });
    expect(await shop.parked()).toMatchObject([
      {
        kind: 'row',
        line: 3,
        reason: 'Line 3 of people.csv: opens a quote that is never closed',
        payload: '7,"never closed,x',
      },
      { kind: 'row', line: 4, reason: 'Line 4 of people.csv: has no id for contacts', payload: { name: 'Nobody' } },
      { kind: 'row', line: 5, reason: 'Line 5 of people.csv: has 5 cells where the header has 4' },
    ]);
    const { body } = await shop.api('GET', '/v1/customers');
    expect(body.items.map((item: { name: string; email: string }) => [item.name, item.email]).sort()).toEqual([
      ['Ann', 'ann@example.com'],
      ['Zoë "Z" Müller', 'zoe@example.com'],
    ]);
    expect((await shop.api('GET', '/v1/parked')).body.items).toHaveLength(3);
  });

  test('imports: a record whose values do not fit is parked with its line, and lands after the mapping is corrected', async () => {
    const shop = await business();
    const file = await exports.write('bills.csv', [
      ['no', 'day', 'sum'],
      ['R1', '2026-01-05', '10.00'],
      ['R2', '05.01.2026', '20.00'],
      ['R3', '2026-01-06', 'a lot'],
    ]);
    const mapping = (day: string): string => `
objects: { invoices: { id: { path: no } } }
streams: { invoices: { invoice: { fields: { status: open, number: { path: no }, issued_on: ${day}, total: { money: { path: sum } } } } } }
`;
    const first = await shop.import('invoices', file, mapping('{ date: { path: day } }'));
    expect(first).toMatchObject({ rows: 3, parked: 2, records: { invoices: 3 } });
    expect(await shop.parked()).toMatchObject([
      {
        kind: 'record',
        line: 3,
        reason: expect.stringContaining('Line 3 of bills.csv: invoice.issued_on: expected a date'),
      },
      {
        kind: 'record',
        line: 4,
        reason: expect.stringContaining('Line 4 of bills.csv: invoice.total: expected a number'),
      },
    ]);
    // Again: what is parked is still counted, and said once.
    expect(await shop.import('invoices', file, mapping('{ date: { path: day } }'))).toMatchObject({
      parked: 2,
      changed: { invoices: 0 },
    });
    expect((await shop.parked()).map((item) => item.reason.match(/Line/g)?.length)).toEqual([1, 1]);
    const both =
      '{ first: [{ case: [{ when: { path: day, contains: "." }, then: { date: { of: { path: day }, format: d.M.yyyy } } }] }, { path: day }] }';
    expect(await shop.import('invoices', file, mapping(both))).toMatchObject({ parked: 1 });
    expect(await shop.query('select number, issued_on from invoice where tenant_id = $t order by 1')).toEqual([
      { number: 'R1', issued_on: '2026-01-05' },
      { number: 'R2', issued_on: '2026-01-05' },
    ]);
    expect((await shop.parked()).map((item) => item.line)).toEqual([4]);
  });

  test('imports: a row that nobody wants is counted', async () => {
    const shop = await business();
    const file = await exports.write('mixed.csv', [
      ['id', 'name', 'kind'],
      ['1', 'Ann', 'person'],
      ['2', 'Acme', 'company'],
    ]);
    const mapping = `
objects: { contacts: { id: { path: id }, when: { path: kind, equals: person } } }
streams: { contacts: { contact: { fields: { name: { path: name } } } } }
`;
    expect(await shop.import('contacts', file, mapping)).toMatchObject({
      rows: 2,
      skipped: 1,
      parked: 0,
      records: { contacts: 1 },
    });
  });

  test('imports: when none of the first thousand rows is good, the file is refused and nothing is parked', async () => {
    const shop = await business();
    const rows = Array.from({ length: 1500 }, (_, at) => ['', `Name ${at}`, '', '']);
    const file = await exports.write('hopeless.csv', [['id', 'name', 'email', 'born'], ...rows]);
    await expect(shop.import('contacts', file, CONTACTS)).rejects.toThrow(
      'None of the first 1000 rows can be used. Line 2 of hopeless.csv: has no id for contacts',
    );
    expect(await shop.parked()).toEqual([]);
  });

  test('imports: a corrected file closes what the first try parked', async () => {
    const shop = await business();
    const write = (born: string, id: string) =>
      exports.write('fixed.csv', [
        ['id', 'name', 'email', 'born'],
        ['1', 'Ann', '', born],
        [id, 'Bob', '', ''],
      ]);
    expect(await shop.import('contacts', await write('', ''), CONTACTS)).toMatchObject({ parked: 1 });
    expect(await shop.import('contacts', await write('', '2'), CONTACTS)).toMatchObject({
      parked: 0,
      records: { contacts: 2 },
    });
    expect(await shop.parked()).toEqual([]);
  });
});

describe('again', () => {
  test('imports: importing twice changes nothing and adds no changes', async () => {
    const shop = await business();
    const file = await exports.write('orders.csv', [
      ORDER_HEADER,
      ['A1', 'Cup', '2', '1.50', '2026-02-01', '7', 'France'],
      // The customer moved: whatever the order of things, the last line counts.
      ['A2', 'Pot', '1', '9.99', '2026-02-02', '7', 'Germany'],
      ['A3', 'Pan', '0', '5.00', '2026-02-03', '8', 'Spain'],
    ]);
    const first = await shop.import('invoices', file, ORDERS);
    expect(first).toMatchObject({
      rows: 3,
      parked: 1,
      records: { contacts: 1, invoices: 2 },
      changed: { contacts: 1, invoices: 2 },
    });
    const state = () =>
      shop.query(
        'select (select max(id::text) from change where tenant_id = $t) as last, (select count(*)::int from change where tenant_id = $t) as changes, (select sum(version)::int from customer where tenant_id = $t) as versions, (select count(*)::int from mapping_override where tenant_id = $t) as mappings',
      );
    const before = await state();
    const again = await shop.import('invoices', file, ORDERS);
    expect(again).toMatchObject({
      rows: 3,
      parked: 1,
      records: { contacts: 1, invoices: 2 },
      changed: { contacts: 0, invoices: 0 },
      connectionId: first.connectionId,
    });
    expect(await state()).toEqual(before);
    expect(await shop.parked()).toMatchObject([
      { line: 4, times: 2, reason: 'Line 4 of orders.csv: nothing was sold' },
    ]);
    expect(await shop.query('select country from customer where tenant_id = $t')).toEqual([{ country: 'DE' }]);
  });

  test('imports: values that flip within one big file do not flip again with every import', async () => {
    const shop = await business();
    // More rows than one transaction takes.
    const rows = Array.from({ length: 2500 }, (_, at) => [
      `A${at}`,
      'Cup',
      '1',
      '1.00',
      '2026-02-01',
      '7',
      at % 2 === 0 ? 'France' : 'Germany',
    ]);
    const file = await exports.write('flip.csv', [ORDER_HEADER, ...rows]);
    const first = await shop.import('invoices', file, ORDERS);
    expect(first.records).toEqual({ contacts: 1, invoices: 2500 });
    const changes = await shop.count('change');
    expect((await shop.import('invoices', file, ORDERS)).changed).toEqual({ contacts: 0, invoices: 0 });
    expect(await shop.count('change')).toBe(changes);
  });

  test('imports: a changed mapping is applied to rows that did not change', async () => {
    const shop = await business();
    const file = await exports.write('names.csv', [
      ['id', 'name', 'nick'],
      ['1', 'Elisabeth', 'Lisa'],
    ]);
    const mapping = (column: string): string => `
objects: { contacts: { id: { path: id } } }
streams: { contacts: { contact: { fields: { name: { path: ${column} } } } } }
`;
    await shop.import('contacts', file, mapping('name'));
    await shop.import('contacts', file, mapping('nick'));
    expect(await shop.query('select name from customer where tenant_id = $t')).toEqual([{ name: 'Lisa' }]);
  });

  test('imports: contacts that come after their invoices are linked to them', async () => {
    const shop = await business();
    const bills = await exports.write('b.csv', [
      ['Invoice Id', 'Customer Id', 'Amount', 'Due date'],
      ['R1', '7', '10.00', '2026-02-01'],
    ]);
    const people = await exports.write('p.csv', [
      ['Customer Id', 'Full name'],
      ['7', 'Ann Late'],
    ]);
    await shop.import('invoices', bills);
    await shop.import('contacts', people);
    expect(
      await shop.query(
        'select c.name from invoice i join customer c on c.tenant_id = i.tenant_id and c.id = i.customer_id where i.tenant_id = $t',
      ),
    ).toEqual([{ name: 'Ann Late' }]);
  });
});

describe('records of several rows', () => {
  test('imports: rows are grouped wherever they stand, with lines and total', async () => {
    const shop = await business();
    const file = await exports.write('grouped.csv', [
      ORDER_HEADER,
      ['B1', 'Cup', '3', '0.85', '2026-02-01', '7', 'France'],
      ['B2', 'Pot', '1', '12.72', '2026-02-02', '8', 'Spain'],
      ...Array.from({ length: 1200 }, (_, at) => [`C${at}`, 'Pan', '1', '1.00', '2026-02-02', '9', 'Spain']),
      ['B1', 'Lid', '47', '12.72', '2026-02-09', '7', 'France'],
    ]);
    await shop.import('invoices', file, ORDERS);
    const [invoice] = await shop.query(
      "select number, total, currency, issued_on, lines from invoice where tenant_id = $t and number = 'B1'",
    );
    expect(invoice).toEqual({
      number: 'B1',
      total: '600.39',
      currency: 'GBP',
      issued_on: '2026-02-01',
      lines: [
        { description: 'Cup', quantity: '3' },
        { description: 'Lid', quantity: '47' },
      ],
    });
  });

  test('imports: a record that lacks a row waits with its other rows, because its total would be wrong', async () => {
    const shop = await business();
    const file = await exports.write('lacking.csv', [
      ORDER_HEADER,
      ['D1', 'Cup', '3', '1.00', '2026-02-01', '7', 'France'],
      ['D1', 'Pot', 'three', '1.00', '2026-02-01', '7', 'France'],
      ['D2', 'Lid', '1', '1.00', '2026-02-01', '7', 'France'],
      ['D3', 'Lid', '0', '1.00', '2026-02-01', '7', 'France'],
    ]);
    const result = await shop.import('invoices', file, ORDERS);
    expect(result).toMatchObject({ parked: 3, records: { contacts: 1, invoices: 1 } });
    expect((await shop.parked()).map((item) => item.reason)).toEqual([
      'Line 2 of lacking.csv: waits: invoices D1 would be wrong without line 3, which cannot be used',
      'Line 3 of lacking.csv: invoices: expected a number, got "three"',
      'Line 5 of lacking.csv: nothing was sold',
    ]);
    expect(await shop.query('select number from invoice where tenant_id = $t')).toEqual([{ number: 'D2' }]);
  });

  test('imports: two rows with one id and different values are not silently one', async () => {
    const shop = await business();
    const file = await exports.write('twins.csv', [
      ['id', 'name', 'email', 'born'],
      ['1', 'Ann', '', ''],
      ['1', 'Ann', '', ''],
      ['1', 'Anna', '', ''],
    ]);
    expect(await shop.import('contacts', file, CONTACTS)).toMatchObject({
      rows: 3,
      parked: 2,
      records: { contacts: 1 },
    });
    expect((await shop.parked()).map((item) => item.reason)).toEqual([
      'Line 2 of twins.csv: has the same contacts id "1" as line 4, which counts, but other values',
      'Line 3 of twins.csv: has the same contacts id "1" as line 4, which counts, but other values',
    ]);
    expect(await shop.query('select name from customer where tenant_id = $t')).toEqual([{ name: 'Anna' }]);
  });

  test('imports: numbered rows keep their ids in any order of the file', async () => {
    const shop = await business();
    const mapping = `
objects: { jobs: { id: { template: "{who}/{day}/{price}" }, numbered: true } }
streams: { jobs: { job: { fields: { status: completed, title: { path: "@id" }, completed_on: { date: { path: day } }, amount: { money: { path: price } } } } } }
`;
    const rows = [
      ['7', '2026-01-01', '5'],
      ['7', '2026-01-01', '9'],
      ['7', '2026-01-01', '5'],
      ['7', '2026-01-01', '5'],
    ];
    const write = (order: string[][]) => exports.write('numbered.csv', [['who', 'day', 'price'], ...order]);
    expect((await shop.import('jobs', await write(rows), mapping)).changed).toEqual({ jobs: 4 });
    expect(
      (await shop.query<{ title: string }>('select title from job where tenant_id = $t order by 1')).map(
        (row) => row.title,
      ),
    ).toEqual(['7/2026-01-01/5', '7/2026-01-01/5#2', '7/2026-01-01/5#3', '7/2026-01-01/9']);
    expect((await shop.import('jobs', await write([...rows].reverse()), mapping)).changed).toEqual({ jobs: 0 });
  });

  test('imports: an id that tells nothing apart stops the import before anything lands', async () => {
    const shop = await business();
    const rows = Array.from({ length: 10_001 }, (_, at) => [`E${at}`, 'Cup', '1', '1.00', '2026-02-01', '7', 'France']);
    const file = await exports.write('crowd.csv', [ORDER_HEADER, ...rows]);
    await expect(
      shop.import('invoices', file, ORDERS.replace('id: { path: Invoice }', 'id: { path: Country }')),
    ).rejects.toThrow('10001 rows have the invoices id "France"');
    expect(await shop.count('source_record')).toBe(0);
    expect(await shop.count('import_row')).toBe(0);
  });
});

describe('guessed mappings', () => {
  test('imports: English headers', async () => {
    const shop = await business();
    const people = await exports.write('contacts.csv', [
      ['Customer ID', 'First Name', 'Last Name', 'E-mail', 'Phone', 'Zip Code', 'Date of birth'],
      ['7', 'Ann', 'Miller', 'ann@example.com', '(415) 555-2671', '94107', '1980-02-03'],
    ]);
    const bills = await exports.write('invoices.csv', [
      ['Invoice No', 'Customer ID', 'Invoice Date', 'Due Date', 'Amount', 'Amount due', 'Status', 'Inv. Note'],
      ['1001', '7', '1/31/2026', '2/14/2026', '1,250.00', '1,250.00', 'Overdue', 'x'],
      ['1002', '7', '2/1/2026', '2/15/2026', '99.5', '0', 'Paid', 'y'],
      ['1003', '7', '2/1/2026', '2/15/2026', '99.5', '0', 'Lost in space', 'z'],
    ]);
    expect(await shop.import('contacts', people)).toMatchObject({ parked: 0, records: { contacts: 1 } });
    expect(await shop.import('invoices', bills)).toMatchObject({ parked: 1, records: { invoices: 3 } });
    expect(
      await shop.query(
        'select first_name, last_name, email, phone, postal_code, birthday from customer where tenant_id = $t',
      ),
    ).toEqual([
      {
        first_name: 'Ann',
        last_name: 'Miller',
        email: 'ann@example.com',
        phone: '+14155552671',
        postal_code: '94107',
        birthday: '1980-02-03',
      },
    ]);
    expect(
      await shop.query(
        'select number, issued_on, due_on, total, balance, status, native_status, currency, customer_id is not null as linked from invoice where tenant_id = $t order by 1',
      ),
    ).toEqual([
      {
        number: '1001',
        issued_on: '2026-01-31',
        due_on: '2026-02-14',
        total: '1250.00',
        balance: '1250.00',
        status: 'open',
        native_status: 'Overdue',
        currency: 'USD',
        linked: true,
      },
      {
        number: '1002',
        issued_on: '2026-02-01',
        due_on: '2026-02-15',
        total: '99.5',
        balance: '0',
        status: 'paid',
        native_status: 'Paid',
        currency: 'USD',
        linked: true,
      },
    ]);
    expect((await shop.parked())[0]).toMatchObject({
      line: 4,
      reason: expect.stringContaining('"Lost in space" is not in the list of known words'),
    });
  });

  test('imports: German headers, dates, amounts and semicolons', async () => {
    const shop = await business();
    const people = await exports.write(
      'kunden.csv',
      [
        ['Kundennr.', 'Vorname', 'Nachname', 'E-Mail', 'Straße', 'PLZ', 'Ort', 'Geburtsdatum'],
        ['K7', 'Jörg', 'Müller', 'joerg@example.de', 'Hauptstr. 5', '10115', 'Berlin', '03.04.1980'],
      ],
      { encoding: 'windows-1252', delimiter: ';', lineEnd: '\r\n' },
    );
    const bills = await exports.write(
      'rechnungen.csv',
      [
        ['Rechnungs-Nr.', 'Kundennr.', 'Rechnungsdatum', 'Fällig am', 'Betrag', 'Offen', 'Währung', 'Status'],
        ['R-1', 'K7', '01.02.2026', '15.02.2026', '1.234,56', '1.234,56', 'EUR', 'überfällig'],
        ['R-2', 'K7', '2.2.2026', '16.2.2026', '99,50 €', '0,00', 'EUR', 'bezahlt'],
      ],
      { encoding: 'utf-8-bom', delimiter: ';' },
    );
    await shop.import('contacts', people);
    expect(await shop.import('invoices', bills)).toMatchObject({ parked: 0 });
    expect(
      await shop.query(
        'select first_name, last_name, address_line, postal_code, city, birthday from customer where tenant_id = $t',
      ),
    ).toEqual([
      {
        first_name: 'Jörg',
        last_name: 'Müller',
        address_line: 'Hauptstr. 5',
        postal_code: '10115',
        city: 'Berlin',
        birthday: '1980-04-03',
      },
    ]);
    expect(
      await shop.query(
        'select number, issued_on, due_on, total, balance, currency, status, customer_id is not null as linked from invoice where tenant_id = $t order by 1',
      ),
    ).toEqual([
      {
        number: 'R-1',
        issued_on: '2026-02-01',
        due_on: '2026-02-15',
        total: '1234.56',
        balance: '1234.56',
        currency: 'EUR',
        status: 'open',
        linked: true,
      },
      {
        number: 'R-2',
        issued_on: '2026-02-02',
        due_on: '2026-02-16',
        total: '99.50',
        balance: '0.00',
        currency: 'EUR',
        status: 'paid',
        linked: true,
      },
    ]);
  });

  test('imports: a date that can be two days is refused, not guessed', async () => {
    const shop = await business();
    const file = await exports.write('dates.csv', [
      ['Invoice No', 'Invoice Date', 'Total'],
      ['1', '03/04/2026', '5'],
    ]);
    expect(await shop.import('invoices', file)).toMatchObject({ parked: 1 });
    expect((await shop.parked())[0]!.reason).toContain(
      'expected a date (YYYY-MM-DD, or give its format), got "03/04/2026"',
    );
  });

  test('imports: without a column that can be the id, the file is refused with the way out', async () => {
    const shop = await business();
    const file = await exports.write('noid.csv', [
      ['Colour', 'Shape'],
      ['red', 'round'],
    ]);
    await expect(shop.import('invoices', file)).rejects.toMatchObject({
      message: expect.stringContaining('None of the columns (Colour, Shape) looks like the id'),
      fix: expect.stringContaining('--map'),
    });
    // Nothing of the failed try stays behind.
    expect(await shop.count('connection')).toBe(0);
  });

  test('imports: what a kind needs and no column gives is told', async () => {
    const shop = await business();
    const file = await exports.write('acts.csv', [
      ['id', 'text'],
      ['1', 'called'],
    ]);
    await expect(shop.import('activities', file)).rejects.toThrow(
      'streams.activities.activity.fields.occurred_at is required',
    );
    expect(await shop.count('mapping_override')).toBe(0);
  });
});

describe('mistakes', () => {
  test.each([
    ['objects: [', 'test.yaml is not YAML'],
    ['objects: {}\nstreams: {}\nextra: 1', 'test.yaml does not have the form of an import mapping'],
    [CONTACTS.replace('path: name', 'pth: name'), 'streams.contacts.contact.fields.name "pth" is not a directive'],
    [CONTACTS.replace('name: {', 'nme: {'), 'streams.contacts.contact.fields.nme contact has no field "nme"'],
    [CONTACTS.replaceAll('contacts:', 'kontacts:'), 'streams.kontacts is not a stream of this platform'],
    [CONTACTS.replace('contacts: { id', 'companies: { id'), 'streams.companies is missing'],
    [CONTACTS.replace('contacts: { id', 'companies: { id'), 'objects.contacts is missing'],
    [CONTACTS.replace('id: { path: id }', 'id: { expr: "id" }'), 'objects.contacts must do without expr and lookup'],
    [
      CONTACTS.replace('id: { path: id }', 'id: { path: id }, group: true, numbered: true'),
      'objects.contacts.numbered does not go together',
    ],
    [
      CONTACTS.replace('id: { path: id }', 'id: { path: id }, require: [{ test: { path: id, is: 1 }, reason: x }]'),
      'objects.contacts.require[0].test must hold one test',
    ],
  ])('imports: a mistake in the mapping is named with its path (%#)', (text, message) => {
    expect(() => mappingOf(text)).toThrow(message);
  });

  test('imports: a column the file does not have is named with the place that reads it', async () => {
    const shop = await business();
    const file = await exports.write('cols.csv', [
      ['id', 'Name', 'email'],
      ['1', 'Ann', ''],
    ]);
    await expect(shop.import('contacts', file, CONTACTS)).rejects.toMatchObject({
      message: expect.stringContaining(
        'cols.csv cannot be imported with this mapping: streams.contacts.contact.fields.name.path reads the column "name", which is not there; did you mean "Name"?',
      ),
      fields: [
        { path: 'streams.contacts.contact.fields.name.path' },
        { path: 'streams.contacts.contact.fields.birthday.date.path' },
      ],
    });
    const orders = await exports.write('cols2.csv', [
      ORDER_HEADER.map((name) => name.replace('Price', 'Cost')),
      Array(7).fill('1'),
    ]);
    await expect(shop.import('invoices', orders, ORDERS)).rejects.toThrow(
      'streams.invoices.invoice.fields.total.sum.as.multiply[1].path reads the column "Price"',
    );
    await expect(
      shop.import(
        'invoices',
        orders,
        ORDERS.replace('{ path: first.Invoice }', '{ path: Invoice }').replaceAll('Price', 'Cost'),
      ),
    ).rejects.toThrow('a grouped record has first.<column> and rows');
    await expect(shop.import('jobs', orders, ORDERS.replaceAll('Price', 'Cost'))).rejects.toThrow(
      'objects.jobs is what was asked for, but the mapping makes contacts, invoices',
    );
    expect(await shop.count('connection')).toBe(0);
  });

  test('imports: a file that cannot be read as a whole is refused by name', async () => {
    const shop = await business();
    const twice = await exports.raw('twice.csv', 'id,name,name\n1,a,b\n');
    await expect(shop.import('contacts', twice)).rejects.toThrow(
      'twice.csv cannot be imported: two columns are called "name" (columns 2 and 3); rename one of them.',
    );
    await expect(shop.import('contacts', await exports.raw('none.csv', ''))).rejects.toThrow(
      'none.csv cannot be imported: it is empty.',
    );
    await expect(shop.import('contacts', path.join(exports.folder, 'nowhere.csv'))).rejects.toMatchObject({
      status: 404,
    });
    await expect(shop.import('people', twice)).rejects.toThrow(
      '"people" cannot be imported; there are owners, companies, contacts',
    );
    const only = await exports.raw('only.csv', 'id,name,email,born\n');
    expect(await shop.import('contacts', only, CONTACTS)).toMatchObject({ rows: 0, parked: 0, records: {} });
  });
});

describe('around it', () => {
  test('imports: another tenant sees nothing of it, and the same file is its own there', async () => {
    const [mine, theirs] = [await business(), await business()];
    const file = await exports.write('mine.csv', [
      ['id', 'name', 'email', 'born'],
      ['1', 'Ann', 'ann@example.com', ''],
      ['', 'x', '', ''],
    ]);
    const result = await mine.import('contacts', file, CONTACTS);
    expect((await theirs.api('GET', '/v1/customers')).body.items).toEqual([]);
    expect((await theirs.api('GET', '/v1/parked')).body.items).toEqual([]);
    expect((await theirs.api('GET', '/v1/streams')).body.items).toEqual([]);
    const { rows } = await hub.hub.db.tenant(theirs.tenantId, (tx) =>
      tx.query('select 1 from import_run union all select 1 from import_row'),
    );
    expect(rows).toEqual([]);
    const own = await theirs.import('contacts', file, CONTACTS);
    expect(own.connectionId).not.toBe(result.connectionId);
    expect(own.changed).toEqual({ contacts: 1 });
    expect(await mine.count('customer')).toBe(1);
  });

  test('imports: what was imported is fresh, audited and nothing else; nothing is polled', async () => {
    const shop = await business();
    const file = await exports.write('fresh.csv', [
      ['id', 'name', 'email', 'born'],
      ['1', 'Ann', '', ''],
    ]);
    const { id, connectionId } = await shop.import('contacts', file, CONTACTS);
    const { items } = (await shop.api('GET', '/v1/streams')).body;
    const stream = (name: string) => items.find((item: { stream: string }) => item.stream === name);
    expect(stream('contacts')).toMatchObject({
      state: 'off',
      records: 1,
      freshAsOf: new Date(AT).toISOString(),
      connectionId,
    });
    expect(stream('invoices')).toMatchObject({ state: 'off', freshAsOf: null });
    await hub.settle();
    expect(
      await shop.query(`select action, data from audit_event where tenant_id = $t and subject_id = '${id}'`),
    ).toMatchObject([
      { action: 'import.done', data: { file: 'fresh.csv', rows: 1, parked: 0, records: { contacts: 1 } } },
    ]);
    expect(
      await shop.query('select state, rows_read, rows_parked, records, error from import_run where tenant_id = $t'),
    ).toEqual([{ state: 'done', rows_read: 1, rows_parked: 0, records: { contacts: 1 }, error: null }]);
    expect(await shop.count('import_row')).toBe(0);
    // What is in a file is history: nothing is triggered by it.
    expect(await shop.query('select distinct origin from change where tenant_id = $t')).toEqual([
      { origin: 'backfill' },
    ]);
  });

  test('imports: rows of a run that died are removed by the next one, those of a living one are not', async () => {
    const shop = await business();
    const [dead, alive] = ['00000000-0000-4000-8000-00000000000d', '00000000-0000-4000-8000-00000000000a'];
    const run = (id: string, last: string) =>
      `insert into import_run (tenant_id, id, connection_id, object, file_name, state, started_at, alive_at) values ($t, '${id}', '${id}', 'contacts', 'x.csv', 'running', '2026-03-01', '${last}')`;
    const row = (id: string) =>
      `insert into import_row (tenant_id, import_id, object, group_key, line, data) values ($t, '${id}', 'contacts', '1', 2, '{}')`;
    for (const sql of [run(dead, '2026-03-02T14:00:00Z'), run(alive, '2026-03-02T14:59:00Z'), row(dead), row(alive)])
      await shop.query(sql);
    await shop.import(
      'contacts',
      await exports.write('after.csv', [
        ['id', 'name', 'email', 'born'],
        ['1', 'Ann', '', ''],
      ]),
      CONTACTS,
    );
    expect(await shop.query('select import_id from import_row where tenant_id = $t')).toEqual([{ import_id: alive }]);
    expect(
      await shop.query("select id, state, error from import_run where tenant_id = $t and state <> 'done' order by id"),
    ).toEqual([
      { id: alive, state: 'running', error: null },
      { id: dead, state: 'failed', error: expect.stringContaining('import the file again') },
    ]);
  });

  test('imports: a run that was given up for dead does not go on, and lost rows are noticed', async () => {
    const shop = await business();
    const rows = Array.from({ length: 2500 }, (_, at) => [`${at}`, `Name ${at}`, '', '']);
    const file = await exports.write('slow.csv', [['id', 'name', 'email', 'born'], ...rows]);
    const disturbed = (sql: string) => {
      let todo: Promise<unknown> | undefined;
      // The statement is on its way before the second batch asks for a connection.
      return importFile(
        hub.hub.deps,
        shop.tenantId,
        { object: 'contacts', file, mapping: mappingOf(CONTACTS), actor: 'test' },
        () => {
          todo ??= shop.query(sql);
        },
      ).finally(() => todo);
    };
    await expect(disturbed("update import_run set state = 'failed' where tenant_id = $t")).rejects.toThrow('given up');
    expect(await shop.count('source_record')).toBe(0);
    // A crash of the database empties the unlogged table.
    await expect(disturbed('delete from import_row where tenant_id = $t')).rejects.toThrow('database was restarted');
    expect(await shop.count('source_record')).toBe(0);
    expect(await shop.query('select distinct state from import_run where tenant_id = $t')).toEqual([
      { state: 'failed' },
    ]);
    expect(await shop.import('contacts', file, CONTACTS)).toMatchObject({ rows: 2500, records: { contacts: 2500 } });
  });

  test('imports: progress is told batch by batch', async () => {
    const shop = await business();
    const rows = Array.from({ length: 2500 }, (_, at) => [`${at}`, `Name ${at}`, '', '']);
    const file = await exports.write('progress.csv', [['id', 'name', 'email', 'born'], ...rows]);
    const seen: number[] = [];
    await importFile(
      hub.hub.deps,
      shop.tenantId,
      { object: 'contacts', file, mapping: mappingOf(CONTACTS), actor: 'test' },
      (progress) => seen.push(progress.rows),
    );
    expect(seen.slice(0, 3)).toEqual([1000, 2000, 2500]);
  });

  test('imports: over HTTP, with a mapping of its own', async () => {
    const shop = await business();
    const form = new FormData();
    form.set('mapping', CONTACTS);
    form.set('file', new Blob(['id,name,email,born\n1,Ann,ann@example.com,\n']), 'people.csv');
    const { key } = await makeApiKey(hub.hub.access, shop.tenantId, { name: 'upload', role: 'admin', by: 'system' });
    const answer = await fetch(`${hub.url}/v1/imports/contacts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: form,
    });
    expect([answer.status, await answer.json()]).toMatchObject([200, { rows: 1, records: { contacts: 1 } }]);
  });

  test('imports: the connection can be made before the first file', async () => {
    const shop = await business();
    const made = await shop.api('POST', '/v1/connections', { connector: 'csv' });
    expect(made.status).toBe(200);
    await hub.settle();
    const file = await exports.write('later.csv', [
      ['id', 'name', 'email', 'born'],
      ['1', 'Ann', '', ''],
    ]);
    const { connectionId } = await shop.import('contacts', file, CONTACTS);
    expect((await shop.api('GET', '/v1/connections')).body.items.map((item: { id: string }) => item.id)).toEqual([
      connectionId,
    ]);
  });
});

/**
 * Real records (REAL_DATA, see the README beside them). The figures were computed from the files by a few lines of
 * Python with its csv and decimal modules, independently of this code: counts of distinct customers, rows, invoice
 * numbers of rows that have a customer, sums of quantity * price, and for each invoice date + 30 + threshold days.
 */
describe('real files', () => {
  const INVOICES = ['invoice.overdue', 'invoice.paid', 'payment.failed'];
  const example = (name: string): ImportMapping =>
    mappingOf(readFileSync(new URL(`../examples/${name}`, import.meta.url), 'utf8'));
  const present = (name: string): boolean => existsSync(path.join(REAL, name));
  const byTrigger = (rows: readonly { trigger: string }[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { trigger } of rows) counts[trigger] = (counts[trigger] ?? 0) + 1;
    return counts;
  };

  test.skipIf(!present('cdnow-sample.csv'))('imports: the CDNOW purchases', async () => {
    const shop = await business();
    const file = path.join(REAL, 'cdnow-sample.csv');
    const records = { contacts: 2357, jobs: 6919, invoices: 6919, payments: 6911 };
    const first = await shop.import('jobs', file, example('cdnow.yaml'));
    expect(first).toMatchObject({ rows: 6919, skipped: 0, parked: 0, records, changed: records });
    const tables = { customer: 2357, job: 6919, invoice: 6919, payment: 6911 };
    for (const [table, n] of Object.entries(tables)) expect([table, await shop.count(table)]).toEqual([table, n]);
    for (const table of ['job', 'invoice', 'payment']) expect(await shop.count(table, 'customer_id is null')).toBe(0);
    expect(
      await shop.query(
        'select (select sum(amount) from job where tenant_id = $t) as jobs, (select sum(total) from invoice where tenant_id = $t) as invoices, (select sum(amount) from payment where tenant_id = $t) as payments',
      ),
    ).toEqual([{ jobs: '244091.94', invoices: '244091.94', payments: '244091.94' }]);
    // 40 lines have a twin in everything, in 19 sets; 21 of them are not the first of theirs.
    expect(await shop.count('job', "remote_id like '%#%'")).toBe(21);
    expect(await shop.count('job', "remote_id like '%#3'")).toBe(2);

    const changes = await shop.count('change');
    const again = await shop.import('jobs', file, example('cdnow.yaml'));
    expect(again).toMatchObject({ records, changed: { contacts: 0, jobs: 0, invoices: 0, payments: 0 } });
    expect(await shop.count('change')).toBe(changes);

    // Bought on 4 July 1997 and the three days before it: 27.
    const now = hub.clock.now();
    const found = await hub.hub.db.rehearse(shop.tenantId, (tx) =>
      detectAsOf(tx, '1997-07-04', CATCH_UP_DAYS, now, INVOICES),
    );
    expect(byTrigger(found)).toEqual({ 'invoice.paid': 27 });
    const played = await hub.hub.db.rehearse(shop.tenantId, (tx) =>
      simulate(tx, '1997-01-01', '1997-12-31', now, INVOICES),
    );
    expect(byTrigger(played)).toEqual({ 'invoice.paid': 5728 });
    expect(await shop.count('occurrence')).toBe(0);
  });

  test.skipIf(!present('online-retail-sample.csv'))('imports: the order lines of Online Retail', async () => {
    const shop = await business();
    const file = path.join(REAL, 'online-retail-sample.csv');
    const records = { contacts: 161, invoices: 226 };
    const first = await shop.import('invoices', file, example('online-retail.yaml'));
    expect(first).toMatchObject({ rows: 4688, skipped: 0, parked: 1177, records, changed: records });
    expect((await shop.parked())[0]).toMatchObject({
      line: 3513,
      reason: 'Line 3513 of online-retail-sample.csv: there is no CustomerID, so nobody could be asked to pay',
    });
    expect(await shop.count('invoice', 'customer_id is null')).toBe(0);
    expect(
      await shop.query(
        "select count(*)::int as n, sum(total) as total, sum(balance) as open, max(total) as biggest, sum(jsonb_array_length(lines))::int as lines, min(currency) as currency, min(issued_on) as first, max(due_on) as last from invoice where tenant_id = $t and status = 'open'",
      ),
    ).toEqual([
      {
        n: 226,
        total: '81442.88',
        open: '81442.88',
        biggest: '4076.48',
        lines: 3511,
        currency: 'GBP',
        first: '2010-12-01',
        last: '2011-01-01',
      },
    ]);
    const changes = await shop.count('change');
    expect(await shop.import('invoices', file, example('online-retail.yaml'))).toMatchObject({
      parked: 1177,
      changed: { contacts: 0, invoices: 0 },
    });
    expect(await shop.count('change')).toBe(changes);

    const now = hub.clock.now();
    // 121 invoices of 1 December are one day overdue on New Year's Day.
    const found = await hub.hub.db.rehearse(shop.tenantId, (tx) =>
      detectAsOf(tx, '2011-01-01', CATCH_UP_DAYS, now, INVOICES),
    );
    expect(byTrigger(found)).toEqual({ 'invoice.overdue': 121 });
    const played = await hub.hub.db.rehearse(shop.tenantId, (tx) =>
      simulate(tx, '2010-12-01', '2011-03-31', now, INVOICES),
    );
    // Five thresholds each; nobody ever paid, so reminders stay unanswered too.
    expect(byTrigger(played)).toMatchObject({ 'invoice.overdue': 1130, 'reminder.unanswered': expect.any(Number) });
  });

  // Expected to fail until the mapping stops reading "United Kingdom" as UK and "France" as FX: withdrawn region codes
  // have the names of their successors, and the last one of a name wins in src/mapping/values.ts.
  test.skipIf(!present('online-retail-sample.csv'))('imports: the countries of Online Retail', async () => {
    const shop = await business();
    await shop.import('invoices', path.join(REAL, 'online-retail-sample.csv'), example('online-retail.yaml'));
    expect(
      await shop.query('select country, count(*)::int as n from customer where tenant_id = $t group by 1 order by 1'),
    ).toEqual([
      { country: 'AU', n: 1 },
      { country: 'DE', n: 1 },
      { country: 'FR', n: 1 },
      { country: 'GB', n: 155 },
      { country: 'IE', n: 1 },
      { country: 'NL', n: 1 },
      { country: 'NO', n: 1 },
    ]);
  });

  test('imports: cancellations and oddities of the full Online Retail file', async () => {
    const shop = await business();
    // The sample has none of these; the rows are made in the form of the full file, where they are known to occur.
    const file = await exports.write('online-retail.csv', [
      ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID', 'Country'],
      ['536365', '85123A', 'WHITE HANGING HEART ', '6', '12/1/2010 8:26', '2.55', '17850', 'United Kingdom'],
      ['536365', 'POST', 'POSTAGE', '1', '12/1/2010 8:26', '18', '17850', 'United Kingdom'],
      ['C536379', 'D', 'Discount', '-1', '12/1/2010 9:41', '27.50', '14527', 'RSA'],
      ['C536379', '22556', 'PLASTERS', '-12', '12/1/2010 9:41', '1.65', '14527', 'RSA'],
      ['536589', '21777', '', '-10', '12/1/2010 16:50', '0.0', '', 'United Kingdom'],
      ['A563186', 'B', 'Adjust bad debt', '1', '8/12/2011 14:51', '-11062.06', '', 'United Kingdom'],
      ['A563185', 'B', 'Adjust bad debt', '1', '8/12/2011 14:50', '-5.00', '17850', 'United Kingdom'],
      ['536600', '22423', 'CAKESTAND', '-1', '12/2/2010 9:00', '12.72', '17850', 'United Kingdom'],
      ['C536601', '22423', 'CAKESTAND', '1', '12/2/2010 9:00', '12.72', '17850', 'United Kingdom'],
      ['537197', '22841', 'ROUND CAKE TIN', '1', '12/5/2010 14:02', '0.0', '12647', 'Unspecified'],
    ]);
    const result = await shop.import('invoices', file, example('online-retail.yaml'));
    expect(result).toMatchObject({
      rows: 10,
      skipped: 0,
      parked: 5,
      records: { contacts: 3, invoices: 2, payments: 1 },
    });
    expect((await shop.parked()).map((item) => item.reason.replace(/ of online-retail.csv/, ''))).toEqual([
      'Line 6: there is no CustomerID, so nobody could be asked to pay',
      'Line 7: there is no CustomerID, so nobody could be asked to pay',
      'Line 8: a price below zero is a correction in the books (bad debt), not a sale',
      'Line 9: a quantity below one outside of a cancellation is a correction of stock, not a sale',
      'Line 10: a cancellation must have a quantity below zero',
    ]);
    expect(
      await shop.query('select number, status, issued_on, due_on, total from invoice where tenant_id = $t order by 1'),
    ).toEqual([
      { number: '536365', status: 'open', issued_on: '2010-12-01', due_on: '2010-12-31', total: '33.30' },
      { number: '537197', status: 'paid', issued_on: '2010-12-05', due_on: '2011-01-04', total: '0.00' },
    ]);
    expect(
      await shop.query(
        'select remote_id, kind, status, amount, unapplied, paid_on, currency, customer_id is not null as linked from payment where tenant_id = $t',
      ),
    ).toEqual([
      {
        remote_id: 'C536379',
        kind: 'credit',
        status: 'succeeded',
        amount: '47.30',
        unapplied: '47.30',
        paid_on: '2010-12-01',
        currency: 'GBP',
        linked: true,
      },
    ]);
    expect(await shop.count('customer', 'country is null')).toBe(1);
  });
});
