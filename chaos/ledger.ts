import { createHash } from 'node:crypto';
import type { Exchange } from '../src/kit/sandbox/index.ts';

/** Something a vendor took from us, in the order in which it took it. */
export interface Write {
  /** When, on the hub's clock, in milliseconds. */
  at: number;
  vendor: 'hubspot' | 'quickbooks' | 'twilio' | 'slack' | 'smtp';
  kind:
    | 'create_task'
    | 'add_note'
    | 'create_calendar_event'
    | 'create_ticket'
    | 'send_sms'
    | 'send_email'
    | 'send_chat';
  nativeId: string;
  /** Our action, as the vendor's object names it. */
  request: string | null;
  /** Whom it reaches. */
  to: string;
  text: string;
  /** What only one thing in the world may say: `[key]` in the text. */
  key: string | null;
}

/** A record as the vendor has it at the end. */
export interface VendorRecord {
  vendor: 'hubspot' | 'quickbooks';
  stream: string;
  id: string;
  state: 'live' | 'gone' | 'merged';
  /** The record it became part of. */
  into: string | null;
  /** Grows with every change. */
  revision: number;
  /** What the hub must hold of it, as text. */
  fields: Record<string, string>;
}

/** A person wrote STOP. */
export interface Stop {
  phone: string;
  /** When the hub answered that it has it. */
  acceptedAt: number;
}

/** One use of a refresh token, by a fingerprint of it. */
export interface TokenUse {
  at: number;
  vendor: string;
  token: string;
  /** `lost`: the vendor gave a new one and the answer never arrived. */
  outcome: 'given' | 'lost' | 'refused';
}

/** What the vendors know: kept by the simulations, never by the hub. */
export interface Ledger {
  writes: Write[];
  records: VendorRecord[];
  stops: Stop[];
  tokens: TokenUse[];
  /** Calls to a number that had opted out, which the vendor refused. */
  refusedSms: { at: number; to: string; request: string | null }[];
  /** What users did at the vendors, counted. */
  deeds: Record<string, number>;
  /** Calls a fault struck, by kind. */
  faults: Record<string, number>;
  calls: number;
  hooks: { told: number; lost: number; doubled: number; accepted: number; refused: number };
}

export const keyOf = (text: string): string | null => /\[(k-[\w-]+)\]/.exec(text)?.[1] ?? null;

export const fingerprint = (token: string): string => createHash('sha256').update(token).digest('hex').slice(0, 12);

const OBJECTS: Record<string, { kind: Write['kind']; text: string }> = {
  tasks: { kind: 'create_task', text: 'hs_task_subject' },
  notes: { kind: 'add_note', text: 'hs_note_body' },
  meetings: { kind: 'create_calendar_event', text: 'hs_meeting_title' },
  tickets: { kind: 'create_ticket', text: 'subject' },
};

type Body = Record<string, unknown> | undefined;

/** What HubSpot took with a call, if it took something. */
export function hubspotWrite(exchange: Exchange): Write | undefined {
  const type = /^\/crm\/objects\/[^/]+\/(\w+)$/.exec(exchange.path)?.[1] ?? '';
  const object = OBJECTS[type];
  if (!object || exchange.method !== 'POST' || exchange.status !== 201) return undefined;
  const body = exchange.body as { properties: Record<string, string>; associations?: { to: { id: string } }[] };
  const text = body.properties[object.text] ?? '';
  return {
    at: exchange.at.getTime(),
    vendor: 'hubspot',
    kind: object.kind,
    nativeId: String((exchange.reply as { id: string }).id),
    request: body.properties.rapport_action_id ?? null,
    to: body.associations?.[0]?.to.id ?? '',
    text,
    key: keyOf(text),
  };
}

/** What Twilio took, or refused because the person had opted out. */
export function twilioWrite(exchange: Exchange): { taken?: Write; refused?: Ledger['refusedSms'][number] } {
  if (exchange.method !== 'POST' || !exchange.path.endsWith('/Messages.json')) return {};
  const form = (exchange.body ?? {}) as Record<string, string>;
  const callback = form.StatusCallback;
  const request = callback ? new URL(callback).searchParams.get('request') : null;
  const at = exchange.at.getTime();
  const reply = exchange.reply as Body;
  if (exchange.status === 400 && reply?.code === 21610) return { refused: { at, to: form.To ?? '', request } };
  if (exchange.status !== 201) return {};
  const text = form.Body ?? '';
  const made = { at, nativeId: String(reply?.sid), request, to: form.To ?? '', text, key: keyOf(text) };
  return { taken: { vendor: 'twilio', kind: 'send_sms', ...made } };
}

/** What Slack took. A message that replaces an earlier one is no new message. */
export function slackWrite(exchange: Exchange): Write | undefined {
  const reply = exchange.reply as Body;
  if (!exchange.path.endsWith('/chat.postMessage') || exchange.status !== 200 || reply?.ok !== true) return undefined;
  const body = exchange.body as { channel: string; text?: string; metadata?: unknown };
  // Forms carry it as text.
  const metadata = (typeof body.metadata === 'string' ? JSON.parse(body.metadata) : body.metadata) as
    | { event_payload?: { id?: string } }
    | undefined;
  const text = JSON.stringify(body);
  return {
    at: exchange.at.getTime(),
    vendor: 'slack',
    kind: 'send_chat',
    nativeId: `${String(reply.channel)}:${String(reply.ts)}`,
    request: metadata?.event_payload?.id ?? null,
    to: body.channel,
    text: body.text ?? text,
    key: keyOf(text),
  };
}

/** A refresh token that was used. */
export function tokenUse(vendor: string, exchange: Exchange): TokenUse | undefined {
  const form = exchange.body as Record<string, string> | undefined;
  if (exchange.method !== 'POST' || form?.grant_type !== 'refresh_token') return undefined;
  const outcome = exchange.status !== 200 ? 'refused' : exchange.fault === 'cut_after' ? 'lost' : 'given';
  return { at: exchange.at.getTime(), vendor, token: fingerprint(form.refresh_token ?? ''), outcome };
}

/** Whether a call reads a page of a list: what follows it in the hub is the commit of that page. */
export const readsPage = ({ method, path }: Exchange): boolean =>
  path.endsWith('/search') ||
  path.endsWith('/query') ||
  path.endsWith('/batch/read') ||
  (method === 'GET' && /\/crm\/objects\/[^/]+\/\w+$/.test(path));
