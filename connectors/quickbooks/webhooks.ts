import { defineWebhooks, type HookEvent, hmacMatches, jsonOf, listAt, textAt } from '../../src/kit/index.ts';

const STREAMS: Record<string, string> = {
  customer: 'customers',
  invoice: 'invoices',
  payment: 'payments',
  creditmemo: 'credit_memos',
  salesreceipt: 'sales_receipts',
  refundreceipt: 'refund_receipts',
  estimate: 'estimates',
  timeactivity: 'time_activities',
};

/** The operations of both forms; `emailed` and `voided` are changes of the record like any other. */
const CHANGES: Record<string, 'changed' | 'deleted' | 'merged'> = {
  created: 'changed',
  create: 'changed',
  updated: 'changed',
  update: 'changed',
  emailed: 'changed',
  voided: 'changed',
  void: 'changed',
  deleted: 'deleted',
  delete: 'deleted',
  merged: 'merged',
  merge: 'merged',
};

/** One change, whichever form it came in. */
interface Notice {
  realm: string | undefined;
  entity: string;
  operation: string;
  id: string | undefined;
  time: string | undefined;
  /** The record a merge took away. */
  deletedId: string | undefined;
  key: string;
}

/** `qbo.<entity>.<operation>.v1`, one event per member of the list. */
function fromCloudEvent(event: unknown): Notice {
  const [, entity = '', operation = ''] = (textAt(event, 'type') ?? '').split('.');
  return {
    realm: textAt(event, 'intuitaccountid'),
    entity,
    operation,
    id: textAt(event, 'intuitentityid'),
    time: textAt(event, 'time'),
    deletedId: textAt(event, 'data.deletedid'),
    key: textAt(event, 'id') ?? '',
  };
}

/** The form until 2026: companies, each with its list. */
const fromNotification = (notification: unknown): Notice[] =>
  listAt(notification, 'dataChangeEvent.entities').map((entity) => {
    const realm = textAt(notification, 'realmId');
    const told = ['name', 'id', 'operation', 'lastUpdated'].map((name) => textAt(entity, name));
    const [name = '', id, operation = '', time] = told;
    const deletedId = textAt(entity, 'deletedId');
    return { realm, entity: name, operation, id, time, deletedId, key: [realm, ...told, deletedId].join('|') };
  });

function toEvent(notice: Notice): HookEvent[] {
  const stream = STREAMS[notice.entity.toLowerCase()];
  const change = CHANGES[notice.operation.toLowerCase()];
  // What we do not read is announced too, as long as it is ticked in the portal.
  if (!stream || !change || !notice.id || !notice.realm || !notice.key) return [];
  const at = new Date(notice.time ?? '');
  const base = {
    type: 'record' as const,
    account: notice.realm,
    key: notice.key,
    stream,
    ...(Number.isNaN(at.getTime()) ? {} : { at }),
  };
  if (change !== 'merged') return [{ ...base, id: notice.id, change }];
  if (!notice.deletedId) return [{ ...base, id: notice.id, change: 'changed' }];
  return [{ ...base, id: notice.deletedId, change, into: notice.id }];
}

export const webhooks = defineWebhooks({
  scope: 'app',
  announces: { customers: true, invoices: true, payments: true, credit_memos: true, estimates: true },
  // No time is signed, so nothing can be stale: a replay carries known event ids and is ignored by those.
  verify: (hook, secrets) => {
    const signature = hook.headers['intuit-signature'];
    const verifier = secrets.app.QUICKBOOKS_WEBHOOK_VERIFIER;
    if (!signature || !verifier) return { ok: false, reason: 'missing_signature' };
    const good = hmacMatches('sha256', verifier, hook.body, signature, 'base64');
    return good ? { ok: true } : { ok: false, reason: 'bad_signature' };
  },
  events: (hook) => {
    const body = jsonOf(hook);
    if (Array.isArray(body)) return body.map(fromCloudEvent).flatMap(toEvent);
    const notifications = listAt(body, 'eventNotifications');
    if (notifications.length === 0) throw new Error('QuickBooks posts a list of events; this is none.');
    return notifications.flatMap(fromNotification).flatMap(toEvent);
  },
});
