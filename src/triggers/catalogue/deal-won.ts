import { dealEnded } from '../deals.ts';

export const dealWon = dealEnded('won');
