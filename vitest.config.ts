import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { keepCompiled } from './src/cli/compile_cache.ts';
import { SlowestFirst } from './test/slowest_first.ts';

// The many processes that tests start, and the nodes and threads of those, load the same modules: see compile_cache.ts.
keepCompiled(process.env);

/** What computes on numbers and texts alone: no device, no program of ours, no change of the environment. */
const plain = ['data', 'runtime/system', 'runtime/testing', 'telemetry', 'topology'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

/** What takes many seconds a file: `npm run test:long`, and not `npm test`. */
const long = 'test/**/*.long.test.ts';

export default defineConfig({
  test: {
    pool: 'forks',
    // A third of the time the slow files wait for something.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    sequence: { sequencer: SlowestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      // Devices live in these tests, so each file runs in a process of its own.
      { extends: true, test: { name: 'whole', include: ['test/**/*.test.ts'], exclude: [...plain, long] } },
      // These need none, and start in no time where another of them has loaded the modules.
      { extends: true, test: { name: 'plain', include: plain, exclude: [long], isolate: false } },
      { extends: true, test: { name: 'long', include: [long] } },
    ],
  },
});
