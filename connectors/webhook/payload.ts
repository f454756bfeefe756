import { at, jsonOf, type RawHook, textAt } from '../../src/kit/index.ts';
import { STREAM_OF } from './streams.ts';

const MAX_BATCH = 500;

/** One event of a post. */
export interface Item {
  type: string;
  /** Which kind of event it is; `other` is not for us. */
  kind: 'upsert' | 'delete' | 'engagement' | 'result' | 'other';
  /** For records. */
  stream: string | undefined;
  timestamp: string | undefined;
  data: unknown;
}

/** Why a post is refused, in words for whoever wrote the sender. */
export class Complaint extends Error {}

/** Engagements that close an address. */
export const CLOSING = ['unsubscribed', 'stop', 'bounced'];
const ENGAGEMENTS = [...CLOSING, 'email_opened', 'email_clicked', 'replied', 'call_answered'];

const TYPE = /^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$/;
const UPSERTS = ['upserted', 'created', 'updated'];

function classify(type: string): Pick<Item, 'kind' | 'stream'> {
  if (type === 'engagement.recorded') return { kind: 'engagement', stream: undefined };
  if (type === 'action.result') return { kind: 'result', stream: undefined };
  const [object = '', verb = '', ...more] = type.split('.');
  const stream = Object.hasOwn(STREAM_OF, object) && more.length === 0 ? STREAM_OF[object] : undefined;
  if (stream && UPSERTS.includes(verb)) return { kind: 'upsert', stream };
  return stream && verb === 'deleted' ? { kind: 'delete', stream } : { kind: 'other', stream: undefined };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The moment an event is about. */
export const momentOf = (item: Item): string | undefined => textAt(item.data, 'updated_at') ?? item.timestamp;

/** A phone number in international form without its decoration, or undefined. */
export function phoneOf(value: unknown): string | undefined {
  const number = String(value ?? '').replace(/[\s().-]/g, '');
  return /^\+[1-9]\d{5,14}$/.test(number) ? number : undefined;
}

/** An e-mail address in lower case, or undefined. */
export function emailOf(value: unknown): string | undefined {
  const address = String(value ?? '')
    .trim()
    .toLowerCase();
  return /^[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>]+$/.test(address) ? address : undefined;
}

/** Smallest units mean nothing without the currency they are of: a yen has no hundredths. */
function checkAmounts(data: object, where: string): void {
  for (const [name, value] of Object.entries(data).filter(([key, given]) => key.endsWith('_minor') && given !== null)) {
    if (!/^-?\d+$/.test(String(value))) throw new Complaint(`${where}data.${name} must be a whole number.`);
    if (!/^[A-Z]{3}$/.test(textAt(data, 'currency') ?? '')) {
      throw new Complaint(`${where}data.currency must be given with ${name}, as three capital letters (ISO 4217).`);
    }
  }
}

function checkRecord(item: Item, where: string): void {
  if (!textAt(item.data, 'id')) throw new Complaint(`${where}data.id is missing: the sender's own id of the record.`);
  const moment = momentOf(item);
  if (moment === undefined || Number.isNaN(Date.parse(moment))) {
    throw new Complaint(
      `${where}data.updated_at is missing or not an ISO 8601 time: without it the order of changes is not known.`,
    );
  }
  checkAmounts(item.data as object, where);
  const told = Object.keys(item.data as object).filter((name) => name !== 'id' && name !== 'updated_at');
  if (item.kind === 'upsert' && told.length === 0) {
    throw new Complaint(
      `${where}data holds nothing but an id, and the hub cannot fetch the rest: send the whole record.`,
    );
  }
}

function checkEngagement({ data }: Item, where: string): void {
  const kind = textAt(data, 'kind') ?? '';
  if (!ENGAGEMENTS.includes(kind)) throw new Complaint(`${where}data.kind must be one of ${ENGAGEMENTS.join(', ')}.`);
  if (CLOSING.includes(kind) && !emailOf(at(data, 'email')) && !phoneOf(at(data, 'phone'))) {
    throw new Complaint(
      `${where}data.email or data.phone (international, such as +14155550100) is missing: whose choice is it?`,
    );
  }
}

function checkResult({ data }: Item, where: string): void {
  if (!textAt(data, 'action_id')) throw new Complaint(`${where}data.action_id is missing: the webhook-id of our post.`);
  if (!['done', 'failed'].includes(textAt(data, 'status') ?? ''))
    throw new Complaint(`${where}data.status must be done or failed.`);
}

function readItem(value: unknown, where: string): Item {
  const type = textAt(value, 'type');
  if (type === undefined || !TYPE.test(type))
    throw new Complaint(`${where}type is missing or not of the form invoice.upserted.`);
  const item: Item = { type, ...classify(type), timestamp: textAt(value, 'timestamp'), data: at(value, 'data') };
  if (item.kind === 'other') return item;
  if (!isObject(item.data)) throw new Complaint(`${where}data must be an object.`);
  if (item.kind === 'engagement') checkEngagement(item, where);
  else if (item.kind === 'result') checkResult(item, where);
  else checkRecord(item, where);
  return item;
}

/**
 * The events of a post, checked as a whole: of a batch with one bad event nothing is taken, so that the sender can
 * send it again as it is.
 * @throws Complaint
 */
export function readPost(hook: RawHook): Item[] {
  const body = jsonOf(hook);
  if (!isObject(body)) throw new Complaint('The body must be a JSON object with type, timestamp and data.');
  if (body.type !== 'batch') return [readItem(body, '')];
  if (!Array.isArray(body.data)) throw new Complaint('data of a batch must be a list of events.');
  if (body.data.length > MAX_BATCH)
    throw new Complaint(`A batch holds at most ${MAX_BATCH} events; this one has ${body.data.length}.`);
  return body.data.map((value, index) => readItem(value, `Event ${index + 1}: `));
}
