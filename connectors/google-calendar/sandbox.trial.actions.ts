import type { ActionTrial, Clock, Refusals, Trial } from '../../src/kit/index.ts';
import { refusal } from './sandbox.routes.ts';
import type { GoogleCalendarState } from './sandbox.state.ts';
import type { TaskList } from './sandbox.tasks.ts';

const FROM = '2026-09-01T15:00:00Z';
const TO = '2026-09-01T16:00:00Z';

/** Google's side of each action. */
export function actionsOf(state: GoogleCalendarState, tasks: TaskList): Trial['actions'] {
  const slot = { startsAt: FROM, endsAt: TO, about: {} };
  return {
    create_calendar_event: {
      input: (n) => ({ title: `Visit ${n}`, ...slot, attendees: [`guest${n}@example.com`] }),
      done: () => state.primary.entries.filter(({ event }) => event.extendedProperties).map(({ event }) => event.id),
      request: /^POST \/calendar\/v3\/calendars\/[^/]+\/events$/,
      refused: [
        { input: { title: 'Ends before it begins', startsAt: TO, endsAt: FROM, about: {} }, kind: 'invalid' },
        { input: { title: 'Whose?', ...slot, calendar: 'nobody@example.com' }, kind: 'not_found' },
      ],
      link: true,
      refusesTwins: true,
    },
    create_task: {
      input: (n) => ({ title: `Call ${n}`, dueAt: FROM, about: {} }),
      done: () => tasks.tasks.filter(({ notes }) => notes?.includes('[rapport ')).map(({ id }) => id),
      request: /^POST \/tasks\/v1\/lists\/[^/]+\/tasks$/,
      link: true,
    },
    update_field: fieldTrial(state),
  };
}

function fieldTrial({ primary }: GoogleCalendarState): ActionTrial {
  const asked: { id: string; place: string }[] = [];
  return {
    input: (n) => {
      const { id } = primary.insert({ summary: `To move ${n}`, start: { dateTime: FROM }, end: { dateTime: TO } });
      const wanted = { id, place: `Room ${n}` };
      asked.push(wanted);
      return { object: 'event', id, fields: { location: wanted.place } };
    },
    done: () => asked.filter(({ id, place }) => primary.find(id)?.location === place).map(({ id }) => id),
    request: /^PATCH \/calendar\/v3\/calendars\/[^/]+\/events\/[^/]+$/,
    refused: [
      { input: { object: 'event', id: 'nosuchevent', fields: { location: 'x' } }, kind: 'not_found' },
      { input: { object: 'event', id: 'nosuchevent', fields: { start: 'soon' } }, kind: 'invalid' },
      { input: { object: 'invoice', id: '1', fields: { total: 1 } }, kind: 'invalid' },
    ],
  };
}

const fault = (status: number, reason: string, message: string) =>
  ({ kind: 'status', status, body: refusal(status, reason, message) }) as const;

const after = (clock: Clock, until: Date | undefined): Record<string, string> =>
  until ? { 'retry-after': String(Math.ceil((until.getTime() - clock.now().getTime()) / 1000)) } : {};

/** Google's refusals. A date is rarely given, and kept to where it is. */
export function refusalsOf(clock: Clock): Refusals {
  return {
    rateLimited: (until) => ({
      ...fault(403, 'rateLimitExceeded', 'Rate Limit Exceeded'),
      headers: after(clock, until),
    }),
    quotaExhausted: (until) => ({
      ...fault(403, 'quotaExceeded', 'Calendar usage limits exceeded.'),
      headers: after(clock, until),
    }),
    expired: () => fault(401, 'authError', 'Invalid Credentials'),
    forbidden: {
      fault: () => fault(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.'),
    },
    invalid: (reason) => fault(400, 'invalid', reason),
    unavailable: () => fault(503, 'backendError', 'Backend Error'),
  };
}
