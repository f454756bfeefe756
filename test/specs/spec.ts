import type { Exchange } from '../../src/kit/sandbox/index.ts';

/** One call and its answer, as a simulation's journal has it. */
export type Call = Pick<Exchange, 'method' | 'path' | 'query' | 'headers' | 'body' | 'status' | 'reply'>;

/** Something that is not as the vendor describes it. */
export interface Finding {
  /** Where, from `request` or `response` on: `request.body.properties.0.name`, `request.query.limit`, `response.status`. */
  at: string;
  /** What is wrong there. */
  says: string;
  /** What stands there instead, shortened. */
  value?: string;
}

/** An operation of a description, met by a call. */
export interface Operation {
  /** As the description has it: `POST /crm/objects/{objectType}`. */
  name: string;
  /** What of the request is not as described. */
  request(call: Call): Finding[];
  /** What of the answer is not as described; undefined where the description says nothing of such an answer. */
  response(call: Call): Finding[] | undefined;
}

/** A vendor's own description of its interface, of whatever kind. */
export interface Spec {
  /** The file it was read from. */
  name: string;
  /** The operation a call meets; undefined when the description has none for it. */
  find(call: Call): Operation | undefined;
}

/** A description of values rather than of calls: what a vendor posts, or a document inside of a request. */
export interface ValueSpec {
  name: string;
  /** What of the value is not as described, with places that begin with `at`. */
  check(value: unknown, at: string): Finding[];
}

/** A value, short enough for a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Findings by place and kind: a list of a thousand records says the same thing once. Positions in lists become `*`. */
export function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of findings) {
    const at = finding.at.replace(/\.\d+(?=\.|$)/g, '.*');
    const key = `${at}: ${finding.says}`;
    if (!seen.has(key)) seen.set(key, { ...finding, at });
  }
  return [...seen.values()];
}

export const isRecord = (value: unknown): value is Record<string, any> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
