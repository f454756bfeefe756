import { segmentChanged } from '../memberships.ts';

export const segmentEntered = segmentChanged(
  'entered',
  'Fires each time a customer comes into the segment. Those who are in it when the trigger is switched on do not count; somebody who left and comes back does.',
);
