import type { Reply } from './request.ts';

/** Everything a vendor can refuse with; one policy per kind lives in the engine. */
export const ERROR_KINDS = [
  'auth_expired',
  'auth_revoked',
  'forbidden',
  'rate_limited',
  'quota_exhausted',
  'not_found',
  'conflict',
  'invalid',
  'gone',
  'recipient_opted_out',
  'recipient_invalid',
  'paused',
  'operator',
  'transient',
  'malformed',
  'unknown',
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

export interface VendorErrorDetails {
  status?: number;
  /** The vendor's own error code. */
  code?: string;
  /** When to try again, for `rate_limited`, `quota_exhausted` and `transient`. */
  until?: Date;
  /** The object that is already there, for `conflict`. */
  existingId?: string;
  /** The survivor of a merge, for `gone`. */
  mergedInto?: string;
  /** Whether the vendor may have acted although we got no good answer. */
  mayHaveActed?: boolean;
  cause?: unknown;
}

/** A vendor's refusal or silence, classified. Its message is fit for a person and carries no secret. */
export class VendorError extends Error {
  readonly kind: ErrorKind;
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly until: Date | undefined;
  readonly existingId: string | undefined;
  readonly mergedInto: string | undefined;
  readonly mayHaveActed: boolean;

  constructor(kind: ErrorKind, message: string, details: VendorErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'VendorError';
    this.kind = kind;
    this.status = details.status;
    this.code = details.code;
    this.until = details.until;
    this.existingId = details.existingId;
    this.mergedInto = details.mergedInto;
    this.mayHaveActed = details.mayHaveActed ?? false;
  }
}

/** One line of a connector's error table: the first that matches decides. */
export interface ErrorRule {
  /** Status codes it is about; absent: any. */
  status?: number | readonly number[];
  /** The vendor's code (see `ErrorTable.code`); absent: any. */
  code?: string | readonly string[];
  when?: (reply: Reply) => boolean;
  /** A kind, or `ok` for an answer that only looks like a refusal. */
  kind: ErrorKind | 'ok';
  /** What to tell a person instead of the vendor's text. */
  message?: string;
  /** Seconds to wait, or how to read them from the answer. */
  retryAfter?: number | ((reply: Reply, now: Date) => Date | number | undefined);
  existingId?: (reply: Reply) => string | undefined;
  mergedInto?: (reply: Reply) => string | undefined;
  /** Whether the vendor may have acted although it refused; default: after a server error, yes. */
  mayHaveActed?: boolean;
}

export interface ErrorTable {
  /** The vendor's error code of an answer, also of one with status 200; undefined when the answer is fine. */
  code?: (reply: Reply) => string | undefined;
  /** The vendor's sentence for people. */
  message?: (reply: Reply) => string | undefined;
  rules: readonly ErrorRule[];
}

const asList = <T>(value: T | readonly T[] | undefined): readonly T[] | undefined =>
  value === undefined ? undefined : ((Array.isArray(value) ? value : [value]) as readonly T[]);

/** What a status means when the connector's table says nothing about it. */
function defaultKind(status: number): ErrorKind {
  if (status === 401) return 'auth_expired';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 409) return 'conflict';
  if (status === 410) return 'gone';
  if (status === 429) return 'rate_limited';
  if (status === 408 || status === 425 || status >= 500) return 'transient';
  return status >= 400 ? 'invalid' : 'unknown';
}

/** The time a `Retry-After` header names (seconds or HTTP date), or undefined. */
export function retryAfter(reply: Reply, now: Date): Date | undefined {
  const value = reply.headers['retry-after'];
  if (!value) return undefined;
  const seconds = Number(value);
  const time = Number.isFinite(seconds) ? now.getTime() + seconds * 1000 : Date.parse(value);
  return Number.isNaN(time) ? undefined : new Date(time);
}

/** The error an answer stands for by the connector's table, or undefined when it is fine. */
export function classify(table: ErrorTable, reply: Reply, now: Date): VendorError | undefined {
  const code = table.code?.(reply);
  const rule = table.rules.find(
    (candidate) =>
      (asList(candidate.status)?.includes(reply.status) ?? true) &&
      (asList(candidate.code)?.includes(code ?? '') ?? true) &&
      (candidate.when?.(reply) ?? true) &&
      // A rule without a code or condition is about refusals only.
      (candidate.code !== undefined || candidate.when !== undefined || reply.status >= 400),
  );
  if (rule?.kind === 'ok' || (!rule && reply.status < 400 && code === undefined)) return undefined;
  const kind = rule?.kind ?? defaultKind(reply.status);
  const wait = typeof rule?.retryAfter === 'function' ? rule.retryAfter(reply, now) : rule?.retryAfter;
  const until = retryAfter(reply, now) ?? (typeof wait === 'number' ? new Date(now.getTime() + wait * 1000) : wait);
  const existingId = rule?.existingId?.(reply);
  const mergedInto = rule?.mergedInto?.(reply);
  const sentence = rule?.message ?? table.message?.(reply) ?? `The platform answered with status ${reply.status}.`;
  return new VendorError(kind, sentence, {
    status: reply.status,
    ...(code === undefined ? {} : { code }),
    ...(until ? { until } : {}),
    ...(existingId ? { existingId } : {}),
    ...(mergedInto ? { mergedInto } : {}),
    // A server error may come after the deed; a refusal with a reason does not.
    mayHaveActed: rule?.mayHaveActed ?? (kind === 'transient' && reply.status !== 429 && reply.status !== 503),
  });
}
