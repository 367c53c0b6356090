import { availableParallelism } from 'node:os';
import { defineConfig, type Plugin } from 'vitest/config';
import { keepCompiled } from './src/cli/compile_cache.ts';
import { lackedParts, machineParts, SkippedTests } from './test/machine_parts.ts';
import { SlowestFirst } from './test/slowest_first.ts';

// The many processes that tests start, and the nodes and threads of those, load the same modules: see compile_cache.ts.
keepCompiled(process.env);

/** What computes on numbers and texts alone: no device, no program of ours, no change of the environment. */
const plain = ['data', 'runtime/system', 'runtime/testing', 'telemetry', 'topology'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

/** What takes many seconds a file: `npm run test:long`, and not `npm test`. */
const long = 'test/**/*.long.test.ts';

const lacked = await lackedParts(process.env);

/** A filter, and not `skip` in the tags, which `runIf` and `skipIf` of a test would overrule. */
const withoutLacked: Plugin = {
  name: 'without-lacked-parts',
  configureVitest: ({ project: { config } }) => {
    config.tagsFilter = [...(config.tagsFilter ?? []), ...lacked.map(({ tag }) => `!${tag}`)];
  },
};

export default defineConfig({
  plugins: [withoutLacked],
  test: {
    pool: 'forks',
    // A third of the time the slow files wait for something.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    sequence: { sequencer: SlowestFirst },
    tags: machineParts.map(({ tag }) => ({ name: tag })),
    reporters: [new SkippedTests(lacked), 'default'],
    // Nobody's measure of speed: what hangs is ended. Nothing takes a tenth of it on two cores that do nothing else.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    projects: [
      // Devices live in these tests, so each file runs in a process of its own.
      { extends: true, test: { name: 'whole', include: ['test/**/*.test.ts'], exclude: [...plain, long] } },
      // These need none, and start in no time where another of them has loaded the modules.
      { extends: true, test: { name: 'plain', include: plain, exclude: [long], isolate: false } },
      { extends: true, test: { name: 'long', include: [long] } },
    ],
  },
});
