import type { Account } from './auth.ts';
import type { Reply, RequestSpec } from './request.ts';

/** Why a call is made; higher ones may use what lower ones must leave. */
export const PURPOSES = ['action', 'hook', 'incremental', 'sweep', 'backfill'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** Share of a budget's burst that calls of this purpose must leave for the more urgent ones. */
export const RESERVED_FOR_OTHERS: Record<Purpose, number> = {
  action: 0,
  hook: 0.1,
  incremental: 0.25,
  sweep: 0.4,
  backfill: 0.4,
};

/** A vendor's limit: `calls` per `seconds`, shared by all processes. */
export interface Budget {
  name: string;
  /** Whom the vendor counts: our app over all customers, one account, one sender, one user. */
  scope: 'app' | 'account';
  /** Calls it applies to; absent: all. */
  match?: (spec: RequestSpec) => boolean;
  calls: number;
  seconds: number;
  /** Where calls differ: what one takes of the allowance, which is then counted in such points. Absent: each takes one. */
  cost?: (spec: RequestSpec) => number;
  /** What the answer says the call took in the end; what was taken too much is given back. */
  spent?: (reply: Reply) => number | undefined;
  /** The size of the allowance where it depends on the account; what is absent stays as above. */
  of?: (account: Pick<Account, 'extra'>) => { calls?: number; burst?: number } | undefined;
  /** Calls that may go at once; `calls` when absent. */
  burst?: number;
  /** What the answer says about what is left. */
  left?: (reply: Reply) => number | undefined;
  /** What the answer says the whole allowance is, where it depends on the account's plan. */
  limit?: (reply: Reply) => number | undefined;
  /** A long-period allowance: counted within the vendor's window; running out parks the work instead of waiting. */
  quota?: Quota;
}

/** When the vendor begins to count anew. */
export interface Quota {
  every: 'day' | 'month';
  /** Zone of the midnight at which it begins: an IANA name, or `account` for the zone of the connected account. */
  zone: string;
}

/** A quota whose size nobody stated: only what the vendor's answers say counts. */
export const UNSTATED = 1e15;
