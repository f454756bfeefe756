import { orderBecame } from '../orders.ts';

export const orderScheduled = orderBecame('scheduled', {
  arms: 'Fires once for each order or rental when it is scheduled; a new date for it fires nothing. Cancelling it ends what this started.',
  words: ['scheduled'],
});
