import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/search-servers.ts'],
    testTimeout: 30_000,
    hookTimeout: 240_000,
    // Two cores are what CI has; more workers than that only make the real engines slower.
    maxWorkers: 2,
  },
});
