import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The condition is what counts: a slow machine has time.
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: 2,
    // A worker that is spawned by an action of the supervisor runs its own actions inside; XState's development build
    // takes those for a mistake.
    onConsoleLog: (text) => !text.includes('Custom actions should not call'),
  },
});
