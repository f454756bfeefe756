import { verifyAudit } from '../src/audit/chain.ts';
import { openDatabase } from '../src/base/database.ts';
import type { AddressHash } from '../src/consent/optout.ts';
import { ask } from './postgres.ts';

/** An action as the hub has it. */
export interface ActionFact {
  id: string;
  key: string | null;
  kind: string;
  class: string;
  recipient: string;
  state: string;
  reason: string | null;
  detail: string | null;
  connector: string | null;
  runId: string | null;
  step: string | null;
  visit: number | null;
  attempts: number;
  /** It replaces an earlier message, so the vendor has no new one. */
  replaces: boolean;
  /** When each try began, in milliseconds on the hub's clock. */
  tries: number[];
}

export interface RecordFact {
  vendor: string;
  stream: string;
  id: string;
  gone: boolean;
  /** The customer it belongs to, after every merge. */
  customer: string | null;
  payload: Record<string, unknown>;
}

/** What the hub says of itself, read from its database when everything has come to rest. */
export interface Facts {
  records: RecordFact[];
  /** Values of a customer's job title in the order in which they were stored; each carries its revision. */
  titles: { customer: string; title: string }[];
  actions: ActionFact[];
  /** Numbers that wrote STOP, and since when the hub knows. */
  stopped: { phone: string; at: number }[];
  audit: { ok: boolean; events: number; detail: string };
  /** Work that nobody will finish. */
  stuck: { what: string; id: string; detail: string }[];
  counts: Record<string, number>;
}

const HOUR_MS = 3_600_000;

/** Reads everything the verdict needs. @param phones numbers that wrote STOP */
export async function readFacts(
  url: string,
  tenantId: string,
  now: Date,
  phones: readonly string[],
  hash: AddressHash,
): Promise<Facts> {
  const rows: Rows = async <Found>(sql: string, ...more: unknown[]) =>
    (await ask<Row>(url, sql, [tenantId, ...more])).rows as Found[];
  const hashes = phones.map((phone) => hash(tenantId, 'sms', phone));
  const suppressed = await rows<{ address_hash: Buffer; created_at: Date }>(
    "select address_hash, created_at from suppression where tenant_id = $1 and channel = 'sms' and lifted_at is null and address_hash = any($2)",
    hashes,
  );
  const db = openDatabase({ ownerUrl: url, max: 2 });
  const verified = await verifyAudit(db, tenantId).finally(() => db.close());
  return {
    records: await rows<RecordFact>(
      `select c.connector as vendor, s.name as stream, r.remote_id as id, r.deleted_at is not null as gone, coalesce(a.entity_id, p.entity_id) as customer, r.payload
       from source_record r join stream s on s.tenant_id = r.tenant_id and s.id = r.stream_id join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id
       left join contact_projection p on p.tenant_id = r.tenant_id and p.stream_id = r.stream_id and p.remote_id = r.remote_id
       left join entity_alias a on a.tenant_id = p.tenant_id and a.old_id = p.entity_id where r.tenant_id = $1`,
    ),
    titles: await rows<Facts['titles'][number]>(
      `select entity_id as customer, after->>'job_title' as title from change
       where tenant_id = $1 and kind = 'contact' and after->>'job_title' like '%rev %' order by received_at, id`,
    ),
    actions: await readActions(rows),
    stopped: phones.flatMap((phone, at) => {
      const found = suppressed.find((row) => row.address_hash.equals(hashes[at]!));
      return found ? [{ phone, at: found.created_at.getTime() }] : [];
    }),
    audit: { ok: verified.ok, events: verified.events, detail: verified.ok ? '' : JSON.stringify(verified) },
    stuck: await readStuck(rows, now),
    counts: await readCounts(rows),
  };
}

type Row = Record<string, unknown>;
type Rows = <Found>(sql: string, ...more: unknown[]) => Promise<Found[]>;

