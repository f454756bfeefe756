import {
  at,
  defineWebhooks,
  type HookEvent,
  hmacMatches,
  jsonOf,
  type RawHook,
  textAt,
  type Verdict,
} from '../../src/kit/index.ts';

/** Zendesk tries again for long; each try is known by its event (dossier, Webhooks). */
const OLDEST_MS = 3_600_000;
/** For clocks that differ. */
const NEWEST_MS = 300_000;

function verify(hook: RawHook, secret: string | undefined, now: Date): Verdict {
  const signature = hook.headers['x-zendesk-webhook-signature'];
  const timestamp = hook.headers['x-zendesk-webhook-signature-timestamp'];
  if (!signature || !timestamp || !secret) return { ok: false, reason: 'missing_signature' };
  const signed = Buffer.concat([Buffer.from(timestamp), hook.body]);
  if (!hmacMatches('sha256', secret, signed, signature, 'base64')) return { ok: false, reason: 'bad_signature' };
  const age = now.getTime() - Date.parse(timestamp);
  return age < OLDEST_MS && age > -NEWEST_MS ? { ok: true } : { ok: false, reason: 'stale' };
}

type Change = Extract<HookEvent, { type: 'record' }>['change'];

const STREAMS: Record<string, string> = { ticket: 'tickets', user: 'users', organization: 'organizations' };

/** Everything else is a change, a merged ticket too: it is closed and stays. */
const CHANGES: Record<string, Change> = {
  'ticket.soft_deleted': 'deleted',
  'ticket.permanently_deleted': 'deleted',
  'ticket.undeleted': 'restored',
  'user.deleted': 'deleted',
  'organization.deleted': 'deleted',
};

interface Told {
  /** `ticket.status_changed` */
  what: string;
  id: string;
  body: unknown;
  base: { key: string; at?: Date };
}

/** Moments are written with nine digits of a second. */
function momentOf(time: string | undefined): { at?: Date } {
  const moment = new Date((time ?? '').replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(moment.getTime()) ? {} : { at: moment };
}

/** Which of two merged users is gone. Not verified, therefore a setting (QUIRKS.md). */
function mergeOf({ id, body, base }: Told, settings: Record<string, unknown> | undefined): HookEvent {
  const other = textAt(body, 'event.user.id') ?? textAt(body, 'event.current') ?? textAt(body, 'event.user_id');
  if (!other || other === id) return { ...base, type: 'record', stream: 'users', id, change: 'changed' };
  const [from, into] = settings?.mergeEvent === 'about_survivor' ? [other, id] : [id, other];
  return { ...base, type: 'record', stream: 'users', id: from, into, change: 'merged' };
}

/** How a ticket of ours goes on. */
function stateOf({ what, id, body, base }: Told): HookEvent[] {
  if (what !== 'ticket.status_changed' && what !== 'ticket.custom_status_changed') return [];
  const state = textAt(body, 'detail.status')?.toLowerCase();
  return state ? [{ ...base, key: `${base.key}|state`, type: 'receipt', nativeId: id, state }] : [];
}

/** What somebody wrote that the customer may see. */
function commentOf({ what, id, body, base }: Told): HookEvent[] {
  const comment = textAt(body, 'event.comment.id');
  const isPublic = at(body, 'event.comment.is_public') !== false;
  if (what !== 'ticket.comment_added' || !comment || !isPublic) return [];
  const key = `${base.key}|comment`;
  return [{ ...base, key, type: 'record', stream: 'comments', id: `${id}-${comment}`, change: 'changed' }];
}

/** A colleague is no end user: the list of agents has them. */
function agentOf({ what, id, body, base }: Told): HookEvent[] {
  const isStaff = what.startsWith('user.') && ['agent', 'admin'].includes(textAt(body, 'detail.role') ?? '');
  return isStaff
    ? [{ ...base, key: `${base.key}|agent`, type: 'record', stream: 'agents', id, change: 'changed' }]
    : [];
}

function read(body: unknown, settings: Record<string, unknown> | undefined): HookEvent[] {
  const what = (textAt(body, 'type') ?? '').replace(/^zen:event-type:/, '');
  const stream = STREAMS[what.split('.')[0] ?? ''];
  const id = textAt(body, 'detail.id') ?? textAt(body, 'subject')?.split(':').at(-1);
  const key = textAt(body, 'id');
  // Conversations are left alone, and so is everything else that is no record here.
  if (!stream || !id || !key) return [];
  const told: Told = { what, id, body, base: { key, ...momentOf(textAt(body, 'time')) } };
  if (what === 'user.merged') return [mergeOf(told, settings)];
  const change = CHANGES[what] ?? 'changed';
  const record: HookEvent = { ...told.base, type: 'record', stream, id, change };
  return [record, ...stateOf(told), ...commentOf(told), ...agentOf(told)];
}

/** Nothing happened to it but that it was made. */
const isNew = (record: unknown): boolean => {
  const made = textAt(record, 'created_at');
  return made !== undefined && made === textAt(record, 'updated_at');
};

export const webhooks = defineWebhooks({
  scope: 'connection',
  // Not every change has an event, but everything that is made has.
  announces: { tickets: isNew, users: isNew, organizations: isNew },
  subscribes: true,
  // The secret of "Send test" is printed in the documentation: whatever it signs is refused.
  verify: (hook, secrets, now) => verify(hook, secrets.connection.signingSecret, now),
  events: (hook, connection) => {
    const body = jsonOf(hook);
    if (textAt(body, 'type') === undefined)
      throw new Error('Zendesk posts events with a type; this has none. Its webhook may be one for triggers.');
    return read(body, connection?.settings);
  },
});
