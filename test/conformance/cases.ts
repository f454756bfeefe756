import type { Case } from './case.ts';
import { cases as access } from './cases/access.ts';
import { cases as actions } from './cases/actions.ts';
import { cases as deletes } from './cases/deletes.ts';
import { cases as fields } from './cases/fields.ts';
import { cases as hooks } from './cases/hooks.ts';
import { cases as limits } from './cases/limits.ts';
import { cases as moving } from './cases/moving.ts';
import { cases as reading } from './cases/reading.ts';
import { cases as secrets } from './cases/secrets.ts';
import { cases as sharing } from './cases/sharing.ts';

/** Everything a connector is tried with, in the order of a connection's life. */
export const CASES: readonly Case[] = [
  ...reading,
  ...moving,
  ...deletes,
  ...fields,
  ...hooks,
  ...sharing,
  ...actions,
  ...access,
  ...limits,
  ...secrets,
];
