import { keywordOf } from '../consent/words.ts';
import type { Change } from '../model/types.ts';
import { isOneOf, plain, tagsOf, turned } from '../triggers/match.ts';
import { isWordless } from '../triggers/signals.ts';
import type { Happening } from './steps.ts';

/** Statuses by which platforms say that both sides spoke. */
const SPOKEN = /^(connected|answered|completed)$/i;

/** Something that came from the person, or a call they picked up, whoever dialled. */
const isContact = (activity: Record<string, unknown>): boolean =>
  activity.automatic !== true &&
  activity.kind !== 'note' &&
  !isWordless(activity) &&
  (activity.direction === 'in' || (activity.kind === 'call' && SPOKEN.test(String(activity.status ?? '')))) &&
  !keywordOf(String(activity.body ?? ''));

/** A human inbound message, a connected call, a booking. Machine answers do not count, and a STOP is no answer to the matter. */
export const isAnswer = (change: Change): boolean =>
  change.origin === 'live' &&
  ((change.kind === 'activity' && change.op === 'created' && isContact(change.after ?? {})) ||
    (change.kind === 'job' && change.op === 'created') ||
    (change.kind === 'survey_response' && change.op === 'created'));

const AHEAD = ['requested', 'scheduled'];

/** A job or appointment that lies ahead was made or set, or a meeting with the person. */
export const isBooking = ({ kind, op, origin, fields, after }: Change): boolean => {
  if (origin !== 'live') return false;
  if (kind === 'activity') return op === 'created' && after?.kind === 'meeting';
  if (kind !== 'job' || (op !== 'created' && op !== 'updated' && op !== 'restored')) return false;
  if (op === 'created') return AHEAD.includes(String(after?.status ?? 'scheduled'));
  if (fields.includes('status')) return after?.status === 'scheduled';
  return fields.includes('scheduled_at') && after?.scheduled_at != null;
};

/** Money arrived: a payment that succeeded, or an invoice that is paid. */
const isPayment = ({ kind, op, origin, fields, after }: Change): boolean =>
  origin === 'live' &&
  (op === 'created' || fields.includes('status')) &&
  ((kind === 'payment' && (after?.status ?? 'succeeded') === 'succeeded' && (after?.kind ?? 'payment') === 'payment') ||
    (kind === 'invoice' && op !== 'created' && after?.status === 'paid'));

/** The tags a contact got or lost by a change. */
function tagsTurned(change: Change, way: 'added' | 'removed'): string[] {
  if (change.kind !== 'contact' || change.origin !== 'live') return [];
  const turn = turned(change, 'tags');
  const [had, has] = [tagsOf(turn?.before), tagsOf(turn?.after)];
  const [more, less] = way === 'added' ? [has, had] : [had, has];
  return more.filter((tag) => !isOneOf(tag, less));
}

/** Whose fact it is. */
export const customerOf = (change: Change): string | null =>
  change.kind === 'contact' ? change.entity_id : change.customer_id;

/** Whether a change is what is waited for. What a condition asks and tasks are not told by one change alone. */
export function isHappening(event: Happening, change: Change): boolean {
  switch (event.what) {
    case 'answer':
      return isAnswer(change);
    case 'booking':
      return isBooking(change);
    case 'payment':
      return isPayment(change);
    case 'survey':
      return (
        change.origin === 'live' &&
        change.kind === 'survey_response' &&
        change.op === 'created' &&
        (event.survey === undefined || plain(change.after?.survey) === plain(event.survey))
      );
    case 'tag_added':
    case 'tag_removed':
      return isOneOf(event.tag, tagsTurned(change, event.what === 'tag_added' ? 'added' : 'removed'));
    case 'condition':
    case 'task_done':
      return false;
  }
}
