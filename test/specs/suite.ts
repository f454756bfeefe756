import { describe, expect, test } from 'vitest';
import type { Exchange } from '../../src/kit/sandbox/index.ts';
import { type CheckOptions, checkExchanges, linesOf, type SpecReport } from './check.ts';
import { whyUnchecked } from './platforms.ts';
import type { Post } from './truth.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** What a test compared with the vendor's own description: for the matrix of connectors. */
    specChecked?: Pick<SpecReport, 'requests' | 'responses' | 'exceptions'>;
  }
}

/** What a simulation noted. */
export interface Noted {
  journal: readonly Exchange[];
  deliveries: readonly Post[];
}

/**
 * The test that every request of a connector and every answer of its simulation is as the vendor describes it. It stands
 * at the end of the connector's tests and looks at all that went over the wire in them.
 */
export async function vendorTruth(
  connector: string,
  noted: () => Noted,
  options: Pick<CheckOptions, 'part'> = {},
): Promise<void> {
  const reason = await whyUnchecked(connector);
  describe('vendor truth', () => {
    const name = `${connector}: every request and every answer is as the vendor describes it`;
    test.skipIf(reason !== undefined)(reason ? `${name} (skipped: ${reason})` : name, async ({ task }) => {
      const { journal, deliveries } = noted();
      const report = (await checkExchanges(connector, journal, { deliveries, ...options }))!;
      expect(linesOf(report), linesOf(report).join('\n')).toEqual([]);
      expect(report.requests).toBeGreaterThan(0);
      expect(report.responses).toBeGreaterThan(0);
      const { requests, responses, exceptions } = report;
      task.meta.specChecked = { requests, responses, exceptions };
    });
  });
}
