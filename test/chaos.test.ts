import { afterAll, expect, test } from 'vitest';
import type { ChaosReport } from '../chaos/run.ts';
import { runChaos, tidy } from '../chaos/run.ts';
import { passed, timeline, told } from '../chaos/told.ts';

// Fifty kills of the real program, its database among the victims. A failure names its seed:
// `npm run chaos -- --kills 50 --seed <seed> --hold` plays it again and keeps the database.

const KILLS = 50;
const SEED = 7;

let report: ChaosReport | undefined;
afterAll(() => report && tidy(report));

test(
  `chaos: after ${KILLS} kills nothing is lost, done twice, out of order or stuck`,
  async () => {
    report = await runChaos({
      ...{ kills: KILLS, seed: SEED, customers: 30, days: 14, faults: 0.06, hooks: 0.1 },
      say: () => {},
    });
    expect(report.kills).toHaveLength(KILLS);
    expect(passed(report), `${timeline(report)}\n${told(report)}`).toBe(true);
    // It was no quiet day: things were done at the vendors, and kills met work.
    expect(report.ledger.writes.length).toBeGreaterThan(20);
    expect(report.kills.filter(({ met, moment }) => met && moment !== 'any').length).toBeGreaterThan(5);
  },
  10 * 60_000,
);
