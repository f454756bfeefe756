/** A mail as the simulated server received it, taken apart. */
export interface ReceivedMail {
  at: Date;
  envelope: { from: string; to: string[] };
  /** Header fields by name in lower case, unfolded, each time they occur. */
  headers: Record<string, string[]>;
  subject: string;
  text: string;
  html: string | undefined;
  /** As it came over the wire. */
  raw: string;
}

const decodeQuotedPrintable = (text: string): Buffer =>
  Buffer.from(
    text
      .replace(/=\r?\n/g, '')
      .replace(/=([0-9A-F]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

/** Words such as `=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=` in readable form. */
const decodeWords = (value: string): string =>
  value
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?[^?]+\?([QB])\?([^?]*)\?=/gi, (_all, kind: string, text: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(text, 'base64').toString()
        : decodeQuotedPrintable(text.replaceAll('_', ' ')).toString(),
    );

function parseHeaders(block: string): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const line of block.replace(/\r\n(?=[ \t])/g, '').split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).toLowerCase();
    headers[name] = [...(headers[name] ?? []), line.slice(colon + 1).trim()];
  }
  return headers;
}

interface Part {
  type: string;
  text: string;
}

/** The readable parts of a message, nested ones included. */
function partsOf(raw: string): { headers: Record<string, string[]>; parts: Part[] } {
  const split = raw.indexOf('\r\n\r\n');
  const headers = parseHeaders(raw.slice(0, split));
  const body = raw.slice(split + 4);
  const type = headers['content-type']?.[0] ?? 'text/plain';
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary) {
    const inner = body.split(`--${boundary}`).slice(1, -1);
    return { headers, parts: inner.flatMap((part) => partsOf(part.replace(/^\r\n/, '')).parts) };
  }
  const encoding = headers['content-transfer-encoding']?.[0]?.toLowerCase() ?? '7bit';
  const bytes =
    encoding === 'base64'
      ? Buffer.from(body, 'base64')
      : encoding === 'quoted-printable'
        ? decodeQuotedPrintable(body)
        : Buffer.from(body, 'latin1');
  return { headers, parts: [{ type: type.split(';')[0]!.trim().toLowerCase(), text: bytes.toString().trim() }] };
}

/** Takes a mail apart, far enough to look at it. */
export function parseMail(data: Buffer, envelope: ReceivedMail['envelope'], at: Date): ReceivedMail {
  // Bytes stay bytes until the encoding of each part is known.
  const raw = data.toString('latin1');
  const { headers, parts } = partsOf(raw);
  return {
    at,
    envelope,
    headers,
    subject: decodeWords(headers.subject?.[0] ?? ''),
    text: parts.find((part) => part.type === 'text/plain')?.text ?? '',
    html: parts.find((part) => part.type === 'text/html')?.text,
    raw,
  };
}
