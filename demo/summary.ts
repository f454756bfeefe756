import { verifyAudit } from '../src/audit/chain.ts';
import type { Hub } from '../src/hub.ts';
import { ENTITY_KINDS } from '../src/kit/index.ts';
import type { Vendors } from './vendors.ts';

/** What the demo did, counted in the hub's database and, for `native`, by the simulated vendors themselves. */
export interface Summary {
  customers: number;
  entities: number;
  records: Record<string, number>;
  occurrences: Record<string, number>;
  actions: Record<'sent' | 'skipped' | 'deferred' | 'held' | 'failed' | 'unknown', number>;
  skippedReasons: Record<string, number>;
  native: Record<string, Record<string, number>>;
  auditEvents: number;
  auditVerified: boolean;
  seconds: number;
}

const countsOf = (rows: readonly { name: string; n: number }[]): Record<string, number> =>
  Object.fromEntries(rows.map((row) => [row.name, row.n]));

/** Things of ours at each vendor, as the vendor counts them. */
export function nativeCounts({ hubspot, twilio, slack, smtp }: Vendors): Summary['native'] {
  const ours = (type: string): number =>
    hubspot.state.all(type).filter((record) => record.properties.rapport_action_id).length;
  return {
    hubspot: { create_task: ours('tasks'), create_calendar_event: ours('meetings') },
    twilio: { send_sms: twilio.state.messages.filter((message) => message.direction === 'outbound-api').length },
    slack: { send_chat: slack.state.messages.filter((message) => message.bot_id !== undefined).length },
    smtp: { send_email: smtp.mails().length },
  };
}

/** What the hub says it sent, in the same form. A chat message that replaces an earlier one is no new message. */
export async function sentCounts(hub: Hub, tenantId: string): Promise<Summary['native']> {
  const { rows } = await hub.db.tenant(tenantId, (tx) =>
    tx.query<{ connector: string; kind: string; n: number }>(
      `select c.connector, r.kind, count(*)::int as n from action_request r join connection c on c.tenant_id = r.tenant_id and c.id = r.connection_id
       where r.tenant_id = $1 and r.state = 'sent' and r.content->>'replaces' is null group by 1, 2`,
      [tx.tenantId],
    ),
  );
  const sent: Summary['native'] = {};
  for (const { connector, kind, n } of rows) sent[connector] = { ...sent[connector], [kind]: n };
  return sent;
}

/** Counts everything. */
export async function summarise(hub: Hub, tenantId: string, vendors: Vendors, started: number): Promise<Summary> {
  const counts = await hub.db.tenant(tenantId, async (tx) => {
    const query = async (sql: string) => (await tx.query<{ name: string; n: number }>(sql, [tx.tenantId])).rows;
    const single = async (sql: string) => (await query(sql))[0]?.n ?? 0;
    const kinds = ENTITY_KINDS.map((kind) => (kind === 'contact' ? 'customer' : kind));
    return {
      customers: await single('select count(*)::int as n from customer where tenant_id = $1 and deleted_at is null'),
      entities: await single(
        `select (${kinds.map((kind) => `(select count(*) from ${kind} where tenant_id = $1)`).join(' + ')})::int as n`,
      ),
      records: countsOf(
        await query(
          `select c.connector || '.' || s.name as name, count(*)::int as n from source_record r
             join stream s on s.tenant_id = r.tenant_id and s.id = r.stream_id join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id
           where r.tenant_id = $1 and r.deleted_at is null group by 1 order by 1`,
        ),
      ),
      occurrences: countsOf(
        await query(
          'select t.name, count(*)::int as n from occurrence o join trigger t on t.tenant_id = o.tenant_id and t.id = o.trigger_id where o.tenant_id = $1 group by 1 order by 1',
        ),
      ),
      states: countsOf(
        await query(
          `select case when state in ('sent', 'skipped', 'failed', 'unknown') then state when held then 'held' else 'deferred' end as name, count(*)::int as n
           from action_request where tenant_id = $1 group by 1`,
        ),
      ),
      skippedReasons: countsOf(
        await query(
          "select reason as name, count(*)::int as n from action_request where tenant_id = $1 and state = 'skipped' group by 1 order by 2 desc",
        ),
      ),
    };
  });
  const { states, ...rest } = counts;
  const verified = await verifyAudit(hub.db, tenantId);
  return {
    ...rest,
    actions: { sent: 0, skipped: 0, deferred: 0, held: 0, failed: 0, unknown: 0, ...states },
    native: nativeCounts(vendors),
    auditEvents: verified.events,
    auditVerified: verified.ok,
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
}

const listed = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([name, n]) => `${name.replaceAll('_', ' ')} ${n.toLocaleString('en')}`)
    .join(', ') || 'none';

/** The summary for people. */
export function told(summary: Summary, deeds: Record<string, number>, weeks: number): string {
  const lines: [string, string][] = [
    ['Customers', `${summary.customers.toLocaleString('en')} (the same people of HubSpot and QuickBooks joined)`],
    ['Entities', summary.entities.toLocaleString('en')],
    ['Records read', listed(summary.records)],
    ['Noticed', listed(summary.occurrences)],
    ['People did', listed(deeds)],
    ['Actions', listed(summary.actions)],
    ['Skipped because', listed(summary.skippedReasons)],
    ...Object.entries(summary.native).map(([vendor, kinds]): [string, string] => [`In ${vendor}`, listed(kinds)]),
    [
      'Audit trail',
      `${summary.auditEvents.toLocaleString('en')} events, ${summary.auditVerified ? 'chain verified' : 'CHAIN BROKEN'}`,
    ],
    ['Time', `${weeks} weeks in ${summary.seconds} s`],
  ];
  return lines.map(([name, text]) => `${name.padEnd(16)} ${text}`).join('\n');
}
