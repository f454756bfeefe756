import { describe, expect, test } from 'vitest';
import { newId } from '../src/base/ids.ts';
import { localDate } from '../src/base/time.ts';
import { perDayOf, turnsOf } from '../src/campaigns/drip.ts';
import { entranceFor, entryMistake, messageDates } from '../src/campaigns/entrance.ts';
import { isHeldOut } from '../src/campaigns/holdout.ts';
import { quietDays } from '../src/campaigns/warnings.ts';
import type { Definition } from '../src/sequences/schema.ts';

const NY = 'America/New_York';
const DAYTIME = { open: '08:00', close: '20:00', days: [1, 2, 3, 4, 5, 6, 7] };
const people = (n: number, zone = NY) => Array.from({ length: n }, () => ({ zone }));
const pace = { perHour: 4, perDay: 10, zone: NY, window: DAYTIME, usedHour: 0, usedDay: 0 };
const counted = (turns: readonly (Date | undefined)[], of: (at: Date) => string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const at of turns) counts[of(at!)] = (counts[of(at!)] ?? 0) + 1;
  return counts;
};
const hourOf = (at: Date): string => at.toISOString().slice(0, 13);

describe('campaigns: turns', () => {
  test('campaigns: a list is let in by the hour and by the day, exactly, and only by daylight', () => {
    const turns = turnsOf(people(25), { ...pace, from: new Date('2026-03-05T14:00:00Z') });
    expect(counted(turns, (at) => localDate(at, NY))).toEqual({ '2026-03-05': 10, '2026-03-06': 10, '2026-03-07': 5 });
    expect(counted(turns.slice(0, 10), hourOf)).toEqual({ '2026-03-05T14': 4, '2026-03-05T15': 4, '2026-03-05T16': 2 });
    expect(turns.slice(0, 5).map((at) => at!.toISOString().slice(11, 16))).toEqual([
      '14:00',
      '14:15',
      '14:30',
      '14:45',
      '15:00',
    ]);
    expect(turns[10]!.toISOString()).toBe('2026-03-06T13:00:00.000Z');
  });

  test('campaigns: on the day the clocks change the morning begins at eight of the new time', () => {
    const turns = turnsOf(people(12), { ...pace, from: new Date('2026-03-08T02:00:00Z') });
    expect(turns[0]!.toISOString()).toBe('2026-03-08T12:00:00.000Z');
    expect(turns[10]!.toISOString()).toBe('2026-03-09T12:00:00.000Z');
    const autumn = turnsOf(people(1), { ...pace, from: new Date('2026-11-01T02:00:00Z') });
    expect(autumn[0]!.toISOString()).toBe('2026-11-01T13:00:00.000Z');
  });

  test('campaigns: whoever sleeps makes way for others, and nobody takes more than the shared hour has', () => {
    const mixed = [...people(3, 'Europe/Berlin'), ...people(6, NY)];
    const turns = turnsOf(mixed, { ...pace, from: new Date('2026-03-05T20:00:00Z') });
    // It is nine in the evening in Berlin, and three in the afternoon in New York.
    expect(turns.slice(0, 3).map((at) => at!.toISOString())).toEqual([
      '2026-03-06T07:00:00.000Z',
      '2026-03-06T07:15:00.000Z',
      '2026-03-06T07:30:00.000Z',
    ]);
    expect(counted(turns.slice(3), hourOf)).toEqual({ '2026-03-05T20': 4, '2026-03-05T21': 2 });
  });

  test('campaigns: what was used of the hour and the day is not there any more', () => {
    const from = new Date('2026-03-05T15:30:00Z');
    const turns = turnsOf(people(6), { ...pace, from, usedHour: 3, usedDay: 7 });
    expect(turns.slice(0, 3).map((at) => at!.toISOString())).toEqual([
      '2026-03-05T15:30:00.000Z',
      '2026-03-05T16:00:00.000Z',
      '2026-03-05T16:15:00.000Z',
    ]);
    expect(localDate(turns[3]!, NY)).toBe('2026-03-06');
    // Who comes later counts for the hour, not for the day.
    const later = turnsOf([{ zone: NY, later: true }], { ...pace, from, usedHour: 0, usedDay: 10 });
    expect(later[0]!.toISOString()).toBe('2026-03-05T15:30:00.000Z');
  });

  test('campaigns: over random lists no hour and no day ever has more than it may', () => {
    let seed = 7;
    const random = (n: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % n;
    };
    const zones = [NY, 'Europe/Berlin', 'Asia/Kolkata', 'Pacific/Auckland'];
    for (let round = 0; round < 40; round++) {
      const how = { ...pace, perHour: 1 + random(30), perDay: 1 + random(60) };
      const from = new Date(Date.parse('2026-03-01T00:00:00Z') + random(30 * 86_400_000));
      const list = Array.from({ length: 1 + random(150) }, () => ({ zone: zones[random(4)]! }));
      const turns = turnsOf(list, { ...how, from });
      expect(turns.every((at) => at! >= from)).toBe(true);
      expect(Math.max(...Object.values(counted(turns, hourOf)))).toBeLessThanOrEqual(how.perHour);
      expect(Math.max(...Object.values(counted(turns, (at) => localDate(at, NY))))).toBeLessThanOrEqual(how.perDay);
    }
  });

  test('campaigns: the share of a day is never more than it says, and at least one', () => {
    expect([perDayOf(1000, 5), perDayOf(39, 5), perDayOf(3, 5), perDayOf(0, 5)]).toEqual([50, 1, 1, 1]);
  });
});

