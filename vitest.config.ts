import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { keepCompiled } from './src/cli/compile_cache.ts';
import { SlowestFirst } from './test/slowest_first.ts';

// The many processes that tests start, and the nodes and threads of those, load the same modules: see compile_cache.ts.
keepCompiled(process.env);

/** Native add-ons live in the tests, so each file runs in a process of its own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // A third of the time the slow files wait for something.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    sequence: { sequencer: SlowestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
