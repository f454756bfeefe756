import { createHash } from 'node:crypto';
import type { Clock } from '../../src/kit/index.ts';

export type Item = Record<string, unknown> & { id: string };
export type Kind = 'contact' | 'event' | 'message' | 'todoTask';

export interface Row {
  item: Item;
  /** Where among all changes its newest one stands. */
  seq: number;
  /** When that change was made, by the clock: what an index may not show yet. */
  at: number;
  removed?: true;
}

const TYPES: Record<Kind, string> = {
  contact: '#microsoft.graph.contact',
  event: '#microsoft.graph.event',
  message: '#microsoft.graph.message',
  todoTask: '#microsoft.graph.todoTask',
};

/** One mailbox: contacts, appointments, mail and tasks, with the order in which they changed. */
export class Mailbox {
  readonly user = { id: '87d349ed-44d7-43e1-9a83-5f2406dee5bd', mail: 'owner@business.example' };
  readonly tenant = '84bd8158-6d4d-4958-8b9f-9d6445542f95';
  readonly taskList = 'AQMkADAwATM0MDAAMS0tasks';
  readonly rows: Record<Kind, Map<string, Row>> = {
    contact: new Map(),
    event: new Map(),
    message: new Map(),
    todoTask: new Map(),
  };
  /** Native ids of mails in the order they were sent. */
  readonly sent: string[] = [];
  /** Tokens of another generation are not known any more. */
  generation = 1;
  lateIndexMs = 0;
  readonly clock: Clock;
  #seq = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get seq(): number {
    return this.#seq;
  }

  now(): string {
    return this.clock.now().toISOString();
  }

  /** @param at the vendor's time of it; absent: now */
  create(kind: Kind, given: Record<string, unknown>, at = this.now()): Item {
    const seq = ++this.#seq;
    // Ids of the vendor are long and differ in a few letters.
    const id = `AAMkAGI${createHash('sha256').update(`${kind}${seq}`).digest('base64url').slice(0, 24)}${seq}AAA=`;
    const item: Item = { ...given, id, createdDateTime: at };
    this.rows[kind].set(id, { item: this.#dated(kind, item, at, seq), seq, at: this.clock.now().getTime() });
    return item;
  }

  update(kind: Kind, id: string, change: Record<string, unknown>, at = this.now()): Item | undefined {
    const row = this.rows[kind].get(id);
    if (!row || row.removed) return undefined;
    row.seq = ++this.#seq;
    row.at = this.clock.now().getTime();
    Object.assign(row.item, change);
    return this.#dated(kind, row.item, at, row.seq);
  }

  remove(kind: Kind, id: string): boolean {
    const row = this.rows[kind].get(id);
    if (!row || row.removed) return false;
    Object.assign(row, { removed: true, seq: ++this.#seq, at: this.clock.now().getTime() });
    return true;
  }

  find(kind: Kind, id: string): Item | undefined {
    const row = this.rows[kind].get(id);
    return row && !row.removed ? row.item : undefined;
  }

  /** What there is, oldest first. @param indexed as lists and searches show it, which may be late */
  all(kind: Kind, indexed = false): Item[] {
    const until = indexed ? this.visible() : Number.POSITIVE_INFINITY;
    return [...this.rows[kind].values()].flatMap(({ item, removed, at }) => (removed || at > until ? [] : [item]));
  }

  /** What is newer than this is not in the index yet. */
  visible(): number {
    return this.clock.now().getTime() - this.lateIndexMs;
  }

  #dated(kind: Kind, item: Item, at: string, seq: number): Item {
    const changeKey = createHash('sha256').update(`${item.id}${seq}`).digest('base64').slice(0, 24);
    const version = kind === 'todoTask' ? {} : { changeKey };
    return Object.assign(item, { lastModifiedDateTime: at, ...version, '@odata.etag': `W/"${changeKey}"` });
  }
}

export const typeOf = (kind: Kind): string => TYPES[kind];
