import { DateTime } from 'luxon';
import type { RequestRow } from '../../actions/store.ts';
import type { Deed } from './compare.ts';
import type { Scene } from './facts.ts';
import type { DeedKind } from './schema.ts';

const KINDS: Partial<Record<RequestRow['kind'], DeedKind>> = {
  send_email: 'email',
  send_sms: 'sms',
  send_whatsapp: 'whatsapp',
  send_push: 'push',
  send_in_app: 'in_app',
  create_task: 'task',
  send_chat: 'chat',
  create_ticket: 'ticket',
  create_calendar_event: 'calendar',
  add_note: 'note',
  add_tag: 'tag',
  remove_tag: 'untag',
  send_invoice_reminder: 'invoice_reminder',
};

type Row = Pick<RequestRow, 'kind' | 'plan' | 'content' | 'state' | 'held' | 'step_id' | 'ended_at' | 'reason_detail'>;

/** Everything that was done or is held, in the order it happened, on the customer's clock. */
export async function deedsOf({ hub, tenantId }: Scene, zone: string): Promise<Deed[]> {
  const { rows } = await hub.db.tenant(tenantId, (tx) =>
    tx.query<Row>(
      `select kind, plan, content, state, held, step_id, ended_at, reason_detail from action_request
       where tenant_id = $1 and (state = 'sent' or (state = 'planned' and held)) order by ended_at nulls last, id`,
      [tenantId],
    ),
  );
  return rows.flatMap((row) => {
    const kind = KINDS[row.kind];
    if (!kind) return [];
    const held = row.state !== 'sent';
    const at = DateTime.fromJSDate(row.ended_at ?? new Date(0), { zone });
    return {
      ...{ date: at.toISODate()!, time: at.toFormat('HH:mm') },
      kind: held ? ('held' as const) : kind,
      what: whatOf(row),
      step: row.step_id,
      text: held ? (row.reason_detail ?? '') : textOf(row.content ?? {}),
    };
  });
}

/** Template of a message, `stop` or `help` of an answer to that word, title of everything else. */
function whatOf({ plan, content, kind }: Row): string {
  if ('template' in plan) return plan.template;
  if (plan.type === 'answer') return plan.to;
  const given = content ?? ('input' in plan ? plan.input : {});
  const { title, subject, tag, invoice, body } = given;
  return String(title ?? subject ?? tag ?? invoice ?? body ?? kind);
}

const textOf = (content: Record<string, unknown>): string =>
  ['subject', 'title', 'text', 'body', 'priority'].flatMap((name) => content[name] ?? []).join('\n');

/** When the first enrolment of the rehearsed sequence began, and why the last one ended. */
export async function runOf({
  hub,
  tenantId,
  sequence,
}: Scene): Promise<{ starts: string | undefined; ends: string | undefined }> {
  const { rows } = await hub.db.tenant(tenantId, (tx) =>
    tx.query<{ start_on: string; end_reason: string | null; state: string }>(
      `select r.start_on, r.end_reason, r.state from run r join sequence s on s.tenant_id = $1 and s.id = r.sequence_id
       where r.tenant_id = $1 and s.key = $2 order by r.started_at, r.id`,
      [tenantId, sequence],
    ),
  );
  const last = rows.at(-1);
  const ended = last && ['done', 'exited', 'stopped'].includes(last.state);
  return { starts: rows[0]?.start_on, ends: ended ? (last.end_reason ?? 'ended') : undefined };
}
