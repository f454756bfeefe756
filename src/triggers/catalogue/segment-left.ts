import { segmentChanged } from '../memberships.ts';

export const segmentLeft = segmentChanged(
  'left',
  'Fires each time a customer leaves the segment. Fires again only after they were in it once more.',
);
