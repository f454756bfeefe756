import type { Row, Tx } from '../base/database.ts';
import { type EntityKind, isJoined } from '../kit/index.ts';
import { rowsOf } from './found.ts';
import { fieldOf, satisfies } from './match.ts';
import type { Fact } from './schema.ts';
import type { OccurrenceRow } from './store.ts';

type Occurred = Pick<OccurrenceRow, 'id' | 'customer_id' | 'subject_id' | 'data'>;

/** What must stay true for an occurrence; some have nothing that could cease. */
export const factOf = ({ data }: Pick<OccurrenceRow, 'data'>): Fact | undefined => data.fact as Fact | undefined;

/** Ids of parties by the ids they were known by when something happened. */
async function livingIds(tx: Tx, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<{ old_id: string; entity_id: string }>(
    'select old_id, entity_id from entity_alias where tenant_id = $1 and old_id = any($2)',
    [tx.tenantId, ids],
  );
  return new Map(rows.map((row) => [row.old_id, row.entity_id]));
}

/** Deleted, somebody else's by now, or otherwise than it was. */
function ceased(
  kind: EntityKind,
  fact: Fact,
  row: Row | undefined,
  customerId: string | null,
): 'gone' | 'moved on' | undefined {
  if (!row) return 'gone';
  if (!isJoined(kind) && customerId !== null && row.customer_id !== null && row.customer_id !== customerId)
    return 'gone';
  if (satisfies(fact.operator, fieldOf(row, fact.field), fact.values)) return undefined;
  return fact.lasting ? 'gone' : 'moved on';
}

/**
 * Of occurrences, those whose fact is no longer so.
 * @returns by id: `gone` when it was corrected (voided, taken back, deleted), `moved on` when it passed as such things do
 */
export async function noLongerSo(tx: Tx, occurrences: readonly Occurred[]): Promise<Map<string, 'gone' | 'moved on'>> {
  const told = occurrences.flatMap((occurrence) => {
    const fact = factOf(occurrence);
    return fact ? [{ occurrence, fact }] : [];
  });
  const found = new Map<string, 'gone' | 'moved on'>();
  const parties = told.filter(({ fact }) => isJoined(fact.kind)).map(({ occurrence }) => occurrence.subject_id);
  const living = await livingIds(tx, parties);
  for (const kind of new Set(told.map(({ fact }) => fact.kind))) {
    const its = told.filter(({ fact }) => fact.kind === kind);
    const idOf = ({ subject_id }: Occurred): string => living.get(subject_id) ?? subject_id;
    const rows = await rowsOf(
      tx,
      kind,
      its.map(({ occurrence }) => idOf(occurrence)),
    );
    for (const { occurrence, fact } of its) {
      const how = ceased(kind, fact, rows.get(idOf(occurrence)), occurrence.customer_id);
      if (how) found.set(occurrence.id, how);
    }
  }
  return found;
}
