import type { VendorContext } from './context.ts';
import type { EntityKind } from './entities.ts';
import type { VendorError } from './errors.ts';
import type { Reply, RequestSpec } from './request.ts';
import type { ReceiptNews } from './webhooks.ts';

/** Where a page starts. Which members are set follows from the paging kind and from whether the run is incremental. */
export interface ListPosition {
  limit: number;
  /** Read what changed at or after this moment (ISO 8601). Absent: everything. */
  since?: string;
  /** Keyset paging met more equal timestamps than a page holds: read those at exactly `at`, after `afterId` by id. */
  tie?: { at: string; afterId?: string; offset?: number };
  /** Token or link of the previous page. */
  token?: string;
  offset?: number;
  page?: number;
  /** What the vendor handed out at the end of the run before (`Stream.delta`): what changed since is asked for. */
  delta?: string;
}

export type Paging =
  | { kind: 'single' }
  /**
   * An opaque token in the answer; `next` returns it or undefined at the end. `cap`: results the vendor shows of one query;
   * before it is met a fresh query begins at the last moment seen, so the list must be in the order of changes.
   */
  | {
      kind: 'token';
      size: number;
      next: (reply: Reply, at: ListPosition, ctx: VendorContext) => string | undefined;
      cap?: number;
      /** The refusal that says that the vendor does not know the token any more: the reading begins anew. */
      lost?: (error: VendorError) => boolean;
    }
  | { kind: 'offset'; size: number; first?: number; cap?: number }
  | { kind: 'page'; size: number; first?: number; cap?: number }
  /**
   * Every page is a fresh query from the last seen moment on, sorted by it: rows that move while we read cannot be
   * skipped and the vendor's result cap is never met. `ties` says how equal moments beyond one page are walked.
   */
  | { kind: 'keyset'; size: number; ties: 'id' | 'offset' };

/**
 * A pass over everything there is: what a complete one did not meet is gone. The engine proves the pass, puts what is
 * missing aside first, and asks for it by id where that is possible.
 */
export interface Sweep {
  /** Seconds between two passes; the business may want more. */
  everySeconds: number;
  /** A cheaper request that lists ids only; its records hold what the stream's `id` reads. Absent: the list is read. */
  ids?: {
    list: Listing;
    paging: Paging;
    records?: (reply: Reply) => unknown[];
  };
}

/**
 * How this vendor's deletions are learned of. `none` needs the reason, which the docs print. A `sweep` beside another way
 * is the net under it: for what was deleted longer ago than the vendor tells, or in a webhook that never came.
 */
export type Deletes =
  | { kind: 'flag'; isDeleted: (record: unknown) => boolean; sweep?: Sweep }
  | {
      kind: 'tombstones';
      everySeconds: number;
      list: Listing;
      read: (reply: Reply) => Tombstones;
      /** Where lists of changes show deleted records too, for a while: they are known sooner. */
      isDeleted?: (record: unknown) => boolean;
      sweep?: Sweep;
    }
  | { kind: 'sweep'; sweep: Sweep }
  | { kind: 'webhook+sweep'; sweep: Sweep }
  | { kind: 'webhook'; reason: string }
  | { kind: 'none'; reason: string };

/** How often and how everything is read to notice what is gone; undefined where nothing is. */
export const sweepOf = ({ deletes }: Pick<Stream, 'deletes'>): Sweep | undefined =>
  'sweep' in deletes ? deletes.sweep : undefined;

export interface Tombstones {
  deleted: { id: string; at?: string }[];
  next?: string;
  /** More was deleted than the answer can hold, so this answer proves nothing about the rest. */
  truncated?: boolean;
}

export interface FieldDescription {
  name: string;
  label: string;
  type: 'text' | 'number' | 'boolean' | 'date' | 'datetime' | 'enum' | 'list' | 'other';
  options?: { value: string; label: string }[];
  custom: boolean;
}

export interface RecordHint {
  stream: string;
  id: string;
}

export type Listing = (ctx: VendorContext, at: ListPosition) => RequestSpec | Promise<RequestSpec>;

/**
 * What can be read of one kind of record. The author states facts; the engine owns paging, cursors, retries and limits.
 */
