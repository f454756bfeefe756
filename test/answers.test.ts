import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fault, seededRandom } from '../src/kit/sandbox/index.ts';
import { HOUR } from './support/hub.ts';
import { beginStory, type Row, type Story } from './support/story.ts';
import type { VendorName } from './support/vendors.ts';

let story: Story;

beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot', 'quickbooks', 'twilio', 'slack'] });
  for (let n = 0; n < 3; n++) await story.customer({ owes: [10] });
});
afterAll(() => story?.end());

const faults = (name: VendorName) => story.vendors[name as 'hubspot'].server.faults;
beforeEach(() => {
  for (const name of ['hubspot', 'quickbooks', 'twilio', 'slack'] as const) faults(name).clear();
});

/** A list that is read, the calls that read it, and how something new is made there. */
interface Listed {
  vendor: VendorName;
  stream: string;
  match: RegExp;
  table: string;
  make(n: number): { column: string; value: string };
}

const LISTS: readonly Listed[] = [
  {
    vendor: 'hubspot',
    stream: 'contacts',
    match: /\/objects\/[^/]+\/contacts(\/search)?$/,
    table: 'customer',
    make: (n) => {
      story.vendors.hubspot.state.create('contacts', {
        firstname: 'New',
        lastname: `One ${n}`,
        email: `new${n}@h.example`,
      });
      return { column: 'last_name', value: `One ${n}` };
    },
  },
  {
    vendor: 'quickbooks',
    stream: 'invoices',
    match: /\/query$/,
    table: 'invoice',
    make: (n) => {
      story.vendors.quickbooks.state.addInvoice({ customer: '1', amount: 5, number: `N-${n}` });
      return { column: 'number', value: `N-${n}` };
    },
  },
  {
    vendor: 'twilio',
    stream: 'messages',
    match: /^GET .*\/Messages\.json$/,
    table: 'activity',
    make: (n) => {
      story.vendors.twilio.state.receive('+12125551001', '+15005550006', `Note ${n}`);
      return { column: 'body', value: `Note ${n}` };
    },
  },
  {
    vendor: 'slack',
    stream: 'users',
    match: /\/users\.list$/,
    table: 'owner',
    make: (n) => {
      story.vendors.slack.addUser(`Person ${n}`, `person${n}@s.example`);
      return { column: 'name', value: `Person ${n}` };
    },
  },
];

let made = 0;
const streamOf = async ({ vendor, stream }: Listed): Promise<Row> =>
  (
    await story.rows(
      'select * from stream where tenant_id = $1 and connection_id = $2 and name = $3',
      story.connections[vendor].id,
      stream,
    )
  )[0]!;
const read = async (list: Listed, full = false): Promise<void> => {
  const { id } = story.connections[list.vendor];
  await story.must('POST', `/v1/connections/${id}/sync`, { streams: [list.stream], full });
  await story.settle();
};
const knows = async ({ table }: Listed, { column, value }: { column: string; value: string }): Promise<boolean> =>
  (await story.rows(`select 1 from ${table} where tenant_id = $1 and ${column} = $2`, value)).length === 1;
const calls = ({ vendor, match }: Listed): number =>
  story.vendors[vendor as 'hubspot'].server.journal.filter(({ method, path }) => match.test(`${method} ${path}`))
    .length;

