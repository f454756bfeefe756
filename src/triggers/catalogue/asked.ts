import { Type } from 'typebox';
import { defineTrigger } from '../schema.ts';

/** Fired by people and by the API, not found in data. */
export const manual = defineTrigger({
  name: 'manual',
  title: 'Started by hand',
  arms: 'Fires when a person or the API starts it for a customer or a list, with a reason. Every request is its own.',
  key: 'request',
  maxAgeHours: 48,
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
});

/** Fired by sequences when reminders went out and nothing counted as an answer in time. */
export const reminderUnanswered = defineTrigger({
  name: 'reminder.unanswered',
  title: 'Reminder unanswered',
  arms: 'Fires once per enrolment and step when the days of waiting are over and nobody wrote, called back, booked or paid.',
  key: 'enrolment + step',
  maxAgeHours: 48,
  settings: Type.Object({}, { additionalProperties: false }),
  defaults: {},
});
