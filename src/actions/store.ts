import { one, type Tx } from '../base/database.ts';
import { newId } from '../base/ids.ts';
import type { ActionKind } from '../kit/index.ts';
import type { LocalWindow } from '../sequences/steps.ts';

export type RequestState = 'planned' | 'committed' | 'sending' | 'sent' | 'failed' | 'skipped' | 'unknown';

/** What was asked for, before the gate turns it into what is sent. */
export type Plan =
  /**
   * A message to the customer by a template; `then` are the channels still to try after this. `survey` is the key of the
   * survey it invites to, or with `invitation` the one whose answer it replies to. `window`: hours of the customer it may
   * go out in, beside the quiet hours.
   */
  | {
      type: 'message';
      template: string;
      then: string[];
      survey?: string;
      invitation?: string;
      window?: LocalWindow;
    }
  /** A native action of a sequence; texts use the template context. */
  | { type: 'do'; input: Record<string, unknown> }
  /** Telling staff about an escalation. */
  | {
      type: 'staff';
      what: 'task' | 'chat' | 'calendar' | 'acknowledged';
      staffId: string;
      level: number;
      replaces?: string;
    }
  /** A notice to staff of a sequence, without a clock. */
  | {
      type: 'notice';
      what: 'task' | 'chat';
      staffId: string;
      title: string;
      text?: string;
      due_in_days?: number;
      priority?: 'low' | 'normal' | 'high';
    }
  /** The answer to a word somebody wrote (STOP, HELP), where the platform does not answer itself. */
  | { type: 'answer'; to: 'stop' | 'help'; input: Record<string, unknown> }
  /** Exactly this, asked for over the API. */
  | { type: 'direct'; input: Record<string, unknown> };

export interface RequestRow {
  id: string;
  run_id: string | null;
  step_id: string | null;
  visit: number | null;
  escalation_id: string | null;
  idempotency_key: string | null;
  kind: ActionKind;
  channel: string;
  recipient: string;
  class: 'transactional' | 'marketing' | 'internal';
  topic: string | null;
  priority: number;
  customer_id: string | null;
  connection_id: string | null;
  plan: Plan;
  content: Record<string, unknown> | null;
  state: RequestState;
  reason: string | null;
  reason_detail: string | null;
  held: boolean;
  not_before: Date;
  stale_after: Date | null;
  lease_owner: string | null;
  lease_until: Date | null;
  attempts: number;
  native_id: string | null;
  native_url: string | null;
  native_state: string | null;
  native_state_at: Date | null;
  depth: number;
  created_by: string;
  created_at: Date;
  committed_at: Date | null;
  ended_at: Date | null;
  updated_at: Date;
  version: number;
}

/** Columns of a `RequestRow`. */
export const ALL =
  'id, run_id, step_id, visit, escalation_id, idempotency_key, kind, channel, recipient, class, topic, priority, customer_id, connection_id, plan, content, state, reason, reason_detail, held, not_before, stale_after, lease_owner, lease_until, attempts, native_id, native_url, native_state, native_state_at, depth, created_by, created_at, committed_at, ended_at, updated_at, version';

export type NewRequest = Pick<RequestRow, 'kind' | 'channel' | 'recipient' | 'class' | 'plan' | 'created_by'> &
  Partial<
    Pick<
      RequestRow,
      | 'run_id'
      | 'step_id'
      | 'visit'
      | 'escalation_id'
      | 'idempotency_key'
      | 'topic'
      | 'priority'
      | 'customer_id'
      | 'connection_id'
      | 'stale_after'
      | 'depth'
      | 'not_before'
    >
  >;

/** Plans an action. Its unique key makes a second planning of the same one find the first. */
export async function insertRequest(tx: Tx, request: NewRequest, now: Date): Promise<RequestRow | undefined> {
  return one(
    await tx.query<RequestRow>(
      `insert into action_request (tenant_id, id, run_id, step_id, visit, escalation_id, idempotency_key, kind, channel, recipient, class, topic, priority, customer_id,
         connection_id, plan, state, not_before, stale_after, depth, created_by, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'planned', $17, $18, $19, $20, $21, $21)
       on conflict do nothing returning ${ALL}`,
      [
        tx.tenantId,
        newId(),
        request.run_id ?? null,
        request.step_id ?? null,
        request.visit ?? null,
        request.escalation_id ?? null,
        request.idempotency_key ?? null,
        request.kind,
        request.channel,
        request.recipient,
        request.class,
        request.topic ?? null,
        request.priority ?? 0,
        request.customer_id ?? null,
        request.connection_id ?? null,
        request.plan,
        request.not_before ?? now,
        request.stale_after ?? null,
        request.depth ?? 0,
        request.created_by,
        now,
      ],
    ),
  );
}