/** An error in the hub's own words is no message for a person. */
const SLIP = /undefined|not a function|not iterable|Cannot read|TypeError|RangeError|\[object/;

const BROKEN: { what: string; fault: Fault }[] = [
  { what: 'not JSON', fault: { kind: 'malformed' } },
  { what: 'a web page', fault: { kind: 'status', status: 200, body: '<html>Sorry, we are down</html>' } },
  { what: 'cut off', fault: { kind: 'truncated' } },
  { what: 'empty', fault: { kind: 'status', status: 200, body: '' } },
  { what: 'JSON of something else', fault: { kind: 'rewrite', rewrite: () => ({ hello: 'world' }) } },
  { what: 'a list instead of an object', fault: { kind: 'rewrite', rewrite: () => [1, 2, 3] } },
  { what: 'null', fault: { kind: 'rewrite', rewrite: () => 'null' } },
];

describe.each(LISTS)('$vendor $stream', (list) => {
  test.each(BROKEN)(
    `answers: ${list.vendor}: what is $what stops the reading in words, and nothing is lost`,
    async ({ fault }) => {
      const before = await streamOf(list);
      const [{ n }] = (await story.rows(
        `select count(*)::int as n from ${list.table} where tenant_id = $1 and deleted_at is null`,
      )) as [Row];
      const fresh = list.make(++made);
      faults(list.vendor).add({ ...fault, match: list.match });
      await read(list);
      const broken = await streamOf(list);
      expect(broken.error, 'a message').toMatch(/^[A-Z].{15,}\.$/s);
      expect(broken.error).not.toMatch(SLIP);
      expect(broken.cursor).toEqual(before.cursor);
      expect(await knows(list, fresh)).toBe(false);
      expect(
        (
          await story.rows(`select count(*)::int as n from ${list.table} where tenant_id = $1 and deleted_at is null`)
        )[0],
      ).toEqual({ n });
      faults(list.vendor).clear();
      // It comes back by itself.
      await story.advance(HOUR);
      expect(await knows(list, fresh)).toBe(true);
      expect(await streamOf(list)).toMatchObject({ error: null });
    },
  );
});

/** Something no vendor should send where it stands. */
const ODD: readonly unknown[] = [
  null,
  0,
  -1,
  1e308,
  '',
  ' ',
  'x'.repeat(5000),
  '\u0000',
  true,
  [],
  {},
  [[]],
  [null],
  { a: { b: [] } },
  '2026-99-99',
  '{"$ne":1}',
  '__proto__',
];

/** The value with one member somewhere in it exchanged for something odd. */
function spoiled(value: unknown, random: () => number): unknown {
  const copy = structuredClone(value);
  let here = copy as Record<string, unknown>;
  for (let depth = 0; depth < 12; depth++) {
    const keys = Object.keys(here ?? {});
    if (keys.length === 0) return copy;
    const key = keys[Math.floor(random() * keys.length)]!;
    const next = here[key];
    if (next === null || typeof next !== 'object' || random() < 0.15) {
      here[key] = ODD[Math.floor(random() * ODD.length)];
      return copy;
    }
    here = next as Record<string, unknown>;
  }
  return copy;
}

test.each(LISTS)(
  'answers: $vendor: members of any other type are parked or stop the reading in words, and afterwards all is well again',
  async (list) => {
    // A record under another id is another source of the same person, whatever it was meant to be.
    const facts = (): Promise<Row[]> =>
      story.rows(
        `select to_jsonb(t) - array['updated_at', 'version', 'provenance', 'source_updated_at', 'mapping_version', 'sources'] as row from ${list.table} t where tenant_id = $1 order by 1`,
      );
    const fresh = Array.from({ length: 4 }, () => list.make(++made));
    await read(list, true);
    const before = await facts();
    const random = seededRandom(11);
    let stopped = 0;
    faults(list.vendor).add({ kind: 'rewrite', match: list.match, rewrite: (body) => spoiled(body, random) });
    for (let round = 0; round < 12; round++) {
      await read(list, true);
      const { error } = await streamOf(list);
      if (error === null) continue;
      stopped += 1;
      expect(error).toMatch(/^[A-Z].{15,}\.$/s);
      expect(error).not.toMatch(SLIP);
    }
    expect(stopped).toBeLessThan(12);
    for (const { reason } of (await story.must('GET', '/v1/parked?limit=200')).items) expect(reason).not.toMatch(SLIP);
    faults(list.vendor).clear();
    story.clock.advance(HOUR);
    await read(list, true);
    for (const one of fresh) expect(await knows(list, one), one.value).toBe(true);
    expect(await facts()).toEqual(before);
    expect((await streamOf(list)).error).toBeNull();
  },
);

describe('pages without end', () => {
  const nextOf = (page: number): string =>
    `/2010-04-01/Accounts/${story.vendors.twilio.credentials.accountSid}/Messages.json?Page=${page}`;
  /** Pages of a list as the vendor makes them, with what the test makes of their number. */
  const REPEATING: { what: string; list: Listed; rewrite: (body: any, page: number) => unknown }[] = [
    {
      what: 'hubspot names the same next page for ever',
      list: LISTS[0]!,
      rewrite: (body) => ({ ...body, paging: { next: { after: '7' } } }),
    },
    {
      what: 'hubspot sends two pages in turn for ever',
      list: LISTS[0]!,
      rewrite: (body, page) => ({
        ...body,
        results: body.results.slice(page % 2, (page % 2) + 1),
        paging: { next: { after: String(1000 + page) } },
      }),
    },
    {
      what: 'twilio sends the same page for ever, each time with another next one',
      list: LISTS[2]!,
      rewrite: (body, page) => ({ ...body, next_page_uri: nextOf(page) }),
    },
    {
      what: 'twilio sends five pages in turn for ever',
      list: LISTS[2]!,
      rewrite: (body, page) => ({
        ...body,
        messages: body.messages.slice(page % 5, (page % 5) + 1),
        next_page_uri: nextOf(page),
      }),
    },
  ];

  test.each(REPEATING)('answers: $what: the reading stops in words after a few calls', async ({ list, rewrite }) => {
    for (let n = 0; n < 6; n++) list.make(++made);
    await read(list);
    const before = await streamOf(list);
    let page = 0;
    const called = calls(list);
    faults(list.vendor).add({
      kind: 'rewrite',
      match: list.vendor === 'twilio' ? /Messages\.json$/ : list.match,
      rewrite: (body) => rewrite(body, page++),
    });
    await read(list, true);
    const stuck = await streamOf(list);
    expect(stuck.error).toMatch(/same|again/);
    expect(stuck.cursor).toEqual({});
    expect(calls(list) - called).toBeLessThan(40);
    faults(list.vendor).clear();
    await read(list, true);
    expect(await streamOf(list)).toMatchObject({ error: null, run_seen: expect.any(Number) });
    expect(Date.parse((await streamOf(list)).cursor.since)).toBeGreaterThanOrEqual(Date.parse(before.cursor.since));
  });
});
