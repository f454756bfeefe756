import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

const SECRET_KEY = /(token|secret|password|authorization|cookie|signature|credential|api[-_]?key|private[-_]?key)/i;
// Tokens of known shape that could stand inside a sentence (a vendor's error text, a URL).
const SECRET_TEXT =
  /(xox[a-z]-[\w-]+|Bearer\s+[\w.~+/=-]+|Basic\s+[A-Za-z0-9+/=]{8,}|whsec_[A-Za-z0-9+/=]+|rpk_[\w-]+|([?&](?:code|state|token|access_token|refresh_token|client_secret)=)[^&\s"]+)/g;

// Who a message went to is in the database, for those who may see it; a log is read by others.
const MAIL_ADDRESS = /[\w.%+-]+(?:@|%40)(?:[\w-]+\.)+[A-Za-z]{2,}/g;
const PHONE_NUMBER = /(?:\+|%2B)\d{7,15}(?!\d)/gi;
const URL_PASSWORD = /(:\/\/[^\s:/@]*:)[^\s/@]+(?=@)/g;

// Members of errors that repeat data: Postgres puts the whole refused row into `detail`.
const HIDDEN = new Set(['cause', 'detail', 'where']);

/** A text without secrets and without people's addresses. */
export const redactText = (text: string): string =>
  text
    .replace(SECRET_TEXT, (_all, _whole: string, urlPart?: string) => `${urlPart ?? ''}[secret]`)
    .replace(URL_PASSWORD, '$1[secret]')
    .replace(MAIL_ADDRESS, '[mail address]')
    .replace(PHONE_NUMBER, '[phone number]');

/**
 * A copy of `value` without secrets and people's addresses at any depth: pino's own redaction only reaches fixed paths.
 * Depth and width are limited so that a log line stays a line.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value.length > 2000 ? `${value.slice(0, 2000)}...` : value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Date) return value;
  if (value instanceof Error) {
    const { name, message, stack } = value;
    const extra = Object.fromEntries(Object.entries(value).filter(([key]) => !HIDDEN.has(key)));
    return {
      type: name,
      message: redactText(message),
      stack: stack ? redactText(stack) : undefined,
      ...(redact(extra, depth + 1) as object),
    };
  }
  if (Buffer.isBuffer(value)) return `[${value.length} bytes]`;
  if (depth > 5) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, 50).map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      SECRET_KEY.test(key) && item ? '[secret]' : redact(item, depth + 1),
    ]),
  );
}

/** Structured logs on `destination` (standard error by default: standard output belongs to the commands). */
export function createLogger(level: string, destination?: { write(line: string): void }): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (object) => redact(object) as Record<string, unknown> },
      serializers: { err: (error) => error, req: (request) => request, res: (reply) => reply },
      hooks: {
        logMethod(args, method) {
          const [first, text, ...rest] = args as unknown[];
          const error = first instanceof Error ? first : (first as { err?: unknown } | undefined)?.err;
          // Without a sentence pino takes the error's own, as it is.
          const sentence = text === undefined && error instanceof Error ? error.message : text;
          const given = sentence === undefined ? [first] : [first, sentence, ...rest];
          method.apply(
            this,
            given.map((arg) => (typeof arg === 'string' ? redactText(arg) : arg)) as Parameters<typeof method>,
          );
        },
      },
    },
    destination ?? pino.destination(2),
  );
}
