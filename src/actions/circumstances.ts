import type { Row, Tx } from '../base/database.ts';
import type { LocalDate } from '../base/time.ts';

/** What an enrolment says to its texts: its sequence, and what started it. */
export interface RunAbout {
  id: string;
  customer_id: string;
  start_on: LocalDate;
  /** Of the campaign that brought the customer in. */
  campaign: string | null;
  sequence_key: string;
  sequence_title: string;
  values: Record<string, string> | null;
  cause: Record<string, unknown>;
  /** Absent where a person or a campaign started it. */
  occurrence?: OccurrenceAbout | undefined;
}

interface OccurrenceAbout {
  id: string;
  trigger_name: string;
  subject_kind: string;
  subject_id: string;
  subject_label: string;
  occurred_on: LocalDate;
  data: Record<string, unknown>;
}

/** What texts may say beside the customer and what they owe. */
export interface Circumstances {
  runs: Map<string, RunAbout>;
  /** Enrolments by the escalation they led to. */
  escalated: Map<string, string>;
  /** What enrolments are about, by kind and id. */
  subjects: Map<string, Row>;
  /** Of customers, where no subject is meant: the latest completed job, the next appointment, the running contract. */
  jobs: Map<string, Row>;
  appointments: Map<string, Row>;
  agreements: Map<string, Row>;
  scores: Map<string, { band: string | null; score: number | null; vip: boolean; unhappy: boolean }>;
  /** Invoices payments are for, by the payment. */
  paid: Map<string, Row>;
}

export const NO_CIRCUMSTANCES: Circumstances = {
  ...{ runs: new Map(), escalated: new Map(), subjects: new Map(), jobs: new Map() },
  ...{ appointments: new Map(), agreements: new Map(), scores: new Map(), paid: new Map() },
};

export interface Wanted {
  customerIds: readonly string[];
  runIds: readonly string[];
  escalationIds: readonly string[];
  /** The texts that will be written; groups none of them names are not loaded. Absent: everything. */
  texts?: string | undefined;
  now: Date;
  today: LocalDate;
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Loads what texts about these customers and enrolments may say, as far as any of the texts asks for it. */
export async function loadCircumstances(tx: Tx, wanted: Wanted): Promise<Circumstances> {
  const { customerIds: ids, texts } = wanted;
  const asked = (...names: string[]): boolean => texts === undefined || names.some((name) => texts.includes(name));
  const escalated = await runsOfEscalations(tx, wanted.escalationIds);
  const runs = await loadRuns(tx, [...new Set([...wanted.runIds, ...escalated.values()])]);
  const subjects = await loadSubjects(tx, [...runs.values()]);
  return {
    runs,
    escalated,
    subjects,
    jobs: asked('job') ? await latest(tx, JOB, ids, []) : new Map(),
    appointments: asked('appointment') ? await latest(tx, APPOINTMENT, ids, [wanted.now]) : new Map(),
    agreements: asked('subscription') ? await latest(tx, AGREEMENT, ids, [wanted.today]) : new Map(),
    scores: asked('score') ? await latest(tx, SCORE, ids, []) : new Map(),
    paid: asked('payment', 'invoice') ? await invoicesPaid(tx, subjects) : new Map(),
  } as Circumstances;
}

async function runsOfEscalations(tx: Tx, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<{ id: string; run_id: string }>(
    'select id, run_id from escalation where tenant_id = $1 and id = any($2) and run_id is not null',
    [tx.tenantId, ids],
  );
  return new Map(rows.map((row) => [row.id, row.run_id]));
}

async function loadRuns(tx: Tx, ids: readonly string[]): Promise<Map<string, RunAbout>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<RunAbout>(
    `select r.id, r.customer_id, r.start_on, r.cause, (select c.title from campaign c where c.tenant_id = $1 and c.id = r.campaign_id) as campaign, s.key as sequence_key, s.title as sequence_title, v.definition -> 'values' as values
     from run r join sequence s on s.tenant_id = r.tenant_id and s.id = r.sequence_id
       join sequence_version v on v.tenant_id = r.tenant_id and v.sequence_id = r.sequence_id and v.number = r.version
     where r.tenant_id = $1 and r.id = any($2)`,
    [tx.tenantId, ids],
  );
  const causes = rows.map((row) => row.cause.occurrence).filter((id) => typeof id === 'string' && UUID.test(id));
  const found =
    causes.length === 0
      ? []
      : (
          await tx.query<OccurrenceAbout>(
            'select id, trigger_name, subject_kind, subject_id, subject_label, occurred_on, data from occurrence where tenant_id = $1 and id = any($2)',
            [tx.tenantId, causes],
          )
        ).rows;
  const occurrences = new Map(found.map((row) => [row.id, row]));
  return new Map(rows.map((row) => [row.id, { ...row, occurrence: occurrences.get(String(row.cause.occurrence)) }]));
}

