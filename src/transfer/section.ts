import type { TSchema } from 'typebox';
import type { ActionDeps } from '../actions/deps.ts';
import type { Tx } from '../base/database.ts';

/** Who applies, and when. */
export interface Meta {
  actor: string;
  at: Date;
  /** Settings are the owner's and the admin's. */
  maySet: boolean;
}

/**
 * One kind of thing that is kept in files. `value` is what stands in the file; in it segments are named by their name,
 * because ids differ from business to business.
 */
export interface Section<Value = unknown> {
  /** Key of the document. */
  key: string;
  /** What one is called, in the plan. */
  kind: string;
  /** The form of the section in a file. */
  schema: TSchema;
  /** The items of a section of a file, each with its name and the path to it. */
  items(section: unknown): Item<Value>[];
  /** The section of a file that holds these items. */
  section(items: readonly { name: string; value: Value }[]): unknown;
  /** What the business has, in a fixed order. */
  read(tx: Tx, deps: ActionDeps): Promise<{ name: string; value: Value }[]>;
  /** A value with everything that was left out because it goes without saying; to compare it with what is there. */
  complete?(tx: Tx, value: Value, name: string): Promise<Value>;
  /** Where a mistake that `write` names stands in the file; by default where it says. */
  below?(path: string, name: string): string;
  /** Names of other items of the section that must be there before. */
  needs?(value: Value): string[];
  /** Makes one, or makes what is there like this. @returns a remark for the plan @throws Problem with every mistake */
  write(
    tx: Tx,
    item: { name: string; value: Value; before: Value | undefined },
    deps: ActionDeps,
    meta: Meta,
  ): Promise<string | undefined>;
  /** @throws Problem when something needs it */
  remove(tx: Tx, item: { name: string; value: Value }, deps: ActionDeps, meta: Meta): Promise<void>;
}

export interface Item<Value = unknown> {
  name: string;
  /** Below the section. */
  path: (string | number)[];
  value: Value;
}

/** Gives a section its type. */
export const defineSection = <Value>(section: Section<Value>): Section => section as unknown as Section;
