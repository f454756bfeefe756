import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import { checkCondition } from '../src/conditions/check.ts';
import { compileCondition } from '../src/conditions/compile.ts';
import type { CompileEnv } from '../src/conditions/statement.ts';
import { seededRandom } from '../src/kit/sandbox/index.ts';
import { makePeople, type Person, storePeople } from './support/conditions/business.ts';
import { matches } from './support/conditions/evaluate.ts';
import { Generator } from './support/conditions/generate.ts';
import { testDatabase } from './support/hub.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let client: pg.Client;

beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client?.end();
  await database?.drop();
});

const WORLD = { zone: 'America/New_York', currency: 'USD' };

/** Who matches, as the database says; the statement runs as the owner of the tables, whom only itself binds. */
async function found(tenantId: string, given: unknown, env: Partial<CompileEnv> & { now: Date }): Promise<Set<string>> {
  const { problems, condition } = checkCondition(given);
  expect(problems, JSON.stringify(given)).toEqual([]);
  const { sql, values } = compileCondition(condition!, { ...WORLD, ...env });
  const text = `select c.id from customer c where c.tenant_id = $1 and ${sql}`;
  try {
    const { rows } = await client.query(text, [
      tenantId,
      ...values.map((value) =>
        value !== null && typeof value === 'object' && !Array.isArray(value) ? JSON.stringify(value) : value,
      ),
    ]);
    return new Set(rows.map(({ id }) => id));
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${JSON.stringify(given)}\n${text}`);
  }
}

const MOMENTS = [
  // Three dates at once, the business on the first and on the last of them.
  { now: new Date('2026-03-02T10:30:00Z'), zone: 'Pacific/Pago_Pago' },
  { now: new Date('2026-03-01T10:30:00Z'), zone: 'Pacific/Kiritimati' },
  // A leap day, the end of a short month, and the hour a clock change skips.
  { now: new Date('2028-02-29T17:00:00Z'), zone: 'America/New_York' },
  { now: new Date('2027-02-28T04:59:00Z'), zone: 'America/New_York' },
  { now: new Date('2026-03-29T01:30:00Z'), zone: 'Europe/Berlin' },
];

test.each(MOMENTS)(
  'conditions: SQL and plain JavaScript agree about everybody, in $zone at $now',
  async ({ now, zone }) => {
    const random = seededRandom(now.getTime() % 100_000);
    const tenantId = newId();
    const people = makePeople(random, 25, now);
    // The neighbours have the same kinds of things and must never be seen.
    const neighbours = makePeople(random, 5, now);
    await storePeople(client, tenantId, people, now);
    await storePeople(client, newId(), neighbours, now);
    const generator = new Generator(random, now);
    const world = { ...WORLD, now, zone };
    let [some, all] = [0, 0];
    for (let n = 0; n < 80; n++) {
      const condition = generator.condition();
      const ids = await found(tenantId, condition, world);
      const wrong = people.filter((person) => ids.has(person.id) !== matches(condition, person, world));
      expect(
        wrong.map((person) => told(person, ids)),
        JSON.stringify(condition),
      ).toEqual([]);
      expect([...ids].filter((id) => !people.some((person) => person.id === id))).toEqual([]);
      all += 1;
      if (ids.size > 0 && ids.size < people.length) some += 1;
    }
    // Conditions that everybody or nobody matches would prove little.
    expect(some).toBeGreaterThan(all / 4);
  },
);

const told = (person: Person, ids: ReadonlySet<string>): string =>
  `${ids.has(person.id) ? 'only SQL' : 'only JavaScript'}: ${JSON.stringify(person)}`;
