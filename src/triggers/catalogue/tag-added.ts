import { tagChanged } from '../tags.ts';

export const tagAdded = tagChanged('added');
