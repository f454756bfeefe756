import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/support/database.setup.ts'],
    include: ['test/**/*.test.ts'],
    // Files share one database server; each has a database of its own, cloned from a migrated template.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
