import { randomBytes } from 'node:crypto';

export interface MimeMail {
  from: string | undefined;
  to: string;
  toName?: string;
  subject: string;
  text: string;
  html?: string;
  unsubscribeUrl?: string;
  inReplyTo?: string;
}

/** No line break of ours or of a customer's name begins a header. */
const flat = (text: string): string => text.replace(/[\r\n]+/g, ' ').trim();

/** A text in a header: as words of base64 where it is not plain (RFC 2047, at most 75 characters a word). */
function encoded(text: string): string {
  const line = flat(text);
  if (/^[ -~]*$/.test(line)) return line;
  const words: string[] = [];
  let word = '';
  for (const letter of line) {
    if (Buffer.byteLength(word + letter) > 42) {
      words.push(word);
      word = '';
    }
    word += letter;
  }
  return [...words, word].map((part) => `=?utf-8?B?${Buffer.from(part).toString('base64')}?=`).join('\r\n ');
}

const mailbox = (address: string, name?: string): string => {
  if (!name) return `<${flat(address)}>`;
  const shown = /^[ -~]*$/.test(name) ? `"${flat(name).replace(/["\\]/g, '\\$&')}"` : encoded(name);
  return `${shown} <${flat(address)}>`;
};

const part = (type: string, content: string): string =>
  [
    `Content-Type: ${type}; charset=utf-8`,
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(content).toString('base64').replace(/.{76}/g, '$&\r\n'),
  ].join('\r\n');

/** A mail with one-click unsubscription (RFC 8058), as the bytes of its MIME form. */
export function mimeOf(mail: MimeMail): Buffer {
  const boundary = `rapport-${randomBytes(12).toString('hex')}`;
  const headers = [
    ...(mail.from ? [`From: ${mailbox(mail.from)}`] : []),
    `To: ${mailbox(mail.to, mail.toName)}`,
    `Subject: ${encoded(mail.subject)}`,
    ...(mail.inReplyTo ? [`In-Reply-To: ${flat(mail.inReplyTo)}`, `References: ${flat(mail.inReplyTo)}`] : []),
    ...(mail.unsubscribeUrl
      ? [`List-Unsubscribe: <${flat(mail.unsubscribeUrl)}>`, 'List-Unsubscribe-Post: List-Unsubscribe=One-Click']
      : []),
    'MIME-Version: 1.0',
  ];
  if (!mail.html) return Buffer.from([...headers, part('text/plain', mail.text)].join('\r\n'));
  const parts = [part('text/plain', mail.text), part('text/html', mail.html)];
  const body = parts.map((one) => `--${boundary}\r\n${one}\r\n`).join('');
  return Buffer.from(
    `${[...headers, `Content-Type: multipart/alternative; boundary="${boundary}"`].join('\r\n')}\r\n\r\n${body}--${boundary}--\r\n`,
  );
}
