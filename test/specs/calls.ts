import type { Call, Finding, Spec } from './spec.ts';

/** A call for tests of the readers: what is not given is empty, JSON and a success. */
export const callOf = (method: string, path: string, more: Partial<Call> = {}): Call => ({
  method,
  path,
  query: {},
  headers: { 'content-type': 'application/json' },
  body: undefined,
  status: 200,
  reply: undefined,
  ...more,
});

const lines = (findings: readonly Finding[]): string[] => findings.map(({ at, says }) => `${at} ${says}`);

/** What a description says about a request, as lines; the operation's name first. */
export function requestOf(spec: Spec, call: Call): string[] {
  const operation = spec.find(call);
  return operation ? [operation.name, ...lines(operation.request(call))] : ['no operation'];
}

/** The same about an answer. */
export function responseOf(spec: Spec, call: Call): string[] {
  const findings = spec.find(call)?.response(call);
  return findings ? lines(findings) : ['not described'];
}
