import { describe } from 'vitest';
import { hasPlatform, platformJson } from './platforms.ts';
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

/** Tests that read a platform's files; skipped, by name, where they are absent. */
export const describeFiles = (platform: string, about: string, tests: () => void) =>
  describe.skipIf(!hasPlatform(platform))(`${about} (skipped without PLATFORM_SPECS)`, tests);

/** A sample the vendor publishes. */
export const sample = (platform: string, file: string): any => platformJson(platform, `samples/${file}`);

/** Reads a description when a test first wants it: where it is absent nothing may be read. */
export function once(make: () => Spec): () => Spec {
  let made: Spec | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
