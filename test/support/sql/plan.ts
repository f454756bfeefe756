/** A node of a plan as `explain (verbose, format json)` tells it. */
export interface Plan {
  'Node Type': string;
  Operation?: string;
  Schema?: string;
  'Relation Name'?: string;
  Alias?: string;
  Output?: string[];
  Plans?: Plan[];
  [condition: string]: unknown;
}

export const planNodes = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(planNodes)];

const CONDITIONS = ['Filter', 'Index Cond', 'Recheck Cond'];

/** The parts of a condition that must all hold: `((a) AND (b OR c))` are `a` and `b OR c`. */
export function conjuncts(condition: string): string[] {
  const inner = unwrap(condition);
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  // Literals and quoted names are passed over whole.
  const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"| AND |[()]/g;
  for (const { 0: found, index } of inner.matchAll(token)) {
    if (found === '(') depth += 1;
    else if (found === ')') depth -= 1;
    else if (found === ' AND ' && depth === 0) {
      parts.push(inner.slice(start, index));
      start = index + found.length;
    }
  }
  parts.push(inner.slice(start));
  return parts.length === 1 ? [unwrap(parts[0]!)] : parts.flatMap(conjuncts);
}

/** Without the brackets around the whole. */
function unwrap(text: string): string {
  if (!text.startsWith('(')) return text;
  let depth = 0;
  for (const { 0: found, index } of text.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]/g)) {
    if (found === '(') depth += 1;
    if (found === ')') depth -= 1;
    if (depth === 0 && found === ')') return index === text.length - 1 ? unwrap(text.slice(1, -1)) : text;
  }
  return text;
}

/** Whether a scan is held to the tenant by a condition that must hold: `alias.tenant_id = $n`. */
export function namesTenant(scan: Plan, tenantAt: readonly number[]): boolean {
  const parts = CONDITIONS.flatMap((name) => (typeof scan[name] === 'string' ? conjuncts(scan[name]) : []));
  return parts.some((part) => {
    const found = /^(?:"?([\w$]+)"?\.)?tenant_id = \$(\d+)$/.exec(part);
    return found !== null && (found[1] === undefined || found[1] === scan.Alias) && tenantAt.includes(Number(found[2]));
  });
}
