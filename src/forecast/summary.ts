import type { Static } from 'typebox';
import { localDate } from '../base/time.ts';
import type { Found } from './forecast.ts';
import type { Forecast } from './schema.ts';
import type { Coming } from './world.ts';

/** What every look ahead takes for granted. */
export const ASSUMED = [
  'Nobody answers, books, pays or unsubscribes meanwhile, and facts stay as they are today.',
  'Billing data is fresh, and connected platforms take what they are given.',
  'What is done natively or told to staff is done at once; nobody presses "I have it".',
];

type View = Static<typeof Forecast>;

const count = (rows: readonly Coming[], key: (row: Coming) => string): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1);
  return counts;
};

const SEPARATOR = '\u0000';
const byDay = (rows: readonly Coming[]): View['days'] =>
  [...count(rows, ({ on, sequence, channel }) => [on, sequence, channel].join(SEPARATOR))]
    .map(([key, n]) => {
      const [day, sequence, channel] = key.split(SEPARATOR) as [string, string, string];
      return { day, sequence, channel, count: n };
    })
    .sort((a, b) => (a.day + a.sequence + a.channel < b.day + b.sequence + b.channel ? -1 : 1));

/** A look ahead as people read it: per day, per customer, what waits for somebody, and what is taken for granted. */
export function summaryOf(found: Found, zone: string, most: number, before?: Found): View {
  const { coming, people } = found;
  const name = (id: string): string | null => people.get(id)?.name ?? before?.people.get(id)?.name ?? null;
  const customers = [...count(coming, ({ customerId }) => customerId)]
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([id, n]) => ({ id, name: name(id), count: n }));
  const held = [...found.held.values()];
  return {
    from: localDate(found.from, zone),
    to: localDate(found.until, zone),
    total: coming.length,
    reached: customers.length,
    days: byDay(coming),
    staff: byDay(found.internal),
    customers: customers.slice(0, most),
    messages: coming.slice(0, most).map((message) => ({
      at: message.at.toISOString(),
      on: message.on,
      customer: { id: message.customerId, name: name(message.customerId) },
      ...{ sequence: message.sequence, step: message.step, channel: message.channel },
    })),
    waiting: held.slice(0, most).map(({ traveller, step, reason, detail, at }) => ({
      customer: { id: traveller.run.customer_id, name: name(traveller.run.customer_id) },
      ...{ enrolmentId: traveller.run.id, sequence: traveller.key, step, reason, detail, at: at.toISOString() },
    })),
    waitingTotal: held.length,
    unforeseen: [...new Set(found.unforeseen.map(({ trigger }) => trigger))].sort(),
    assumed: ASSUMED,
    difference: before ? differenceOf(before.coming, coming, name, most) : null,
  };
}

/** Who gets more and who gets less than before. */
function differenceOf(
  before: readonly Coming[],
  after: readonly Coming[],
  name: (id: string) => string | null,
  most: number,
): NonNullable<View['difference']> {
  const [had, has] = [before, after].map((rows) => count(rows, ({ customerId }) => customerId)) as [
    Map<string, number>,
    Map<string, number>,
  ];
  const changed = [...new Set([...had.keys(), ...has.keys()])]
    .map((id) => ({ id, name: name(id), before: had.get(id) ?? 0, after: has.get(id) ?? 0 }))
    .filter((row) => row.before !== row.after)
    .sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before) || (a.id < b.id ? -1 : 1));
  const more = changed.filter((row) => row.after > row.before);
  const less = changed.filter((row) => row.after < row.before);
  return {
    before: before.length,
    after: after.length,
    more: more.length,
    less: less.length,
    customers: changed.slice(0, most),
  };
}
