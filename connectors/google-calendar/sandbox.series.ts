import type { Event } from './sandbox.event.ts';

const DAY_MS = 86_400_000;

/** Dates a series without an end is laid out for. */
const HORIZON = 10;

const STEPS: Record<string, number> = { DAILY: DAY_MS, WEEKLY: 7 * DAY_MS, MONTHLY: 30 * DAY_MS };

const moved = (time: Record<string, string>, milliseconds: number): Record<string, string> => {
  const shift = (text: string, length: number): string =>
    new Date(Date.parse(text) + milliseconds).toISOString().slice(0, length);
  return {
    ...time,
    ...(time.dateTime ? { dateTime: `${shift(time.dateTime, 19)}Z` } : {}),
    ...(time.date ? { date: shift(time.date, 10) } : {}),
  };
};

/** The single dates of a recurring event, far enough like the vendor's: DAILY, WEEKLY and MONTHLY with INTERVAL and COUNT. */
export function instancesOf(event: Event): Event[] {
  const rule = (event.recurrence as string[] | undefined)?.find((line) => line.startsWith('RRULE:'));
  if (!rule) return [];
  const parts = new Map(
    rule
      .slice(6)
      .split(';')
      .map((part) => part.split('=') as [string, string]),
  );
  const step = (STEPS[parts.get('FREQ') ?? ''] ?? DAY_MS) * Number(parts.get('INTERVAL') ?? 1);
  const { recurrence: _rule, ...single } = event;
  return Array.from({ length: Math.min(Number(parts.get('COUNT') ?? HORIZON), HORIZON) }, (_, n) => {
    const start = moved(event.start as Record<string, string>, n * step);
    const stamp = (start.dateTime ?? start.date)!.replace(/[-:]/g, '').replace('.000', '');
    return {
      ...single,
      id: `${event.id}_${stamp}`,
      recurringEventId: event.id,
      originalStartTime: start,
      start,
      end: moved(event.end as Record<string, string>, n * step),
    } as unknown as Event;
  });
}
