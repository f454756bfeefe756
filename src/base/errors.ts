/**
 * What went wrong, for a person (`detail`) and what to do about it (`fix`); becomes a problem document
 * (RFC 9457) over HTTP and a plain sentence on the command line.
 */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly fix: string | undefined;
  readonly fields: FieldError[] | undefined;

  constructor(
    status: number,
    code: string,
    detail: string,
    more: { fix?: string; fields?: FieldError[]; cause?: unknown } = {},
  ) {
    super(detail, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.fix = more.fix;
    this.fields = more.fields;
  }
}

/** One refused field: where it stands (a path such as `steps[2].message`) and why it was refused. */
export interface FieldError {
  path: string;
  message: string;
}

export const notFound = (what: string, id: string): Problem =>
  new Problem(404, 'not_found', `There is no ${what} ${id} here.`, { fix: `List the ${what}s to find the right id.` });

export const conflict = (detail: string, fix?: string): Problem =>
  new Problem(409, 'conflict', detail, fix === undefined ? {} : { fix });

export const invalid = (detail: string, fields?: FieldError[], fix?: string): Problem =>
  new Problem(422, 'invalid', detail, { ...(fields ? { fields } : {}), ...(fix ? { fix } : {}) });

export const forbidden = (detail: string, fix?: string): Problem =>
  new Problem(403, 'forbidden', detail, fix === undefined ? {} : { fix });

export const stale = (what: string): Problem =>
  new Problem(412, 'stale', `The ${what} was changed by someone else since you read it.`, {
    fix: 'Read it again, look at the difference, and send your change with the new ETag in If-Match.',
  });

/** A sentence for any thrown value, without stack or secrets. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
