import { insertRows, type Row, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { EntityKind } from '../kit/index.ts';
import { markChanged } from './stale.ts';
import type { Change, ChangeOperation, Origin } from './types.ts';

const COLUMNS = [
  { name: 'id', type: 'uuid' },
  { name: 'kind', type: 'text' },
  { name: 'entity_id', type: 'uuid' },
  { name: 'customer_id', type: 'uuid' },
  { name: 'op', type: 'text' },
  { name: 'fields', type: 'text[]' },
  { name: 'before', type: 'jsonb' },
  { name: 'after', type: 'jsonb' },
  { name: 'origin', type: 'text' },
  { name: 'depth', type: 'smallint' },
  { name: 'occurred_at', type: 'timestamptz' },
  { name: 'received_at', type: 'timestamptz' },
  { name: 'processed', type: 'boolean' },
];

/** Appends to the change feed. What did not happen live is history at once: nothing will act on it. */
export async function appendChanges(tx: Tx, changes: readonly Change[]): Promise<void> {
  await insertRows(
    tx,
    'change',
    COLUMNS,
    changes.map((change) => ({ ...change, processed: change.origin !== 'live' })),
  );
  await markChanged(tx, changes);
}

/** Equal as values of the model: dates by time, lists and objects by content, numbers as written by Postgres. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b || ((a === null || a === undefined) && (b === null || b === undefined))) return true;
  if (a === null || b === null || a === undefined || b === undefined) return false;
  if (a instanceof Date || b instanceof Date)
    return new Date(a as string).getTime() === new Date(b as string).getTime();
  if (isTexts(a) && isTexts(b)) return a.length === b.length && a.every((text, at) => text === b[at]);
  if (typeof a === 'object' && typeof b === 'object') return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
  return false;
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

/** The columns of `names` in which two rows differ. */
export const differing = (before: Row, after: Row, names: readonly string[]): string[] =>
  names.filter((name) => !sameValue(before[name], after[name]));

const pick = (row: Row, names: readonly string[]): Row =>
  Object.fromEntries(names.map((name) => [name, row[name] ?? null]));

/**
 * The change between two states of one entity, or undefined when nothing worth telling differs.
 * @param before undefined for a new entity
 */
export function changeBetween(
  kind: EntityKind,
  before: Row | undefined,
  after: Row,
  names: readonly string[],
  meta: { entityId: string; customerId: string | null; origin: Origin; depth: number; occurredAt: Date; now: Date },
): Change | undefined {
  const fields = before
    ? differing(before, after, names)
    : names.filter((name) => after[name] !== null && after[name] !== undefined);
  if (before && fields.length === 0) return undefined;
  const gone = Boolean(after.deleted_at);
  const wasGone = Boolean(before?.deleted_at);
  const op: ChangeOperation = !before
    ? 'created'
    : gone && !wasGone
      ? 'deleted'
      : wasGone && !gone
        ? 'restored'
        : 'updated';
  return {
    id: newId(),
    kind,
    entity_id: meta.entityId,
    customer_id: meta.customerId,
    op,
    fields,
    before: before ? pick(before, fields) : null,
    // A first load writes thousands of these; what a new entity looks like stands in its row.
    after: before || meta.origin === 'live' ? pick(after, fields) : null,
    origin: meta.origin,
    depth: meta.depth,
    occurred_at: meta.occurredAt,
    received_at: meta.now,
  };
}
