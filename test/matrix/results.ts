import type { TaskMeta } from 'vitest';

/** What came of one test of a connector. */
export interface Result {
  name: string;
  state: 'passed' | 'failed' | 'skipped';
  meta: Pick<TaskMeta, 'conformance' | 'specChecked'>;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** A connector as `--json` prints it. */
export interface Row {
  connector: string;
  capabilities: Record<string, Counts>;
  /** What was compared with the vendor's own description; zeros where there is none. */
  specChecked: { requests: number; responses: number; exceptions: number };
}

/** The tests' names begin with the connector they are about. */
const connectorOf = ({ name, meta }: Result): string => meta.conformance?.connector ?? name.split(':')[0]!;

/** Counts per connector and capability. */
export function rowsOf(results: readonly Result[]): Row[] {
  const rows = new Map<string, Row>();
  for (const { meta, state, name } of results) {
    if (!meta.conformance && !meta.specChecked) continue;
    const connector = connectorOf({ name, meta, state });
    const row = rows.get(connector) ?? {
      connector,
      capabilities: {},
      specChecked: { requests: 0, responses: 0, exceptions: 0 },
    };
    rows.set(connector, row);
    if (meta.conformance) {
      const { capability } = meta.conformance;
      row.capabilities[capability] ??= { passed: 0, failed: 0, skipped: 0 };
      row.capabilities[capability]![state] += 1;
    }
    for (const key of ['requests', 'responses', 'exceptions'] as const)
      row.specChecked[key] += meta.specChecked?.[key] ?? 0;
  }
  return [...rows.values()].sort((a, b) => a.connector.localeCompare(b.connector));
}

/** The matrix in words: a line for each connector and capability, with why something was left out, and what failed. */
export function told(results: readonly Result[]): string {
  const lines = rowsOf(results).flatMap(({ connector, capabilities, specChecked }) => [
    '',
    connector,
    ...Object.entries(capabilities).map(([capability, { passed, failed, skipped }]) => {
      const why = new Map<string, number>();
      for (const { meta } of results) {
        const { notApplicable } = meta.conformance ?? {};
        if (meta.conformance?.connector !== connector || meta.conformance.capability !== capability) continue;
        if (notApplicable) why.set(notApplicable, (why.get(notApplicable) ?? 0) + 1);
      }
      const reasons = [...why].map(([reason, times]) => `${times} not applicable: ${reason}`);
      const other = skipped - [...why.values()].reduce((sum, times) => sum + times, 0);
      const counts = [`${passed} passed`, `${failed} failed`, ...(other > 0 ? [`${other} skipped`] : []), ...reasons];
      return `  ${capability.padEnd(12)} ${counts.join('; ')}`;
    }),
    `  ${'vendor truth'.padEnd(12)} ${specChecked.requests} requests and ${specChecked.responses} answers as the vendor describes them, ${specChecked.exceptions} written exceptions`,
  ]);
  const failed = results.filter(({ state }) => state === 'failed').map(({ name }) => `  ${name}`);
  return [...lines.slice(1), ...(failed.length > 0 ? ['', 'Failed:', ...failed] : [])].join('\n');
}
