import { listAt, type ReceiptNews, textAt } from '../../src/kit/index.ts';

/** What of a mail is asked for; the headers and the new text come only when asked for (dossier, Read: Message fields). */
export const MAIL_FIELDS =
  'id,subject,from,toRecipients,receivedDateTime,sentDateTime,lastModifiedDateTime,conversationId,internetMessageId,isDraft,webLink,bodyPreview,uniqueBody,internetMessageHeaders';

/** In a delta: it is not there any more. */
export const isRemoved = (record: unknown): boolean =>
  record !== null && typeof record === 'object' && Object.hasOwn(record, '@removed');

/** The head of a series is no appointment; its appointments stand beside it. */
export const isAppointment = (record: unknown): boolean => textAt(record, 'type') !== 'seriesMaster';

/** Event times have no offset in the text: in UTC, as asked for, it is added. */
function instantOf(record: unknown, name: string): string | undefined {
  const time = textAt(record, `${name}.dateTime`);
  if (!time) return undefined;
  return /(Z|[+-]\d\d:?\d\d)$/.test(time) ? time : `${time.replace(/(\.\d{3})\d+$/, '$1')}Z`;
}

/**
 * An appointment with who it is with: the first guest of one we organise, else whoever invited us; and its times as
 * moments.
 */
export function appointmentOf(record: unknown): unknown {
  if (isRemoved(record)) return record;
  const organiser = textAt(record, 'organizer.emailAddress.address')?.toLowerCase();
  const guest = listAt(record, 'attendees').find((one) => {
    const address = textAt(one, 'emailAddress.address')?.toLowerCase();
    return address !== undefined && address !== organiser && textAt(one, 'type') !== 'resource';
  });
  const invited = textAt(record, 'isOrganizer') === 'false';
  const response = textAt(guest, 'status.response');
  const address = invited ? organiser : textAt(guest, 'emailAddress.address');
  return {
    ...(record as object),
    startsAt: instantOf(record, 'start'),
    endsAt: instantOf(record, 'end'),
    ...(address ? { guest: { address, ...(response && !invited ? { response } : {}) } } : {}),
  };
}

/** What became of an appointment we made: what the guest answered, or that it was cancelled or deleted. */
export function answerOf(record: unknown): ReceiptNews | undefined {
  const nativeId = textAt(record, 'id');
  if (!nativeId) return undefined;
  if (isRemoved(record)) return { nativeId, state: 'deleted' };
  if (textAt(record, 'isCancelled') === 'true') return { nativeId, state: 'cancelled' };
  const state = textAt(record, 'guest.response');
  return state && state !== 'none' && state !== 'notResponded' ? { nativeId, state } : undefined;
}

/** A machine reports that a mail could not be delivered (dossier, Opt-out and engagement: Bounce). */
export const isBounce = (record: unknown): boolean =>
  /^(postmaster|microsoftexchange[^@]*)@/i.test(textAt(record, 'from.emailAddress.address') ?? '');

/** A mail with whether a machine wrote it: a report, an out-of-office note, a newsletter's robot. */
export function mailOf(record: unknown): unknown {
  const headers = new Map(
    listAt(record, 'internetMessageHeaders').map((header) => [
      (textAt(header, 'name') ?? '').toLowerCase(),
      (textAt(header, 'value') ?? '').trim().toLowerCase(),
    ]),
  );
  const submitted = headers.get('auto-submitted');
  const automatic =
    isBounce(record) ||
    (submitted !== undefined && submitted !== 'no') ||
    headers.has('x-auto-response-suppress') ||
    headers.has('x-autoreply') ||
    /^(bulk|junk|auto_reply)$/.test(headers.get('precedence') ?? '');
  return { ...(record as object), automatic };
}
