import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';
import type { Result } from './results.ts';

/** Keeps what came of every test, with what the test said about itself, in the file of MATRIX_RESULTS. */
export default class MatrixReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const results = modules.flatMap((module) =>
      [...module.children.allTests()].map((test): Result => {
        const { state } = test.result();
        const { conformance, specChecked } = test.meta();
        return {
          name: test.name,
          state: state === 'pending' ? 'skipped' : state,
          meta: { ...(conformance ? { conformance } : {}), ...(specChecked ? { specChecked } : {}) },
        };
      }),
    );
    writeFileSync(process.env.MATRIX_RESULTS!, JSON.stringify(results));
  }
}
