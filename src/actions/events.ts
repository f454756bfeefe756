import { appendEvents } from '../audit/store.ts';
import type { Tx } from '../base/database.ts';
import { removeRoutes } from '../connections/coordinator.ts';
import { type ConnectionRow, setConnectionState } from '../connections/store.ts';
import { suppress } from '../consent/store.ts';
import { keywordOf } from '../consent/words.ts';
import type { HookEvent } from '../kit/index.ts';
import type { ChangeListener } from '../model/types.ts';
import { noteOutcome } from '../scoring/engagement.ts';
import { wakeScores } from '../scoring/jobs.ts';
import { acknowledge } from '../sequences/escalating.ts';
import { taskDone } from '../sequences/listening.ts';
import { escalationOfToken } from './content.ts';
import type { ActionDeps } from './deps.ts';
import { troubleOf } from './ears.ts';
import { afterEnd } from './ending.ts';
import { takeHelp, takeStart, takeStop } from './replies.ts';
import { noteNativeState, type RequestRow, requestOfNative } from './store.ts';
import { isDone, stepOfRequest } from './tasks.ts';
import { settleRequest, unfreeze } from './transitions.ts';

/** Takes a vendor's event that is no record: each is handled in the transaction that notes it as known. */
export async function takeEvent(
  deps: ActionDeps,
  tx: Tx,
  connection: ConnectionRow,
  event: HookEvent,
  now: Date,
): Promise<void> {
  switch (event.type) {
    case 'record':
      return;
    case 'receipt':
      return takeReceipt(deps, tx, connection, event, now);
    case 'opt_out':
    case 'opt_in': {
      const written = { channel: event.channel, address: event.address, text: event.evidence, connection, at: now };
      const choice = {
        source: connection.connector,
        evidence: { text: event.evidence, connection: connection.id, event: event.key },
      };
      if (event.type === 'opt_in') await takeStart(deps, tx, written, choice);
      else await takeStop(deps, tx, written, { ...choice, topic: event.topic, scope: event.scope });
      return;
    }
    case 'acknowledge': {
      const id = escalationOfToken(deps.content, tx.tenantId, event.token);
      if (id) await acknowledge(deps.ports, tx, id, event.by, now);
      return;
    }
    case 'revoked': {
      // An old report about an access that was given anew since then.
      if (event.at && connection.state === 'active' && event.at < connection.state_since) return;
      await setConnectionState(tx, connection.id, 'needs_reauthorisation', event.reason, now);
      await removeRoutes(tx, connection.id);
      await appendEvents(tx, [
        {
          actor: `vendor:${connection.connector}`,
          action: 'connection.removed_at_vendor',
          subject: { kind: 'connection', id: connection.id },
          data: { reason: event.reason },
          at: now,
        },
      ]);
    }
  }
}

/** A message was delivered, read or refused afterwards; an address that is closed is closed for us too. */
async function takeReceipt(
  deps: ActionDeps,
  tx: Tx,
  connection: ConnectionRow,
  event: Extract<HookEvent, { type: 'receipt' }>,
  now: Date,
): Promise<void> {
  const request = await requestOfNative(tx, connection.id, event.nativeId, event.requestId);
  if (!request) return;
  // Also what is about to be tried again, because the platform did not show it when it was asked.
  const undecided = request.attempts > 0 && ['unknown', 'planned', 'committed'].includes(request.state);
  if (undecided) await settleByReport(deps, tx, request, event, now);
  if (!event.read && setsBack(deps, connection.connector, request, event.state)) return;
  // A record that is read again tells the same again.
  if (event.read && request.native_state === event.state) return;
  await noteNativeState(
    tx,
    request.id,
    { nativeId: event.nativeId, state: event.state, detail: event.detail ?? null },
    now,
  );
  const step = request.customer_id && isDone(event.state) ? await stepOfRequest(tx, request) : undefined;
  if (step) await taskDone(deps.ports, tx, { ...step, customerId: request.customer_id! }, now);
  if (request.customer_id && request.class !== 'internal') {
    const message = { id: request.id, customerId: request.customer_id, channel: request.channel };
    await noteOutcome(tx, message, event.state, event.machine ?? false, now);
    tx.afterCommit(() => wakeScores(deps, tx.tenantId));
  }
  await appendEvents(tx, [
    {
      actor: `vendor:${connection.connector}`,
      action: 'action.followed',
      subject: { kind: 'action', id: request.id },
      customerId: request.customer_id,
      data: { state: event.state, detail: event.detail ?? null },
      at: now,
    },
  ]);
  const trouble = troubleOf(event);
  if (trouble) await deps.ears?.trouble(tx, request.id, trouble, now);
  if (event.outcome !== 'opted_out' && event.outcome !== 'invalid_recipient') return;
  await suppress(tx, {
    channel: request.channel,
    addressHash: deps.hash(tx.tenantId, request.channel, request.recipient),
    scope: 'all',
    reason: event.outcome,
    source: connection.connector,
    evidence: { request: request.id, state: event.state, detail: event.detail ?? null },
    at: now,
  });
}

