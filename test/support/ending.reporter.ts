import type { Reporter, TestModule } from 'vitest/node';

/**
 * Says before the counts what they leave out: tests that were skipped, by name, and checks of the run that failed before
 * the tests began.
 */
export default class EndingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => `  ${module.relativeModuleId} > ${test.fullName}`),
    );
    if (skipped.length > 0) console.log(`\nSkipped:\n${skipped.join('\n')}`);
    const before = process.env.FAILED_BEFORE;
    if (before) console.log(`\nFailed before the tests (see above): ${before}`);
  }
}