const readActions = async (rows: Rows): Promise<ActionFact[]> =>
  (
    await rows<Omit<ActionFact, 'tries'> & { tries: Date[] }>(
      `select r.id, r.idempotency_key as key, r.kind, r.class, r.recipient, r.state, r.reason, r.reason_detail as detail, c.connector, r.run_id as "runId",
         r.step_id as step, r.visit, r.attempts, coalesce(r.content->>'replaces', r.plan->>'replaces') is not null as replaces,
         coalesce((select array_agg(a.started_at order by a.number) from action_attempt a where a.tenant_id = r.tenant_id and a.request_id = r.id), '{}') as tries
       from action_request r left join connection c on c.tenant_id = r.tenant_id and c.id = r.connection_id where r.tenant_id = $1 order by r.id`,
    )
  ).map((row) => ({ ...row, tries: row.tries.map((at) => new Date(at).getTime()) }));

/** Each of these is something that should have ended by now. */
async function readStuck(rows: Rows, now: Date): Promise<Facts['stuck']> {
  const late = new Date(now.getTime() - HOUR_MS);
  const found: [string, string, unknown[]][] = [
    [
      'an action is being sent for ever',
      "select id::text, lease_owner as detail from action_request where tenant_id = $1 and state = 'sending'",
      [],
    ],
    [
      'an action is due and nobody sends it',
      "select id::text, concat_ws(' ', state, kind, reason, not_before) as detail from action_request where tenant_id = $1 and state in ('planned', 'committed') and not_before <= $2",
      [late],
    ],
    [
      'a stream is not read any more',
      "select id::text, concat_ws(' ', name, state, error, next_due_at, lease_until) as detail from stream where tenant_id = $1 and state <> 'off' and (state = 'stopped' or next_due_at <= $2 or lease_until <= $2)",
      [late],
    ],
    [
      'an enrolment is due and does not go on',
      "select id::text, concat_ws(' ', state, step_id, wake_at) as detail from run where tenant_id = $1 and state in ('active', 'waiting') and wake_at <= $2",
      [late],
    ],
    [
      'an announced change is not fetched',
      "select event_key as id, concat_ws(' ', stream, remote_id, change) as detail from hint where tenant_id = $1 and done_at is null",
      [],
    ],
    [
      'a webhook is not looked at',
      'select id::text, connector as detail from hook_inbox where routed_at is null and $1::uuid is not null',
      [],
    ],
    [
      'a change is not looked at',
      'select id::text, kind as detail from change where tenant_id = $1 and not processed and received_at <= $2',
      [late],
    ],
    [
      'a connection does not work',
      "select id::text, concat_ws(' ', connector, state, reason) as detail from connection where tenant_id = $1 and state <> 'active'",
      [],
    ],
    [
      'due work nobody takes',
      'select kind as id, next_due::text as detail from tenant_due where tenant_id = $1 and next_due <= $2',
      [late],
    ],
    [
      'a job is worked on for ever',
      "select id::text, name as detail from queue.job where state = 'active' and heartbeat_on < now() - interval '60 s' and $1::uuid is not null",
      [],
    ],
  ];
  const stuck: Facts['stuck'] = [];
  for (const [what, sql, more] of found)
    for (const { id, detail } of await rows<{ id: string; detail: string | null }>(sql, ...more))
      stuck.push({ what, id, detail: detail ?? '' });
  return stuck;
}

async function readCounts(rows: Rows): Promise<Record<string, number>> {
  const counted: Record<string, string> = {
    customers: 'select count(*)::int as n from customer where tenant_id = $1 and deleted_at is null',
    enrolments: 'select count(*)::int as n from run where tenant_id = $1',
    hooks: 'select count(*)::int as n from hook_inbox where $1::uuid is not null',
    parked: 'select count(*)::int as n from parked_item where tenant_id = $1 and resolved_at is null',
    jobsGivenUp: "select count(*)::int as n from queue.job where name = 'dead' and $1::uuid is not null",
  };
  const counts: Record<string, number> = {};
  for (const [name, sql] of Object.entries(counted)) counts[name] = (await rows<{ n: number }>(sql))[0]!.n;
  return counts;
}
