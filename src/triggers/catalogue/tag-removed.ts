import { tagChanged } from '../tags.ts';

export const tagRemoved = tagChanged('removed');
