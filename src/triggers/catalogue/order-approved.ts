import { orderBecame } from '../orders.ts';

export const orderApproved = orderBecame('approved', {
  arms: 'Fires once for each order or rental when it is approved, by the words the platform uses for it. Cancelling it ends what this started.',
  words: ['approved', 'confirmed', 'accepted', 'booked'],
});