/** A report about something whose answer was lost proves that it went out. */
async function settleByReport(
  deps: ActionDeps,
  tx: Tx,
  request: RequestRow,
  event: Extract<HookEvent, { type: 'receipt' }>,
  now: Date,
): Promise<void> {
  const settled = await settleRequest(
    tx,
    {
      id: request.id,
      state: 'sent',
      reason: null,
      detail: 'The platform reported on it afterwards.',
      ...(event.nativeId ? { nativeId: event.nativeId } : {}),
    },
    undefined,
    now,
  );
  if (settled) await afterEnd(deps, tx, settled, now);
}

/** Reports overtake each other: an earlier state never replaces a later one, by the order the action states. */
function setsBack(deps: ActionDeps, connector: string, request: RequestRow, state: string): boolean {
  const order = deps.registry.find(connector)?.actions.find((action) => action.kind === request.kind)?.follows ?? [];
  const rank = order.indexOf(state);
  return rank >= 0 && rank <= order.indexOf(request.native_state ?? '');
}

/** Messages that are about to go out say what was true a moment ago: when money moved, they are written anew. */
export const unfreezeListener: ChangeListener = async (tx, changes, now) => {
  const customers = changes
    .filter((change) => (change.kind === 'invoice' || change.kind === 'payment') && change.customer_id)
    .map((change) => change.customer_id!);
  if (customers.length > 0) await unfreeze(tx, [...new Set(customers)], now);
};

/** An inbound text that is nothing but STOP, START or HELP counts as such, whoever delivered it. */
export function keywordListener(deps: () => ActionDeps): ChangeListener {
  return async (tx, changes, now) => {
    for (const change of changes) {
      const { after } = change;
      if (change.kind !== 'activity' || change.op !== 'created' || change.origin !== 'live') continue;
      if (after?.direction !== 'in' || after.automatic === true || !after.address) continue;
      const channel = String(after.channel ?? '');
      const text = String(after.body ?? '');
      // A mail says it in its subject or in all of its text.
      const subject = channel === 'email' ? keywordOf(String(after.subject ?? '')) : undefined;
      const word = keywordOf(text) ?? (subject === 'stop' ? subject : undefined);
      if (!word || !['sms', 'whatsapp', 'email'].includes(channel)) continue;
      const connection = await connectionOfActivity(tx, change.entity_id);
      const written = { channel, address: String(after.address), text, connection, at: now };
      const choice = { source: 'reply', evidence: { text: after.body ?? after.subject, activity: change.entity_id } };
      if (word === 'help') await takeHelp(deps(), tx, written);
      else if (word === 'stop') await takeStop(deps(), tx, written, choice);
      else await takeStart(deps(), tx, written, choice);
    }
  };
}

async function connectionOfActivity(tx: Tx, entityId: string): Promise<{ id: string; connector: string } | undefined> {
  const { rows } = await tx.query<{ id: string; connector: string }>(
    `select c.id, c.connector from activity a join stream s on s.tenant_id = a.tenant_id and s.id = a.stream_id
       join connection c on c.tenant_id = s.tenant_id and c.id = s.connection_id
     where a.tenant_id = $1 and a.entity_id = $2 limit 1`,
    [tx.tenantId, entityId],
  );
  return rows[0];
}
