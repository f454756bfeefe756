import type { Tx } from '../base/database.ts';
import type { ActionDeps } from './deps.ts';
import { afterEnds } from './ending.ts';
import type { Decision } from './facts.ts';
import { SHADOW } from './gate.ts';
import { ALL, type RequestRow } from './store.ts';

/** Whether only the shadow keeps it from going out: every other gate is open. */
export const isShadowed = ({ verdict }: Pick<Decision, 'verdict'>): boolean =>
  verdict.kind === 'skip' && verdict.reason === SHADOW;

const QUALIFIED = ALL.split(', ')
  .map((name) => `r.${name}`)
  .join(', ');

/**
 * The gate would have said yes, but for the shadow: the text is kept as it would have gone out, and it ends.
 * @returns the requests as ended
 */
async function endInShadow(
  tx: Tx,
  rows: readonly { id: string; connectionId: string | null; content: Record<string, unknown>; detail: string }[],
  now: Date,
): Promise<RequestRow[]> {
  if (rows.length === 0) return [];
  const { rows: ended } = await tx.query<RequestRow>(
    `update action_request r set state = 'skipped', reason = 'shadow', reason_detail = i.detail, content = i.content::jsonb, connection_id = i.connection_id, held = false,
       committed_at = $6, ended_at = $6, updated_at = $6, version = r.version + 1
     from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[]) as i(id, connection_id, content, detail) where r.tenant_id = $1 and r.id = any($2) and r.id = i.id
     returning ${QUALIFIED}`,
    [
      tx.tenantId,
      rows.map((row) => row.id),
      rows.map((row) => row.connectionId),
      rows.map((row) => JSON.stringify(row.content)),
      rows.map((row) => row.detail),
      now,
    ],
  );
  return ended;
}

/** What would have gone out ends here, with its text, and its enrolment goes on as if it had. */
export async function keepInShadow(deps: ActionDeps, tx: Tx, shadowed: readonly Decision[], now: Date): Promise<void> {
  const rows = shadowed.map(({ request, route, content, verdict }) => ({
    id: request.id,
    connectionId: route?.connection.id ?? null,
    content: content!,
    detail: verdict.detail,
  }));
  await afterEnds(deps, tx, await endInShadow(tx, rows, now), now);
}
