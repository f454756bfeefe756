import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addDays, addMonths, addWorkingDays, instantOf, localDate } from '../src/base/time.ts';
import { addWorkingMinutes, isOpen, nextOpen, nextOpenInAll } from '../src/consent/windows.ts';
import { zonesOf } from '../src/model/zones.ts';

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];
const NEW_YORK = 'America/New_York';
const window = (open: string, close: string, days = EVERY_DAY) => ({ open, close, days });

describe('windows: the clock oracle', () => {
  test.each([
    ['inside', '2026-06-10T15:00:00Z', NEW_YORK, window('08:00', '21:00'), '2026-06-10T15:00:00Z'],
    ['one second before close', '2026-06-11T00:59:59Z', NEW_YORK, window('08:00', '21:00'), '2026-06-11T00:59:59Z'],
    ['exactly close', '2026-06-11T01:00:00Z', NEW_YORK, window('08:00', '21:00'), '2026-06-11T12:00:00Z'],
    ['night before clocks go back', '2026-11-01T02:30:00Z', NEW_YORK, window('08:00', '21:00'), '2026-11-01T13:00:00Z'],
    [
      'window over midnight, inside',
      '2026-06-11T03:00:00Z',
      NEW_YORK,
      window('20:00', '02:00'),
      '2026-06-11T03:00:00Z',
    ],
    [
      'Mondays 20-21 in Los Angeles',
      '2026-06-06T12:00:00Z',
      'America/Los_Angeles',
      window('20:00', '21:00', [1]),
      '2026-06-09T03:00:00Z',
    ],
    ['Apia, UTC+13', '2026-06-10T09:00:00Z', 'Pacific/Apia', window('08:00', '21:00'), '2026-06-10T19:00:00Z'],
    [
      "nine o'clock asked across the start of summer time stays nine",
      '2026-03-08T02:00:00Z',
      NEW_YORK,
      window('09:00', '10:00'),
      '2026-03-08T13:00:00Z',
    ],
    [
      'Monday mornings in Auckland are Monday there',
      '2026-06-06T12:00:00Z',
      'Pacific/Auckland',
      window('08:00', '09:00', [1]),
      '2026-06-07T20:00:00Z',
    ],
  ])('%s', (_case, ask, zone, hours, answer) => {
    expect(nextOpen(new Date(ask), zone, hours)!.toISOString()).toBe(new Date(answer).toISOString());
  });
});

test('windows: what is next is open, and nothing between the ask and it is', () => {
  const zones = [
    'America/New_York',
    'Europe/Berlin',
    'Pacific/Apia',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
    'America/St_Johns',
  ];
  const time = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom('00', '15', '30', '45'))
    .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${minute}`);
  fc.assert(
    fc.property(
      fc.date({ min: new Date('2025-01-01'), max: new Date('2028-12-31'), noInvalidDate: true }),
      fc.constantFrom(...zones),
      time,
      time,
      fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (ask, zone, open, close, days) => {
        fc.pre(open !== close);
        const hours = window(open, close, days);
        const next = nextOpen(ask, zone, hours);
        // A window that a change of clocks swallows whole does not exist that day.
        if (!next) return;
        expect(isOpen(next, zone, hours)).toBe(true);
        const gap = next.getTime() - ask.getTime();
        if (gap > 0)
          for (const share of [0, 0.3, 0.7, 0.999])
            expect(isOpen(new Date(ask.getTime() + gap * share - (share === 0 ? 0 : 1)), zone, hours)).toBe(false);
      },
    ),
    { numRuns: 400 },
  );
});

test('windows: several possible zones mean a moment that suits all of them', () => {
  const zones = ['America/New_York', 'America/Los_Angeles', 'Pacific/Honolulu'];
  const at = nextOpenInAll(new Date('2026-01-15T10:00:00Z'), zones, window('08:00', '20:00'))!;
  // 08:00 in Honolulu.
  expect(at.toISOString()).toBe('2026-01-15T18:00:00.000Z');
  expect(
    nextOpenInAll(
      new Date('2026-01-15T10:00:00Z'),
      ['Pacific/Auckland', 'America/New_York', 'Europe/London'],
      window('12:00', '13:00'),
    ),
  ).toBeUndefined();
});

test('windows: working time passes over nights and weekends', () => {
  const hours = window('09:00', '17:00', [1, 2, 3, 4, 5]);
  // Friday 16:00 plus four working hours is Monday noon.
  expect(addWorkingMinutes(new Date('2026-03-06T21:00:00Z'), 240, NEW_YORK, hours).toISOString()).toBe(
    '2026-03-09T16:00:00.000Z',
  );
  expect(addWorkingMinutes(new Date('2026-03-07T15:00:00Z'), 30, NEW_YORK, hours).toISOString()).toBe(
    '2026-03-09T13:30:00.000Z',
  );
});

test('dates: months are clamped and never chained, tracks count days from the start', () => {
  expect(addMonths('2026-08-31', 6)).toBe('2027-02-28');
  expect(addMonths('2026-08-31', 12)).toBe('2027-08-31');
  expect([45, 90, 630].map((days) => addDays('2026-01-31', days))).toEqual(['2026-03-17', '2026-05-01', '2027-10-23']);
  expect(addWorkingDays('2026-03-06', 1)).toBe('2026-03-09');
});

test('dates: a skipped time becomes the first moment after the gap', () => {
  expect(instantOf('2026-03-08', '02:30', NEW_YORK).toISOString()).toBe('2026-03-08T07:00:00.000Z');
  expect(localDate(new Date('2026-06-10T09:00:00Z'), 'Pacific/Apia')).toBe('2026-06-10');
});

test('zones: explicit, then address, phone, company, business', () => {
  const nobody = { time_zone: null, country: null, region: null, phone: null };
  expect(zonesOf({ ...nobody, time_zone: 'Europe/Berlin', country: 'US' }, 'UTC')).toEqual({
    zones: ['Europe/Berlin'],
    source: 'explicit',
  });
  expect(zonesOf({ ...nobody, country: 'US', region: 'California' }, 'UTC')).toEqual({
    zones: ['America/Los_Angeles'],
    source: 'address',
  });
  expect(zonesOf({ ...nobody, country: 'US', region: 'FL' }, 'UTC').zones).toEqual([
    'America/New_York',
    'America/Chicago',
  ]);
  expect(zonesOf({ ...nobody, phone: '+33612345678' }, 'UTC')).toEqual({ zones: ['Europe/Paris'], source: 'phone' });
  expect(zonesOf({ ...nobody, company_time_zone: 'Asia/Tokyo' }, 'UTC').source).toBe('company');
  expect(zonesOf({ ...nobody, time_zone: 'Mars/Olympus' }, 'Europe/Rome')).toEqual({
    zones: ['Europe/Rome'],
    source: 'business',
  });
  expect(zonesOf({ ...nobody, country: 'US' }, 'UTC').zones.length).toBeGreaterThan(5);
});
