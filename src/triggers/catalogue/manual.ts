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
