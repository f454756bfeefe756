import { listAt, textAt } from '../../src/kit/index.ts';
import { requestNamedIn } from './marks.ts';

/** What is read of an answer or a bounce. */
export interface Mail {
  id: string;
  threadId: string;
  labelIds: string[];
  historyId: string;
  receivedAt: string;
  from: string;
  subject: string;
  text: string;
  messageId: string | undefined;
  /** Our request it answers or returns. */
  about: string | undefined;
  /** Sent by a machine. */
  automatic: boolean;
  bounce?: Bounce;
}

export interface Bounce {
  recipient: string;
  /** Enhanced status (RFC 3463), such as 5.1.1. */
  status: string;
  action: string;
  reason: string;
}

/** A header of a message, whatever its case. */
export const headerOf = (message: unknown, name: string): string | undefined => {
  const found = listAt(message, 'payload.headers').find(
    (header) => textAt(header, 'name')?.toLowerCase() === name.toLowerCase(),
  );
  return found === undefined ? undefined : textAt(found, 'value');
};

/** Headers by which is decided whether a message concerns us at all. */
export const DECIDING = ['From', 'Subject', 'In-Reply-To', 'References', 'X-Failed-Recipients', 'Content-Type'];

const DAEMON = /mailer-daemon@|postmaster@/i;

const isBounce = (message: unknown): boolean =>
  headerOf(message, 'X-Failed-Recipients') !== undefined ||
  (DAEMON.test(headerOf(message, 'From') ?? '') && /multipart\/report/i.test(headerOf(message, 'Content-Type') ?? ''));

/** Whether a message answers ours, returns one, or asks for no more: nothing else is read. */
export const concernsUs = (message: unknown): boolean =>
  requestNamedIn(`${headerOf(message, 'In-Reply-To')} ${headerOf(message, 'References')}`) !== undefined ||
  isBounce(message) ||
  /^\s*unsubscribe\b/i.test(headerOf(message, 'Subject') ?? '');

interface Part {
  mimeType?: string;
  headers?: { name: string; value: string }[];
  body?: { data?: string };
  parts?: Part[];
}

const decoded = (part: Part | undefined): string =>
  part?.body?.data ? Buffer.from(part.body.data, 'base64url').toString('utf8') : '';

function* partsOf(part: Part | undefined): Generator<Part> {
  if (!part) return;
  yield part;
  for (const inner of part.parts ?? []) yield* partsOf(inner);
}

const stripped = (html: string): string =>
  html
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, '')
    .replace(/<br\s*\/?>|<\/(p|div|tr)>/gi, '\n')
    .replace(/<[^>]+>/g, '')
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

// Where what was quoted begins, in the words of the usual programs.
const QUOTED =
  /^(>|On .{5,200} wrote:|Am .{5,200} schrieb .*:|Le .{5,200} a écrit ?:|El .{5,200} escribió:|-{2,} ?(Original|Forwarded|Ursprüngliche).*)/;

/** What somebody wrote themselves: the mail they answer to, which programs repeat below, is left out. */
export function ownWords(text: string): string {
  const lines = text.replace(/\r/g, '').split('\n');
  const end = lines.findIndex((line) => QUOTED.test(line.trim()));
  return lines
    .slice(0, end < 0 ? lines.length : end)
    .join('\n')
    .trim();
}

const field = (text: string, name: string): string =>
  new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(text)?.[1]?.trim() ?? '';

/** What a report of non-delivery says, from its own part, else from its headers and words. */
function bounceOf(message: unknown, parts: readonly Part[], text: string): Bounce | undefined {
  if (!isBounce(message)) return undefined;
  const report = parts
    .filter(({ mimeType }) => mimeType === 'message/delivery-status')
    .map((part) => [decoded(part), ...(part.headers ?? []).map(({ name, value }) => `${name}: ${value}`)].join('\n'))
    .join('\n');
  const status = field(report, 'Status') || (/\b[45]\.\d{1,3}\.\d{1,3}\b/.exec(text)?.[0] ?? '');
  return {
    recipient:
      field(report, 'Final-Recipient').replace(/^rfc822;\s*/i, '') || (headerOf(message, 'X-Failed-Recipients') ?? ''),
    status: /\d\.\d{1,3}\.\d{1,3}/.exec(status)?.[0] ?? '',
    action: field(report, 'Action').toLowerCase() || (status.startsWith('4') ? 'delayed' : 'failed'),
    reason: field(report, 'Diagnostic-Code')
      .replace(/^smtp;\s*/i, '')
      .slice(0, 500),
  };
}

const isAutomatic = (message: unknown): boolean =>
  !['no', ''].includes((headerOf(message, 'Auto-Submitted') ?? '').toLowerCase()) ||
  headerOf(message, 'X-Autoreply') !== undefined ||
  /^(bulk|auto_reply|junk|list)$/i.test(headerOf(message, 'Precedence') ?? '');

const addressIn = (from: string | undefined): string => /<([^<>\s]+)>/.exec(from ?? '')?.[1] ?? (from ?? '').trim();

/** A message as it is kept: who wrote what, without what they quoted, and what it says about ours. */
export function readMail(message: unknown): Mail {
  const payload = (message as { payload?: Part }).payload;
  const parts = [...partsOf(payload)];
  const plain = decoded(parts.find(({ mimeType }) => mimeType === 'text/plain'));
  const text = plain || stripped(decoded(parts.find(({ mimeType }) => mimeType === 'text/html')));
  const bounce = bounceOf(message, parts, text);
  // A bounce brings the returned mail along, whole or its headers.
  const returned = parts.flatMap((part) => [
    ...(part.headers ?? []).map(({ value }) => value),
    ...(part.mimeType?.startsWith('message/') || part.mimeType === 'text/rfc822-headers' ? [decoded(part)] : []),
  ]);
  const millis = Number(textAt(message, 'internalDate'));
  return {
    id: textAt(message, 'id') ?? '',
    threadId: textAt(message, 'threadId') ?? '',
    labelIds: listAt<string>(message, 'labelIds'),
    historyId: textAt(message, 'historyId') ?? '',
    receivedAt: Number.isFinite(millis) ? new Date(millis).toISOString() : '',
    from: addressIn(headerOf(message, 'From')),
    subject: headerOf(message, 'Subject') ?? '',
    text: bounce ? text.trim() : ownWords(text),
    messageId: headerOf(message, 'Message-ID'),
    about: requestNamedIn(returned.join('\n')),
    automatic: bounce !== undefined || isAutomatic(message),
    ...(bounce ? { bounce } : {}),
  };
}
