import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Fault } from './faults.ts';

/** One call the simulation answered: what a test compares with the vendor's published description. */
export interface Exchange {
  at: Date;
  method: string;
  path: string;
  query: Record<string, unknown>;
  headers: Record<string, string>;
  body: unknown;
  status: number;
  reply: unknown;
  /** The fault that struck it; what came back is then not what the vendor would have answered. */
  fault?: Fault['kind'];
}

/** One post of the simulation to the hub. Status 0: nobody took it. */
export interface Delivery {
  url: string;
  status: number;
  body: string;
}

/** Notes a call as it is being answered. */
export function exchangeOf(
  at: Date,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  fault: Fault['kind'] | undefined,
): Exchange {
  let text: string | undefined = typeof payload === 'string' ? payload : '';
  let parsed: unknown;
  return {
    at,
    method: request.method,
    path: request.url.split('?')[0]!,
    query: request.query as Record<string, unknown>,
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
    body: request.body,
    status: reply.statusCode,
    // Taken apart only when somebody looks: most answers are never looked at.
    get reply() {
      if (text !== undefined) parsed = jsonOrText(text);
      text = undefined;
      return parsed;
    },
    ...(fault ? { fault } : {}),
  };
}

/** A body as what it says, or as its text when it is no JSON. */
export function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
