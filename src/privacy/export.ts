import type { ActionDeps } from '../actions/deps.ts';
import { appendEvents } from '../audit/store.ts';
import type { Row, Tx } from '../base/database.ts';
import { notFound } from '../base/errors.ts';
import { findCustomer } from '../model/store.ts';
import { hashesOf } from './begin.ts';
import { HELD, type Held } from './held.ts';
import { type Scope, scopeOf } from './scope.ts';
import { bind } from './statement.ts';

/** Rows of a table that are read at once. */
const PAGE = 1000;

/** What stands outside the tables of a business. */
const ELSEWHERE = [
  {
    what: 'hook_inbox',
    why: 'posts of platforms as received, kept for 30 days; what they brought is among the records',
  },
  { what: 'link_route', why: 'links in messages, as hashes; the messages are here' },
  { what: 'logs', why: 'they hold ids and no contents' },
];

/** Tables that are left out, each with the reason. */
const leftOut = (): { what: string; why: string }[] => [
  ...HELD.filter((held) => !held.title).map((held) => ({
    what: held.table,
    why: held.leftOut ?? (held.treat.how === 'keep' ? held.treat.reason : ''),
  })),
  ...ELSEWHERE,
];

/**
 * Everything held about a person, as the text of one JSON document in pieces, table by table (articles 15 and 20 GDPR).
 * That it was asked for stands in the audit trail before the first piece is given.
 * @throws Problem when there is no such customer
 */
export async function exportPerson(
  deps: ActionDeps,
  tenantId: string,
  customerId: string,
  by: string,
): Promise<AsyncGenerator<string>> {
  const { customer, scope } = await deps.db.tenant(tenantId, async (tx) => {
    const found = await findCustomer(tx, customerId);
    if (!found) throw notFound('customer', customerId);
    const at = deps.clock.now();
    const subject = { kind: 'contact', id: found.id };
    await appendEvents(tx, [{ actor: by, action: 'person.exported', subject, customerId: found.id, at }]);
    return { customer: { id: found.id, name: found.name }, scope: await scopeOf(tx, found.id) };
  });
  const hashes = hashesOf(deps.hash, tenantId, scope);
  return pieces(deps, tenantId, { customer, scope, hashes });
}

interface About {
  customer: { id: string; name: string | null };
  scope: Scope;
  hashes: string[];
}

async function* pieces(deps: ActionDeps, tenantId: string, about: About): AsyncGenerator<string> {
  const head = { exportedAt: deps.clock.now().toISOString(), customer: about.customer };
  yield `${JSON.stringify(head).slice(0, -1)},"sections":[`;
  let first = true;
  for (const held of HELD) {
    if (!held.title) continue;
    yield `${first ? '' : ','}\n{"title":${JSON.stringify(held.title)},"table":"${held.table}","rows":[`;
    first = false;
    for (let from = 0; ; from += PAGE) {
      const rows = await deps.db.tenant(tenantId, (tx) => rowsOf(tx, held, about, from, deps.clock.now()));
      if (rows.length > 0) yield `${from > 0 ? ',' : ''}${rows.map((row) => JSON.stringify(row)).join(',')}`;
      if (rows.length < PAGE) break;
    }
    yield ']}';
  }
  yield `],"leftOut":${JSON.stringify(leftOut())}}\n`;
}

/** A person's rows of a table, as the table has them. */
async function rowsOf(tx: Tx, held: Held, { scope, hashes }: About, from: number, now: Date): Promise<Row[]> {
  const { text, values } = bind(
    `select to_jsonb(t) - 'tenant_id' - 'scope' as row from ${held.table} t where t.tenant_id = $1 and (${held.rows})
     order by (to_jsonb(t))::text limit ${PAGE} offset ${from}`,
    { scope, hashes, now },
  );
  const { rows } = await tx.query<{ row: Row }>(text, [tx.tenantId, ...values]);
  return rows.map(({ row }) => row);
}
