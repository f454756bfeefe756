import {
  defineWebhooks,
  type HookEvent,
  hmacMatches,
  jsonOf,
  type RawHook,
  type Verdict,
} from '../../src/kit/index.ts';

/** Older posts are refused (the vendor's own limit). */
const MAX_AGE_MS = 300_000;

/** Escapes HubSpot decodes in the URL before it signs. */
const DECODED: Record<string, string> = {
  '%3A': ':',
  '%2F': '/',
  '%3F': '?',
  '%40': '@',
  '%21': '!',
  '%24': '$',
  '%27': "'",
  '%28': '(',
  '%29': ')',
  '%2A': '*',
  '%2C': ',',
  '%3B': ';',
};
const decoded = (url: string): string =>
  url.replace(/%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, (match) => DECODED[match.toUpperCase()]!);

function verify(hook: RawHook, secret: string | undefined, now: Date): Verdict {
  const signature = hook.headers['x-hubspot-signature-v3'];
  const timestamp = hook.headers['x-hubspot-request-timestamp'];
  if (!signature || !timestamp || !secret) return { ok: false, reason: 'missing_signature' };
  const signed = Buffer.concat([Buffer.from(`${hook.method}${decoded(hook.url)}`), hook.body, Buffer.from(timestamp)]);
  if (!hmacMatches('sha256', secret, signed, signature, 'base64')) return { ok: false, reason: 'bad_signature' };
  return Math.abs(now.getTime() - Number(timestamp)) <= MAX_AGE_MS ? { ok: true } : { ok: false, reason: 'stale' };
}

interface Event {
  objectId?: number | string;
  propertyName?: string;
  propertyValue?: string;
  subscriptionId?: number;
  subscriptionType?: string;
  eventType?: string;
  portalId: number | string;
  occurredAt: number;
  objectTypeId?: string;
  primaryObjectId?: number | string;
  mergedObjectIds?: (number | string)[];
  newObjectId?: number | string;
  fromObjectId?: number | string;
  fromObjectTypeId?: string;
}

const STREAMS: Record<string, string> = {
  contact: 'contacts',
  company: 'companies',
  deal: 'deals',
  ticket: 'tickets',
  '0-1': 'contacts',
  '0-2': 'companies',
  '0-3': 'deals',
  '0-5': 'tickets',
  '0-53': 'invoices',
};
const TASK = '0-27';

const CHANGES: Record<string, 'changed' | 'deleted' | 'restored' | 'privacy_deleted'> = {
  creation: 'changed',
  propertyChange: 'changed',
  associationChange: 'changed',
  deletion: 'deleted',
  restore: 'restored',
  privacyDeletion: 'privacy_deleted',
};

function read(event: Event): HookEvent[] {
  const [prefix, what = ''] = (event.subscriptionType ?? event.eventType ?? '').split('.');
  const typeId = event.objectTypeId ?? event.fromObjectTypeId ?? prefix ?? '';
  const id = String(event.objectId ?? event.fromObjectId ?? '');
  // The vendor's event id is not unique; this combination is.
  const key = [
    event.portalId,
    event.subscriptionId,
    id,
    event.occurredAt,
    event.propertyName,
    event.propertyValue,
    what,
  ].join('|');
  const base = { account: String(event.portalId), at: new Date(event.occurredAt) };
  if (typeId === TASK && what === 'propertyChange' && event.propertyName === 'hs_task_status')
    return [{ ...base, key, type: 'receipt', nativeId: id, state: String(event.propertyValue ?? '') }];
  const stream = STREAMS[typeId] ?? STREAMS[prefix ?? ''];
  if (!stream) return [];
  if (what === 'merge') {
    const into = String(event.newObjectId ?? event.primaryObjectId ?? '');
    const gone = [
      ...(event.mergedObjectIds ?? []),
      ...(event.newObjectId !== undefined && event.primaryObjectId !== undefined ? [event.primaryObjectId] : []),
    ]
      .map(String)
      .filter((old) => old !== into);
    return gone.map((old) => ({
      ...base,
      key: `${key}|${old}`,
      type: 'record',
      stream,
      id: old,
      change: 'merged',
      into,
    }));
  }
  const change = CHANGES[what];
  return change && id !== '' ? [{ ...base, key, type: 'record', stream, id, change }] : [];
}

export const webhooks = defineWebhooks({
  scope: 'app',
  announces: { contacts: true, companies: true, deals: true, tickets: true },
  verify: (hook, secrets, now) => verify(hook, secrets.app.HUBSPOT_CLIENT_SECRET, now),
  events: (hook) => {
    const body = jsonOf(hook);
    if (!Array.isArray(body)) throw new Error('HubSpot posts lists of events; this is none.');
    return (body as Event[]).flatMap(read);
  },
});
