import type { Node } from './sandbox.table.ts';

export interface Search {
  /** Milliseconds before which nothing is found. */
  from: number;
  holds: ((node: Node, at: number) => boolean) | undefined;
  /** Names of filters that are not known: they are ignored, with a warning, as the vendor does. */
  unknown: string[];
}

const TERM = /(-?)(\w+):(>=|<=|>|<)?(?:'((?:\\.|[^'\\])*)'|([^\s]+))/g;

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
  '': (a, b) => a === b,
};

type Test = (node: Node, at: number) => boolean;

/** Reads a search as the vendor writes them: `updated_at:>='...' tag:'...'`, all of which must hold. */
export function readSearch(text: string | undefined): Search {
  const tests: Test[] = [];
  const unknown: string[] = [];
  let from = Number.NEGATIVE_INFINITY;
  for (const [, not, name = '', sign = '', quoted, plain] of (text ?? '').matchAll(TERM)) {
    const value = (quoted ?? plain ?? '').replaceAll("\\'", "'");
    let test: Test | undefined;
    if (name === 'updated_at') {
      const time = Date.parse(value);
      // Nothing more than where to begin: the order does the rest.
      if (sign === '>=' && not === '') from = Math.max(from, time);
      else test = (_node, at) => COMPARE[sign]!(Math.floor(at / 1000) * 1000, time);
    } else if (name === 'tag')
      test = ({ tags }) => (tags as string[]).some((tag) => tag.toLowerCase() === value.toLowerCase());
    else if (name === 'financial_status')
      test = ({ displayFinancialStatus }) => String(displayFinancialStatus).toLowerCase() === value.toLowerCase();
    else if (!['AND', 'OR'].includes(name)) unknown.push(name);
    const found = test;
    if (found) tests.push(not === '-' ? (node, at) => !found(node, at) : found);
  }
  const holds = tests.length === 0 ? undefined : (node: Node, at: number) => tests.every((test) => test(node, at));
  return { from, holds, unknown };
}
