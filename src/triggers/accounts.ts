import { Type } from 'typebox';
import type { Tx } from '../base/database.ts';
import type { Change } from '../model/types.ts';
import { type Hit, hitsOf } from './found.ts';
import { isEmpty, isOneOf, turned, Words } from './match.ts';

/** What an account is: a subscription of some kinds, or what fields of a customer or company say. */
export const AccountFields = Type.Array(
  Type.String({ pattern: '^(custom\\..+|native_status|status)$', maxLength: 200 }),
  { maxItems: 20 },
);
export const ACCOUNTS = {
  kinds: Words,
  fields: AccountFields,
};
export const ACCOUNT_DEFAULTS = {
  kinds: ['account', 'subscription'],
  fields: ['custom.account_status', 'native_status'],
};
export const DESCRIPTION =
  'kinds: kinds of subscriptions that are accounts. fields: fields of customers and companies that tell how an account stands. The other lists hold the words that count, ours or the platform’s own, in any spelling of case.';

/** The words in use among platforms for how an account stands; every trigger's settings can say otherwise. */
export const WORDS = {
  active: ['active', 'open', 'live', 'enabled', 'reactivated', 'customer'],
  approved: ['approved', 'verified', 'accepted'],
  pending: ['pending', 'pending approval', 'awaiting approval', 'in review', 'under review', 'applied', 'requested'],
  suspended: ['suspended', 'paused', 'on hold', 'frozen', 'blocked', 'locked'],
  closed: ['closed', 'cancelled', 'canceled', 'ended', 'terminated', 'deactivated'],
};

export type AccountKind = 'subscription' | 'contact' | 'company';

/** An account whose standing changed: the words before and after, of every field that changed. */
export interface Turn extends Hit {
  kind: AccountKind;
  field: string;
  before: unknown[];
  after: unknown[];
}

/** Fields that changed, with what they were and are. */
function turnsOf(change: Change, fields: readonly string[]): Omit<Turn, keyof Hit | 'kind'> | undefined {
  const turns = fields.flatMap((field) => {
    const turn = turned(change, field);
    return turn ? [{ field, ...turn }] : [];
  });
  if (turns.length === 0) return undefined;
  return {
    field: turns[0]!.field,
    before: turns.map(({ before }) => before).filter((value) => !isEmpty(value)),
    after: turns.map(({ after }) => after).filter((value) => !isEmpty(value)),
  };
}

/** Everything among changes that says anew how an account stands. */
export async function accountTurns(
  tx: Tx,
  changes: readonly Change[],
  { kinds, fields }: { kinds: readonly string[]; fields: readonly string[] },
  ofSubscription: readonly string[] = ['status', 'native_status'],
): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (const kind of ['subscription', 'contact', 'company'] as const) {
    const watched = kind === 'subscription' ? ofSubscription : fields;
    const hits = await hitsOf(tx, changes, kind, (change) => turnsOf(change, watched) !== undefined);
    for (const hit of hits) {
      if (kind === 'subscription' && !isOneOf(hit.row.kind, kinds)) continue;
      turns.push({ ...hit, kind, ...turnsOf(hit.change, watched)! });
    }
  }
  return turns;
}

/** Whether any of the values is one of the words. */
export const hasAny = (values: readonly unknown[], words: readonly string[]): boolean =>
  values.some((value) => isOneOf(value, words));
