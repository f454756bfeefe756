import { dealEnded } from '../deals.ts';

export const dealLost = dealEnded('lost');
