/** What can be wrong; each is a promise of the hub that was not kept. */
export type Wrong = 'lost' | 'doubled' | 'order' | 'untold' | 'audit' | 'tokens' | 'stuck' | 'unexplained';

export const WORDS: Record<Wrong, string> = {
  lost: 'lost',
  doubled: 'done twice',
  order: 'in the wrong order',
  untold: 'done, and the hub does not know',
  audit: 'audit chain broken',
  tokens: 'refresh token spent twice under a lease',
  stuck: 'work that never ends',
  unexplained: 'unknown without a reason',
};

export interface Finding {
  wrong: Wrong;
  what: string;
  id: string;
  detail: string;
}

/** Notes something wrong. */
export type Find = (wrong: Wrong, what: string, id: string, detail?: string) => void;
