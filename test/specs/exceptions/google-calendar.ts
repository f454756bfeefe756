import type { Truth } from '../truth.ts';

const truth: Truth = {
  exceptions: [
    {
      operation: '* /o/oauth2/v2/auth',
      at: 'operation',
      shownBy: 'conformance',
      why: 'a page for people, no call of the API',
      verified: 'dossier, Auth',
    },
    {
      operation: 'POST /token',
      at: 'operation',
      shownBy: 'conformance',
      why: 'the descriptions are of the calendar, the tasks and of who somebody is, not of the log-in',
      verified: 'dossier, Auth; Spec: not covered',
    },
    {
      operation: 'PATCH /calendar/v3/calendars/{calendarId}/events/{eventId}',
      at: 'request.body.(start|end).(date|dateTime)',
      says: /must be string/,
      shownBy: 'special',
      why: 'an event that becomes a whole day, or no longer is one, must have the other member taken away',
      verified: 'dossier, Base: "when switching on PATCH send the other one as null"',
    },
  ],
};
export default truth;
