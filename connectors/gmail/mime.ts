/** A mail as text: RFC 5322 with CRLF, UTF-8 in base64, names and subjects as RFC 2047 says. */
export interface Letter {
  from: { address: string; name: string };
  to: { address: string; name: string };
  subject: string;
  date: Date;
  messageId: string;
  text: string;
  html?: string | undefined;
  headers: Record<string, string>;
}

/** One line: a line break in a header would begin another header. */
export const oneLine = (text: string): string =>
  [...text]
    .map((sign) => (sign < ' ' || sign === '\u007f' ? ' ' : sign))
    .join('')
    .replace(/ +/g, ' ')
    .trim();

// 39 bytes make 52 letters: with the header's name a line stays below the 76 that RFC 2047 allows.
const WORD_BYTES = 39;

/** A text in a header: as it is when it is plain, else in words that end between two characters. */
function encoded(text: string): string {
  const line = oneLine(text);
  if (/^[ -~]*$/.test(line) && !line.includes('=?')) return line;
  const words: string[] = [];
  let word = '';
  for (const sign of line) {
    if (Buffer.byteLength(word + sign) > WORD_BYTES) {
      words.push(word);
      word = '';
    }
    word += sign;
  }
  return [...words, word].map((part) => `=?UTF-8?B?${Buffer.from(part).toString('base64')}?=`).join('\r\n ');
}

const PLAIN_NAME = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/;

function mailbox({ name, address }: Letter['from']): string {
  const line = oneLine(name);
  if (line === '') return address;
  if (PLAIN_NAME.test(line)) return `${line} <${address}>`;
  if (/^[ -~]+$/.test(line)) return `"${line.replace(/["\\]/g, '')}" <${address}>`;
  return `${encoded(line)}\r\n <${address}>`;
}

const body = (type: string, text: string): string =>
  [
    `Content-Type: text/${type}; charset=UTF-8`,
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(text.replace(/\r?\n/g, '\r\n')).toString('base64').replace(/.{76}/g, '$&\r\n').replace(/\r\n$/, ''),
  ].join('\r\n');

/** The whole message. Its boundary comes from its id, so that every try is the same. */
export function writeLetter(letter: Letter): string {
  const boundary = `=_${letter.messageId.replace(/[^A-Za-z0-9.-]/g, '').slice(0, 60)}`;
  const content =
    letter.html === undefined
      ? body('plain', letter.text)
      : [
          `Content-Type: multipart/alternative; boundary="${boundary}"`,
          '',
          `--${boundary}`,
          body('plain', letter.text),
          `--${boundary}`,
          body('html', letter.html),
          `--${boundary}--`,
          '',
        ].join('\r\n');
  const headers = {
    From: mailbox(letter.from),
    To: mailbox(letter.to),
    Subject: encoded(letter.subject),
    Date: letter.date.toUTCString().replace('GMT', '+0000'),
    'Message-ID': letter.messageId,
    ...letter.headers,
    'MIME-Version': '1.0',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `${lines.join('\r\n')}\r\n${content}`;
}
