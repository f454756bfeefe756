import { insertRows, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { Parted } from '../model/types.ts';

/** Nobody: a message counted for a company only. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** What of a merge of companies must be kept: the messages that counted for the absorbed one. */
export interface MovedTouches {
  touch: string[];
}

/** Two companies became one: messages to people of either count for it, each once. */
export async function mergeCompanies(tx: Tx, survivor: string, absorbed: string): Promise<MovedTouches> {
  const { rows } = await tx.query<{ request_id: string }>(
    'update touch set company_id = $3 where tenant_id = $1 and company_id = $2 returning request_id',
    [tx.tenantId, absorbed, survivor],
  );
  await tx.query(
    `delete from touch t using touch o where t.tenant_id = $1 and t.company_id = $2 and t.customer_id = $3 and o.tenant_id = $1
       and o.company_id = $2 and coalesce(o.copy_of, o.request_id) = t.copy_of and (o.copy_of is null or o.request_id < t.request_id)`,
    [tx.tenantId, survivor, NOBODY],
  );
  return { touch: rows.map((row) => row.request_id) };
}

/** One company became two: what counted for the joint one counts for both. */
export async function partCompanies(tx: Tx, { from, revived, kept }: Parted): Promise<void> {
  await tx.query('update touch set company_id = $3 where tenant_id = $1 and company_id = $2 and request_id = any($4)', [
    tx.tenantId,
    from,
    revived,
    (kept as MovedTouches | undefined)?.touch ?? [],
  ]);
  for (const [one, other] of [
    [from, revived],
    [revived, from],
  ] as const) {
    const { rows } = await tx.query<{ origin: string; channel: string; class: string; at: Date }>(
      `select distinct on (coalesce(t.copy_of, t.request_id)) coalesce(t.copy_of, t.request_id) as origin, t.channel, t.class, t.at
       from touch t where t.tenant_id = $1 and t.company_id = $2 and not t.shadow and not exists (
         select from touch o where o.tenant_id = $1 and o.company_id = $3 and coalesce(o.copy_of, o.request_id) = coalesce(t.copy_of, t.request_id))`,
      [tx.tenantId, one, other],
    );
    await insertRows(
      tx,
      'touch',
      [
        { name: 'request_id', type: 'uuid' },
        { name: 'copy_of', type: 'uuid' },
        { name: 'customer_id', type: 'uuid' },
        { name: 'company_id', type: 'uuid' },
        { name: 'channel', type: 'text' },
        { name: 'class', type: 'text' },
        { name: 'at', type: 'timestamptz' },
      ],
      rows.map(({ origin, ...row }) => ({
        ...row,
        request_id: newId(),
        copy_of: origin,
        customer_id: NOBODY,
        company_id: other,
      })),
    );
  }
}
