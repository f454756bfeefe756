import { one, type Tx } from '../base/database.ts';
import { hashToken, hmacSha256, newId } from '../base/ids.ts';
import { findCustomer } from '../model/store.ts';
import type { Answers } from './schema.ts';
import type { SurveyRow } from './store.ts';

export interface InvitationRow {
  id: string;
  survey_id: string;
  number: number;
  customer_id: string;
  customer_ref: string | null;
  run_id: string | null;
  step_id: string | null;
  visit: number | null;
  state: 'open' | 'started' | 'answered';
  answers: Answers;
  score: string | null;
  started_at: Date | null;
  answered_at: Date | null;
  completed_by: 'person' | 'time' | null;
  counts_at: Date | null;
  created_at: Date;
}

export const INVITATION =
  'id, survey_id, number, customer_id, customer_ref, run_id, step_id, visit, state, answers, score, started_at, answered_at, completed_by, counts_at, created_at';

/** Stands in `customer_ref` when the person was erased: nobody else takes their place. */
const ERASED = 'erased';

/** Where links lead, and the key they are made with. */
export interface LinkDeps {
  publicUrl: string;
  linkKey: Buffer;
}

/** Who is invited, and by which step; without a step by hand or over the API. */
export interface Invited {
  customerId: string;
  /** The address it goes to: of several records of a customer, the one with this address is meant. */
  address?: string | undefined;
  step?: { runId: string; stepId: string; visit: number } | undefined;
  by: string;
}

/**
 * Invites a customer to the present version of a survey. For the same run, step and visit there is one invitation,
 * however often it is asked for.
 */
export async function invite(tx: Tx, survey: SurveyRow, invited: Invited, now: Date): Promise<InvitationRow> {
  const { customerId, step, by } = invited;
  const values = [
    tx.tenantId,
    newId(),
    survey.id,
    survey.latest_version,
    customerId,
    await recordOf(tx, customerId, invited.address),
    step?.runId ?? null,
    step?.stepId ?? null,
    step?.visit ?? null,
    now,
    by,
  ];
  const made = one(
    await tx.query<InvitationRow>(
      `insert into survey_invitation (tenant_id, id, survey_id, number, customer_id, customer_ref, run_id, step_id, visit, state, created_at, created_by, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, $11, $10)
       on conflict (tenant_id, run_id, step_id, visit) where run_id is not null do nothing returning ${INVITATION}`,
      values,
    ),
  );
  if (made) return made;
  return one(
    await tx.query<InvitationRow>(
      `select ${INVITATION} from survey_invitation where tenant_id = $1 and run_id = $2 and step_id = $3 and visit = $4`,
      [tx.tenantId, step!.runId, step!.stepId, step!.visit],
    ),
  )!;
}

/** The record of a customer that is invited: the one with the address, else the first. */
async function recordOf(tx: Tx, customerId: string, address: string | undefined): Promise<string | null> {
  const row = one(
    await tx.query<{ ref: string }>(
      `select p.stream_id::text || '/' || p.remote_id as ref from contact_projection p
       where p.tenant_id = $1 and p.entity_id = $2 and p.deleted_at is null
       order by (p.keys && array['email:' || $3::text, 'phone:' || $3::text]) desc nulls last, p.stream_id, p.remote_id limit 1`,
      [tx.tenantId, customerId, address?.toLowerCase() ?? ''],
    ),
  );
  return row?.ref ?? null;
}

/** @param lock whether others wait until this transaction is over */
export async function findInvitation(tx: Tx, id: string, lock = false): Promise<InvitationRow | undefined> {
  return one(
    await tx.query<InvitationRow>(
      `select ${INVITATION} from survey_invitation where tenant_id = $1 and id = $2 ${lock ? 'for update' : ''}`,
      [tx.tenantId, id],
    ),
  );
}

/**
 * The customer who was invited, as they are now: the record says who, through merges and their undoing.
 * @returns undefined when they were erased
 */
export async function invitedCustomer(
  tx: Tx,
  { customer_id, customer_ref }: Pick<InvitationRow, 'customer_id' | 'customer_ref'>,
): Promise<Awaited<ReturnType<typeof findCustomer>>> {
  if (customer_ref === ERASED) return undefined;
  const owner = customer_ref
    ? one(
        await tx.query<{ entity_id: string }>(
          'select entity_id from contact_projection where tenant_id = $1 and stream_id = $2 and remote_id = $3',
          [tx.tenantId, customer_ref.slice(0, 36), customer_ref.slice(37)],
        ),
      )
    : undefined;
  return findCustomer(tx, owner?.entity_id ?? customer_id);
}

/** Writes down what was given so far, or at the end. */
export async function saveInvitation(tx: Tx, row: InvitationRow, now: Date): Promise<void> {
  await tx.query(
    `update survey_invitation set state = $3, answers = $4, score = $5, started_at = $6, answered_at = $7, completed_by = $8, counts_at = $9, updated_at = $10
     where tenant_id = $1 and id = $2`,
    [
      tx.tenantId,
      row.id,
      row.state,
      row.answers,
      row.score,
      row.started_at,
      row.answered_at,
      row.completed_by,
      row.counts_at,
      now,
    ],
  );
}

const tokenOf = (deps: LinkDeps, tenantId: string, id: string): string =>
  hmacSha256(deps.linkKey, `survey ${tenantId} ${id}`).toString('base64url');

/** The address of an invitation; the same for ever, so that old mails keep working. */
export async function linkTo(
  deps: LinkDeps,
  tx: Tx,
  row: Pick<InvitationRow, 'id' | 'customer_id'>,
  now: Date,
): Promise<string> {
  const token = tokenOf(deps, tx.tenantId, row.id);
  await tx.query(
    "insert into link_route (token_hash, tenant_id, purpose, subject, created_at) values ($1, $2, 'survey', $3, $4) on conflict (token_hash) do nothing",
    [hashToken(token), tx.tenantId, { invitation: row.id, customerId: row.customer_id }, now],
  );
  return `${deps.publicUrl}/s/${token}`;
}

/** Started invitations whose time to count has come, and when the next one's comes. */
export async function dueInvitations(tx: Tx, now: Date): Promise<{ ids: string[]; next: Date | undefined }> {
  const { rows } = await tx.query<{ id: string; counts_at: Date }>(
    `select id, counts_at from survey_invitation where tenant_id = $1 and state = 'started' and counts_at is not null
     order by counts_at, id limit 500`,
    [tx.tenantId],
  );
  const ids = rows.filter(({ counts_at }) => counts_at <= now).map(({ id }) => id);
  return { ids, next: ids.length === rows.length && rows.length === 500 ? now : rows[ids.length]?.counts_at };
}
