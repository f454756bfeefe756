import type { Tx } from '../base/database.ts';
import { setting } from '../settings/store.ts';
import type { RequestRow } from './store.ts';

/** What staff see first when they plan their day. */
const MARKED: readonly string[] = ['create_task', 'create_ticket', 'create_calendar_event'];
/** Longest title there is. */
const LONGEST = 500;

/**
 * Marks what is made for staff about a VIP, where the business wants that: a word before the title, and high priority
 * where the platform knows priorities.
 * @param content the complete input of the action; it is not changed
 */
export async function markVip(
  tx: Tx,
  request: Pick<RequestRow, 'kind' | 'customer_id'>,
  content: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { title } = content;
  if (!MARKED.includes(request.kind) || !request.customer_id || typeof title !== 'string') return content;
  const mark = await setting(tx, 'vipMark');
  if (!mark.on || title.startsWith(mark.title)) return content;
  const { rows } = await tx.query<{ vip: boolean }>(
    'select vip from customer_score where tenant_id = $1 and customer_id = $2 and vip',
    [tx.tenantId, request.customer_id],
  );
  if (rows.length === 0) return content;
  const priority = request.kind === 'create_calendar_event' ? {} : { priority: 'high' };
  return { ...content, title: `${mark.title}${title}`.slice(0, LONGEST), ...priority };
}
