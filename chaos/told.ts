import { WORDS, type Wrong } from './findings.ts';
import { tellKill } from './killer.ts';
import type { ChaosReport } from './run.ts';

/** Whether every promise was kept. */
export const passed = ({ verdict, crashes }: ChaosReport): boolean =>
  verdict.findings.length === 0 && crashes.length === 0;

const listed = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${name} ${n.toLocaleString('en')}`)
    .join(', ') || 'none';

const tally = (items: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const item of items) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
};

/** The report for people: what was done to the hub, what came of it, and what to do to see it again. */
export function told(report: ChaosReport): string {
  const { verdict, ledger, kills, crashes } = report;
  const by = Map.groupBy(verdict.findings, (finding) => finding.wrong);
  const unknown = verdict.unknowns;
  const lines: [string, string][] = [
    ['Seed', `${report.seed} (npm run chaos -- --kills ${kills.length} --seed ${report.seed})`],
    ['Kills', `${kills.length}: ${listed(tally(kills.map((kill) => kill.target)))}`],
    ['Moments', listed(tally(kills.map(({ moment, met }) => (met ? moment : `in vain for ${moment}`))))],
    ['Restarts', `${report.restarts} of hub processes; ${crashes.length} ended without being killed`],
    ['Time', `${report.daysPassed} days in ${report.seconds} s; the clock waited for ${listed(report.waited)}`],
    ['People did', listed(ledger.deeds)],
    ['Webhooks', listed(ledger.hooks)],
    ['Faults', listed(ledger.faults)],
    ['Counted', listed(verdict.counts)],
    [
      'Unknown',
      `${unknown.length}, of which the vendor did ${unknown.filter(({ done }) => done).length}: ${listed(tally(unknown.map(({ kind }) => kind)))}`,
    ],
    ['Accesses', `${verdict.accessesEnded} ended by a kill during a refresh, ${report.reconnected} authorised again`],
  ];
  const table = lines.map(([name, text]) => `${name.padEnd(12)} ${text}`);
  const verdicts = (Object.keys(WORDS) as Wrong[]).map(
    (wrong) => `  ${WORDS[wrong].padEnd(44)} ${by.get(wrong)?.length ?? 0}`,
  );
  const details = verdict.findings.map(
    ({ wrong, what, id, detail }) => `  ${WORDS[wrong].toUpperCase()}: ${what}: ${id}${detail ? ` (${detail})` : ''}`,
  );
  const ended = crashes.map(({ name, code, said }) => `  ENDED BY ITSELF: ${name} (${code}): ${said.slice(-1_500)}`);
  return [
    ...table,
    'Verdict',
    ...verdicts,
    ...details,
    ...ended,
    passed(report) ? 'Every promise was kept.' : 'NOT KEPT.',
  ].join('\n');
}

export const timeline = (report: ChaosReport): string => report.kills.map(tellKill).join('\n');

/** What is worth keeping of a run. */
export function kept(report: ChaosReport): Record<string, unknown> {
  const { verdict, ledger, kills, crashes } = report;
  return {
    seed: report.seed,
    passed: passed(report),
    options: report.options,
    kills: { total: kills.length, ...tally(kills.map((kill) => kill.target)) },
    moments: tally(kills.map(({ moment, met }) => (met ? moment : `in vain for ${moment}`))),
    findings: Object.fromEntries(
      (Object.keys(WORDS) as Wrong[]).map((wrong) => [
        wrong,
        verdict.findings.filter((one) => one.wrong === wrong).length,
      ]),
    ),
    details: verdict.findings,
    unknown: {
      total: verdict.unknowns.length,
      done: verdict.unknowns.filter(({ done }) => done).length,
      byKind: tally(verdict.unknowns.map(({ kind }) => kind)),
    },
    accessesEnded: verdict.accessesEnded,
    reconnected: report.reconnected,
    crashes,
    restarts: report.restarts,
    daysPassed: report.daysPassed,
    waited: report.waited,
    seconds: report.seconds,
    counts: verdict.counts,
    deeds: ledger.deeds,
    hooks: ledger.hooks,
    faults: ledger.faults,
    timeline: kills.map(tellKill),
  };
}
