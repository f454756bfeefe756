import type { ErrorKind } from './errors.ts';
import type { Fault } from './sandbox/faults.ts';

/**
 * What a simulation offers so that one suite can try every connector: the vendor's side of each case, without knowing
 * which vendor it is. A missing member means that the vendor has no such thing; the suite says so by name.
 */
export interface Trial {
  /** The vendor's side of each stream that is asked for or announced, by name. */
  streams: Record<string, StreamTrial>;
  /** The vendor's side of each action, by kind. */
  actions: Record<string, ActionTrial>;
  /**
   * A post of the vendor about a record, signed as of `at` and not sent: the suite sends it twice, late, in another
   * order, or changed on the way.
   */
  hook?: (event: TrialEvent, at: Date) => SignedPost;
  /** Where posts are not signed but carry a secret: the same post without it, and with another one. */
  forged?: (post: SignedPost) => readonly SignedPost[];
  /** What we subscribed to at the vendor and when it ends, where it does. */
  subscriptions?: () => readonly { id: string; endsAt: Date }[];
  /** What the vendor's refusals look like, as faults to be added. */
  refusals: Refusals;
  /** The grants the simulation gave, where people connect on the vendor's page. */
  grants?: {
    /** Ends every access token now, as if its time had come; absent: they do not end. */
    expire?(): void;
    /** The account's owner removes the app. */
    revoke(): void;
    counts: { refreshes: number; reused: number };
  };
  /** The requests it answered, oldest first, as `METHOD /path`, with when, and with what status where there is one. */
  calls(): readonly { at: Date; call: string; status?: number }[];
}

export interface StreamTrial {
  /**
   * Makes records as the vendor's users do, without announcing them.
   * @param at the vendor's time of their last change, the same for all; absent: now
   * @returns their ids, oldest first
   */
  create(count: number, at?: Date): string[];
  /** Writes `mark` into a text of the record that is read, without announcing it. */
  change(id: string, mark: string, at?: Date): void;
  /** Removes a record as the vendor's users do, without announcing it; absent: nobody can. */
  remove?(id: string): void;
  /** Makes two records one; `from` is gone afterwards. */
  merge?(from: string, into: string): void;
  /** Adds a field of their own to these records, where people can. @returns its name, where the vendor chooses it */
  addField?(name: string): string | undefined;
  /** Ids of the records there are, by the vendor's own account. */
  ids(): string[];
  /** How many records its lists show that are none of these, such as staff among users: they are taken for gone. Default 0. */
  others?(): number;
  /** The vendor tells of changes of these records by webhook. */
  announced?: true;
  /** Requests that list this stream, as `METHOD /path`, for faults on a page; other streams may be listed the same way. */
  listed: RegExp;
  /** Results the vendor shows of one query at most, however many there are. */
  cap?: number;
  /** The mapped text field that `change` writes, as a path in the vendor's record; a fault retypes and removes it. */
  field: string;
  /** The records of this stream in a list answer, to be changed in place; none in the answer to anything else. */
  records(body: unknown): unknown[];
}

export interface TrialEvent {
  stream: string;
  id: string;
  change: 'changed' | 'deleted' | 'merged';
  /** Survivor of a merge. */
  into?: string;
  /** Identifies the event at the vendor; the same one means the same event. */
  event: string;
}

export interface SignedPost {
  url: string;
  body: string;
  headers: Record<string, string>;
}

export interface ActionTrial {
  /** An input the vendor takes; each `n` gives another one. Records it is about exist. */
  input(n: number): Record<string, unknown>;
  /** One entry for each time the vendor did it, oldest first: its native id, or what identifies the deed. */
  done(): readonly string[];
  /** Requests that do it, as `METHOD /path`, for faults. */
  request: RegExp;
  /** Inputs the schema allows and that are refused, by the vendor or before anything is sent, with the kind of refusal. */
  refused?: readonly RefusedInput[];
  /** After a lost answer the vendor makes another one, which does no harm: only the last one is handed on. */
  repeatable?: true;
  /** Its receipts say where a person can look at it. */
  link?: true;
  /** The vendor itself refuses a second one of ours, whatever its index shows. */
  refusesTwins?: true;
}

export interface RefusedInput {
  input: Record<string, unknown>;
  kind: ErrorKind;
}

/**
 * Faults that answer as the vendor does; where a function takes a date, the vendor names when to come back, and nothing
 * is answered where it has no way to say so.
 */
export interface Refusals {
  rateLimited?: (until: Date | undefined) => Fault | undefined;
  /** The allowance of a day or month is gone. */
  quotaExhausted?: (until: Date | undefined) => Fault;
  /** Minutes after which the hub asks again, where that refusal names no date. */
  quotaPauseMinutes?: number;
  /** The access token is no longer good. */
  expired?: () => Fault;
  /** Our access was taken away. */
  revoked?: () => Fault;
  /** Our access does not cover the call; `permission` is what the answer says is missing, where it says so. */
  forbidden?: { fault(): Fault; permission?: string };
  /** What was asked for is refused, for a reason told in words. */
  invalid?: (reason: string) => Fault;
  unavailable: () => Fault;
}
