import { loadSpecs } from './platforms.ts';
import { type Call, distinct, type Finding, type Spec } from './spec.ts';
import { exceptionsFor, type Post, type Truth } from './truth.ts';

/** Something that is neither as the vendor describes it nor a written exception. */
interface SpecProblem extends Finding {
  /** The operation as described, or method and path where there is none. */
  operation: string;
  /** How often it was met. */
  times: number;
}

export interface SpecReport {
  /** Requests compared with an operation of the description. */
  requests: number;
  /** Answers compared, posts of the vendor included. */
  responses: number;
  /** Written exceptions in use. */
  exceptions: number;
  problems: SpecProblem[];
  /** Answers the description says nothing about, as `operation: status`. */
  undescribed: string[];
}

export interface CheckOptions {
  /** What the simulation posted to the hub. */
  deliveries?: readonly Post[];
  /**
   * The journal shows a part of what the connector does. An exception that is not met proves nothing then, unless it is
   * written as shown by this part.
   */
  part?: string;
}

/** An exchange of a journal, with the fault that struck it. */
type Noted = Call & { fault?: string | undefined };

/**
 * Compares what a connector asked and what its simulation answered with the vendor's own description.
 * @returns undefined where there is no description to compare with
 */
export async function checkExchanges(
  connector: string,
  journal: readonly Noted[],
  options: CheckOptions = {},
): Promise<SpecReport | undefined> {
  const loaded = await loadSpecs(connector);
  return loaded && compare(loaded.specs, loaded.truth, journal, options);
}

/** The same with descriptions and exceptions given. */
export function compare(
  specs: readonly Spec[],
  truth: Truth,
  journal: readonly Noted[],
  options: CheckOptions = {},
): SpecReport {
  const report = { requests: 0, responses: 0, undescribed: new Set<string>() };
  const problems = new Map<string, SpecProblem>();
  const used = new Set<number>();
  const note = (operation: string, findings: readonly Finding[]): void => {
    for (const finding of distinct(findings)) {
      const excepted = exceptionsFor(truth.exceptions, operation, finding);
      if (excepted.length > 0) {
        for (const index of excepted) used.add(index);
        continue;
      }
      const key = `${operation} ${finding.at} ${finding.says}`;
      const before = problems.get(key);
      if (before) before.times += 1;
      else problems.set(key, { operation, ...finding, times: 1 });
    }
  };
  const find = (call: Call) => specs.map((spec) => spec.find(call)).find((found) => found !== undefined);
  for (const exchange of journal) {
    // The simulation answered before it read the request: neither is the vendor's.
    if (exchange.fault === 'status') continue;
    const call = truth.read ? truth.read(exchange, (other) => find(other) !== undefined) : exchange;
    const operation = find(call);
    if (!operation) {
      note(`${exchange.method} ${exchange.path}`, [{ at: 'operation', says: 'is not described' }]);
      continue;
    }
    report.requests += 1;
    // What was refused as invalid may be so.
    if (exchange.status !== 400 && exchange.status !== 422) note(operation.name, operation.request(call));
    if (exchange.fault === 'rewrite') continue;
    const answered = operation.response(call);
    if (!answered) report.undescribed.add(`${operation.name}: ${exchange.status}`);
    else {
      report.responses += 1;
      note(operation.name, answered);
    }
  }
  for (const post of options.deliveries ?? []) {
    const findings = truth.post?.(post);
    if (!findings) continue;
    report.responses += 1;
    note('posts', findings);
  }
  truth.exceptions.forEach((exception, index) => {
    const isExpected = options.part === undefined ? true : exception.shownBy === options.part;
    if (used.has(index) || !isExpected) return;
    const says = `no longer applies: take the exception away (${exception.why})`;
    problems.set(`exception ${index}`, { operation: exception.operation, at: exception.at, says, times: 0 });
  });
  return {
    requests: report.requests,
    responses: report.responses,
    exceptions: used.size,
    problems: [...problems.values()],
    undescribed: [...report.undescribed].sort(),
  };
}

/** A report's problems as lines a person can act on. */
export const linesOf = (report: SpecReport): string[] =>
  report.problems.map(
    ({ operation, at, says, value, times }) =>
      `${operation}: ${at} ${says}${value === undefined ? '' : `, is ${value}`}${times > 1 ? ` (${times} times)` : ''}`,
  );
