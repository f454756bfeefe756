import { insertRows, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { Parted } from '../model/types.ts';
import { HANGING, type Hanging, type Moved } from './merging.ts';

/** No cap looks back further. */
const LONGEST_CAP_MS = 366 * 86_400_000;

/**
 * One customer became two: each enrolment and what hangs on it goes to the one whose facts caused it. What came with
 * the absorbed one goes back; what began while they were one follows the document that caused it, and stays where no
 * document did. Nothing is started again, and messages sent to the joint person count for both.
 */
export async function partRuns(tx: Tx, parted: Parted, now: Date): Promise<void> {
  const kept = (parted.kept ?? {}) as Partial<Moved>;
  const { from, revived } = parted;
  const move = async (table: Hanging, ids: readonly string[]): Promise<string[]> => {
    const { rows } = await tx.query<{ id: string }>(
      `update ${table} set customer_id = $3 where tenant_id = $1 and customer_id = $2 and ${HANGING[table]} = any($4) returning ${HANGING[table]} as id`,
      [tx.tenantId, from, revived, ids],
    );
    return rows.map((row) => row.id);
  };
  await moveCaused(tx, 'occurrence', 'subject_id', parted, parted.documents);
  const occurrences = await movedIds(tx, 'occurrence', revived, await move('occurrence', kept.occurrence ?? []));
  await tx.query(
    `update run r set customer_id = $3, ordinal = i.ordinal from unnest($4::uuid[], $5::int[]) as i(id, ordinal)
     where r.tenant_id = $1 and r.id = i.id and r.customer_id = $2`,
    [tx.tenantId, from, revived, kept.run?.map((run) => run.id) ?? [], kept.run?.map((run) => run.ordinal) ?? []],
  );
  await moveCaused(tx, 'run', "cause ->> 'occurrence'", parted, occurrences);
  const runs = await movedIds(tx, 'run', revived, []);
  await move('escalation', kept.escalation ?? []);
  await moveCaused(tx, 'escalation', 'run_id::text', parted, runs);
  await move('receivable_hold', kept.receivable_hold ?? []);
  await move('action_request', kept.action_request ?? []);
  await moveCaused(tx, 'action_request', 'run_id::text', parted, runs);
  await moveCaused(tx, 'action_request', 'escalation_id::text', parted, await movedIds(tx, 'escalation', revived, []));
  await moveAddressed(tx, parted);
  await readdress(tx, parted, now);
  await tx.query(
    `update touch t set customer_id = r.customer_id from action_request r
     where t.tenant_id = $1 and t.customer_id = $2 and r.tenant_id = $1 and r.id = t.request_id and r.customer_id = $3`,
    [tx.tenantId, from, revived],
  );
  await copyTouches(tx, from, revived, now);
  await copyTouches(tx, revived, from, now);
}

/** Rows of the joint customer whose cause, as text, is among those that went. */
async function moveCaused(
  tx: Tx,
  table: 'occurrence' | 'run' | 'escalation' | 'action_request',
  cause: string,
  { from, revived }: Parted,
  causes: readonly string[],
): Promise<void> {
  await tx.query(
    `update ${table} set customer_id = $3 where tenant_id = $1 and customer_id = $2 and ${cause} = any($4)`,
    [tx.tenantId, from, revived, causes],
  );
}

/** Ids of what belongs to a customer now, and of more. */
async function movedIds(
  tx: Tx,
  table: 'occurrence' | 'run' | 'escalation',
  customerId: string,
  more: readonly string[],
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(`select id from ${table} where tenant_id = $1 and customer_id = $2`, [
    tx.tenantId,
    customerId,
  ]);
  return [...rows.map((row) => row.id), ...more];
}

const addressOf = (key: string): string => key.slice(key.indexOf(':') + 1).toLowerCase();
const addressesOf = (keys: readonly string[]): string[] =>
  keys.filter((key) => key.startsWith('email:') || key.startsWith('phone:')).map(addressOf);

/** A message somebody asked for goes with the address it is for. */
async function moveAddressed(tx: Tx, { from, revived, keys }: Parted): Promise<void> {
  const stays = new Set(addressesOf(keys.stays));
  await tx.query(
    `update action_request set customer_id = $3 where tenant_id = $1 and customer_id = $2 and run_id is null
       and class <> 'internal' and lower(recipient) = any($4)`,
    [tx.tenantId, from, revived, addressesOf(keys.goes).filter((address) => !stays.has(address))],
  );
}

/** What is about to go out never goes to the other one's address: it gets an address of its own person, or none. */
async function readdress(tx: Tx, parted: Parted, now: Date): Promise<void> {
  const own = { [parted.from]: addressesOf(parted.keys.stays), [parted.revived]: addressesOf(parted.keys.goes) };
  for (const [customerId, addresses] of Object.entries(own))
    await tx.query(
      `update action_request r set state = 'planned', content = null, updated_at = $4, version = r.version + 1,
         recipient = case when lower(r.recipient) = any($3) then r.recipient else coalesce(case when r.channel = 'email' then c.email else c.phone end, '') end
       from customer c where r.tenant_id = $1 and r.customer_id = $2 and c.tenant_id = $1 and c.id = $2
         and r.state in ('planned', 'committed') and r.class <> 'internal' and r.run_id is not null`,
      [tx.tenantId, customerId, addresses, now],
    );
}

/** What was sent to the joint person counts for the other one too. */
async function copyTouches(tx: Tx, from: string, to: string, now: Date): Promise<void> {
  const { rows } = await tx.query<{ origin: string; channel: string; class: string; at: Date }>(
    `select distinct on (coalesce(t.copy_of, t.request_id)) coalesce(t.copy_of, t.request_id) as origin, t.channel, t.class, t.at
     from touch t where t.tenant_id = $1 and t.customer_id = $2 and t.at > $4 and not t.shadow and not exists (
       select from touch o where o.tenant_id = $1 and o.customer_id = $3 and coalesce(o.copy_of, o.request_id) = coalesce(t.copy_of, t.request_id))`,
    [tx.tenantId, from, to, new Date(now.getTime() - LONGEST_CAP_MS)],
  );
  const columns = [
    { name: 'request_id', type: 'uuid' },
    { name: 'copy_of', type: 'uuid' },
    { name: 'customer_id', type: 'uuid' },
    { name: 'channel', type: 'text' },
    { name: 'class', type: 'text' },
    { name: 'at', type: 'timestamptz' },
  ];
  const copies = rows.map(({ origin, ...row }) => ({ ...row, request_id: newId(), copy_of: origin, customer_id: to }));
  await insertRows(tx, 'touch', columns, copies);
}