test('campaigns: the share left out is right over 10,000 people, always the same people, others in another campaign', () => {
  const ids = Array.from({ length: 10_000 }, () => newId());
  const [one, other] = [newId(), newId()];
  const out = ids.filter((id) => isHeldOut(one, id, 10));
  // Four standard deviations of a draw of 10 % are 120.
  expect(Math.abs(out.length - 1000)).toBeLessThan(120);
  expect(ids.filter((id) => isHeldOut(one, id, 10))).toEqual(out);
  // A larger share takes more people in, never others.
  expect(out.every((id) => isHeldOut(one, id, 20))).toBe(true);
  const both = out.filter((id) => isHeldOut(other, id, 10)).length;
  expect(both).toBeGreaterThan(50);
  expect(both).toBeLessThan(160);
  expect(ids.some((id) => isHeldOut(one, id, 0))).toBe(false);
});

const track: Pick<Definition, 'steps'> = {
  steps: [
    { id: 'hello', message: { channels: ['email'], template: 'hello' } },
    { id: 'ask', day: 14, message: { channels: ['email'], template: 'ask' } },
    { id: 'after', await_answer: { days: 3 } },
    { id: 'offer', day: 45, message: { channels: ['email'], template: 'offer' } },
  ],
};
const asIf = { mode: 'as_if', date: 'last_job' } as const;

test('campaigns: as if entered on a date, the steps whose day is over are left out and none is made up for', () => {
  const at = (date: string | null, step?: string) =>
    entranceFor(track, { ...asIf, ...(step ? { step } : {}) }, date, '2026-03-20');
  expect(at('2026-03-20')).toEqual({ ok: true, step: 'hello', startOn: '2026-03-20' });
  expect(at('2026-03-19')).toEqual({ ok: true, step: 'ask', startOn: '2026-03-19' });
  expect(at('2026-03-06')).toEqual({ ok: true, step: 'ask', startOn: '2026-03-06' });
  expect(at('2026-03-05')).toEqual({ ok: true, step: 'offer', startOn: '2026-03-05' });
  expect(at('2026-02-03')).toEqual({ ok: true, step: 'offer', startOn: '2026-02-03' });
  expect(at('2026-02-02')).toEqual({ ok: false, reason: 'over' });
  expect(at(null)).toEqual({ ok: false, reason: 'no_date' });
  expect(at('2026-03-19', 'offer')).toEqual({ ok: true, step: 'offer', startOn: '2026-03-19' });
  expect(entranceFor(track, { mode: 'from_now', step: 'ask' }, null, '2026-03-20')).toMatchObject({ step: 'ask' });
  expect(messageDates(track, { step: 'ask', startOn: '2026-03-10' }, '2026-03-20')).toEqual([
    { step: 'ask', on: '2026-03-24' },
    { step: 'offer', on: '2026-04-24' },
  ]);
  expect(entryMistake({ steps: [track.steps[0]!] }, asIf)).toContain('steps have days');
  expect(entryMistake(track, { mode: 'from_now', step: 'nope' })).toContain('there are hello, ask');
});

test('campaigns: how long somebody was quiet at least is read from a condition', () => {
  const since = (days: number) => ({ days_since: ['purchase', 'job'] as ('purchase' | 'job')[], at_least: days });
  expect(quietDays(since(20))).toBe(20);
  expect(quietDays({ days_since: ['job'], above: 29 })).toBe(30);
  expect(quietDays({ all: [since(20), since(60), { field: 'customer.city', is: 'Bonn' }] })).toBe(60);
  expect(quietDays({ any: [since(20), since(60)] })).toBe(20);
  expect(quietDays({ latest: 'job.completed_on', more_than_ago: { weeks: 3 } })).toBe(21);
  expect(quietDays({ field: 'customer.city', is: 'Bonn' })).toBeUndefined();
});