export async function findRequest(tx: Tx, id: string): Promise<RequestRow | undefined> {
  return one(
    await tx.query<RequestRow>(`select ${ALL} from action_request where tenant_id = $1 and id = $2`, [tx.tenantId, id]),
  );
}

export async function findRequestByKey(tx: Tx, key: string): Promise<RequestRow | undefined> {
  return one(
    await tx.query<RequestRow>(`select ${ALL} from action_request where tenant_id = $1 and idempotency_key = $2`, [
      tx.tenantId,
      key,
    ]),
  );
}

/** The request a platform's report is about, locked: by what the platform calls it, or by our id where it carries it. */
export async function requestOfNative(
  tx: Tx,
  connectionId: string,
  nativeId: string,
  requestId: string | undefined,
): Promise<RequestRow | undefined> {
  return one(
    await tx.query<RequestRow>(
      `select ${ALL} from action_request where tenant_id = $1 and connection_id = $2 and (native_id = $3 or id::text = $4)
       order by (native_id = $3) desc nulls last limit 1 for update`,
      [tx.tenantId, connectionId, nativeId, requestId ?? null],
    ),
  );
}

/** A later state of the native thing. */
export async function noteNativeState(
  tx: Tx,
  id: string,
  report: { nativeId: string; state: string; detail: string | null },
  now: Date,
): Promise<void> {
  await tx.query(
    `update action_request set native_id = coalesce(nullif($3, ''), native_id), native_state = $4, native_state_at = $5, reason_detail = coalesce($6, reason_detail), updated_at = $5, version = version + 1
     where tenant_id = $1 and id = $2`,
    [tx.tenantId, id, report.nativeId, report.state, now, report.detail],
  );
}

/** Requests of an escalation that put something in front of staff. */
export async function requestsOfEscalation(tx: Tx, escalationId: string): Promise<RequestRow[]> {
  return (
    await tx.query<RequestRow>(
      `select ${ALL} from action_request where tenant_id = $1 and escalation_id = $2 order by id`,
      [tx.tenantId, escalationId],
    )
  ).rows;
}

export interface RequestFilter {
  customerId?: string;
  runId?: string;
  state?: string;
  held?: boolean;
  before?: string;
  limit: number;
}

export async function listRequests(tx: Tx, filter: RequestFilter): Promise<RequestRow[]> {
  const { rows } = await tx.query<RequestRow>(
    `select ${ALL} from action_request where tenant_id = $1 and ($2::uuid is null or customer_id = $2) and ($3::uuid is null or run_id = $3)
       and ($4::text is null or state = $4) and ($5::boolean is null or held = $5) and ($6::uuid is null or id < $6) order by id desc limit $7`,
    [
      tx.tenantId,
      filter.customerId ?? null,
      filter.runId ?? null,
      filter.state ?? null,
      filter.held ?? null,
      filter.before ?? null,
      filter.limit,
    ],
  );
  return rows;
}

export async function countRequests(
  tx: Tx,
): Promise<{ state: RequestState; reason: string | null; held: boolean; n: number }[]> {
  const { rows } = await tx.query<{ state: RequestState; reason: string | null; held: boolean; n: number }>(
    'select state, reason, held, count(*)::int as n from action_request where tenant_id = $1 group by 1, 2, 3',
    [tx.tenantId],
  );
  return rows;
}

export interface AttemptRow {
  number: number;
  started_at: Date;
  ended_at: Date | null;
  outcome: string | null;
  status: number | null;
  error_kind: string | null;
  message: string | null;
}

/** Every call made for a request, oldest first. */
export async function attemptsOf(tx: Tx, requestId: string): Promise<AttemptRow[]> {
  const { rows } = await tx.query<AttemptRow>(
    'select number, started_at, ended_at, outcome, status, error_kind, message from action_attempt where tenant_id = $1 and request_id = $2 order by number',
    [tx.tenantId, requestId],
  );
  return rows;
}