export interface Stream {
  name: string;
  title: string;
  /** What the default mapping makes of a record. */
  entities: readonly EntityKind[];
  /** The feature whose scopes it needs; absent: always available. */
  feature?: string;
  /** Streams whose records this one points at; they are loaded first. */
  after?: readonly string[];
  /** Seconds between polls; webhooks make most polls find nothing. */
  every?: number;
  /** How a page is asked for; a promise where the vendor must be asked first what can be asked for. Absent together with `paging`: it comes by webhook or file only. */
  list?: Listing;
  paging?: Paging;
  /** A different request for the first load, where it is cheaper. */
  initial?: { list: Listing; paging: Paging };
  /** The records of a list answer; absent: the answer is the list. */
  records?: (reply: Reply, at: ListPosition, ctx: VendorContext) => unknown[];
  /** Pages may hold no records although more follow: what is listed are not the records themselves. */
  sparse?: true;
  id: (record: unknown) => string | undefined;
  /** The vendor's own time of the last change, ISO 8601. */
  changedAt?: (record: unknown) => string | undefined;
  /** Absent: every run reads everything. */
  incremental?: {
    /** Smallest step of the vendor's clock: boundaries are read again from one step earlier. */
    granularity: 'millisecond' | 'second' | 'day';
    /** Seconds the vendor's index may trail behind its own timestamps. */
    lagSeconds: number;
    sorted: 'ascending' | 'no';
    /** Seconds of history the vendor can tell of; older cursors start a new full run. */
    horizonSeconds?: number;
  };
  /**
   * The vendor hands out, with the last page, a token for everything it told so far; the next run asks with it. Instead
   * of `incremental`: the vendor keeps count, no clock plays a part.
   */
  delta?: {
    /** The token in the answer of the last page. */
    next: (reply: Reply, at: ListPosition, ctx: VendorContext) => string | undefined;
    /** Asked before a run that has no token, where listing everything hands out none: it counts at the run's end. */
    begin?: (ctx: VendorContext) => Promise<string | undefined>;
    /** The refusal that says that the vendor does not know the token any more: everything is read anew, and swept. */
    lost: (error: VendorError) => boolean;
    /** Seconds after which everything is read anew, where a token covers what was asked at its beginning only. */
    renewSeconds?: number;
  };
  deletes: Deletes;
  /** What a record tells about something we did: a task done, an invitation declined, a mail that came back. */
  follows?: (record: unknown) => ReceiptNews | undefined;
  /**
   * The survivor of a record that is listed as deleted because it was merged away, where the record tells. It is then
   * followed at the end of the reading, and its own id goes on resolving.
   */
  mergedInto?: (record: unknown) => string | undefined;
  /**
   * Adds what a list answer leaves out (associations), or what belongs to each of its items (the activity of a campaign),
   * with further calls for the whole page.
   * @param at where the page stands, and since when changes are asked for; absent for records that were asked for by id
   */
  complete?: (ctx: VendorContext, records: unknown[], at?: ListPosition) => Promise<unknown[]>;
  /** Other records that a change of this one implies: a payment changes its invoices. Fetched in the same transaction. */
  implies?: (record: unknown) => RecordHint[];
  fetchByIds?: { max: number; fetch: (ctx: VendorContext, ids: string[]) => Promise<unknown[]> };
  /** How many there are, for progress and proof. */
  count?: (ctx: VendorContext, since?: string) => Promise<number | undefined>;
  /**
   * How many there are whose `changedAt` is at or after `from` and before `to`, in whole steps of the vendor's clock.
   * With it completeness is proven by counting, and only what differs is read again.
   */
  countBetween?: (ctx: VendorContext, from: string, to: string) => Promise<number | undefined>;
  /** The vendor's fields of this record, custom ones included. */
  discover?: (ctx: VendorContext) => Promise<FieldDescription[]>;
  /**
   * Where a record holds a field as `writes` of an action names it, for recognising our own writes. Absent: in the record
   * itself or in its `properties`, `fields` or `attributes`.
   */
  fieldAt?: (record: unknown, field: string) => { holder: Record<string, unknown>; key: string } | undefined;
}
