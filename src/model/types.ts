import type { Row, Tx } from '../base/database.ts';
import type { Category, EntityKind, Reference } from '../kit/index.ts';

/** Where a fact came from: only live ones may trigger; replays, first loads and our own writes only update state. */
export type Origin = 'live' | 'backfill' | 'replay' | 'echo';

/** One source record after mapping: typed values, references still as the source names them. */
export interface Mapped {
  kind: EntityKind;
  streamId: string;
  remoteId: string;
  values: Row;
  /** `<stream id>/<remote id>` of the same connection, or `~<key kind>:<value>` for a look-up by identity key. */
  references: Partial<Record<Reference, string>>;
  custom?: Row;
  createdAt?: string;
  updatedAt?: string;
  deletedAt?: Date;
  mappingVersion: string;
  /** Read for the first time: there is no row of it yet to compare with. */
  isNew?: boolean;
  /** The row that stands for it, when whoever maps it anew has just read and locked its record. */
  before?: Row;
  /** How many of our own writes lie between this fact and something a person did. */
  depth?: number;
}

export interface ApplyContext {
  now: Date;
  origin: Origin;
  /** The tenant's zone: the day of a fact is a day there. */
  zone: string;
  /** What kind of system a stream belongs to, for survivorship. */
  sourceOf: (streamId: string) => { connector: string; category: Category } | undefined;
  /** Who joins entities, for the record of it; default: the identity rules. */
  decidedBy?: string;
  /** Told in the same transaction when two entities become one; answers what must be kept to take it apart again. */
  onMerge?: (tx: Tx, merged: { kind: 'contact' | 'company'; survivor: string; absorbed: string }) => Promise<unknown>;
  /** Told in the same transaction when one entity becomes two again. */
  onUnmerge?: (tx: Tx, parted: Parted) => Promise<void>;
}

/** One entity that became two: what downstream needs to share out what hangs on it. */
export interface Parted {
  kind: 'contact' | 'company';
  /** Who stays. */
  from: string;
  /** Who lives (again). */
  revived: string;
  /** Ids that now stand for the one who lives again, its own included. */
  ids: readonly string[];
  /** What `onMerge` answered when they became one; absent when records were split off. */
  kept: unknown;
  /** Documents that went with it. */
  documents: readonly string[];
  /** Addresses of the records of each side, as identity keys. */
  keys: { stays: readonly string[]; goes: readonly string[] };
}

export type ChangeOperation =
  | 'created'
  | 'updated'
  | 'deleted'
  | 'restored'
  | 'merged'
  | 'unmerged'
  /** Of a segment. */
  | 'entered'
  | 'left';

/** What a change is about: an entity of the model, or what is derived of a customer. */
export type ChangeKind = EntityKind | 'score' | 'segment';

/** One line of the change feed. `before` and `after` hold the changed fields only. */
export interface Change {
  id: string;
  kind: ChangeKind;
  /** The entity; of a score the customer, of a segment the segment. */
  entity_id: string;
  customer_id: string | null;
  op: ChangeOperation;
  fields: string[];
  before: Row | null;
  after: Row | null;
  origin: Origin;
  depth: number;
  occurred_at: Date;
  received_at: Date;
}

/** Reacts inside the transaction that stores the facts: what must end, ends with them. */
export type ChangeListener = (tx: Tx, changes: readonly Change[], now: Date) => Promise<void>;
