/** A part of a message as Gmail shows it. */
export interface Part {
  partId: string;
  mimeType: string;
  filename: string;
  headers: { name: string; value: string }[];
  body: { size: number; data?: string };
  parts?: Part[];
}

const readable = (encoding: string, body: string): Buffer =>
  encoding === 'base64' ? Buffer.from(body, 'base64') : Buffer.from(body);

/** Words such as `=?UTF-8?B?R3LDvMOfZQ==?=` in readable form. */
export const readWords = (value: string): string =>
  value
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?UTF-8\?B\?([^?]*)\?=/gi, (_all, text: string) => Buffer.from(text, 'base64').toString());

function headersIn(block: string): Part['headers'] {
  return block
    .replace(/\r\n(?=[ \t])/g, '')
    .split('\r\n')
    .filter((line) => line.includes(':'))
    .map((line) => ({
      name: line.slice(0, line.indexOf(':')),
      value: readWords(line.slice(line.indexOf(':') + 1).trim()),
    }));
}

export const headerIn = (headers: Part['headers'], name: string): string | undefined =>
  headers.find((header) => header.name.toLowerCase() === name.toLowerCase())?.value;

/** A mail taken apart, as Gmail answers with it. Inner messages are parts of their own. */
export function takeApart(raw: string, partId = ''): Part {
  const split = raw.indexOf('\r\n\r\n');
  const headers = headersIn(split < 0 ? raw : raw.slice(0, split));
  const body = split < 0 ? '' : raw.slice(split + 4);
  const type = headerIn(headers, 'Content-Type') ?? 'text/plain';
  const mimeType = type.split(';')[0]!.trim().toLowerCase();
  const inner = (text: string, at: number): Part => takeApart(text, partId === '' ? String(at) : `${partId}.${at}`);
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  const base = { partId, mimeType, filename: '', headers };
  if (boundary) {
    const parts = body.split(`--${boundary}`).slice(1, -1);
    return { ...base, body: { size: 0 }, parts: parts.map((part, at) => inner(part.replace(/^\r\n/, ''), at)) };
  }
  if (mimeType === 'message/rfc822') return { ...base, body: { size: 0 }, parts: [inner(body, 0)] };
  const data = readable(headerIn(headers, 'Content-Transfer-Encoding') ?? '7bit', body);
  return { ...base, body: { size: data.length, data: data.toString('base64url') } };
}

/** A plain mail as somebody's program writes it. */
export const plainMail = (headers: Record<string, string>, text: string): string =>
  [
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=UTF-8',
    '',
    text.replace(/\n/g, '\r\n'),
  ].join('\r\n');

/** The report of a mail that did not arrive, as Google's mailer writes it. */
export function bounceMail(of: { to: string; from: string; raw: string }, status: string, reason: string): string {
  const boundary = 'bounce-0001';
  const action = status.startsWith('4') ? 'delayed' : 'failed';
  return [
    'From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
    `To: ${of.from}`,
    'Auto-Submitted: auto-replied',
    'Subject: Delivery Status Notification (Failure)',
    `X-Failed-Recipients: ${of.to}`,
    'Message-ID: <bounce@mx.google.com>',
    `Content-Type: multipart/report; boundary="${boundary}"; report-type=delivery-status`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=UTF-8',
    '',
    `Your message wasn't delivered to ${of.to}. ${reason}`,
    `--${boundary}`,
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; googlemail.com',
    `Final-Recipient: rfc822; ${of.to}`,
    `Action: ${action}`,
    `Status: ${status}`,
    `Diagnostic-Code: smtp; 550-${status} ${reason}`,
    `--${boundary}`,
    'Content-Type: message/rfc822',
    '',
    of.raw,
    `--${boundary}--`,
    '',
  ].join('\r\n');
}
