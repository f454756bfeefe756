import { type HttpOperation, httpSpec, type Parameter } from '../http.ts';
import { Schemas } from '../schemas.ts';
import type { Spec } from '../spec.ts';

interface Listed {
  method: string;
  path: string;
  /** Names; `*` after one that is required. */
  query: string[];
  headers: string[];
  /** Reference to a schema; null: no body. */
  request: string | null;
  /** Reference to a schema by status; `type:` before a type that has no schema. */
  responses: Record<string, string>;
}

/**
 * Reads a list of operations beside a document with the schemas they name, as Bird (MessageBird) can be described: it
 * publishes schemas, and the calls are in its client library only.
 */
export function operationList(name: string, list: { operations: Listed[] }, document: Record<string, any>): Spec {
  const parameters = (names: readonly string[], where: Parameter['in']): Parameter[] =>
    names.map((one) => ({
      name: one.replace(/\*$/, ''),
      in: where,
      required: one.endsWith('*'),
      schema: {},
      separator: '',
    }));
  const contentOf = (reference: string) =>
    reference.startsWith('#') ? { 'application/json': { schema: { $ref: reference } } } : undefined;
  const operations = list.operations.map(
    (listed): HttpOperation => ({
      method: listed.method,
      template: listed.path,
      read: () => ({
        parameters: [...parameters(listed.query, 'query'), ...parameters(listed.headers, 'header')],
        body: listed.request
          ? { required: true, content: contentOf(listed.request) ?? { 'application/json': {} } }
          : undefined,
        responses: Object.fromEntries(
          Object.entries(listed.responses).map(([status, reference]) => [status, { content: contentOf(reference) }]),
        ),
      }),
    }),
  );
  return httpSpec(name, operations, new Schemas(document));
}
