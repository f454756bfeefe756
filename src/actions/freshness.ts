import { messageOf } from '../base/errors.ts';
import { localDate } from '../base/time.ts';
import { setting, tenantZone } from '../settings/store.ts';
import { refetchNow } from '../sync/refetch.ts';
import { loadOverdue, type OverdueInvoice } from './context.ts';
import type { ActionDeps } from './deps.ts';

/** Whether what is known of a customer's invoices may be acted on. */
export interface Freshness {
  ok: boolean;
  detail: string;
}

interface BillingStream {
  id: string;
  name: string;
  connection_id: string;
  connection: string;
  connector: string;
  last_complete_at: Date | null;
}

/** A file is as fresh as its last import; nobody can ask it again. */
const FILE_HOURS = 24;

/**
 * Makes sure that billing data of these customers is fresh: synced within the limit, or else the very invoices are read
 * again now. Runs before the gate, outside of any transaction; what it brings in may end enrolments.
 */
export async function ensureFresh(
  deps: ActionDeps,
  tenantId: string,
  customerIds: readonly string[],
): Promise<Map<string, Freshness>> {
  const result = new Map<string, Freshness>();
  if (customerIds.length === 0) return result;
  const now = deps.clock.now();
  const { streams, overdue, minutes } = await deps.db.tenant(tenantId, async (tx) => {
    const found = await loadOverdue(tx, customerIds, localDate(now, await tenantZone(tx)));
    const ids = [...new Set([...found.values()].flat().map((invoice) => invoice.stream_id))];
    const { rows } = await tx.query<BillingStream>(
      `select s.id, s.name, s.connection_id, c.name as connection, c.connector, s.last_complete_at from stream s
       join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id where s.tenant_id = $1 and s.id = any($2)`,
      [tenantId, ids],
    );
    return {
      streams: new Map(rows.map((row) => [row.id, row])),
      overdue: found,
      minutes: (await setting(tx, 'sync')).billingFreshMinutes,
    };
  });
  const reread = new Map<string, Map<string, string[]>>();
  const waiting = new Map<string, string[]>();
  for (const id of customerIds) {
    const problems: string[] = [];
    for (const [streamId, invoices] of byStream(overdue.get(id) ?? [])) {
      const stream = streams.get(streamId);
      if (!stream) problems.push('An invoice belongs to a platform that is not connected any more.');
      else if (!isFresh(stream, minutes, now, invoices)) {
        if (deps.registry.find(stream.connector)?.category === 'files')
          problems.push(
            `The invoices come from a file last imported more than ${FILE_HOURS} hours ago; import it again.`,
          );
        else {
          const wanted = reread.get(stream.connection_id) ?? new Map<string, string[]>();
          wanted.set(stream.name, [
            ...(wanted.get(stream.name) ?? []),
            ...invoices.map((invoice) => invoice.remote_id),
          ]);
          reread.set(stream.connection_id, wanted);
          waiting.set(stream.connection_id, [...(waiting.get(stream.connection_id) ?? []), id]);
        }
      }
    }
    result.set(
      id,
      problems.length > 0
        ? { ok: false, detail: problems.join(' ') }
        : { ok: true, detail: `Billing data is younger than ${minutes} minutes.` },
    );
  }
  for (const [connectionId, wanted] of reread) {
    const customers = waiting.get(connectionId)!;
    try {
      await refetchNow(deps, tenantId, connectionId, wanted);
      for (const id of customers)
        if (result.get(id)!.ok) result.set(id, { ok: true, detail: 'The invoices were read again just now.' });
    } catch (error) {
      const name = [...streams.values()].find((stream) => stream.connection_id === connectionId)?.connection;
      for (const id of customers)
        result.set(id, {
          ok: false,
          detail: `Billing data is stale: ${name} could not be asked (${messageOf(error)})`,
        });
    }
  }
  return result;
}

function isFresh(stream: BillingStream, minutes: number, now: Date, invoices: readonly OverdueInvoice[]): boolean {
  if (stream.connector === 'csv' || stream.connector === 'webhook') {
    const newest = Math.max(
      ...invoices.map((invoice) => invoice.updated_at.getTime()),
      stream.last_complete_at?.getTime() ?? 0,
    );
    return now.getTime() - newest <= FILE_HOURS * 3_600_000;
  }
  return stream.last_complete_at !== null && now.getTime() - stream.last_complete_at.getTime() <= minutes * 60_000;
}

function byStream(invoices: readonly OverdueInvoice[]): Map<string, OverdueInvoice[]> {
  const map = new Map<string, OverdueInvoice[]>();
  for (const invoice of invoices) map.set(invoice.stream_id, [...(map.get(invoice.stream_id) ?? []), invoice]);
  return map;
}
