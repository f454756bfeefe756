import type { Tx } from '../base/database.ts';
import { askedFor } from './order.ts';
import { allSegments } from './store.ts';

/** Who would miss a segment, in words: other segments, triggers, sequences. */
export async function usersOf(tx: Tx, id: string): Promise<string[]> {
  const segments = (await allSegments(tx)).filter((row) => row.id !== id && askedFor(row.condition).includes(id));
  const { rows: triggers } = await tx.query<{ title: string }>(
    `select t.title from trigger t left join sequence s on s.tenant_id = $1 and s.id = t.sequence_id
     where t.tenant_id = $1 and t.settings::text like $2 and s.state is distinct from 'archived' order by t.id`,
    [tx.tenantId, `%${id}%`],
  );
  const { rows: sequences } = await tx.query<{ title: string }>(
    `select s.title from sequence s join sequence_version v on v.tenant_id = $1 and v.sequence_id = s.id and v.number = s.latest_version
     where s.tenant_id = $1 and v.definition::text like $2 and s.state <> 'archived' order by s.id`,
    [tx.tenantId, `%${id}%`],
  );
  const { rows: campaigns } = await tx.query<{ title: string }>(
    `select title from campaign where tenant_id = $1 and audience ->> 'segment' = $2 and state in ('draft', 'running', 'paused') order by id`,
    [tx.tenantId, id],
  );
  return [
    ...segments.map((row) => (row.trigger_id ? `the trigger "${row.name}"` : `the segment "${row.name}"`)),
    ...triggers.map((row) => `the trigger "${row.title}"`),
    ...sequences.map((row) => `the sequence "${row.title}"`),
    ...campaigns.map((row) => `the campaign "${row.title}"`),
  ];
}