const stageLabel = (object: string): string =>
  `coalesce((select min(p.label) from pipeline_stage p where p.tenant_id = t.tenant_id and p.object = '${object}' and p.stage = t.stage and p.deleted_at is null), t.stage) as stage`;

const SUBJECTS: Record<string, string> = {
  job: 't.title, t.kind, t.status, t.scheduled_at, t.completed_on, t.amount, t.currency, t.asset',
  invoice: 't.number, t.status, t.issued_on, t.due_on, t.paid_on, t.total, t.balance, t.currency, t.url',
  deal: `t.name, t.amount, t.currency, t.status, t.closes_on, ${stageLabel('deal')}`,
  ticket: `t.subject, t.priority, t.category, t.status, t.closed_at, ${stageLabel('ticket')}`,
  payment: 't.stream_id, t.amount, t.currency, t.status, t.paid_on, t.method, t.failure_reason, t.invoice_refs',
  subscription: 't.name, t.kind, t.status, t.started_on, t.ends_on, t.renews_on, t.amount, t.currency, t.plan',
};

/** What enrolments are about, as it is now: a date that was moved since then is told as moved. */
async function loadSubjects(tx: Tx, runs: readonly RunAbout[]): Promise<Map<string, Row>> {
  const found = new Map<string, Row>();
  for (const [kind, columns] of Object.entries(SUBJECTS)) {
    const ids = runs
      .filter(({ occurrence }) => occurrence?.subject_kind === kind && UUID.test(occurrence.subject_id))
      .map(({ occurrence }) => occurrence!.subject_id);
    if (ids.length === 0) continue;
    const { rows } = await tx.query<Row>(
      `select t.entity_id, ${columns} from ${kind} t where t.tenant_id = $1 and t.entity_id = any($2) and t.deleted_at is null`,
      [tx.tenantId, [...new Set(ids)]],
    );
    for (const row of rows) found.set(`${kind}:${row.entity_id}`, row);
  }
  return found;
}

const JOB = `select distinct on (t.customer_id) t.customer_id, ${SUBJECTS.job} from job t
  where t.tenant_id = $1 and t.customer_id = any($2) and t.status = 'completed' and t.deleted_at is null
  order by t.customer_id, t.completed_on desc nulls last, t.entity_id desc`;
const APPOINTMENT = `select distinct on (t.customer_id) t.customer_id, ${SUBJECTS.job} from job t
  where t.tenant_id = $1 and t.customer_id = any($2) and t.status in ('requested', 'scheduled') and t.scheduled_at >= $3 and t.deleted_at is null
  order by t.customer_id, t.scheduled_at, t.entity_id`;
const AGREEMENT = `select distinct on (t.customer_id) t.customer_id, ${SUBJECTS.subscription} from subscription t
  where t.tenant_id = $1 and t.customer_id = any($2) and t.status in ('active', 'past_due') and t.deleted_at is null
  order by t.customer_id, (coalesce(t.ends_on, t.renews_on) < $3), coalesce(t.ends_on, t.renews_on), t.entity_id`;
const SCORE =
  'select customer_id, band, score, vip, unhappy from customer_score where tenant_id = $1 and customer_id = any($2)';

async function latest(
  tx: Tx,
  sql: string,
  ids: readonly string[],
  more: readonly unknown[],
): Promise<Map<string, Row>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Row>(sql, [tx.tenantId, ids, ...more]);
  return new Map(rows.map((row) => [row.customer_id as string, row]));
}

/** The invoice a payment names first, from the same account. */
async function invoicesPaid(tx: Tx, subjects: ReadonlyMap<string, Row>): Promise<Map<string, Row>> {
  const payments = [...subjects].filter(([key]) => key.startsWith('payment:')).map(([, row]) => row);
  const refs = payments.flatMap((row) => ((row.invoice_refs as string[] | null) ?? []).slice(0, 1));
  if (refs.length === 0) return new Map();
  const { rows } = await tx.query<Row>(
    `select t.remote_id, ps.id as payment_stream, ${SUBJECTS.invoice} from invoice t
       join stream s on s.tenant_id = t.tenant_id and s.id = t.stream_id join stream ps on ps.tenant_id = s.tenant_id and ps.connection_id = s.connection_id
     where t.tenant_id = $1 and (t.remote_id = any($2) or t.number = any($2)) and ps.id = any($3) and t.deleted_at is null`,
    [tx.tenantId, refs, payments.map((row) => row.stream_id)],
  );
  return new Map(
    payments.flatMap((payment) => {
      const ref = (payment.invoice_refs as string[] | null)?.[0];
      const invoice = rows.find(
        (row) => row.payment_stream === payment.stream_id && (row.remote_id === ref || row.number === ref),
      );
      return invoice ? [[payment.entity_id as string, invoice] as const] : [];
    }),
  );
}
