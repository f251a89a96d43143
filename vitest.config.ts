import { defineConfig } from 'vitest/config';
import LongFirst from './test/support/sequence.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/search-servers.ts'],
    sequence: { sequencer: LongFirst },
    testTimeout: 60_000,
    hookTimeout: 240_000,
    // CI has two cores, and of two workers one is often waiting for a process to start, for a grace period or for a backoff.
    maxWorkers: 3,
  },
});
