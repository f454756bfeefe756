import type { VendorContext } from '../../src/kit/index.ts';

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** The calendars that are read, by their ids; `primary` is the user's own. */
export function calendarsOf({ settings }: Pick<VendorContext, 'settings'>): string[] {
  const named = Array.isArray(settings.calendars) ? settings.calendars.map(text).filter((id) => id !== undefined) : [];
  return named.length > 0 ? [...new Set(named)] : ['primary'];
}

/** The calendar an event is written to, unless the action names one. */
export const calendarOf = (ctx: Pick<VendorContext, 'settings'>): string =>
  text(ctx.settings.calendar) ?? calendarsOf(ctx)[0]!;

export const taskListOf = ({ settings }: Pick<VendorContext, 'settings'>): string =>
  text(settings.taskList) ?? '@default';

/** Who is told of a change by mail. */
export const updatesOf = ({ settings }: Pick<VendorContext, 'settings'>): 'all' | 'externalOnly' | 'none' =>
  settings.sendUpdates === 'none' || settings.sendUpdates === 'externalOnly' ? settings.sendUpdates : 'all';

export const eventsPath = (calendar: string): string => `/calendar/v3/calendars/${encodeURIComponent(calendar)}/events`;

export const tasksPath = (list: string): string => `/tasks/v1/lists/${encodeURIComponent(list)}/tasks`;

/** Ids of events are unique in their calendar only: one of another than the own carries the calendar's. */
export const recordId = (calendar: string, event: string): string =>
  calendar === 'primary' ? event : `${calendar}/${event}`;

/** The calendar and event an id names. */
export function placeOf(id: string): { calendar: string; event: string } {
  const at = id.lastIndexOf('/');
  return at < 0 ? { calendar: 'primary', event: id } : { calendar: id.slice(0, at), event: id.slice(at + 1) };
}

/** The calendar day of a moment in a zone, as `YYYY-MM-DD`. */
export const dayOf = (moment: string, timeZone: string | undefined): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone: timeZone ?? 'UTC', dateStyle: 'short' }).format(new Date(moment));

/** The day after. */
export const nextDay = (day: string): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
