import type { Tx } from '../base/database.ts';
import { conflict, invalid } from '../base/errors.ts';
import { checkCondition } from '../conditions/check.ts';
import { loadCatalogue } from '../conditions/custom.ts';
import { parseCondition } from '../conditions/parse.ts';
import { matching } from '../conditions/store.ts';
import type { Condition } from '../conditions/types.ts';
import { segmentNamed } from '../segments/manage.ts';
import { findSegment, segmentNames } from '../segments/store.ts';
import { MOST_PEOPLE } from './eligible.ts';
import type { Audience } from './schema.ts';

/**
 * An audience as somebody wrote it, as it is stored: the segment by its id, the condition checked.
 * @throws Problem when there is no such segment, or with the mistakes of the condition
 */
export async function readAudience(tx: Tx, given: Audience): Promise<Audience> {
  if ('segment' in given) {
    const segment = await segmentNamed(tx, given.segment);
    if (!segment)
      throw invalid(`There is no segment "${given.segment}".`, [{ path: 'audience.segment', message: 'is not there' }]);
    return { segment: segment.id };
  }
  if ('customers' in given) return given;
  const segments = await segmentNames(tx);
  const catalogue = await loadCatalogue(tx, segments);
  const { condition, problems } =
    typeof given.condition === 'string'
      ? parseCondition(given.condition, { segments }, catalogue)
      : checkCondition(given.condition, catalogue);
  if (condition) return { condition };
  throw invalid(
    `The condition cannot be like this: ${problems.map(({ path, message }) => `${path} ${message}`).join('; ')}.`,
    problems.map(({ path, message }) => ({
      path: path === 'condition' ? 'audience.condition' : `audience.condition.${path}`,
      message,
    })),
  );
}

/**
 * Who the audience is at the moment, in the order of the ids.
 * @throws Problem when the segment is gone or was not looked at yet
 */
export async function peopleOf(tx: Tx, audience: Audience, now: Date): Promise<string[]> {
  if ('customers' in audience) return [...audience.customers].sort();
  if ('condition' in audience) return matching(tx, audience.condition as Condition, { now, limit: MOST_PEOPLE });
  const segment = await findSegment(tx, audience.segment);
  if (!segment) throw conflict('The segment of this campaign does not exist any more.', 'Choose another audience.');
  if (!segment.evaluated_at)
    throw conflict(
      `Who is in "${segment.name}" is still being found out.`,
      segment.problem ?? 'Try again in a moment.',
    );
  const { rows } = await tx.query<{ customer_id: string }>(
    `select m.customer_id from segment_member m join customer c on c.tenant_id = $1 and c.id = m.customer_id and c.deleted_at is null
     where m.tenant_id = $1 and m.segment_id = $2 and m.left_at is null order by m.customer_id limit $3`,
    [tx.tenantId, segment.id, MOST_PEOPLE],
  );
  return rows.map((row) => row.customer_id);
}

/** Of these customers, those who are in a segment at the moment. */
export async function stillIn(tx: Tx, segmentId: string, customerIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ customer_id: string }>(
    'select customer_id from segment_member where tenant_id = $1 and segment_id = $2 and customer_id = any($3) and left_at is null',
    [tx.tenantId, segmentId, customerIds],
  );
  return new Set(rows.map((row) => row.customer_id));
}

/** Who came into a segment since a moment, is still in it, and is not on the list of the campaign. */
export async function newcomers(tx: Tx, campaignId: string, segmentId: string, since: Date): Promise<string[]> {
  const { rows } = await tx.query<{ customer_id: string }>(
    `select m.customer_id from segment_member m where m.tenant_id = $1 and m.segment_id = $2 and m.entered_at >= $4 and m.left_at is null
       and not exists (select from campaign_member x where x.tenant_id = $1 and x.campaign_id = $3 and x.customer_id = m.customer_id)
     order by m.customer_id`,
    [tx.tenantId, segmentId, campaignId, since],
  );
  return rows.map((row) => row.customer_id);
}
