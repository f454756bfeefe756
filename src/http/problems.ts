import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { messageOf, Problem } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { VendorError } from '../kit/index.ts';

/** A problem document (RFC 9457) with what to do about it. */
export const ProblemDocument = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    fix: Type.Optional(Type.String({ description: 'What to do about it' })),
    fields: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
    requestId: Type.Optional(Type.String()),
  },
  { $id: 'Problem' },
);

const TITLES: Record<number, string> = {
  400: 'The request is malformed',
  401: 'Log in first',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Conflict',
  412: 'Changed meanwhile',
  413: 'Too large',
  415: 'Wrong content type',
  422: 'Not acceptable as it is',
  428: 'A precondition is required',
  429: 'Too many requests',
  500: 'Something went wrong inside the hub',
  502: 'The platform did not cooperate',
  503: 'Not ready',
};

// What a vendor's refusal means for whoever asked us to do something there.
const VENDOR_STATUS: Partial<Record<VendorError['kind'], number>> = {
  auth_revoked: 409,
  auth_expired: 409,
  paused: 409,
  operator: 409,
  rate_limited: 503,
  quota_exhausted: 503,
  invalid: 422,
  not_found: 404,
};

/** Any thrown value as a problem. Database refusals of ill-formed values are the caller's mistakes, not ours. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof VendorError)
    return new Problem(VENDOR_STATUS[error.kind] ?? 502, `vendor_${error.kind}`, error.message);
  const known = error as FastifyError & { code?: string };
  if (known.validation) {
    const part = known.validationContext ?? 'body';
    const fields = known.validation.map((item) => ({
      path: `${part}${item.instancePath.replaceAll('/', '.')}${item.params.missingProperty ? `.${item.params.missingProperty as string}` : ''}${item.params.additionalProperty ? `.${item.params.additionalProperty as string}` : ''}`,
      message: item.params.additionalProperty ? 'is not known here' : (item.message ?? 'is wrong'),
    }));
    return new Problem(
      400,
      'validation',
      `The ${part} is not what this address takes: ${fields.map((field) => `${field.path} ${field.message}`).join('; ')}.`,
      {
        fix: 'Compare it with the reference at /docs.',
        fields,
      },
    );
  }
  if (known.statusCode === 503)
    return new Problem(503, 'unavailable', messageOf(error), { fix: 'Send the same request again in a moment.' });
  if (typeof known.statusCode === 'number' && known.statusCode >= 400 && known.statusCode < 500) {
    const fix =
      known.statusCode === 429
        ? 'Wait as long as the Retry-After header says.'
        : known.statusCode === 413
          ? 'Send less at once.'
          : undefined;
    return new Problem(known.statusCode, known.code ?? 'request', messageOf(error), fix ? { fix } : {});
  }
  // 22xxx: a value the database cannot take (a bad uuid or date in a path or filter).
  if (/^22/.test(known.code ?? ''))
    return new Problem(400, 'validation', 'A value in the request has the wrong form.', {
      fix: 'Check ids, dates and numbers.',
    });
  return new Problem(500, 'internal', 'The hub could not finish this. It is logged with the request id below.', {
    fix: 'Try again; if it stays, give the request id to whoever runs the hub.',
    cause: error,
  });
}

/** The body of a problem. */
export const documentOf = (problem: Problem, requestId?: string): Record<string, unknown> => ({
  type: `https://rapport.invalid/problems/${problem.code}`,
  title: TITLES[problem.status] ?? 'Error',
  status: problem.status,
  detail: problem.message,
  ...(problem.fix ? { fix: problem.fix } : {}),
  ...(problem.fields ? { fields: problem.fields } : {}),
  ...(requestId ? { requestId } : {}),
});

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((payload: unknown) => JSON.stringify(payload))
    .send(documentOf(problem, request.id));
}

/** Every failure leaves as a problem document, in words; a bug is logged in full and told in brief. */
export function installProblems(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500)
      log.error(
        { err: problem.cause ?? error, requestId: request.id, route: request.routeOptions.url },
        'a request failed',
      );
    return sendProblem(request, reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      request,
      reply,
      new Problem(404, 'not_found', `There is nothing at ${request.method} ${request.url.split('?')[0]}.`, {
        fix: 'The reference at /docs lists every address.',
      }),
    ),
  );
}
