import { instantOf, type LocalDate } from '../base/time.ts';

const known = new Map<string, Date>();
const MOST = 20_000;

/** The moment at which a date begins in a zone. Clocks are dear to ask, and many things fall on few dates. */
export function midnight(date: LocalDate, zone: string): Date {
  const key = `${date} ${zone}`;
  let at = known.get(key);
  if (!at) {
    at = instantOf(date, '00:00', zone);
    if (known.size >= MOST) known.clear();
    known.set(key, at);
  }
  return at;
}
